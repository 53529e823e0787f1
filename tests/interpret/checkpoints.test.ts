/** The oracle against PyTorch: whole models, whose logits were computed in f32 from random weights. */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { interpret, type Interpretation, type Tensor, type Values } from "../../compiler/interpret/index.js";
import { templateGraph } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture, tensorOf, type Checkpoint } from "../support/fixtures.js";

const CHECKPOINTS = [
  "mamba",
  "falcon-mamba",
  "mamba-bf16-sharded",
  "mamba2",
  "mamba2-groups",
  "mamba2-f16",
  "rwkv4",
];
/** Their sequences are not cut. */
const LOOKING_AHEAD = ["recurrent-gemma"];

function logitsOf(result: Interpretation): Tensor {
  const logits = result.outputs["logits"];
  assert.ok(logits !== undefined);
  return logits;
}

/** Columns from..to of token ids [batch, time]. */
function columns({ shape: [batch = 0, time = 0], data }: Values, from: number, to: number): Values {
  const taken = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: to - from }, (_, k) => data[row * time + from + k] ?? NaN),
  );
  return { shape: [batch, to - from], data: taken.flat() };
}

/** Positions from..to of [batch, time, vocab]. */
function positions(
  { shape: [batch = 0, time = 0, vocab = 0], data }: Values,
  from: number,
  to: number,
): Values {
  const rows = Array.from(data);
  const taken = Array.from({ length: batch }, (_, row) =>
    rows.slice((row * time + from) * vocab, (row * time + to) * vocab),
  );
  return { shape: [batch, to - from, vocab], data: taken.flat() };
}

/** The index of the largest logit at the last position of the only sequence. */
function best({ shape, data }: Tensor): number {
  const vocab = shape.at(-1) ?? 0;
  const last = data.subarray(data.length - vocab);
  return last.indexOf(Math.max(...last));
}

describe("the interpreter agrees with PyTorch on whole models", () => {
  for (const name of [...CHECKPOINTS, ...LOOKING_AHEAD])
    describe(name, () => {
      let checkpoint: Checkpoint;
      let graph: Graph;
      let whole: Interpretation;

      before(() => {
        checkpoint = checkpointFixture(name);
        graph = templateGraph(String(checkpoint.config["model_type"]), checkpoint.config);
        const token = tensorOf(checkpoint.expected, "input_ids");
        whole = interpret(graph, { inputs: { token }, params: checkpoint.params });
      });

      it("elaborates to a valid graph", () => {
        validate(graph);
      });

      it("gives PyTorch's logits", () => {
        const expected = tensorOf(checkpoint.expected, "logits");
        expectClose(logitsOf(whole), expected, { tolerance: "f32", what: `${name}: logits` });
      });

      if (LOOKING_AHEAD.includes(name)) return;

      it("gives the same in pieces that carry their states", () => {
        const { params, expected } = checkpoint;
        const token = tensorOf(expected, "input_ids");
        const cuts = [0, 20, 21, 22, 37];
        let carried: Pick<Interpretation, "states" | "positions"> = { states: {}, positions: {} };
        cuts.slice(1).forEach((to, k) => {
          const from = cuts[k] ?? 0;
          const inputs = { token: columns(token, from, to) };
          const result = interpret(graph, { inputs, params, ...carried });
          const want = positions(logitsOf(whole), from, to);
          expectClose(logitsOf(result), want, { tolerance: "f64", what: `${name}: steps ${from} to ${to}` });
          carried = result;
        });
        assert.deepEqual(carried.positions, { t: 37 });
      });

      it("chooses PyTorch's ids, a step at a time", () => {
        const { params, expected } = checkpoint;
        const ids = [...tensorOf(expected, "greedy_ids").data];
        const prompt = { token: { shape: [1, 8], data: ids.slice(0, 8) } };
        let result = interpret(graph, { inputs: prompt, params });
        const chosen = [best(logitsOf(result))];
        while (chosen.length < ids.length - 8) {
          const { states, positions } = result;
          const inputs = { token: { shape: [1, 1], data: chosen.slice(-1) } };
          result = interpret(graph, { inputs, params, states, positions });
          chosen.push(best(logitsOf(result)));
        }
        assert.deepEqual(chosen, ids.slice(8));
      });
    });
});
