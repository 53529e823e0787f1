/** Graphs as text: readable, complete, and the same for equal graphs. */
import assert from "node:assert/strict";
import { printGraph } from "../../compiler/3-graph/print.js";
import { operationOf } from "../../compiler/3-graph/rewrite.js";
import type { Graph, MapFn, NodeId } from "../../compiler/3-graph/types.js";
import { Sketch } from "../interpret/graphs.js";
import { everything } from "./everything.js";

/** The lines of a section, their spaces made single. */
function section(text: string, title: string): readonly string[] {
  const lines = text.split("\n");
  const start = lines.indexOf(title);
  assert.ok(start >= 0, `no section ${title} in:\n${text}`);
  const rest = lines.slice(start + 1);
  return rest.slice(0, rest.indexOf("")).map((line) => line.trim().replace(/ +/g, " "));
}

describe("graphs as text", () => {
  const text = printGraph(everything());

  it("show axes with sizes, roles and parts", () => {
    assert.deepEqual(section(text, "axes"), [
      "b run-time b batch",
      "t run-time t time",
      "v 5",
      "p 2",
      "q 3",
      "q' 3",
      "k 3",
      "taps 2",
      "s 6 [p] at 0 | [q] at 2 | [] at 5",
      "out run-time count time",
      "steps 4 steps of t",
      "chunks run-time chunks chunks of t",
    ]);
  });

  it("show what goes in and out, and parameters with their checkpoint names", () => {
    assert.deepEqual(section(text, "inputs"), ["token index(5)[b, t]"]);
    assert.deepEqual(section(text, "params"), [
      'model.table f32[v=5, s=6] from "model.table"',
      'model.w f32[p=2, 1, k=3] from "model.w"',
    ]);
    assert.deepEqual(section(text, "outputs"), ["y[b, out, v=5] = %23"]);
  });

  it("show states with their equations", () => {
    assert.deepEqual(section(text, "states"), [
      "history conv: f32[b, p=2, taps=2] along t",
      "conv = x.p",
      "layer.h: f32[b, p=2] along t init -inf",
      "der(layer.h) = %10 by test",
      "layer.h = %16",
    ]);
  });

  it("show one operation a line, under the source's names", () => {
    assert.deepEqual(section(text, "nodes"), [
      "token = input token : index[b, t]",
      "model.table = param model.table : f32[v=5, s=6]",
      "x = model.table[v: token] : f32[b, t, s=6]",
      "x.p = x[s at 0 -> p] : f32[b, t, p=2]",
      "%0 = x[s at 2 -> q] : f32[b, t, q=3]",
      "%1 = x[s: 5] : f32[b, t]",
      "%2 = %0[q -> q'] : f32[b, t, q'=3]",
      "%3 = flip(%2, along q') : f32[b, t, q'=3]",
      "%4 = pos(t) : index[t]",
      "%5 = float(%4) : f32[t]",
      "%6 = %3 > %5 : bool[b, t, q'=3]",
      "%7 = max(%3, over q', where %6) : f32[b, t]",
      "model.w = param model.w : f32[p=2, k=3]",
      "%8 = causal_conv(x.p, model.w, along t, over k) after conv : f32[b, t, p=2]",
      "%9 = continuous(layer.h) : f32[b, t, p=2]",
      "%10 = %8 - %9 : f32[b, t, p=2]",
      "%11 = a of der(layer.h) : f32[b, t, p=2]",
      "%12 = b of der(layer.h) : f32[b, t, p=2]",
      "%13 = exp(%11) : f32[b, t, p=2]",
      "%14 = prev(layer.h) : f32[b, t, p=2]",
      "%15 = %13 * %14 : f32[b, t, p=2]",
      "%16 = %15 + %12 : f32[b, t, p=2]",
      "%17 = max(%1, %7) : f32[b, t]",
      "%18 = concat(%16, %0, %17, as s) : f32[b, t, s=6]",
      "%19 = %18[t -> (chunks, steps), past the end 0] : f32[b, steps=4, chunks, s=6]",
      "%20 = neg(%19) : f32[b, steps=4, chunks, s=6]",
      "%21 = %20[(chunks, steps) -> t] : f32[b, t, s=6]",
      "%22 = dot(%21, model.table, over s) : f32[b, t, v=5]",
      "%23 = %22[t at begin -> out] : f32[b, out, v=5]",
    ]);
  });

  it("number unnamed nodes in order, whatever their ids", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    s.output("y", ["t"], s.map("neg", s.map("exp", x)));
    const graph = s.finish();
    // The same graph with every id moved up by ten.
    const moved = (id: NodeId): NodeId => (id + 10) as NodeId;
    const shifted: Graph = {
      ...graph,
      nodes: graph.nodes.map((node) => {
        const operation = operationOf(node);
        const args = operation.kind === "map" ? { ...operation, args: operation.args.map(moved) } : operation;
        return { ...args, id: moved(node.id), type: node.type, spans: node.spans };
      }),
      outputs: graph.outputs.map((output) => ({ ...output, value: moved(output.value) })),
    };
    assert.equal(printGraph(shifted), printGraph(graph));
  });

  it("tell names apart that the source uses again", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const once = s.add({ kind: "map", fn: "exp", args: [x] }, "z");
    const twice = s.add({ kind: "map", fn: "exp", args: [once] }, "z");
    s.output("y", ["t"], twice);
    const text = printGraph(s.finish());
    assert.deepEqual(section(text, "nodes"), [
      "x = input x : f32[t]",
      "z = exp(x) : f32[t]",
      "z#2 = exp(z) : f32[t]",
    ]);
    assert.match(text, /y\[t\] += z#2\n$/);
  });

  it("write literals where they are used", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const parts: readonly (readonly [MapFn, number])[] = [
      ["max", -Infinity],
      ["mul", -0],
      ["add", 1e-5],
    ];
    const y = parts.reduce((value, [fn, number]) => s.map(fn, value, s.number(number)), x);
    s.output("y", ["t"], y);
    assert.deepEqual(section(printGraph(s.finish()), "nodes").slice(1), [
      "%0 = max(x, -inf) : f32[t]",
      "%1 = %0 * -0 : f32[t]",
      "%2 = %1 + 0.00001 : f32[t]",
    ]);
  });
});
