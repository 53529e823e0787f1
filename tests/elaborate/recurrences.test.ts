/** States, delays, histories, continuous equations. */
import { strict as assert } from "node:assert";
import type { Graph } from "../../compiler/3-graph/types.js";
import { interpret } from "../../compiler/interpret/index.js";
import { opFixture, tensorOf } from "../support/fixtures.js";
import { expectClose } from "../support/expect-close.js";
import { AXES, graphOf, nodesOf } from "./support.js";

const model = (statements: string): string =>
  `${AXES}model example {\n  input x: f32[b, t]\n${statements}\n}\n`;

/** y over time for x = 1, 2, 3 … */
function trace(statements: string, steps = 4): number[] {
  const data = Array.from({ length: steps }, (_, k) => k + 1);
  const { outputs } = interpret(graphOf(model(statements)), { inputs: { x: { shape: [1, steps], data } } });
  return [...(outputs["y"]?.data ?? [])];
}

const carried = (graph: Graph): unknown[] =>
  graph.states.map(({ name, kind, axes, init, scalar }) => [name, kind, axes.join(" "), init, scalar]);

describe("recurrences", () => {
  it("a state means its value at this step, prev the one before", () => {
    assert.deepEqual(trace("state h[]\nh = prev(h) + x\noutput y[b, t] = h"), [1, 3, 6, 10]);
    assert.deepEqual(
      trace("state h[] init 10\nz = prev(h)\nh = z + x\noutput y[b, t] = z"),
      [10, 11, 13, 16],
    );
  });

  it("prev of an expression is a delay, the same one wherever it is written", () => {
    const source =
      "z = 2 * x\noutput y[b, t] = prev(z) + prev(z) + prev(x * x, init -1) + prev(prev(x), init 5)";
    // 2·2x(t−1) + x(t−1)², −1 at first, + x(t−2), whose inner delay starts at 0 and whose outer one at 5.
    assert.deepEqual(trace(source), [0 - 1 + 5, 4 + 1 + 0, 8 + 4 + 1, 12 + 9 + 2]);
    assert.deepEqual(carried(graphOf(model(source))), [
      ["prev_z", "delay", "b", 0, "f32"],
      ["prev", "delay", "b", -1, "f32"],
      ["prev_x", "delay", "b", 0, "f32"],
      ["prev_2", "delay", "b", 5, "f32"],
    ]);
  });

  it("a state may read others that are solved before it", () => {
    assert.deepEqual(
      trace("state p[], q[]\np = prev(p) + x\nq = prev(q) + p * prev(p)\noutput y[b, t] = q"),
      [0, 3, 21, 81],
    );
  });

  it("states start at minus infinity where they are a running maximum", () => {
    assert.deepEqual(
      trace("state top[] init -inf\ntop = max(prev(top), 3 - x)\noutput y[b, t] = top"),
      [2, 2, 2, 2],
    );
  });

  it("a convolution carries the last inputs, one fewer than there are taps", () => {
    const source = "param w[k]\noutput y[b, t] = causal_conv(x, w, along t, over k)";
    const graph = graphOf(model(source));
    assert.deepEqual(carried(graph), [["conv", "history", "b taps", 0, "f32"]]);
    const { outputs } = interpret(graph, {
      inputs: { x: { shape: [1, 4], data: [1, 2, 3, 4] } },
      params: { w: { shape: [3], data: [100, 10, 1] } },
    });
    assert.deepEqual([...(outputs["y"]?.data ?? [])], [1, 12, 123, 234]);
  });

  it("a convolution of one tap carries nothing", () => {
    const graph = graphOf(
      model("axis one = 1\nparam w[one]\noutput y[b, t] = causal_conv(x, w, along t, over one)"),
    );
    assert.deepEqual(carried(graph), []);
  });

  it("a continuous equation keeps its right side and gets the rule's form", () => {
    const graph = graphOf(
      model("state h[n]\nparam A[n]\nder(h) = A * h + x  by exp_euler(0.5)\noutput y[b, t, n] = h"),
    );
    const [state] = graph.states;
    assert.equal(state?.equation.kind, "continuous");
    assert.equal(nodesOf(graph, "continuous").length, 1);
    assert.deepEqual(
      nodesOf(graph, "coefficient").map(({ of }) => of),
      ["a", "b"],
    );
    assert.equal(graph.outputs[0]?.value, state.equation.value);
  });

  it("a file may bring its own rule", () => {
    const rule = "rule half(step): der(h) = a*h + b => h = prev(h)/2 + step*b\n";
    const graph = graphOf(rule + model("state h[]\nder(h) = x - h  by half(2)\noutput y[b, t] = h"));
    const { outputs } = interpret(graph, { inputs: { x: { shape: [1, 3], data: [1, 1, 1] } } });
    assert.deepEqual([...(outputs["y"]?.data ?? [])], [2, 3, 3.5]);
  });

  it("states may be complex; a real equation is one without an imaginary part", () => {
    const graph = graphOf(
      model(
        "state h[]: complex, r[]: complex\nh = complex(0, 1) * prev(h) + x\nr = x\noutput y[b, t] = re(h) + im(r)",
      ),
    );
    assert.deepEqual(carried(graph), [
      ["h", "state", "b", 0, "c64"],
      ["r", "state", "b", 0, "c64"],
    ]);
    const { outputs } = interpret(graph, { inputs: { x: { shape: [1, 3], data: [1, 0, 0] } } });
    assert.deepEqual([...(outputs["y"]?.data ?? [])], [1, 0, -1]);
  });
});

describe("the selective scan, in source", () => {
  /** The fixtures' scans: full ones have a bias, a skip and a gate; `groups` share B and C among channels. */
  const source = (channels: number, n: number, groups: number, full: boolean): string =>
    `axis b: batch, t: time
axis g = ${groups}, rep = ${channels / groups}, d = [g, rep], n = ${n}
model scan {
  input u: f32[b, t, d], delta: f32[b, t, d]
  input B: f32[b, t, g, n], C: f32[b, t, g, n]
  param A[d, n]${full ? ", D[d], delta_bias[d]\n  input z: f32[b, t, d]" : ""}
  state h[d, n]
  der(h) = A * h + B * u  by exp_euler(${full ? "softplus(delta + delta_bias)" : "delta"})
  output y[b, t, d] = ${full ? "(dot(C, h, over n) + D * u) * silu(z)" : "dot(C, h, over n)"}
}
`.replaceAll(/input (.*), (\w+: )/g, "input $1\n  input $2");

  const SCANS = [
    ["scan-plain", 32, 8, 1, false],
    ["scan-full", 48, 16, 1, true],
    ["scan-grouped", 64, 16, 4, true],
    ["scan-initial-state", 32, 16, 1, true],
    ["scan-one-step", 40, 16, 1, true],
    ["scan-state-256", 8, 256, 1, true],
  ] as const;
  for (const [name, channels, n, groups, full] of SCANS)
    it(`agrees with PyTorch: ${name}`, () => {
      const { tensors } = opFixture(name);
      const graph = graphOf(source(channels, n, groups, full));
      const { h0 } = tensors;
      const { outputs, states } = interpret(graph, {
        inputs: tensors,
        params: tensors,
        ...(h0 === undefined ? {} : { states: { h: h0 } }),
      });
      const got = outputs["y"];
      const last = states["h"];
      assert(got !== undefined && last !== undefined);
      const expected = (key: string): { shape: readonly number[]; data: ArrayLike<number> } => {
        const { shape, data } = tensorOf(tensors, key);
        return { shape, data };
      };
      expectClose(got, expected("y"), { tolerance: "f32-stored", what: "y" });
      expectClose(last, expected("h_last"), { tolerance: "f32-stored", what: "h_last" });
    });
});
