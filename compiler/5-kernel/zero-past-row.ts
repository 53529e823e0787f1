/** Which operands of a product are zero past their row, as what a step reads of later ones is: tiles there need not be multiplied. */
import type { Expr } from "./types.js";

/** 2 to less than this is 0 in f32. */
const LEAST_EXPONENT = -150;

/** Whether a value is 0 wherever the var `k` exceeds the var `row`. */
export function isZeroPastRow(value: Expr, k: string, row: string): boolean {
  const isUntil = (expr: Expr | undefined): boolean =>
    expr?.kind === "op" &&
    (expr.op === "le" || expr.op === "lt") &&
    isVar(expr.args[0], k) &&
    isVar(expr.args[1], row);
  const isZero = (expr: Expr | undefined): boolean => {
    if (expr?.kind === "literal") return expr.value === 0;
    if (expr?.kind !== "op") return false;
    const [first, second, third] = expr.args;
    switch (expr.op) {
      case "mul":
        return isZero(first) || isZero(second);
      case "select":
        return isUntil(first) ? isZero(third) : isZero(second) && isZero(third);
      case "exp2":
        return most(first) <= LEAST_EXPONENT;
      default:
        return false;
    }
  };
  /** What a value cannot exceed there. */
  const most = (expr: Expr | undefined): number => {
    if (expr?.kind === "literal") return expr.value;
    if (expr?.kind !== "op") return Infinity;
    const [first, second, third] = expr.args;
    switch (expr.op) {
      case "add":
        return most(first) + most(second);
      case "min":
        return Math.min(most(first), most(second));
      case "select":
        return isUntil(first) ? most(third) : Math.max(most(second), most(third));
      default:
        return Infinity;
    }
  };
  return isZero(value);
}

const isVar = (expr: Expr | undefined, name: string): boolean => expr?.kind === "var" && expr.name === name;
