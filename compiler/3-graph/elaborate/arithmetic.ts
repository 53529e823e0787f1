/** Operators. Constants are computed exactly; a constant that meets a tensor becomes a scalar of the tensor's type. */
import type { BinaryOp, UnaryOp } from "../../1-parse/ast.js";
import { binaryConstant, unaryConstant, weightOf } from "../../2-analyze/constant-operations.js";
import { constantOperation } from "../../diagnostics/codes/constants.js";
import { scalarType } from "../../diagnostics/codes/shapes.js";
import type { Span } from "../../diagnostics/types.js";
import type { MapFn, NodeId } from "../types.js";
import { report, spend, type Env } from "./env.js";
import { describe, map, scalarOf, toNode, toNumber } from "./nodes.js";
import { constant, POISON, tensor, type Value } from "./values.js";

export interface Operand {
  readonly value: Value;
  readonly span: Span;
}

type TensorOp = Exclude<BinaryOp, "in">;

const MAP_FUNCTIONS: Readonly<Record<TensorOp, MapFn>> = {
  "+": "add",
  "-": "sub",
  "*": "mul",
  "/": "div",
  "%": "mod",
  "^": "pow",
  "==": "eq",
  "!=": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
  and: "and",
  or: "or",
};

/** Functions of two whole numbers that give a whole number: what stays `index`. */
const WHOLE = new Set<MapFn>(["add", "mul", "mod", "min", "max", "eq", "ne", "lt", "le", "gt", "ge"]);
/** Complex numbers have no order, so that they are neither compared nor rounded; no formula of `erf` for them is here. */
const OF_REALS = new Set<MapFn>([
  "lt",
  "le",
  "gt",
  "ge",
  "min",
  "max",
  "mod",
  "sign",
  "floor",
  "ceil",
  "round",
  "erf",
]);

export function unary(env: Env, op: UnaryOp, operand: Operand, span: Span): Value {
  const { value } = operand;
  if (value.kind === "poison") return POISON;
  if (value.kind === "constant") {
    const outcome = unaryConstant(op, value.value);
    if ("value" in outcome) return constant(outcome.value);
    report(env, constantOperation(span, outcome.problem));
    return POISON;
  }
  if (op === "not") return logical(env, "not", [operand], span);
  const node = toNumber(env, value, operand.span);
  return node === undefined ? POISON : tensor(map(env, "neg", [node], span));
}

export function binary(env: Env, op: BinaryOp, left: Operand, right: Operand, span: Span): Value {
  if (left.value.kind === "poison" || right.value.kind === "poison") return POISON;
  if (left.value.kind === "constant" && right.value.kind === "constant") {
    const outcome = binaryConstant(op, left.value.value, right.value.value);
    if ("value" in outcome)
      return spend(env, span, weightOf(outcome.value)) ? constant(outcome.value) : POISON;
    report(env, constantOperation(span, outcome.problem));
    return POISON;
  }
  if (op === "in") {
    report(env, constantOperation(span, "`in` asks about constants, and this is a tensor"));
    return POISON;
  }
  if (op === "and" || op === "or") return logical(env, op, [left, right], span);
  if (op === "^") return power(env, left, right, span);
  return arithmetic(env, MAP_FUNCTIONS[op], [left, right], span);
}

/** An elementwise function of numbers: whole numbers stay whole where the function allows, else become f32. */
export function arithmetic(env: Env, fn: MapFn, operands: readonly Operand[], span: Span): Value {
  const nodes = numbers(env, fn, operands);
  if (nodes === undefined) return POISON;
  if (OF_REALS.has(fn) && operands.some((operand) => !isReal(env, operand))) return POISON;
  return tensor(map(env, fn, nodes, span));
}

/** False, reported, for a complex number. */
export function isReal(env: Env, { value, span }: Operand): boolean {
  if (value.kind !== "tensor" || scalarOf(env, value.node) !== "c64") return true;
  const hint = "`re(z)`, `im(z)` and `abs(z)` are real";
  report(env, scalarType(span, "this operand", describe(env, value), "a real number", hint));
  return false;
}

function numbers(env: Env, fn: MapFn, operands: readonly Operand[]): readonly NodeId[] | undefined {
  const whole =
    WHOLE.has(fn) &&
    operands.every(({ value }) => value.kind === "tensor" && scalarOf(env, value.node) === "index");
  const nodes = operands.map(({ value, span }) =>
    whole ? toNode(env, value, span) : toNumber(env, value, span),
  );
  const defined = nodes.filter((node) => node !== undefined);
  return defined.length < nodes.length ? undefined : defined;
}

/** `and`, `or`, `not`; constant truths among the operands are folded away. */
export function logical(env: Env, fn: "and" | "or" | "not", operands: readonly Operand[], span: Span): Value {
  const absorbing = fn === "or";
  const open: NodeId[] = [];
  for (const { value, span: at } of operands) {
    if (value.kind === "poison") return POISON;
    if (value.kind === "constant" && typeof value.value === "boolean") {
      if (value.value === absorbing) return value;
      continue;
    }
    if (value.kind === "constant" || scalarOf(env, value.node) !== "bool") {
      report(env, scalarType(at, "this operand", describe(env, value), "a truth (bool)"));
      return POISON;
    }
    open.push(value.node);
  }
  const [first] = open;
  if (first === undefined) return constant(!absorbing);
  return tensor(open.length === 1 && fn !== "not" ? first : map(env, fn, open, span));
}

/** Powers with a small whole exponent are products: exact for negative bases too, where `pow` is not defined. */
function power(env: Env, base: Operand, exponent: Operand, span: Span): Value {
  if (exponent.value.kind === "constant") {
    const e = exponent.value.value;
    if (e === 0.5) return arithmetic(env, "sqrt", [base], span);
    if (e === -0.5) return arithmetic(env, "rsqrt", [base], span);
    if (typeof e === "number" && Number.isInteger(e) && Math.abs(e) >= 1 && Math.abs(e) <= 16) {
      const node = toNumber(env, base.value, base.span);
      if (node === undefined) return POISON;
      const product = wholePower(env, node, Math.abs(e), span);
      return tensor(e > 0 ? product : map(env, "recip", [product], span));
    }
  }
  return arithmetic(env, "pow", [base, exponent], span);
}

function wholePower(env: Env, node: NodeId, exponent: number, span: Span): NodeId {
  if (exponent === 1) return node;
  const half = wholePower(env, node, Math.floor(exponent / 2), span);
  const square = map(env, "mul", [half, half], span);
  return exponent % 2 === 0 ? square : map(env, "mul", [square, node], span);
}

/** `select(condition, a, b)`, elementwise; a constant condition chooses at once. Two whole numbers, or two truths, stay such. */
export function choose(env: Env, { values }: { readonly values: readonly Operand[] }, span: Span): Value {
  const [condition, yes, no] = values;
  if (condition === undefined || yes === undefined || no === undefined) return POISON;
  if (condition.value.kind === "constant") {
    if (typeof condition.value.value === "boolean") return condition.value.value ? yes.value : no.value;
  } else if (condition.value.kind === "tensor" && scalarOf(env, condition.value.node) === "bool") {
    const types = [yes, no].map(({ value }) => (value.kind === "tensor" ? scalarOf(env, value.node) : "f32"));
    const alike = types[0] === types[1] && (types[0] === "index" || types[0] === "bool");
    const branches = [yes, no].map(({ value, span: at }) => (alike ? toNode : toNumber)(env, value, at));
    const [left, right] = branches;
    if (left === undefined || right === undefined) return POISON;
    return tensor(map(env, "select", [condition.value.node, left, right], span));
  }
  report(env, scalarType(condition.span, "the condition", describe(env, condition.value), "a truth (bool)"));
  return POISON;
}
