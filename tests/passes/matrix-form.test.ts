/**
 * The chunked matrix form computes what the recurrence does: the oracle on both graphs, for chunks and times of any
 * length, for decays from 1 to 0, from a state carried in.
 */
import assert from "node:assert/strict";
import { attachAll } from "../../compiler/4-passes/attach.js";
import { decayForm, type DecayForm } from "../../compiler/4-passes/decay/form.js";
import { inMatrixForm } from "../../compiler/4-passes/decay/matrix-form.js";
import { runPasses } from "../../compiler/4-passes/index.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import { interpret, type Values } from "../../compiler/interpret/index.js";
import { DECAYS } from "../support/decays.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { seeded, type Random } from "../support/random.js";

function prefillOf(text: string): Graph {
  return runPasses(graphOf(text), { sink: createSink() }, true).programs.prefill;
}

function formsOf(graph: Graph): readonly DecayForm[] {
  return attachAll(graph).flatMap((attached) => {
    const form = decayForm(graph, attached);
    return "state" in form ? [form] : [];
  });
}

/** Steps that forget nothing, a little, nearly all: as a gate of these numbers has it. */
const HARSH = [-40, -3, 0, 0.4, 2, 50];

const shapeOf = (
  graph: Graph,
  entry: Parameters<typeof dimensionsOf>[0],
  sizes: Readonly<Record<string, number>>,
): readonly number[] =>
  dimensionsOf(entry).map((axes) =>
    axes.reduce((product, axis) => {
      const size = graph.axes.get(axis)?.size;
      return product * (typeof size === "number" ? size : (sizes[axis] ?? 0));
    }, 1),
  );

function drawInputs(
  graph: Graph,
  random: Random,
  sizes: Readonly<Record<string, number>>,
): Record<string, Values> {
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const { name } = input;
      const shape = shapeOf(graph, input, sizes);
      const draw = (r: Random): number =>
        name === "delta" && r.uniform() < 0.4 ? r.pick(HARSH) : r.normal();
      return [name, random.tensor(shape, draw)];
    }),
  );
}

describe("the chunked matrix form computes what the recurrence does", () => {
  for (const { name, text, decay } of DECAYS)
    describe(name, () => {
      const prefill = prefillOf(text);
      const forms = formsOf(prefill);

      it(`is recognized as ${decay}`, () => {
        const form = forms.find(({ state }) => state.name === "S");
        assert.equal(form?.isScalar, decay === "scalar");
      });

      for (const [length, steps] of [
        [1, 3],
        [2, 1],
        [4, 8],
        [4, 11],
        [16, 5],
        [8, 33],
        [32, 45],
        [64, 70],
      ] as const)
        it(`${steps} steps in chunks of ${length}`, () => {
          const random = seeded(100 * length + steps);
          const inputs = drawInputs(prefill, random, { b: 2, t: steps });
          const states = Object.fromEntries(
            prefill.states
              .filter(({ name: state }) => state === "S")
              .map((state) => {
                return [state.name, random.tensor(shapeOf(prefill, state, { b: 2 }))];
              }),
          );
          const sizes = { b: 2, t: steps, tail_begin: 0, tail_count: steps };
          const expected = interpret(prefill, { inputs, states, sizes });
          for (const halves of [false, true]) {
            const rewritten = inMatrixForm(prefill, forms, length, { halves });
            validate(rewritten);
            const got = interpret(rewritten, { inputs, states, sizes });
            for (const kind of ["outputs", "states"] as const) {
              assert.deepEqual(Object.keys(got[kind]), Object.keys(expected[kind]));
              for (const [key, value] of Object.entries(expected[kind])) {
                const own = got[kind][key];
                assert.ok(own);
                expectClose(own, value, { tolerance: "f64", what: `${key}, halves ${String(halves)}` });
              }
            }
          }
        });
    });
});
