/** Validation accepts what the builder makes, and finds every way to break it. */
import assert from "node:assert/strict";
import type { AxisId, Graph, Node, NodeId, Param, State } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { InternalError } from "../../compiler/diagnostics/internal-error.js";
import { everything } from "./everything.js";

type Kind = Node["kind"];

const graph = everything();
const axis = (name: string): AxisId => name as AxisId;

/** The graph with fields of the first node of a kind changed. */
function node(
  kind: Kind,
  change: (found: Node) => object,
  which: (node: Node) => boolean = () => true,
): Graph {
  const found = graph.nodes.find((n) => n.kind === kind && which(n));
  assert.ok(found !== undefined, kind);
  return { ...graph, nodes: graph.nodes.map((n) => (n === found ? { ...n, ...change(n) } : n)) };
}

function state(name: string, change: Partial<State>): Graph {
  return { ...graph, states: graph.states.map((s) => (s.name === name ? { ...s, ...change } : s)) };
}

function param(name: string, change: Partial<Param>): Graph {
  return { ...graph, params: graph.params.map((p) => (p.name === name ? { ...p, ...change } : p)) };
}

function withAxis(name: string, change: object): Graph {
  const old = graph.axes.get(axis(name));
  assert.ok(old !== undefined);
  return { ...graph, axes: new Map([...graph.axes, [old.id, { ...old, ...change }]]) };
}

/** The first node of a kind. */
function at(kind: Kind): Node {
  const found = graph.nodes.find((n) => n.kind === kind);
  assert.ok(found !== undefined, kind);
  return found;
}

const isMap =
  (fn: string) =>
  (n: Node): boolean =>
    n.kind === "map" && n.fn === fn;

const BROKEN: readonly (readonly [what: string, graph: Graph, message: RegExp])[] = [
  ["an axis under another's name", withAxis("p", { id: axis("q") }), /axis p: calls itself q/],
  ["an axis of size 2.5", withAxis("p", { size: 2.5 }), /axis p: size 2.5/],
  ["parts that leave a gap", withAxis("s", { size: 7 }), /axis s: parts of size 6 in an axis of size 7/],
  ["parts of the wrong size", withAxis("q", { size: 4 }), /a part of size 3 has axes of size 4/],

  [
    "a param of another size than its axis",
    param("model.w", { layout: [{ axis: axis("p"), size: 3 }] }),
    /axis p has size 2, not 3/,
  ],
  ["a param without a source", param("model.w", { sources: [] }), /param model.w: has no source/],
  ["a derived param with a source", param("model.w", { derived: true }), /is derived and has a source/],
  ["a file's shape with too few elements", param("model.w", { shape: [5] }), /shape \[5\] does not hold 6/],
  [
    "two params of one name",
    param("model.w", { name: "model.table" }),
    /param model.table: the name is taken/,
  ],

  [
    "an output without its value's axes",
    { ...graph, outputs: graph.outputs.map((o) => ({ ...o, axes: [axis("b")] })) },
    /its value also has axes out, v/,
  ],
  [
    "dimensions that miss an axis",
    { ...graph, outputs: graph.outputs.map((o) => ({ ...o, dimensions: [{ name: "b", primes: 1 }] })) },
    /cover 1 of 3 axes/,
  ],
  [
    "a bound of f32",
    { ...graph, inputs: graph.inputs.map((i) => ({ ...i, scalar: "f32" as const })) },
    /bound 5 for f32/,
  ],

  [
    "a state with the time axis",
    state("layer.h", { axes: [axis("b"), axis("t"), axis("p")] }),
    /state layer.h: has the time axis t/,
  ],
  [
    "a state along an axis that is not time",
    state("layer.h", { along: axis("p") }),
    /steps along p, which is not time/,
  ],
  [
    "a state that loses an axis",
    state("layer.h", { axes: [axis("b")] }),
    /state layer.h: its equation %\d+ also has axes p/,
  ],
  ["two states of one name", state("layer.h", { name: "conv" }), /state conv: the name is taken/],
  ["a history of the wrong length", withAxis("taps", { size: 3 }), /taps does not have one tap less than k/],
  [
    "a history of something else",
    state("conv", { equation: { kind: "discrete", value: at("flip").id } }),
    /state conv: its equation .* also has axes q'/,
  ],
  ["a convolution after a plain state", state("conv", { kind: "delay" }), /its history conv is a delay/],
  [
    "a coefficient of a state without der",
    state("layer.h", { equation: { kind: "discrete", value: at("prev").id } }),
    /its state has no der/,
  ],
  [
    "the continuous variable in a value",
    state("layer.h", {
      equation: { kind: "continuous", rhs: at("continuous").id, rule: "euler", value: at("continuous").id },
    }),
    /reads the continuous variable layer.h/,
  ],

  ["a node in the wrong place", node("flip", () => ({ id: 0 })), /%0 \(flip\): stands at place/],
  [
    "a node that reads one behind it",
    node("flip", () => ({ arg: at("window").id })),
    /reads %\d+, which stands behind it/,
  ],
  [
    "a node typed with the wrong scalar",
    node("map", (n) => ({ type: { ...n.type, scalar: "index" } })),
    /is typed index, not f32/,
  ],
  [
    "a node typed with too few axes",
    node("dot", (n) => ({ type: { ...n.type, axes: [axis("t")] } })),
    /\(dot\): is typed \[t\], not \[b, t, v\]/,
  ],
  [
    "axes out of canonical order",
    node("dot", (n) => ({ type: { ...n.type, axes: [...n.type.axes].reverse() } })),
    /not in canonical order/,
  ],
  [
    "two nodes alike",
    { ...graph, nodes: [...graph.nodes, { ...at("coordinate"), id: graph.nodes.length as NodeId }] },
    /is the same as %\d+/,
  ],

  [
    "a reduction over an axis that is not there",
    node("reduce", () => ({ over: [axis("v")] })),
    /\(reduce\): %\d+ has no axis v/,
  ],
  [
    "a mask that is no truth",
    node("reduce", (n) => ({ where: n.kind === "reduce" ? n.arg : 0 })),
    /its mask is not a truth/,
  ],
  ["a contraction over nothing", node("dot", () => ({ over: [] })), /contracts nothing/],
  ["a gather by numbers", node("gather", () => ({ index: 1 })), /its index is f32/],
  ["a slice beyond the end", node("slice", () => ({ start: 5 })), /`x.p` \(slice\): takes 5..7 of 6/],
  [
    "a rename to another size",
    node("rename", () => ({ axes: [{ from: axis("q"), to: axis("p") }] })),
    /q and p differ in size/,
  ],
  [
    "a join of too few parts",
    node("concat", (n) => ({ parts: n.kind === "concat" ? n.parts.slice(1) : [] })),
    /2 parts of 3/,
  ],
  [
    "a window of an axis with a fixed size",
    node("window", () => ({ from: axis("v") })),
    /v is no run-time axis/,
  ],
  [
    "chunks that do not cut their time axis",
    node("chunk", () => ({ chunks: axis("steps") })),
    /steps and steps do not cut t/,
  ],
  ["chunks of a fixed number", withAxis("chunks", { size: 3 }), /axis chunks: chunks of fixed size/],
  [
    "a function of too many arguments",
    node("map", (n) => ({ args: n.kind === "map" ? [...n.args, ...n.args] : [] })),
    /float of 2 arguments/,
  ],
  ["a sum of truths", node("map", () => ({ fn: "and" }), isMap("add")), /and of f32/],
];

describe("validation of graphs", () => {
  it("accepts every kind of operation", () => {
    validate(graph);
  });

  for (const [what, broken, message] of BROKEN)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => {
          validate(broken);
        },
        (error: unknown) => error instanceof InternalError && message.test(error.message),
      );
    });
});
