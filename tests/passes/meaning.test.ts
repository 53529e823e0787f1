/** Passes change how a graph computes, never what: the interpreter gives the same before and after each. */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { PASSES, runPasses } from "../../compiler/4-passes/index.js";
import { TAIL_BEGIN, TAIL_COUNT } from "../../compiler/4-passes/programs.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { interpret, type Interpretation, type InterpretOptions } from "../../compiler/interpret/index.js";
import { scanGraph, scanInputs } from "../support/scan.js";
import { specimens } from "../interpret/zoo.js";
import { templateGraph } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture, opFixture, tensorOf } from "../support/fixtures.js";
import { randomInputs, cut } from "../interpret/pieces.js";
import { seeded } from "../support/random.js";

interface Case {
  readonly name: string;
  readonly make: () => { readonly graph: Graph; readonly options: InterpretOptions };
}

const CASES: readonly Case[] = [
  ...specimens().map(({ name, graph }) => ({
    name,
    make: () => ({ graph, options: { inputs: randomInputs(graph, seeded(5), { b: 2, t: 7 }) } }),
  })),
  ...["scan-plain", "scan-grouped", "scan-one-step"].map((name) => ({
    name,
    make: () => {
      const fixture = opFixture(name);
      const graph = scanGraph(fixture);
      return { graph, options: { inputs: scanInputs(graph, fixture) } };
    },
  })),
  ...["mamba", "falcon-mamba", "mamba-bf16-sharded"].map((name) => ({
    name,
    make: () => {
      const { config, params, expected } = checkpointFixture(name);
      const graph = templateGraph(String(config["model_type"]), config);
      return { graph, options: { params, inputs: { token: tensorOf(expected, "input_ids") } } };
    },
  })),
];

/** Outputs and those states that both have: a pass may add and drop what it carries, but must not change it. */
function sameResults(got: Interpretation, expected: Interpretation, what: string): void {
  assert.deepEqual(Object.keys(got.outputs), Object.keys(expected.outputs));
  for (const kind of ["outputs", "states"] as const)
    for (const [name, tensor] of Object.entries(expected[kind])) {
      const own = got[kind][name];
      if (own !== undefined) expectClose(own, tensor, { tolerance: "f64", what: `${what}: ${name}` });
    }
}

describe("passes keep the meaning of a graph", () => {
  for (const { name, make } of CASES)
    describe(name, () => {
      it("pass by pass", () => {
        const { graph, options } = make();
        const sink = createSink();
        const expected = interpret(graph, options);
        let current = graph;
        for (const pass of PASSES) {
          current = pass.run(current, { sink });
          validate(current);
          sameResults(interpret(current, options), expected, `${name} after ${pass.name}`);
        }
        assert.deepEqual(sink.diagnostics, []);
      });

      it("as load, prefill and step", () => {
        const { graph, options } = make();
        const expected = interpret(graph, options);
        const { programs } = runPasses(graph, { sink: createSink() }, true);
        const derived = programs.load === undefined ? {} : interpret(programs.load, options).outputs;
        const params = { ...options.params, ...derived };
        sameResults(interpret(programs.model, { ...options, params }), expected, `${name} after load`);

        const steps = expected.positions["t"] ?? NaN;
        const all = { [TAIL_BEGIN]: 0, [TAIL_COUNT]: steps };
        sameResults(
          interpret(programs.prefill, { ...options, params, sizes: all }),
          expected,
          `${name} prefill`,
        );

        // The last position's outputs come from a tail of one, and from the last step.
        const one = { [TAIL_BEGIN]: steps - 1, [TAIL_COUNT]: 1 };
        const last = interpret(programs.prefill, { ...options, params, sizes: one });
        assert.ok(programs.step !== undefined);
        let carried: InterpretOptions = {};
        for (let t = 0; t < steps; t++) {
          const inputs = cut(graph, options.inputs ?? {}, "t", t, t + 1);
          const { outputs, states, positions } = interpret(programs.step, { ...carried, inputs, params });
          carried = { states, positions };
          if (t === steps - 1) sameResults({ outputs, states, positions }, last, `${name} step`);
        }
      });
    });
});
