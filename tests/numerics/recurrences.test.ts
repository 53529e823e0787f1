/** Recurrences of every kind on the GPU against the float64 oracle: prefill, whole and in chunks, step by step, and splits. */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import type { Inputs, Model, Session } from "../../runtime/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf } from "../support/model.js";
import { seeded } from "../support/random.js";
import { RECURRENCES } from "../support/recurrences.js";
import { part } from "../support/tensors.js";
import { withWholeTurns } from "../support/whole-turns.js";

const BATCH = 2;
const STEPS = 23;

interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

describe("recurrences on the GPU agree with the oracle", () => {
  for (const { name, text, kernel } of RECURRENCES) {
    describe(name, () => {
      const random = seeded(name.length);
      const graph = graphOf(text);
      const inputs = Object.fromEntries(
        graph.inputs.map((input): [string, Values] => {
          const shape = input.axes.map((axis) => {
            const size = graph.axes.get(axis)?.size;
            return typeof size === "number" ? size : axis === "b" ? BATCH : STEPS;
          });
          const draw = input.name === "g" ? random.tensor(shape, (r) => r.uniform()) : random.tensor(shape);
          return [input.name, { shape, data: Float64Array.from(f32(draw.data)) }];
        }),
      );
      const expected = interpret(graph, { inputs });
      let models: Model[];

      before(async () => {
        const whole = bundleOf(text, { schedule: { chunkBelow: 0 } });
        const chunked = bundleOf(text, { schedule: { chunkBelow: 1e9, chunkFrom: 1 } });
        models = [await modelOf(whole), await modelOf(chunked)];
      });
      after(() => models.forEach((model) => model.destroy()));

      const cut = (model: Model, begin: number, end: number): Inputs =>
        Object.fromEntries(
          model.inputs.map(({ name: input, time }) => {
            const values = inputs[input] ?? assert.fail(`no input ${input}`);
            return [input, f32(time === undefined ? values.data : part(values, 1, begin, end).data)];
          }),
        );
      const check = async (model: Model, lengths: readonly number[], how: string): Promise<void> => {
        const session = await model.session({ batch: BATCH });
        const got = new Map(model.outputs.map((output) => [output.name, [] as number[][]]));
        let begin = 0;
        for (const length of lengths) {
          const piece = cut(model, begin, begin + length);
          const outputs =
            length === 1 ? await session.step(piece) : await session.prefill(piece, { outputs: "all" });
          for (const [output, { data, shape }] of Object.entries(outputs)) {
            const each = shape.slice(1).reduce((p, size) => p * size, 1);
            for (let b = 0; b < BATCH; b++)
              (got.get(output) ?? []).push([b, ...data.subarray(b * each, (b + 1) * each)]);
          }
          begin += length;
        }
        for (const [output, rows] of got) {
          const want = expected.outputs[output];
          assert.ok(want);
          const data = Array.from({ length: BATCH }, (_, b) =>
            rows.filter(([row]) => row === b).flatMap((row) => row.slice(1)),
          ).flat();
          expectClose({ shape: want.shape, data }, want, {
            tolerance: "f32",
            what: `${name}, ${how}: ${output}`,
          });
        }
        await checkStates(session, how);
        session.destroy();
      };
      const checkStates = async (session: Session, how: string): Promise<void> => {
        const { states } = await session.save();
        const turned = withWholeTurns(states, (state) => expected.states[state]?.data);
        for (const [state, got] of Object.entries(turned)) {
          const want = expected.states[state];
          assert.ok(want, `the oracle has no state ${state}`);
          // Complex states end in (re, im), which the oracle's shape does not count.
          const shape = want.scalar === "c64" ? [...want.shape, 2] : want.shape;
          const wanted = { shape, data: want.data };
          expectClose(got, wanted, { tolerance: "f32", what: `${name}, ${how}: state ${state}` });
        }
      };

      it("prefill", async () => {
        for (const [k, model] of models.entries())
          await check(model, [STEPS], k === 0 ? "whole" : "in chunks");
      });
      it("step by step", async () => {
        for (const model of models.slice(0, 1))
          await check(
            model,
            Array.from({ length: STEPS }, () => 1),
            "by step",
          );
      });
      it("in pieces", async () => {
        for (const model of models) await check(model, [2, 1, 3, 16, 1], "in pieces");
      });
      it(`runs as ${kernel}`, () => {
        const { bundle } = { bundle: bundleOf(text) };
        const [target] = bundle.manifest.targets;
        const labels = target?.shaders.map(({ label }) => label) ?? [];
        assert.equal(
          labels.some((label) => label.includes("_scan")),
          kernel === "scan",
          labels.join(" "),
        );
        assert.equal(
          labels.some((label) => label.includes("_sequential")),
          kernel === "sequential",
          labels.join(" "),
        );
      });
    });
  }
});
