/** The affine form of a scalar expression in one var: expr = a·var + b. */
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr } from "../types.js";

export interface AffineExpr {
  readonly a: Expr;
  readonly b: Expr;
}

/** Undefined where the expression is not affine in the var. */
export function affineIn(expr: Expr, name: string, e: ExprBuilder): AffineExpr | undefined {
  if (!freeVars(expr).has(name)) return { a: e.f32(0), b: expr };
  if (expr.kind === "var") return { a: e.f32(1), b: e.f32(0) };
  if (expr.kind !== "op") return undefined;
  const parts = expr.args.map((arg) => affineIn(arg, name, e));
  const [x, y, z] = parts;
  switch (expr.op) {
    case "neg":
      return x && { a: e.op("neg", x.a), b: e.op("neg", x.b) };
    case "add":
    case "sub":
      return x && y && { a: e.op(expr.op, x.a, y.a), b: e.op(expr.op, x.b, y.b) };
    case "mul": {
      const [left, right] = expr.args;
      if (left === undefined || right === undefined || x === undefined || y === undefined) return undefined;
      if (!freeVars(left).has(name)) return { a: e.mul(left, y.a), b: e.mul(left, y.b) };
      if (!freeVars(right).has(name)) return { a: e.mul(x.a, right), b: e.mul(x.b, right) };
      return undefined;
    }
    case "fma": {
      const [left, right] = expr.args;
      if (left === undefined || right === undefined || !x || !y || !z) return undefined;
      if (!freeVars(left).has(name))
        return { a: e.add(e.mul(left, y.a), z.a), b: e.add(e.mul(left, y.b), z.b) };
      if (!freeVars(right).has(name))
        return { a: e.add(e.mul(x.a, right), z.a), b: e.add(e.mul(x.b, right), z.b) };
      return undefined;
    }
    case "div": {
      const divisor = expr.args[1];
      if (divisor === undefined || x === undefined || freeVars(divisor).has(name)) return undefined;
      return { a: e.div(x.a, divisor), b: e.div(x.b, divisor) };
    }
    case "select": {
      const condition = expr.args[0];
      if (condition === undefined || freeVars(condition).has(name) || !y || !z) return undefined;
      return { a: e.select(condition, y.a, z.a), b: e.select(condition, y.b, z.b) };
    }
    default:
      return undefined;
  }
}
