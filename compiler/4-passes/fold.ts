/** Constant folding and the identities of 0 and 1. Exact in float64, so that literals meet tensors late. */
import type { GraphBuilder } from "../3-graph/build.js";
import { rewrite } from "../3-graph/rewrite.js";
import type { MapFn, Node, NodeId } from "../3-graph/types.js";
import type { Pass } from "./pass.js";

const UNARY: Partial<Record<MapFn, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  recip: (x) => 1 / x,
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  phi: (x) => (x === 0 ? 1 : Math.expm1(x) / x),
};

const BINARY: Partial<Record<MapFn, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  pow: (x, y) => x ** y,
  min: Math.min,
  max: Math.max,
};

export const fold: Pass = {
  name: "fold",
  run: (graph) =>
    rewrite(graph, {
      visit(node, context) {
        if (node.kind !== "map") return context.copy(node);
        return simplified(node, node.args.map(context.at), context.builder) ?? context.copy(node);
      },
    }),
};

/** The node that equals fn(args) more simply, if there is one with the same type. */
function simplified(
  node: Node & { kind: "map" },
  args: readonly NodeId[],
  builder: GraphBuilder,
): NodeId | undefined {
  const value = (id: NodeId | undefined): number | undefined => {
    const arg = id === undefined ? undefined : builder.node(id);
    return arg?.kind === "scalar" ? arg.value : undefined;
  };
  const [x, y] = args;
  const p = value(x);
  const q = value(y);
  const scalar = (v: number): NodeId => builder.add({ kind: "scalar", value: v }, { spans: node.spans });
  const sameType = (id: NodeId): NodeId | undefined => {
    const { scalar: kind, axes } = builder.typeOf(id);
    return kind === node.type.scalar &&
      axes.join() === builder.canonical(args.flatMap((a) => builder.typeOf(a).axes)).join()
      ? id
      : undefined;
  };
  if (args.length === 1 && p !== undefined) {
    const folded = UNARY[node.fn]?.(p);
    return folded === undefined ? undefined : scalar(folded);
  }
  if (args.length !== 2 || x === undefined || y === undefined) return undefined;
  if (p !== undefined && q !== undefined) {
    const folded = BINARY[node.fn]?.(p, q);
    return folded === undefined ? undefined : scalar(folded);
  }
  switch (node.fn) {
    case "add":
      return p === 0 ? sameType(y) : q === 0 ? sameType(x) : undefined;
    case "sub":
      return q === 0 ? sameType(x) : undefined;
    case "mul":
      return p === 1 ? sameType(y) : q === 1 ? sameType(x) : undefined;
    case "div":
      return q === 1 ? sameType(x) : undefined;
    case "pow":
      return q === 1
        ? sameType(x)
        : q === 2
          ? builder.add({ kind: "map", fn: "mul", args: [x, x] }, { spans: node.spans })
          : undefined;
    default:
      return undefined;
  }
}
