/** Evaluating an expression, from any file of elaboration. */
import type { ConstantValue } from "../../../runtime/bundle-format.js";
import type { Expression } from "../../1-parse/ast.js";
import { notConstant } from "../../diagnostics/codes/constants.js";
import { report, type Env } from "./env.js";
import { POISON, type Value } from "./values.js";

/** The value of an expression; of a call with several results, the first. */
export function evaluate(env: Env, expression: Expression): Value {
  return env.elaboration.walk.expression(env, expression)[0] ?? POISON;
}

/** The value of an expression that must be constant; `undefined` after reporting. */
export function requireConstant(env: Env, expression: Expression, what: string): ConstantValue | undefined {
  const value = evaluate(env, expression);
  if (value.kind === "constant") return value.value;
  if (value.kind === "tensor") report(env, notConstant(expression.span, what));
  return undefined;
}
