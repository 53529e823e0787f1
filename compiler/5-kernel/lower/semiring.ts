/** What a recurrence adds and multiplies with: sums and products; maxima (minima) and sums, if it is tropical; or it only adds, angles. */
import type { Group } from "../../4-passes/fuse.js";
import type { Graph } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr } from "../types.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { affineIn } from "./affine.js";
import { turn } from "./angles.js";
import { applyMap } from "./complex.js";
import type { Value } from "./scope.js";

export interface Semiring {
  /** What adds nothing: a chunk's local state begins with it. */
  readonly zero: number;
  readonly plus: (x: Value, y: Value, e: ExprBuilder) => Value;
  /** Absent where nothing decays: a chunk's own is added to what came before it as that is. */
  readonly decay?: Decay;
}

export interface Decay {
  /** What multiplies by nothing: a chunk's decay begins with it. */
  readonly one: number;
  readonly times: (x: Value, y: Value, e: ExprBuilder) => Value;
  /** What multiplies a value of vars in one that is affine in it. */
  readonly factorOf: (value: Value, previous: Value, e: ExprBuilder) => Value | undefined;
}

const PRODUCTS: Decay = {
  one: 1,
  times: (x, y, e) => applyMap(e, "mul", [x, y]),
  factorOf(value, previous, e) {
    // Of a complex equation that is linear in the state, the real part of the state is multiplied by the factor itself.
    const name = nameOf(previous.re);
    const re = affineIn(value.re, name, e)?.a;
    if (re === undefined || value.im === undefined) return re && { re };
    const im = affineIn(value.im, name, e)?.a;
    return im && { re, im };
  },
};

const ORDINARY: Semiring = { zero: 0, plus: (x, y, e) => applyMap(e, "add", [x, y]), decay: PRODUCTS };
const ANGLES: Semiring = { zero: 0, plus: (x, y, e) => turn(e, x, y) };

function nameOf(expr: Expr): string {
  if (expr.kind !== "var") throw new InternalError("lower", "a state is a var");
  return expr.name;
}

const tropical = (fn: "max" | "min"): Semiring => ({
  zero: fn === "max" ? -Infinity : Infinity,
  plus: (x, y, e) => ({ re: e.op(fn, x.re, y.re) }),
  decay: {
    one: 0,
    times: (x, y, e) => ({ re: e.add(x.re, y.re) }),
    factorOf(value, previous, e) {
      const re = shiftOf(value.re, nameOf(previous.re), fn, e);
      return re && { re };
    },
  },
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
  if (group.class === "angle") return ANGLES;
  const root = state && graph.nodes[state.equation.value];
  const isTropical = group.class === "tropical" && root?.kind === "map";
  return isTropical ? tropical(root.fn === "min" ? "min" : "max") : ORDINARY;
}
