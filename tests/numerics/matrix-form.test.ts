/**
 * The chunked matrix form on the GPU: against the oracle for every recurrence that has it, in one piece, in several and
 * step by step. (Against PyTorch: operations.test.ts.)
 */
import assert from "node:assert/strict";
import { interpret, type Values } from "../../compiler/interpret/index.js";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import type { Inputs } from "../../runtime/index.js";
import { DECAYS } from "../support/decays.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf } from "../support/model.js";
import { seeded } from "../support/random.js";
import { part } from "../support/tensors.js";

const BATCH = 2;
const STEPS = 37;

/** Steps begin ≤ t < end of the inputs that have time, which follows the batch. */
function cut(
  inputs: Readonly<Record<string, Values>>,
  hasTime: (name: string) => boolean,
  begin: number,
  end: number,
): Inputs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, values]) => [
      name,
      f32(hasTime(name) ? part(values, 1, begin, end).data : values.data),
    ]),
  );
}

describe("the chunked matrix form on the GPU agrees with the oracle", () => {
  // A chunk of 32 steps is two blocks, where each key decays by its own.
  const cases = DECAYS.flatMap((each) =>
    (each.decay === "vector" ? [4, 32] : [4]).map((length) => ({ ...each, length })),
  );
  for (const { name, text, length } of cases)
    it(`${name}, in chunks of ${String(length)}`, async () => {
      const graph = graphOf(text);
      const random = seeded(name.length);
      const inputs = Object.fromEntries(
        graph.inputs.map((input) => {
          const shape = dimensionsOf(input).map((axes) =>
            axes.reduce((product, axis) => {
              const { size, role } = graph.axes.get(axis) ?? {};
              return product * (typeof size === "number" ? size : role === "batch" ? BATCH : STEPS);
            }, 1),
          );
          const tensor = random.tensor(shape, (r) =>
            input.name === "delta" && r.uniform() < 0.4 ? r.pick([-40, -3, 0.4, 2, 50]) : r.normal(),
          );
          return [input.name, { shape, data: Float64Array.from(f32(tensor.data)) }];
        }),
      );
      const expected = interpret(graph, { inputs });
      const hasTime = (input: string): boolean =>
        graph.inputs.some((each) => each.name === input && each.axes.some((axis) => axis === "t"));
      const model = await modelOf(bundleOf(text, { schedule: { matrixChunk: length } }));
      const session = await model.session({ batch: BATCH });
      const whole = await session.prefill(cut(inputs, hasTime, 0, STEPS), { outputs: "all" });
      for (const [key, value] of Object.entries(expected.outputs)) {
        const got = whole[key];
        assert.ok(got);
        expectClose(got, value, { tolerance: "f32", what: key });
      }
      const check = async (): Promise<void> => {
        const got = await session.readState("S");
        const value = expected.states["S"];
        assert.ok(value);
        expectClose(got, value, { tolerance: "f32", what: "S" });
      };
      await check();

      await session.reset();
      await session.prefill(cut(inputs, hasTime, 0, 3));
      await session.prefill(cut(inputs, hasTime, 3, 36));
      await session.step(cut(inputs, hasTime, 36, 37));
      await check();
      session.destroy();
      model.destroy();
    });
});

it("a program runs the form that a piece's length asks for", async () => {
  const [{ text } = assert.fail("no source")] = DECAYS;
  const graph = graphOf(text);
  const random = seeded(3);
  const shape = { x: [1, 20, 4, 3], k: [1, 20, 2, 5], q: [1, 20, 2, 5], delta: [1, 20, 4], A: [4] } as const;
  const inputs = Object.fromEntries(
    Object.entries(shape).map(([name, sizes]) => {
      const { data } = random.tensor(sizes);
      return [name, { shape: sizes, data: Float64Array.from(f32(data)) }];
    }),
  );
  const expected = interpret(graph, { inputs });
  const bundle = bundleOf(text, { schedule: { matrixChunk: 4, matrixWhen: ["<=", 8, "t"] } });
  const model = await modelOf(bundle);
  const session = await model.session({ batch: 1 });
  const got: number[] = [];
  for (const [begin, end] of [
    [0, 5],
    [5, 17],
    [17, 20],
  ] as const) {
    const { y } = await session.prefill(
      cut(inputs, (name) => name !== "A", begin, end),
      { outputs: "all" },
    );
    assert.ok(y);
    got.push(...y.data);
  }
  const want = expected.outputs["y"] ?? assert.fail("no y");
  expectClose({ shape: want.shape, data: got }, want, { tolerance: "f32", what: "y" });
  const state = expected.states["S"] ?? assert.fail("no S");
  expectClose(await session.readState("S"), state, { tolerance: "f32", what: "S" });
  session.destroy();
  model.destroy();
});
