/** Folding and identities of f32 and bool operations. Whole numbers are index-arithmetic.ts's. */
import type { Expr, ExprOp } from "./types.js";

/** What an operation on literals gives; f32 results are rounded to 32 bits. Undefined: not folded. */
export function foldLiterals(op: ExprOp, type: Expr["type"], values: readonly number[]): number | undefined {
  const [a = 0, b = 0, c = 0] = values;
  const result = foldUnrounded(op, a, b, c);
  if (result === undefined) return undefined;
  if (type === "f32") return Number.isNaN(result) ? undefined : Math.fround(result);
  if (type === "u32") return result < 0 ? undefined : Math.trunc(result);
  return type === "i32" ? Math.trunc(result) : result;
}

function foldUnrounded(op: ExprOp, a: number, b: number, c: number): number | undefined {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return b === 0 ? undefined : a / b;
    case "mod":
      return b === 0 ? undefined : a % b;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
    case "pow":
      return Math.pow(a, b);
    case "fma":
      return a * b + c;
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "gt":
      return Number(a > b);
    case "ge":
      return Number(a >= b);
    case "and":
      return Number(a !== 0 && b !== 0);
    case "or":
      return Number(a !== 0 || b !== 0);
    case "select":
      return a !== 0 ? b : c;
    default:
      return foldUnary(op, a);
  }
}

function foldUnary(op: ExprOp, a: number): number | undefined {
  switch (op) {
    case "neg":
      return -a;
    case "abs":
      return Math.abs(a);
    case "sign":
      return Math.sign(a);
    case "floor":
      return Math.floor(a);
    case "ceil":
      return Math.ceil(a);
    case "sqrt":
      return a < 0 ? undefined : Math.sqrt(a);
    case "rsqrt":
      return a <= 0 ? undefined : 1 / Math.sqrt(a);
    case "recip":
      return a === 0 ? undefined : 1 / a;
    case "exp":
      return Math.exp(a);
    case "exp2":
      return Math.pow(2, a);
    case "expm1":
      return Math.expm1(a);
    case "log":
      return a <= 0 ? undefined : Math.log(a);
    case "log1p":
    case "log1p_unit":
      return a <= -1 ? undefined : Math.log1p(a);
    case "sin":
      return Math.sin(a);
    case "cos":
      return Math.cos(a);
    case "tanh":
      return Math.tanh(a);
    case "not":
      return Number(a === 0);
    case "f32":
    case "u32":
    case "i32":
      return a;
    default:
      return undefined;
  }
}

const isLiteral = (expr: Expr | undefined, value: number): boolean =>
  expr?.kind === "literal" && expr.value === value;

/** An operand that the operation returns unchanged, if it does. */
export function identityOf(op: ExprOp, args: readonly Expr[]): Expr | undefined {
  const [a, b, c] = args;
  switch (op) {
    case "add":
      return isLiteral(a, 0) ? b : isLiteral(b, 0) ? a : undefined;
    case "sub":
      return isLiteral(b, 0) ? a : undefined;
    case "mul":
      return isLiteral(a, 1) ? b : isLiteral(b, 1) ? a : undefined;
    case "div":
    case "pow":
      return isLiteral(b, 1) ? a : undefined;
    case "min":
    case "max":
      return a === b ? a : undefined;
    case "and":
      return isLiteral(a, 1) || a === b
        ? b
        : isLiteral(b, 1)
          ? a
          : isLiteral(a, 0)
            ? a
            : isLiteral(b, 0)
              ? b
              : undefined;
    case "or":
      return isLiteral(a, 0) || a === b
        ? b
        : isLiteral(b, 0)
          ? a
          : isLiteral(a, 1)
            ? a
            : isLiteral(b, 1)
              ? b
              : undefined;
    case "select":
      return b === c ? b : a?.kind === "literal" ? (a.value !== 0 ? b : c) : undefined;
    case "neg":
    case "not":
    case "recip":
      return a?.kind === "op" && a.op === op ? a.args[0] : undefined;
    default:
      return undefined;
  }
}

/** The same operation where it is cheaper for the operands that it has. */
export function narrowedTo(op: ExprOp, [x]: readonly Expr[]): ExprOp {
  return op === "log1p" && x !== undefined && isFraction(x) ? "log1p_unit" : op;
}

/** Whether it lies between 0 and 1 for certain: a power with an exponent that is not positive. */
const isFraction = (expr: Expr): boolean =>
  expr.kind === "op" &&
  (expr.op === "exp" || expr.op === "exp2") &&
  expr.args[0] !== undefined &&
  isNotPositive(expr.args[0]);

function isNotPositive(expr: Expr): boolean {
  if (expr.kind === "literal") return expr.value <= 0;
  if (expr.kind !== "op") return false;
  const [a, b] = expr.args;
  if (a === undefined) return false;
  if (expr.op === "neg") return isNotNegative(a);
  if (b === undefined) return false;
  if (expr.op === "min") return isNotPositive(a) || isNotPositive(b);
  return (
    expr.op === "mul" && ((isNotPositive(a) && isNotNegative(b)) || (isNotNegative(a) && isNotPositive(b)))
  );
}

function isNotNegative(expr: Expr): boolean {
  if (expr.kind === "literal") return expr.value >= 0;
  return expr.kind === "op" && (expr.op === "abs" || expr.op === "exp" || expr.op === "exp2");
}
