/** What a recurrence adds and multiplies with: sums and products, or, if it is tropical, maxima (minima) and sums. */
import type { Group } from "../../4-passes/fuse.js";
import type { Graph } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr } from "../types.js";
import { affineIn } from "./affine.js";

export interface Semiring {
  /** What adds nothing: a chunk's local state begins with it. */
  readonly zero: number;
  /** What multiplies by nothing: a chunk's decay does. */
  readonly one: number;
  readonly plus: (x: Expr, y: Expr, e: ExprBuilder) => Expr;
  readonly times: (x: Expr, y: Expr, e: ExprBuilder) => Expr;
  /** What multiplies the var in an expression that is affine in it. */
  readonly factorOf: (expr: Expr, name: string, e: ExprBuilder) => Expr | undefined;
}

const ORDINARY: Semiring = {
  zero: 0,
  one: 1,
  plus: (x, y, e) => e.add(x, y),
  times: (x, y, e) => e.mul(x, y),
  factorOf: (expr, name, e) => affineIn(expr, name, e)?.a,
};

const tropical = (fn: "max" | "min"): Semiring => ({
  zero: fn === "max" ? -Infinity : Infinity,
  one: 0,
  plus: (x, y, e) => e.op(fn, x, y),
  times: (x, y, e) => e.add(x, y),
  factorOf: (expr, name, e) => shiftOf(expr, name, fn, e),
});

/** s in fn(var + s, …); undefined where the expression is not of that form. */
function shiftOf(expr: Expr, name: string, fn: "max" | "min", e: ExprBuilder): Expr | undefined {
  if (expr.kind === "var" && expr.name === name) return e.f32(0);
  if (expr.kind !== "op") return undefined;
  const [x, y] = expr.args;
  if (x === undefined || y === undefined) return undefined;
  const [inX, inY] = [freeVars(x).has(name), freeVars(y).has(name)];
  const [left, right] = [
    inX ? shiftOf(x, name, fn, e) : undefined,
    inY ? shiftOf(y, name, fn, e) : undefined,
  ];
  if (expr.op === fn) {
    if (inX && inY) return left && right && e.op(fn, left, right);
    return left ?? right;
  }
  if (inX === inY) return undefined;
  if (expr.op === "add") return left ? e.add(left, y) : right && e.add(x, right);
  return expr.op === "sub" && left !== undefined ? e.sub(left, y) : undefined;
}

export function semiringOf(graph: Graph, group: Group): Semiring {
  const [id] = group.recurrence?.states ?? [];
  const state = id === undefined ? undefined : graph.states[id];
  const root = state && graph.nodes[state.equation.value];
  const isTropical = group.class === "tropical" && root?.kind === "map";
  return isTropical ? tropical(root.fn === "min" ? "min" : "max") : ORDINARY;
}
