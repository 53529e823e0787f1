/** Every operation of the graph on numbers small enough to work out by hand. */
import assert from "node:assert/strict";
import type { AxisId, NodeId } from "../../compiler/3-graph/types.js";
import {
  interpret,
  type InterpretOptions,
  type Tensor,
  type Values,
} from "../../compiler/interpret/index.js";
import { Sketch } from "./graphs.js";

const axis = (name: string): AxisId => name as AxisId;

/** Numbers 0, 1, 2 … in that shape, or those given. */
function values(shape: readonly number[], data?: readonly number[]): Values {
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: data ?? Array.from({ length: count }, (_, k) => k) };
}

/** The numbers that the output `y` gets. */
function evaluate(
  s: Sketch,
  axes: readonly string[],
  value: NodeId,
  options: InterpretOptions,
): { readonly shape: readonly number[]; readonly data: readonly number[] } {
  s.output("y", axes, value);
  const y: Tensor | undefined = interpret(s.finish(), options).outputs["y"];
  assert.ok(y !== undefined);
  return { shape: y.shape, data: [...y.data] };
}

describe("operations of the interpreter", () => {
  it("broadcast by name, whatever the order of axes", () => {
    const s = new Sketch();
    s.axis("p", 2);
    s.axis("q", 3);
    const x = s.input("x", ["p"]);
    const y = s.input("y", ["q", "p"]);
    const got = evaluate(s, ["q", "p"], s.map("add", s.map("mul", x, s.number(10)), y), {
      inputs: { x: values([2]), y: values([3, 2]) },
    });
    assert.deepEqual(got, { shape: [3, 2], data: [0, 11, 2, 13, 4, 15] });
  });

  it("lay parameters out as the checkpoint stores them, literal sizes included", () => {
    const s = new Sketch();
    s.axis("p", 2);
    s.axis("q", 3);
    const w = s.param("w", ["q", 1, "p"]);
    const got = evaluate(s, ["p", "q"], w, { params: { w: values([3, 1, 2]) } });
    assert.deepEqual(got.data, [0, 2, 4, 1, 3, 5]);
  });

  it("sum, max and min over axes, with and without a mask", () => {
    const s = new Sketch();
    s.axis("p", 2);
    s.axis("q", 3);
    const x = s.input("x", ["p", "q"]);
    const limit = s.input("limit", ["p"]);
    const where = s.map("le", x, limit);
    const over = [axis("q")];
    const parts = [
      s.sum(x, "q"),
      s.add({ kind: "reduce", fn: "max", arg: x, over }),
      s.add({ kind: "reduce", fn: "min", arg: x, over }),
      s.add({ kind: "reduce", fn: "sum", arg: x, over, where }),
      s.add({ kind: "reduce", fn: "max", arg: x, over, where }),
    ];
    parts.forEach((part, k) => {
      s.output(`y${k}`, ["p"], part);
    });
    const { outputs } = interpret(s.finish(), {
      inputs: { x: values([2, 3], [5, -1, 2, 7, 8, 9]), limit: values([2], [2, 1]) },
    });
    const got = parts.map((_, k) => [...(outputs[`y${k}`]?.data ?? [])]);
    assert.deepEqual(got, [
      [6, 24],
      [5, 9],
      [-1, 7],
      [1, 0],
      [2, -Infinity],
    ]);
  });

  it("contract several axes at once", () => {
    const s = new Sketch();
    s.axis("p", 2);
    s.axis("q", 3);
    s.axis("r", 2);
    const lhs = s.input("lhs", ["r", "p", "q"]);
    const rhs = s.input("rhs", ["q", "p"]);
    const got = evaluate(s, ["r"], s.dot(lhs, rhs, "p", "q"), {
      inputs: { lhs: values([2, 2, 3]), rhs: values([3, 2]) },
    });
    // Σ lhs[r, p, q]·rhs[q, p]: 0·0 + 1·2 + 2·4 + 3·1 + 4·3 + 5·5 = 50, and 6 more of each for r = 1.
    assert.deepEqual(got.data, [50, 50 + 6 * 15]);
  });

  it("gather rows, and clamp what is out of range", () => {
    const s = new Sketch();
    s.axis("v", 3);
    s.axis("p", 2);
    const table = s.input("table", ["v", "p"]);
    const index = s.input("index", ["t"], "index");
    const got = evaluate(s, ["t", "p"], s.add({ kind: "gather", table, axis: axis("v"), index }), {
      inputs: { table: values([3, 2]), index: values([4], [2, 0, 7, -1]) },
    });
    assert.deepEqual(got, { shape: [4, 2], data: [4, 5, 0, 1, 4, 5, 0, 1] });
  });

  it("slice a part into a product of axes, and pick a coordinate", () => {
    const s = new Sketch();
    s.axis("all", 8);
    s.axis("p", 2);
    s.axis("q", 3);
    const x = s.input("x", ["all"]);
    const part = s.add({ kind: "slice", arg: x, axis: axis("all"), start: 2, to: [axis("p"), axis("q")] });
    const one = s.add({ kind: "slice", arg: x, axis: axis("all"), start: 1, to: [] });
    const got = evaluate(s, ["q", "p"], s.map("add", part, s.map("mul", one, s.number(100))), {
      inputs: { x: values([8]) },
    });
    assert.deepEqual(got.data, [102, 105, 103, 106, 104, 107]);
  });

  it("join parts along a sum axis", () => {
    const s = new Sketch();
    s.axis("rot", 2);
    s.axis("rest", 1);
    const [rot, rest] = [axis("rot"), axis("rest")];
    s.builder.axis("whole", {
      size: 3,
      role: "plain",
      parts: [
        { axes: [rot], start: 0, size: 2 },
        { axes: [rest], start: 2, size: 1 },
      ],
      spans: [],
    });
    s.axis("p", 2);
    const x = s.input("x", ["p", "rot"]);
    const y = s.input("y", ["rest"]);
    const joined = s.add({ kind: "concat", parts: [x, y], axis: axis("whole") });
    const got = evaluate(s, ["p", "whole"], joined, {
      inputs: { x: values([2, 2]), y: values([1], [9]) },
    });
    assert.deepEqual(got.data, [0, 1, 9, 2, 3, 9]);
  });

  it("rename and flip", () => {
    const s = new Sketch();
    s.axis("p", 2);
    s.axis("p'", 2);
    const x = s.input("x", ["p"]);
    const copy = s.add({ kind: "rename", arg: x, axes: [{ from: axis("p"), to: axis("p'") }] });
    const back = s.add({ kind: "flip", arg: copy, axis: axis("p'") });
    const got = evaluate(s, ["p", "p'"], s.map("sub", s.map("mul", x, s.number(10)), back), {
      inputs: { x: values([2], [1, 2]) },
    });
    assert.deepEqual(got.data, [8, 9, 18, 19]);
  });

  it("read a window of time", () => {
    const s = new Sketch();
    s.builder.axis("out", { size: { runtime: "count" }, role: "time", spans: [] });
    const x = s.input("x", ["t"]);
    const view = s.add({ kind: "window", arg: x, from: axis("t"), to: axis("out"), offset: "begin" });
    const got = evaluate(s, ["out"], view, {
      inputs: { x: values([5]) },
      sizes: { begin: 3, count: 2 },
    });
    assert.deepEqual(got, { shape: [2], data: [3, 4] });
  });

  it("cut time into chunks and join them again", () => {
    const s = new Sketch();
    const [of, chunks, steps] = [axis("t"), axis("chunks"), axis("steps")];
    s.builder.axis("steps", { size: 2, role: "time", cut: { of, part: "steps" }, spans: [] });
    const cut = { of, part: "chunks", steps } as const;
    s.builder.axis("chunks", { size: { runtime: "chunks" }, role: "time", cut, spans: [] });
    const x = s.input("x", ["t"]);
    const chunk = { kind: "chunk", of, chunks, steps } as const;
    const inside = s.add({ ...chunk, arg: s.number(1), past: 0 });
    const ten = s.map("mul", s.number(10), inside);
    const pieces = s.map(
      "add",
      s.map("add", s.add({ ...chunk, arg: x }), s.add({ ...chunk, arg: x, past: 9 })),
      ten,
    );
    const inputs = { x: values([3]) };
    assert.deepEqual(evaluate(s, ["chunks", "steps"], pieces, { inputs }), {
      shape: [2, 2],
      data: [10, 12, 14, 11],
    });
    const t = new Sketch();
    t.builder.axis("steps", { size: 2, role: "time", cut: { of, part: "steps" }, spans: [] });
    t.builder.axis("chunks", { size: { runtime: "chunks" }, role: "time", cut, spans: [] });
    const y = t.add({ ...chunk, arg: t.input("x", ["t"]) });
    const back = t.add({ kind: "unchunk", arg: t.map("neg", y), of, chunks, steps });
    assert.deepEqual(evaluate(t, ["t"], back, { inputs }), { shape: [3], data: [-0, -1, -2] });
  });

  it("count positions from the document's start", () => {
    const s = new Sketch();
    const here = s.add({ kind: "coordinate", axis: axis("t") });
    s.output("y", ["t"], s.map("float", here));
    const graph = s.finish();
    const first = interpret(graph, { sizes: { t: 3 } });
    assert.deepEqual([...(first.outputs["y"]?.data ?? [])], [0, 1, 2]);
    const second = interpret(graph, { sizes: { t: 2 }, positions: first.positions });
    assert.deepEqual([...(second.outputs["y"]?.data ?? [])], [3, 4]);
    assert.deepEqual(second.positions, { t: 5 });
  });

  it("select by a truth", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const small = s.map("and", s.map("lt", x, s.number(3)), s.map("not", s.map("eq", x, s.number(1))));
    const got = evaluate(s, ["t"], s.map("select", small, s.map("neg", x), s.number(0.5)), {
      inputs: { x: values([4]) },
    });
    assert.deepEqual(got.data, [-0, 0.5, -2, 0.5]);
  });

  it("convolve causally and keep the last inputs", () => {
    const s = new Sketch();
    s.axis("k", 3);
    const taps = s.axis("taps", 2);
    const x = s.input("x", ["t"]);
    const w = s.input("w", ["k"]);
    const history = s.state("conv", [taps], { kind: "history" });
    s.define(history, x);
    const y = s.add({ kind: "conv", x, w, along: axis("t"), over: axis("k"), history });
    s.output("y", ["t"], y);
    const graph = s.finish();
    const weights = values([3], [1, 10, 100]);
    const run = (
      x: readonly number[],
      states: Readonly<Record<string, Values>> = {},
    ): [number[], number[]] => {
      const got = interpret(graph, { inputs: { x: values([x.length], x), w: weights }, states });
      return [[...(got.outputs["y"]?.data ?? [])], [...(got.states["conv"]?.data ?? [])]];
    };
    assert.deepEqual(run([1, 2, 3, 4]), [
      [100, 210, 321, 432],
      [3, 4],
    ]);
    // A run shorter than the history keeps a part of the old one; the newest tap is last.
    assert.deepEqual(run([5], { conv: values([2], [3, 4]) }), [[543], [4, 5]]);
  });

  it("multiply complex numbers, real ones among them", () => {
    const s = new Sketch();
    s.axis("p", 2);
    const z = s.param("z", ["p"], "c64");
    const x = s.input("x", ["p"]);
    const y = s.dot(z, s.map("mul", x, z), "p");
    s.output("y", [], y);
    s.output("size", ["p"], s.map("abs", z));
    const { outputs } = interpret(s.finish(), {
      params: { z: { shape: [2, 2], data: [3, 4, 0, 1] } },
      inputs: { x: values([2], [1, 2]) },
    });
    // (3 + 4i)² + 2·i² = −7 + 24i − 2.
    assert.deepEqual([...(outputs["y"]?.data ?? [])], [-9, 24]);
    assert.equal(outputs["y"]?.scalar, "c64");
    assert.deepEqual([...(outputs["size"]?.data ?? [])], [5, 1]);
  });

  it("say what is missing or of the wrong shape", () => {
    const s = new Sketch();
    s.axis("p", 2);
    const x = s.input("x", ["t", "p"]);
    const y = s.input("y", ["t"]);
    s.output("y", ["t", "p"], s.map("add", s.map("add", x, y), s.param("w", ["p"])));
    const graph = s.finish();
    const inputs = { x: values([3, 2]), y: values([3]) };
    assert.throws(() => interpret(graph, { inputs }), /parameter `w` is missing/);
    assert.throws(() => interpret(graph, { inputs: { x: inputs.x } }), /input `y` is missing/);
    assert.throws(
      () => interpret(graph, { inputs: { ...inputs, y: values([4]) } }),
      /input `y` says that `t` is 4; it is 3/,
    );
    assert.throws(
      () => interpret(graph, { inputs, params: { w: values([3]) } }),
      /parameter `w` has shape \[3\].* expected \[2\]/,
    );
    assert.throws(() => interpret(graph, { inputs: { ...inputs, x: values([3, 3]) } }), /expected \[3, 2\]/);
  });
});
