/** Laws that hold whatever the equations say: any split of time, any batch. */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import {
  interpret,
  type InterpretOptions,
  type Interpretation,
  type Tensor,
  type Values,
} from "../../compiler/interpret/index.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { expectClose } from "../support/expect-close.js";
import { seeded, type Random } from "../support/random.js";
import { cut, join, randomInputs, type Inputs } from "./pieces.js";
import { specimens } from "./zoo.js";

/** Runs the pieces one after the other, each with what the one before carried out. */
function inPieces(
  graph: Graph,
  inputs: Inputs,
  lengths: readonly number[],
): { readonly y: Values; readonly last: Interpretation } {
  let carried: Pick<InterpretOptions, "states" | "positions"> = {};
  let start = 0;
  const ys: Values[] = [];
  let last: Interpretation | undefined;
  for (const length of lengths) {
    last = interpret(graph, { inputs: cut(graph, inputs, "t", start, start + length), ...carried });
    carried = { states: last.states, positions: last.positions };
    start += length;
    ys.push(output(last));
  }
  assert.ok(last !== undefined);
  return { y: join(ys, 1), last };
}

function output(result: Interpretation): Tensor {
  const y = result.outputs["y"];
  assert.ok(y !== undefined);
  return y;
}

function randomLengths(random: Random, total: number): readonly number[] {
  const lengths: number[] = [];
  for (let left = total; left > 0; left -= lengths.at(-1) ?? left)
    lengths.push(random.integer(1, Math.min(left, 6) + 1));
  return lengths;
}

describe("laws of the interpreter", () => {
  for (const { name, graph } of specimens())
    describe(name, () => {
      const [b, t] = [3, 13];
      const inputs = randomInputs(graph, seeded(name.length), { b, t });
      const whole = interpret(graph, { inputs });

      it("is a valid graph with a result worth comparing", () => {
        validate(graph);
        const { data } = output(whole);
        assert.ok(data.every(Number.isFinite), "finite");
        assert.ok(new Set(data).size === data.length, "no two elements alike");
      });

      it("gives the same in any split of time, and step by step", () => {
        const random = seeded(11);
        const splits = [Array.from({ length: t }, () => 1), [1, t - 1], [t - 1, 1]];
        for (let k = 0; k < 5; k++) splits.push([...randomLengths(random, t)]);
        for (const lengths of splits) {
          const what = `${name} in pieces of ${lengths.join(", ")}`;
          const { y, last } = inPieces(graph, inputs, lengths);
          expectClose(y, output(whole), { tolerance: "f64", what });
          assert.deepEqual(last.positions, { t });
          for (const [state, tensor] of Object.entries(whole.states)) {
            const got = last.states[state];
            assert.ok(got !== undefined, state);
            expectClose(got, tensor, { tolerance: "f64", what: `${what}: state ${state}` });
          }
        }
      });

      it("gives a batch what it gives its members", () => {
        const members = Array.from({ length: b }, (_, k) =>
          output(interpret(graph, { inputs: cut(graph, inputs, "b", k, k + 1) })),
        );
        expectClose(join(members, 0), output(whole), { tolerance: "f64", what: name });
      });
    });
});
