/** States that are angles: however time is cut the same bits, and after a million steps still right. */
import assert from "node:assert/strict";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import type { CompileOptions } from "../../compiler/compile.js";
import { interpret } from "../../compiler/interpret/index.js";
import {
  parseSnapshot,
  serializeSnapshot,
  type Model,
  type Outputs,
  type Session,
} from "../../runtime/index.js";
import { graphOf } from "../support/elaborated.js";
import { bundleOf, modelOf } from "../support/model.js";
import { seeded } from "../support/random.js";
import { runKernel } from "../support/run-kernel.js";

const WIDTH = 4;
const source = (init = 0): string => `
axis b: batch, t: time
axis i = ${WIDTH}
model turning {
  input d: f32[b, t, i]
  state theta[i] init ${init}
  theta = prev(theta) + d
  output c[b, t, i] = cos(theta)
  output s[b, t, i] = sin(theta)
}`;

const WHOLE: CompileOptions = { schedule: { chunkBelow: 0 } };
const CHUNKED: CompileOptions = { schedule: { chunkBelow: 1e9, chunkFrom: 1 }, packed: true };

type Draw = () => number;
const random = seeded(11);
const uniform = (low = 0, high = 1): number => random.uniform(low, high);
/** [t, i], a column for each draw. */
const increments = (steps: number, draws: readonly Draw[]): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: steps * WIDTH }, (_, k) => draws[k % WIDTH]?.() ?? 0);

const MIXED: readonly Draw[] = [
  () => uniform(-3, 3),
  () => uniform(-200, 200),
  () => 1e-8,
  () => uniform(-1, 1) * 10 ** uniform(-12, 12),
];

/** The angle after the last step in float64, whole turns left out on the way so that it stays exact. */
function lastAngles(d: Float32Array): readonly number[] {
  const theta = new Float64Array(WIDTH);
  d.forEach((by, k) => {
    const sum = (theta[k % WIDTH] ?? NaN) + by;
    theta[k % WIDTH] = sum - 2 * Math.PI * Math.round(sum / (2 * Math.PI));
  });
  return [...theta];
}

/** The greatest distance between two points of the unit circle. */
function distance({ c, s }: Outputs, angles: readonly number[]): number {
  assert.ok(c !== undefined);
  assert.equal(c.data.length, angles.length);
  const errors = angles.map((a, k) =>
    Math.hypot((c.data[k] ?? NaN) - Math.cos(a), (s?.data[k] ?? NaN) - Math.sin(a)),
  );
  return Math.max(...errors);
}

/** All bits of the state, of each sequence. */
async function bitsOf(session: Session): Promise<readonly (readonly number[])[]> {
  const { states } = await session.save();
  const bits = ["theta", "theta:rest"].map((name) => {
    const { data, shape } = states[name] ?? assert.fail(`no ${name}`);
    assert.deepEqual(shape, [session.batch, WIDTH]);
    return new Uint32Array(data.buffer, data.byteOffset, data.length);
  });
  return Array.from({ length: session.batch }, (_, b) =>
    bits.flatMap((of) => [...of.slice(b * WIDTH, (b + 1) * WIDTH)]),
  );
}

describe("angles", () => {
  let whole: Model;
  let chunked: Model;
  before(async () => {
    whole = await modelOf(bundleOf(source(), WHOLE));
    chunked = await modelOf(bundleOf(source(), CHUNKED));
  });
  after(() => {
    whole.destroy();
    chunked.destroy();
  });

  it("are right after 1,048,576 steps", async () => {
    const STEPS = 2 ** 20;
    const session = await chunked.session({ maxChunk: STEPS });
    const d = increments(STEPS, [() => 1, () => uniform(-3, 3), () => 1e-8, () => 100 * uniform()]);
    const error = distance(await session.prefill({ d }), lastAngles(d));
    session.destroy();
    assert(error < 2e-6, `off by ${error}`);
  });

  it("have the same bits however time is cut", async () => {
    const STEPS = 300;
    const d = increments(STEPS, MIXED);
    const run = async (model: Model, cuts: readonly number[]): Promise<unknown> => {
      const session = await model.session();
      let begin = 0;
      for (const end of [...cuts, STEPS]) {
        const piece = { d: d.slice(begin * WIDTH, end * WIDTH) };
        if (end - begin === 1) await session.step(piece, { outputs: "none" });
        else await session.prefill(piece, { outputs: "none" });
        begin = end;
      }
      const bits = await bitsOf(session);
      session.destroy();
      return bits;
    };
    const expected = await run(whole, []);
    assert.deepEqual(await run(chunked, []), expected, "in chunks");
    for (const model of [whole, chunked]) assert.deepEqual(await run(model, [1, 2, 17, 133]), expected);
    const steps = Array.from({ length: STEPS }, (_, k) => k + 1).slice(0, -1);
    assert.deepEqual(await run(whole, steps), expected, "step by step");

    const packed = await chunked.session({ batch: 3 });
    const lengths = [130, STEPS, 7];
    const documents = lengths.map((length) => d.slice((STEPS - length) * WIDTH));
    await packed.prefill(
      { d: Float32Array.from(documents.flatMap((x) => [...x])) },
      { lengths, outputs: "none" },
    );
    const own = (await bitsOf(packed))[1];
    packed.destroy();
    assert.deepEqual([own], expected, "among other documents");
  });

  it("agree with the oracle at every step", async () => {
    const STEPS = 70;
    const d = increments(STEPS, [
      () => uniform(-3, 3),
      () => uniform(-200, 200),
      () => 1e-8,
      () => -uniform(),
    ]);
    const { outputs } = interpret(graphOf(source(0.5)), {
      inputs: { d: { shape: [1, STEPS, WIDTH], data: d } },
    });
    const model = await modelOf(bundleOf(source(0.5), CHUNKED));
    const session = await model.session();
    const got = await session.prefill({ d }, { outputs: "all" });
    for (const name of ["c", "s"])
      outputs[name]?.data.forEach((want, k) => {
        const value = got[name]?.data[k] ?? NaN;
        assert(Math.abs(value - want) < 1e-6, `${name}[${k}] = ${value}, not ${want}`);
      });
    model.destroy();
  });

  it("are saved and restored exactly, and taken in radians too", async () => {
    const session = await chunked.session();
    await session.prefill({ d: increments(50, MIXED) }, { outputs: "none" });
    const saved = await parseSnapshot(await serializeSnapshot(await session.save()));
    const other = await whole.session();
    await other.restore({ ...saved, pos: 50 });
    assert.deepEqual(await bitsOf(other), await bitsOf(session));

    assert.deepEqual(await other.readState("theta"), saved.states["theta"]);
    assert.ok(saved.states["theta"]?.data.every((angle) => Math.abs(angle) < 3.1416));

    // Of radians alone, as many as there are.
    const radians = Float32Array.of(1, -2.5, 1e5, -3e20);
    const theta = { data: radians, shape: [1, WIDTH] };
    await other.restore({ ...saved, states: { theta } });
    const stepped = await other.step({ d: new Float32Array(WIDTH).fill(0.25) });
    const wanted = [...radians].map((x) => 2 * Math.PI * 2 ** -46 * exactTurns(x) + 0.25);
    assert(distance(stepped, wanted) < 1e-6);
    session.destroy();
    other.destroy();
  });

  it("stay NaN once they are", async () => {
    const session = await whole.session();
    const d = new Float32Array(3 * WIDTH);
    d.set([NaN, Infinity, 1], WIDTH);
    const { c } = await session.prefill({ d });
    session.destroy();
    assert.deepEqual([...(c?.data ?? [])].map(Number.isNaN), [true, true, false, false]);
  });

  it("are converted to the last of 46 bits", async () => {
    const at = [
      0, 1, -1, 3.1, 6.2831855, -6.2831855, 1e-8, 1e-13, 1e-30, 0.1, 1023.9, -1599, 1601, 12345.678, -1e9,
      3e20,
    ];
    const x = Float32Array.from([
      ...at,
      ...Array.from({ length: 500 }, () => uniform(-1, 1) * 10 ** uniform(-14, 30)),
    ]);
    const e = new ExprBuilder();
    const i = e.variable("i", "u32", x.length);
    const load = e.load("x", i);
    const { turns, rest } = await runKernel(
      {
        name: "turns",
        skeleton: "map",
        notes: [],
        bindings: [
          { name: "x", access: "read", element: "f32" },
          { name: "turns", access: "read_write", element: "f32" },
          { name: "rest", access: "read_write", element: "f32" },
        ],
        domain: [{ var: "i", extent: x.length }],
        stores: [
          { binding: "turns", index: i, value: e.op("turns", load) },
          { binding: "rest", index: i, value: e.op("turns_rest", load) },
        ],
        schedule: { workgroup: 64 },
      },
      {},
      { x, turns: new Float32Array(x.length).fill(NaN), rest: new Float32Array(x.length).fill(NaN) },
    );
    x.forEach((value, k) => {
      const [first, second] = [(turns?.[k] ?? NaN) * 2 ** 23, (rest?.[k] ?? NaN) * 2 ** 46];
      assert(Number.isInteger(first) && Math.abs(first) <= 2 ** 22, `${value}: ${first}`);
      assert(Number.isInteger(second) && Math.abs(second) <= 2 ** 22, `${value}: ${second}`);
      const units = (first * 2 ** 23 + second - exactTurns(value)) / 2 ** 46;
      const error = Math.abs(units - Math.round(units)) * 2 ** 46;
      assert(error <= 0.51, `${value}: off by ${error} of 2^-46 turns`);
    });
  });
});

const BITS = 300n;
/** 2π in 2⁻³⁰⁰, by Machin's formula. */
const TWO_PI = 8n * (4n * arctanOfOneOver(5n) - arctanOfOneOver(239n));

function arctanOfOneOver(n: bigint): bigint {
  let total = 0n;
  let power = (1n << BITS) / n;
  for (let k = 1n; power !== 0n; k += 2n, power /= n * n) total += (k % 4n === 1n ? power : -power) / k;
  return total;
}

/** x/2π without whole turns, in 2⁻⁴⁶, to 8 bits behind the point. */
function exactTurns(x: number): number {
  if (x === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(x))) - 30;
  const mantissa = BigInt(x * 2 ** -exponent);
  const shift = exponent + 54;
  const numerator = mantissa << (BITS + BigInt(Math.max(shift, 0)));
  const turns = numerator / (TWO_PI << BigInt(Math.max(-shift, 0)));
  return Number(BigInt.asIntN(54, turns)) / 2 ** 8;
}
