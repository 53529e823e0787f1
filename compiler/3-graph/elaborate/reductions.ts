/** `sum`, `max` and `min` over axes, and `dot`. */
import { axisMissing, scalarType } from "../../diagnostics/codes/shapes.js";
import { closest } from "../../diagnostics/suggest.js";
import type { RelatedSpan, Span } from "../../diagnostics/types.js";
import type { NodeId, ReduceFn } from "../types.js";
import type { Arguments, AxisArgument } from "./arguments.js";
import { isReal, type Operand } from "./arithmetic.js";
import { report, type Env } from "./env.js";
import { add, axesOf, describe, scalarOf, toNode, toNumber } from "./nodes.js";
import { POISON, tensor, type Value } from "./values.js";

export function reduction(
  env: Env,
  fn: ReduceFn,
  x: Operand,
  over: AxisArgument,
  where: Operand | undefined,
  span: Span,
): Value {
  const whole = x.value.kind === "tensor" && scalarOf(env, x.value.node) === "index";
  const arg = whole ? toNode(env, x.value, x.span) : toNumber(env, x.value, x.span);
  if (arg === undefined || !hasAxes(env, fn, arg, x, over)) return POISON;
  if (fn !== "sum" && !isReal(env, x)) return POISON;
  if (where === undefined) return tensor(add(env, { kind: "reduce", fn, arg, over: over.primes }, span));
  if (where.value.kind === "constant" && where.value.value === true)
    return tensor(add(env, { kind: "reduce", fn, arg, over: over.primes }, span));
  const mask = toNode(env, where.value, where.span);
  if (mask === undefined) return POISON;
  if (scalarOf(env, mask) === "bool")
    return tensor(add(env, { kind: "reduce", fn, arg, over: over.primes, where: mask }, span));
  report(env, scalarType(where.span, "the mask", describe(env, where.value), "a truth (bool)"));
  return POISON;
}

export function dot(env: Env, { values, axes }: Arguments, span: Span): Value {
  const [a, b] = values;
  if (a === undefined || b === undefined || axes.over === undefined) return POISON;
  const lhs = toNumber(env, a.value, a.span);
  const rhs = toNumber(env, b.value, b.span);
  if (lhs === undefined || rhs === undefined) return POISON;
  const left = hasAxes(env, "dot", lhs, a, axes.over, [side(env, rhs, b)]);
  const right = left && hasAxes(env, "dot", rhs, b, axes.over, [side(env, lhs, a)]);
  if (!left || !right) return POISON;
  return tensor(add(env, { kind: "dot", lhs, rhs, over: axes.over.primes }, span));
}

const side = (env: Env, node: NodeId, { span }: Operand): RelatedSpan => ({
  span,
  message: `the other side is ${describe(env, tensor(node))}`,
});

/** Reports the first axis of `over` that the operand does not carry. */
function hasAxes(
  env: Env,
  callee: string,
  node: NodeId,
  operand: Operand,
  over: AxisArgument,
  related: readonly RelatedSpan[] = [],
): boolean {
  const has = axesOf(env, node);
  const missing = over.primes.find((prime) => !has.includes(prime));
  if (missing === undefined) return true;
  const found = describe(env, tensor(node));
  const asked = { span: over.list.span, message: `\`${missing}\` is asked for here` };
  const names = has.filter((axis) => env.elaboration.builder.axisOf(axis).role === "plain");
  report(
    env,
    axisMissing(operand.span, callee, missing, found, [...related, asked], closest(missing, names)),
  );
  return false;
}
