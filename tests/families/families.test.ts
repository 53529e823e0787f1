/**
 * The families that shaped the language, each a whole source: the oracle against plain loops over the paper's equations,
 * and the GPU against both, whole and step by step.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import { interpret, type Tensor } from "../../compiler/interpret/index.js";
import type { AxisId, Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import type { Inputs } from "../../runtime/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded, type Random } from "../support/random.js";
import { ATTENTION } from "./attention.js";
import type { Family } from "./family.js";
import { RECURRENT } from "./recurrent.js";
import { STATE_SPACE } from "./state-space.js";
import { Table } from "./table.js";

const BATCH = 2;
const STEPS = 9;

/** As f32 holds them, so that the device and the loops are given the same. */
const drawn = (random: Random, shape: readonly number[], draw: (random: Random) => number): Table =>
  new Table(shape, Float64Array.from(f32(random.tensor(shape, draw).data)));

function drawInputs(
  graph: Graph,
  steps: number,
  random: Random,
  positive: readonly string[],
): Map<string, Table> {
  const sizeOf = (axis: AxisId): number => {
    const { size, role } = graph.axes.get(axis) ?? {};
    return typeof size === "number" ? size : role === "batch" ? BATCH : steps;
  };
  return new Map(
    graph.inputs.map((input) => {
      const shape = dimensionsOf(input).map((axes) =>
        axes.reduce((product, axis) => product * sizeOf(axis), 1),
      );
      const draw = (r: Random): number =>
        input.bound !== undefined
          ? r.integer(0, input.bound)
          : positive.includes(input.name)
            ? r.uniform(0.1, 1)
            : r.normal();
      return [input.name, drawn(random, shape, draw)];
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

/** Steps begin ≤ t < end of inputs that have time; it is the axis after the batch, or after the strands. */
function cut(graph: Graph, inputs: ReadonlyMap<string, Table>, begin: number, end: number): Inputs {
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

function check({ name, loops, positive = [], looksAhead = false, steps = STEPS }: Family): void {
  describe(name, () => {
    const text = readFileSync(new URL(`sources/${name}.krait`, import.meta.url), "utf8");
    const graph = graphOf(text);
    const random = seeded(name.length);
    const inputs = drawInputs(graph, steps, random, positive);
    const params = drawParams(graph, random);
    const [output] = graph.outputs;
    const interpreted = (): Tensor => {
      const given = { inputs: Object.fromEntries(inputs), params: Object.fromEntries(params) };
      return interpret(graph, given).outputs[output?.name ?? ""] ?? assert.fail("no output");
    };
    const expected = ((): Table => {
      const { shape, data } = interpreted();
      if (loops === undefined) return new Table(shape, data);
      const y = new Table(shape);
      loops(
        (given) => inputs.get(given) ?? params.get(given) ?? assert.fail(`nothing is called ${given}`),
        y,
      );
      return y;
    })();

    it("elaborates into a valid graph", () => {
      validate(graph);
      assert.ok(expected.data.every((value) => Number.isFinite(value)));
    });

    if (loops !== undefined)
      it("the oracle agrees with plain loops", () => {
        expectClose(interpreted(), expected, { tolerance: "f64", what: name });
      });

    it("runs on the GPU, in one piece and step by step", async () => {
      const bundle = bundleOf(text);
      const [target] = bundle.manifest.targets;
      assert.equal(target?.step === undefined, looksAhead);
      const weights = [...params].map(([key, { shape, data }]) => [key, { shape, data: f32(data) }] as const);
      const model = await modelOf(bundle, Object.fromEntries(weights));
      const session = await model.session({ batch: BATCH });
      const whole = await session.prefill(cut(graph, inputs, 0, steps), { outputs: "all" });
      const got = whole[output?.name ?? ""];
      assert.ok(got);
      expectClose(got, expected, { tolerance: "f32", what: `${name}, whole` });
      if (looksAhead) {
        const again = session.prefill(cut(graph, inputs, 0, steps));
        await assert.rejects(again, /looks across the whole sequence/);
      } else {
        await session.reset();
        const each = expected.data.length / (BATCH * steps);
        const data = new Float32Array(expected.data.length);
        for (let t = 0; t < steps; t++) {
          const y = (await session.step(cut(graph, inputs, t, t + 1)))[output?.name ?? ""];
          assert.ok(y);
          for (let b = 0; b < BATCH; b++)
            data.set(y.data.subarray(b * each, (b + 1) * each), (b * steps + t) * each);
        }
        expectClose({ shape: expected.shape, data }, expected, {
          tolerance: "f32",
          what: `${name}, by step`,
        });
      }
      session.destroy();
      model.destroy();
    });
  });
}

describe("families", () => {
  [...STATE_SPACE, ...RECURRENT, ...ATTENTION].forEach(check);
});
