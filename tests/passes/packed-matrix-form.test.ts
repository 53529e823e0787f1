/**
 * The chunked matrix form of documents of any lengths computes what they give one by one: the oracle on both sides of the
 * rewrite. Each document is cut from its own first step on.
 */
import assert from "node:assert/strict";
import { decayForms } from "../../compiler/4-passes/decay/index.js";
import { inMatrixForm } from "../../compiler/4-passes/decay/matrix-form.js";
import { runPasses } from "../../compiler/4-passes/index.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { interpret, type Values } from "../../compiler/interpret/index.js";
import { DECAYS } from "../support/decays.js";
import { oneByOne, packedInputs, packedRun, type OneByOne } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";

function packedOf(graph: Graph): Graph {
  const { packed } = runPasses(graph, { sink: createSink() }, true, true).programs;
  return packed ?? assert.fail("it cannot be packed");
}

/** Calls one after the other: documents that end with a chunk, within one and after several, of one step and of none. */
const CALLS = [
  [3, 8, 0, 21, 1, 1, 4, 17],
  [1, 4, 2, 0, 35, 16, 0, 5],
  [0, 0, 1, 0, 0, 0, 0, 0],
];

describe("documents in matrix form compute what they give one by one", () => {
  for (const { name, text } of DECAYS)
    for (const length of [1, 4, 8, 32])
      it(`${name}, in chunks of ${String(length)}`, () => {
        const graph = graphOf(text);
        const packed = packedOf(graph);
        const rewritten = inMatrixForm(packed, decayForms(packed), length);
        assert.notEqual(rewritten, packed, "a form was found");
        validate(rewritten);
        const random = seeded(length + name.length);
        const positions = new Array<number>(8).fill(0);
        let before: OneByOne | undefined;
        let carried: Readonly<Record<string, Values>> | undefined;
        for (const lengths of CALLS) {
          const inputs = packedInputs(graph, lengths, random, (input, r) =>
            input.name === "delta" && r.uniform() < 0.4 ? r.pick([-40, -3, 0, 0.4, 2, 50]) : r.normal(),
          );
          const expected = oneByOne(graph, inputs, lengths, {}, before?.carried);
          const run = packedRun(lengths, positions, length);
          const got = interpret(rewritten, {
            sizes: run.sizes,
            inputs: { ...inputs, ...run.inputs },
            ...(carried && { states: carried }),
          });
          const close = (
            own: Values | undefined,
            data: readonly number[] | undefined,
            what: string,
          ): void => {
            assert.ok(own && data);
            expectClose(own, { shape: own.shape, data }, { tolerance: "f64", what });
          };
          for (const output of graph.outputs)
            close(got.outputs[output.name], expected.all.get(output.name), output.name);
          for (const [state, data] of expected.states) close(got.states[state], data, state);
          [before, carried] = [expected, got.states];
          lengths.forEach((steps, document) => (positions[document] = (positions[document] ?? 0) + steps));
        }
      });
});
