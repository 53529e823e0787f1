/** Expressions become values: constants are computed, the rest becomes nodes. */
import type { Expression } from "../../1-parse/ast.js";
import {
  BUILTIN_CONSTANTS,
  describeConstant,
  indexConstant,
  weightOf,
} from "../../2-analyze/constant-operations.js";
import { constantOperation, notConstant } from "../../diagnostics/codes/constants.js";
import { unknownName, unsolvedState, wrongKind } from "../../diagnostics/codes/names.js";
import { indexWithoutAxis } from "../../diagnostics/codes/shapes.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import { binary, unary } from "./arithmetic.js";
import { lookupAxis } from "./axes.js";
import { listAlong } from "./coordinates.js";
import { call } from "./calls.js";
import { report, spend, type Env } from "./env.js";
import { evaluate, requireConstant } from "./evaluate.js";
import { axesOf, describe } from "./nodes.js";
import { select } from "./selections.js";
import { constant, POISON, type Value } from "./values.js";

/** The values of an expression: several for a call with several results. */
export function expressionValues(env: Env, expression: Expression): readonly Value[] {
  if (!spend(env, expression.span)) return [POISON];
  return expression.kind === "call" ? call(env, expression) : [value(env, expression)];
}

function value(env: Env, expression: Exclude<Expression, { kind: "call" }>): Value {
  switch (expression.kind) {
    case "number":
    case "string":
      return constant(expression.value);
    case "name":
      return readName(env, expression.name, expression.span);
    case "list": {
      const items = expression.items.map((item) => requireConstant(env, item, "an item of a list"));
      const defined = items.filter((item) => item !== undefined);
      if (defined.length < items.length) return POISON;
      // Its own items are expressions; those of lists in it stand here once more.
      return spend(env, expression.span, weightOf(defined) - defined.length) ? constant(defined) : POISON;
    }
    case "unary": {
      const operand = { value: evaluate(env, expression.operand), span: expression.operand.span };
      return unary(env, expression.op, operand, expression.span);
    }
    case "binary": {
      const left = { value: evaluate(env, expression.left), span: expression.left.span };
      const right = { value: evaluate(env, expression.right), span: expression.right.span };
      return binary(env, expression.op, left, right, expression.span);
    }
    case "select":
      return expression.selectors[0]?.kind === "index"
        ? readItem(env, expression.base, expression.selectors[0].value, expression.span)
        : select(env, evaluate(env, expression.base), expression.selectors, expression.span);
  }
}

function readName(env: Env, name: string, span: Span): Value {
  const binding = env.scope.find(name);
  if (binding?.kind === "value") return binding.value;
  if (binding?.kind === "state") {
    if (binding.solved !== undefined) return binding.solved.value;
    report(env, unsolvedState(span, name, binding.span));
    return POISON;
  }
  const fromFile = env.scope.home.constants.get(name);
  if (fromFile?.value !== undefined && fromFile.axis !== undefined)
    return listAlong(env, fromFile.value, fromFile.axis, span);
  if (fromFile !== undefined) return fromFile.value === undefined ? POISON : constant(fromFile.value);
  const builtin = BUILTIN_CONSTANTS.get(name);
  if (builtin !== undefined) return constant(builtin);
  reportNoValue(env, name, span);
  return POISON;
}

/** Says what a name is that stands for no value here. */
export function reportNoValue(env: Env, name: string, span: Span): void {
  if (lookupAxis(env, name, span) !== undefined)
    report(
      env,
      wrongKind(
        span,
        name,
        "an axis, not a value",
        `\`size(${name})\` is its size, \`pos(${name})\` the coordinate`,
      ),
    );
  else if (env.scope.home.callables.has(name))
    report(env, wrongKind(span, name, "a function, not a value", `call it: \`${name}(…)\``));
  else reportUnknown(env, name, span);
}

function reportUnknown(env: Env, name: string, span: Span): void {
  const ended = [...env.scope.chain()]
    .map((scope) => scope.ended.get(name))
    .find((found) => found !== undefined);
  if (ended === undefined) return report(env, unknownName(span, name, closest(name, env.scope.valueNames())));
  const hint = `a name that ${ended.within} defines ends with it: define \`${name}\` before, and rebind it there by \`:=\``;
  const related = [{ span: ended.span, message: `this \`${name}\` ends with ${ended.within}` }];
  report(env, unknownName(span, name, undefined, hint, related));
}

/** What is indexed: a list that lies along an axis is still a list here. */
function readList(env: Env, base: Expression): Value {
  if (base.kind !== "name" || env.scope.find(base.name) !== undefined) return evaluate(env, base);
  const value = env.scope.home.constants.get(base.name)?.value;
  return value === undefined ? evaluate(env, base) : constant(value);
}

function readItem(env: Env, base: Expression, index: Expression, span: Span): Value {
  const list = readList(env, base);
  const item = evaluate(env, index);
  if (list.kind === "poison" || item.kind === "poison") return POISON;
  if (list.kind === "tensor") {
    const axis = axesOf(env, list.node).at(-1);
    report(env, indexWithoutAxis(index.span, describe(env, list), axis));
    return POISON;
  }
  if (item.kind === "tensor") {
    report(env, notConstant(index.span, "the index of a list"));
    return POISON;
  }
  const outcome = indexConstant(list.value, item.value);
  if ("value" in outcome) return constant(outcome.value);
  report(env, constantOperation(span, `${outcome.problem}: ${describeConstant(list.value)}`));
  return POISON;
}
