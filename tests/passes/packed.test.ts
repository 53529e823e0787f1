/** The packed program computes what its documents give one by one: the oracle on both sides of the rewrite. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { runPasses } from "../../compiler/4-passes/index.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { interpret, type Values } from "../../compiler/interpret/index.js";
import { drawParams, oneByOne, packedInputs, packedRun, type OneByOne } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { DOCUMENT_MODELS } from "../support/document-models.js";
import { seeded } from "../support/random.js";
import { RECURRENCES } from "../support/recurrences.js";

const LENGTHS = [3, 1, 0, 6, 2];
const CONTINUED = [1, 4, 2, 0, 5];

const FAMILIES = new URL("../families/sources/", import.meta.url);
const SOURCES = [
  ...RECURRENCES,
  ...DOCUMENT_MODELS,
  ...readdirSync(FAMILIES).map((file) => ({
    name: file,
    text: readFileSync(new URL(file, FAMILIES), "utf8"),
  })),
];

describe("packed documents: the rewrite", () => {
  for (const { name, text } of SOURCES)
    it(name, () => {
      const graph = graphOf(text);
      const random = seeded(name.length);
      const params = drawParams(graph, random);
      const sink = createSink();
      const { programs } = runPasses(graph, { sink }, true, true);
      assert.deepEqual(sink.diagnostics, []);
      assert.ok(programs.packed);
      const derived = programs.load === undefined ? {} : interpret(programs.load, { params }).outputs;

      let before: OneByOne | undefined;
      let carried: Readonly<Record<string, Values>> | undefined;
      const positions = LENGTHS.map(() => 0);
      for (const lengths of programs.step === undefined ? [LENGTHS] : [LENGTHS, CONTINUED]) {
        const inputs = packedInputs(graph, lengths, random, (input, r) =>
          input.bound === undefined ? r.uniform(0.1, 1) : r.integer(0, input.bound),
        );
        const expected = oneByOne(graph, inputs, lengths, { params }, before?.carried);
        const got = interpret(programs.packed, {
          ...packedRun(lengths, positions),
          inputs: { ...inputs, ...packedRun(lengths, positions).inputs },
          params: { ...params, ...derived },
          ...(carried && { states: carried }),
        });
        const close = (own: Values, want: readonly number[], what: string): void => {
          expectClose(own, { shape: own.shape, data: want }, { tolerance: "f64", what: `${name}: ${what}` });
        };
        for (const output of graph.outputs) {
          const own = got.outputs[output.name];
          assert.ok(own);
          close(own, defined(output.name, expected.all), output.name);
        }
        for (const [state, own] of Object.entries(got.states))
          close(own, defined(state, expected.states), state);
        [before, carried] = [expected, got.states];
        lengths.forEach((length, document) => (positions[document] = (positions[document] ?? 0) + length));
      }
    });
});

function defined(name: string, table: ReadonlyMap<string, readonly number[]>): readonly number[] {
  const found = table.get(name);
  assert.ok(found, `the oracle has no ${name}`);
  return found;
}
