/**
 * The families that shaped the language, each a whole source: the oracle against plain loops over the paper's equations,
 * and the GPU against both, whole, in pieces, step by step and packed: at random sizes, by two schedules and for two targets.
 * KRAIT_DRAWS=4 and more draws runs every schedule on every target.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { CompileOptions } from "../../compiler/compile.js";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import { interpret, type Tensor } from "../../compiler/interpret/index.js";
import type { AxisId, Graph, Input } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { familyNames } from "../../src/families.js";
import type { Inputs, Model, Session } from "../../runtime/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose, relativeError } from "../support/expect-close.js";
import { expectRow, familiesOnPage } from "../support/families-page.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { expectPacked } from "../support/packed-runs.js";
import { seeded, type Random } from "../support/random.js";
import { ATTENTION } from "./attention.js";
import type { Family, Sizes } from "./family.js";
import { RECURRENT } from "./recurrent.js";
import { STATE_SPACE } from "./state-space.js";
import { Table } from "./table.js";

const DRAWS = Number(process.env["KRAIT_DRAWS"] ?? 2);
const SEED = Number(process.env["KRAIT_SEED"] ?? 20240531);
const SOURCES = new URL("sources/", import.meta.url);

const SCHEDULES: readonly (readonly [string, NonNullable<CompileOptions["schedule"]>])[] = [
  ["all of time at once", { chunkBelow: 0, matrixChunk: 0 }],
  ["cut in time", { chunkBelow: 1e9, chunkFrom: 1, matrixChunk: 4 }],
];
const TARGETS = ["baseline", "large"] as const;

/** Steps of documents, call after call. */
const CALLS = [
  [3, 1, 0, 21, 2],
  [1, 4, 2, 0, 9],
];

/** A family at some sizes, with inputs and what comes of them. */
interface Drawn {
  readonly family: Family;
  readonly random: Random;
  readonly sizes: Sizes;
  readonly graph: Graph;
  readonly batch: number;
  readonly steps: number;
  readonly inputs: ReadonlyMap<string, Table>;
  readonly params: ReadonlyMap<string, Table>;
  readonly output: string;
  readonly expected: Table;
}

const element =
  ({ positive = [] }: Family) =>
  (input: Pick<Input, "name" | "bound">, random: Random): number =>
    input.bound !== undefined
      ? random.integer(0, input.bound)
      : positive.includes(input.name)
        ? random.uniform(0.1, 1)
        : random.normal();

/** As f32 holds them, so that the device and the loops are given the same. */
const drawn = (random: Random, shape: readonly number[], draw: (random: Random) => number): Table =>
  new Table(shape, Float64Array.from(f32(random.tensor(shape, draw).data)));

function drawInputs(
  graph: Graph,
  family: Family,
  sizeOf: (axis: AxisId) => number,
  random: Random,
): Map<string, Table> {
  return new Map(
    graph.inputs.map((input) => {
      const shape = dimensionsOf(input).map((axes) =>
        axes.reduce((product, axis) => product * sizeOf(axis), 1),
      );
      return [input.name, drawn(random, shape, (r) => element(family)(input, r))];
    }),
  );
}

function drawParams(graph: Graph, random: Random): Map<string, Table> {
  return new Map(
    graph.params.flatMap((param) => {
      const stored = param.pieces?.shape ?? param.shape ?? param.layout.map(({ size }) => size);
      const shape = param.scalar === "c64" ? [...stored, 2] : stored;
      return (param.pieces?.tensors ?? [param]).map(({ name }): [string, Table] => [
        name,
        drawn(random, shape, (r) => 0.7 * r.normal()),
      ]);
    }),
  );
}

const interpreted = ({ graph, inputs, params, output }: Omit<Drawn, "expected">): Tensor => {
  const given = { inputs: Object.fromEntries(inputs), params: Object.fromEntries(params) };
  return interpret(graph, given).outputs[output] ?? assert.fail("no output");
};

function draw(family: Family, text: string, seed: number): Drawn {
  const random = seeded(seed);
  const sizes = family.draw?.(random) ?? {};
  const graph = graphOf(text, { set: sizes });
  const batch = random.integer(1, 4);
  const steps = random.pick([1, 2, 7, 9, 19]);
  const sizeOf = (axis: AxisId): number => {
    const { size, role } = graph.axes.get(axis) ?? {};
    return typeof size === "number" ? size : role === "batch" ? batch : steps;
  };
  const inputs = drawInputs(graph, family, sizeOf, random);
  const params = drawParams(graph, random);
  const output = graph.outputs[0]?.name ?? "";
  const own = { family, random, sizes, graph, batch, steps, inputs, params, output };
  const { shape, data } = interpreted(own);
  if (family.loops === undefined) return { ...own, expected: new Table(shape, data) };
  const expected = new Table(shape);
  const given = (name: string): Table =>
    inputs.get(name) ?? params.get(name) ?? assert.fail(`nothing is called ${name}`);
  family.loops(given, expected, sizes);
  return { ...own, expected };
}

/** Steps begin ≤ t < end of inputs that have time; it is the axis after the batch, or after the strands. */
function cut({ graph, inputs }: Drawn, begin: number, end: number): Inputs {
  return Object.fromEntries(
    graph.inputs.map(({ name, axes, scalar }) => {
      const { shape, data } = inputs.get(name) ?? new Table([]);
      const host = scalar === "index" ? u32 : f32;
      const time = axes.findIndex((axis) => graph.axes.get(axis)?.role === "time");
      if (time < 0) return [name, host(data)];
      const each = shape.slice(time + 1).reduce((product, size) => product * size, 1);
      const row = (shape[time] ?? 0) * each;
      const rows = Array.from({ length: data.length / row }, (_, k) => [
        ...data.slice(k * row + begin * each, k * row + end * each),
      ]);
      return [name, host(rows.flat())];
    }),
  );
}

/** Pieces of these lengths, a single step by `step`; outputs have the batch, then time. */
async function inPieces(of: Drawn, session: Session, lengths: readonly number[]): Promise<Table> {
  const { batch, steps, output, expected } = of;
  const got = new Table(expected.shape);
  const each = got.data.length / (batch * steps);
  let begin = 0;
  for (const length of lengths) {
    const inputs = cut(of, begin, begin + length);
    const outputs =
      length === 1 ? await session.step(inputs) : await session.prefill(inputs, { outputs: "all" });
    const y = outputs[output] ?? assert.fail("no output");
    for (let b = 0; b < batch; b++)
      got.data.set(y.data.subarray(b * length * each, (b + 1) * length * each), (b * steps + begin) * each);
    begin += length;
  }
  return got;
}

function randomLengths(random: Random, total: number): number[] {
  const lengths: number[] = [];
  for (let left = total; left > 0; left -= lengths.at(-1) ?? left)
    lengths.push(random.integer(1, Math.min(left, 6) + 1));
  return lengths;
}

const hostTensors = (
  tables: ReadonlyMap<string, Table>,
): Record<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }> =>
  Object.fromEntries([...tables].map(([key, { shape, data }]) => [key, { shape, data: f32(data) }] as const));

function checkDraw(
  family: Family,
  text: string,
  index: number,
  k: number,
  measured: (error: number) => void,
): void {
  // A family's draws take each schedule and each target in turn; neighbours begin with the other target.
  const [how, schedule] = SCHEDULES[k % 2] ?? assert.fail();
  const target = TARGETS[(k + Math.floor(k / 2) + index) % 2] ?? "baseline";
  const packed = k % 2 === 1 || DRAWS > 2;
  describe(`draw ${String(k)}, ${how}, ${target}`, function () {
    this.timeout(300_000); // software Vulkan takes its time to compile shaders
    let of: Drawn;
    let model: Model;
    before(async () => {
      of = draw(family, text, SEED + 1000 * index + k);
      const bundle = bundleOf(text, { set: of.sizes, schedule, targets: [target], packed });
      assert.equal(bundle.manifest.targets[0]?.step === undefined, family.looksAhead ?? false);
      model = await modelOf(bundle, hostTensors(of.params));
    });
    after(() => model.destroy());

    const close = (
      got: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
      part: string,
    ): void => {
      measured(relativeError(got.data, of.expected.data));
      const { batch, steps, sizes } = of;
      const what = `${family.name}, ${part}, ${String(batch)} × ${String(steps)} steps, ${JSON.stringify(sizes)}`;
      expectClose(got, of.expected, { tolerance: "f32", what });
    };

    it("the oracle agrees with plain loops", () => {
      validate(of.graph);
      assert.ok(of.expected.data.every(Number.isFinite), JSON.stringify(of.sizes));
      if (family.loops !== undefined)
        expectClose(interpreted(of), of.expected, { tolerance: "f64", what: JSON.stringify(of.sizes) });
    });

    it("whole", async () => {
      const session = await model.session({ batch: of.batch });
      const whole = await session.prefill(cut(of, 0, of.steps), { outputs: "all" });
      close(whole[of.output] ?? assert.fail("no output"), "whole");
      if (family.looksAhead)
        await assert.rejects(session.prefill(cut(of, 0, of.steps)), /looks across the whole sequence/);
      session.destroy();
    });

    if (!family.looksAhead)
      it("in pieces and step by step", async () => {
        const session = await model.session({ batch: of.batch, maxChunk: of.random.pick([2, 5, 64]) });
        const lengths = randomLengths(of.random, of.steps);
        close(await inPieces(of, session, lengths), `in pieces of ${lengths.join(", ")}`);
        await session.reset();
        close(
          await inPieces(
            of,
            session,
            lengths.flatMap((length) => Array<number>(length).fill(1)),
          ),
          "by step",
        );
        session.destroy();
      });

    if (!packed) return;
    it("packed", async () => {
      const { graph, random } = of;
      const params = Object.fromEntries(of.params);
      const calls = family.looksAhead ? CALLS.slice(0, 1) : CALLS;
      const maxChunk = family.looksAhead ? undefined : random.pick([16, 64]);
      const what = `${family.name} ${JSON.stringify(of.sizes)}`;
      await expectPacked({ what, graph, model, params, random, draw: element(family), calls, maxChunk });
    });
  });
}

describe("families", () => {
  const families = [...STATE_SPACE, ...RECURRENT, ...ATTENTION];
  for (const [index, family] of families.entries())
    describe(family.name, () => {
      const text = readFileSync(new URL(`${family.name}.krait`, SOURCES), "utf8");
      let error = 0;
      for (let k = 0; k < DRAWS; k++)
        checkDraw(family, text, index, k, (measured) => (error = Math.max(error, measured)));

      // Suites run after the tests beside them: this one after the draws.
      const { published } = family;
      if (published !== undefined)
        describe("docs/families.md", () => {
          it("says what it is", () => {
            const file = `tests/families/sources/${family.name}.krait`;
            expectRow({ family: family.name, file, sizes: published, error });
          });
        });
    });

  it("are all files of the folder", () => {
    const files = readdirSync(SOURCES).map((file) => file.replace(".krait", ""));
    assert.deepEqual(files.sort(), families.map(({ name }) => name).sort());
  });

  it("are those of docs/families.md, with what is imported", () => {
    const own = families.filter(({ published }) => published !== undefined).map(({ name }) => name);
    assert.deepEqual(familiesOnPage().toSorted(), [...own, ...familyNames()].sort());
  });
});
