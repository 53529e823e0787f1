/** Integer expressions of kernels as functions of the coordinates, once the run-time numbers are known. */
import type { Dim } from "../../runtime/bundle-format.js";
import type { Expr, ExprOp } from "../5-kernel/types.js";

/** What a Dim comes to at the sizes that are explained. */
export type EvaluateDim = (dim: Dim) => number;

/** Coordinates by slot. */
export type Evaluate = (coordinates: Float64Array) => number;

/** Undefined where the value depends on what lies in memory. */
export function compile(
  expr: Expr,
  slots: ReadonlyMap<string, number>,
  dim: EvaluateDim,
): Evaluate | undefined {
  switch (expr.kind) {
    case "literal": {
      const { value } = expr;
      return () => value;
    }
    case "number": {
      const value = dim(expr.name);
      return () => value;
    }
    case "var": {
      const slot = slots.get(expr.name);
      return slot === undefined ? undefined : (at) => at[slot] ?? 0;
    }
    case "op": {
      const args = expr.args.map((arg) => compile(arg, slots, dim));
      const [a, b, c] = args;
      if (a === undefined || args.includes(undefined)) return undefined;
      if (expr.op === "select" && b !== undefined && c !== undefined)
        return (at) => (a(at) !== 0 ? b(at) : c(at));
      if (b === undefined) {
        const unary = UNARY[expr.op];
        return unary && ((at) => unary(a(at)));
      }
      const binary = BINARY[expr.op];
      return binary && ((at) => binary(a(at), b(at)));
    }
    case "load":
    case "loop":
      return undefined;
  }
}

const UNARY: Partial<Record<ExprOp, (a: number) => number>> = {
  neg: (a) => -a,
  not: (a) => Number(a === 0),
  abs: Math.abs,
  sign: Math.sign,
  u32: Math.trunc,
  i32: Math.trunc,
};

/** Of whole numbers: what is taken is u32 and i32, and bool as 0 and 1. */
const BINARY: Partial<Record<ExprOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.trunc(a / b),
  mod: (a, b) => a % b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  gt: (a, b) => Number(a > b),
  ge: (a, b) => Number(a >= b),
  and: (a, b) => Number(a !== 0 && b !== 0),
  or: (a, b) => Number(a !== 0 || b !== 0),
};
