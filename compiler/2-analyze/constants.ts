/** Evaluates the constant expressions of a file: what stands right of `const`, in axis sizes, after `with`. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { Argument, Expression } from "../1-parse/ast.js";
import { constantOperation, notConstant } from "../diagnostics/codes/constants.js";
import { unknownFunction, unknownName } from "../diagnostics/codes/names.js";
import { closest } from "../diagnostics/suggest.js";
import type { DiagnosticSink, Span } from "../diagnostics/types.js";
import {
  binaryConstant,
  BUILTIN_CONSTANTS,
  callConstant,
  CONSTANT_FUNCTIONS,
  indexConstant,
  unaryConstant,
  weightOf,
  type Outcome,
} from "./constant-operations.js";

export interface ConstantScope {
  /** The constant of that name: `undefined` if there is none; its value is `undefined` if it is in error. */
  lookup(name: string, span: Span): { readonly value: ConstantValue | undefined } | undefined;
  names(): Iterable<string>;
  /** Takes the weight of a value from what constants may hold; false, reported, where it is not left. */
  spend(weight: number, span: Span): boolean;
}

/** The value of a constant expression, or `undefined` after reporting why it has none. */
export function evaluateConstant(
  expression: Expression,
  scope: ConstantScope,
  sink: DiagnosticSink,
): ConstantValue | undefined {
  const evaluate = (inner: Expression): ConstantValue | undefined => evaluateConstant(inner, scope, sink);
  const settle = (outcome: Outcome): ConstantValue | undefined => {
    if ("value" in outcome)
      return scope.spend(weightOf(outcome.value), expression.span) ? outcome.value : undefined;
    sink.report(constantOperation(expression.span, outcome.problem));
    return undefined;
  };
  switch (expression.kind) {
    case "number":
    case "string":
      return expression.value;
    case "name":
      return lookupConstant(expression.name, expression.span, scope, sink);
    case "list": {
      const items = allDefined(expression.items.map(evaluate));
      return items === undefined ? undefined : settle({ value: items });
    }
    case "unary": {
      const operand = evaluate(expression.operand);
      return operand === undefined ? undefined : settle(unaryConstant(expression.op, operand));
    }
    case "binary": {
      const left = evaluate(expression.left);
      const right = evaluate(expression.right);
      return left === undefined || right === undefined
        ? undefined
        : settle(binaryConstant(expression.op, left, right));
    }
    case "call": {
      if (!CONSTANT_FUNCTIONS.has(expression.callee.name)) {
        sink.report(
          unknownFunction(
            expression.callee.span,
            expression.callee.name,
            closest(expression.callee.name, CONSTANT_FUNCTIONS),
          ),
        );
        return undefined;
      }
      const args = allDefined(expression.args.map((arg) => constantArgument(arg, evaluate, sink)));
      const outcome = args === undefined ? undefined : callConstant(expression.callee.name, args);
      return outcome === undefined ? undefined : settle(outcome);
    }
    case "select": {
      const [selector, ...rest] = expression.selectors;
      if (selector?.kind !== "index" || rest.length > 0) {
        sink.report(notConstant(expression.span, "a constant"));
        return undefined;
      }
      const base = evaluate(expression.base);
      const index = evaluate(selector.value);
      return base === undefined || index === undefined ? undefined : settle(indexConstant(base, index));
    }
  }
}

function lookupConstant(
  name: string,
  span: Span,
  scope: ConstantScope,
  sink: DiagnosticSink,
): ConstantValue | undefined {
  const found = scope.lookup(name, span);
  if (found !== undefined) return found.value;
  const builtin = BUILTIN_CONSTANTS.get(name);
  if (builtin === undefined)
    sink.report(unknownName(span, name, closest(name, [...scope.names(), ...BUILTIN_CONSTANTS.keys()])));
  return builtin;
}

function constantArgument(
  arg: Argument,
  evaluate: (expression: Expression) => ConstantValue | undefined,
  sink: DiagnosticSink,
): ConstantValue | undefined {
  if (arg.kind === "value") return evaluate(arg.value);
  sink.report(notConstant(arg.span, "an argument here"));
  return undefined;
}

function allDefined(values: readonly (ConstantValue | undefined)[]): ConstantValue[] | undefined {
  const defined = values.filter((value) => value !== undefined);
  return defined.length === values.length ? defined : undefined;
}
