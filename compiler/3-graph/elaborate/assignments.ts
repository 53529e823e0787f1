/** `=` defines a value once or solves a state; `:=` and `+=` rebind. */
import type { AssignTarget, Expression, Ident, Statement } from "../../1-parse/ast.js";
import {
  alreadyDefined,
  cannotRebind,
  rebindUndefined,
  resultCount,
  selfReference,
} from "../../diagnostics/codes/names.js";
import { closest } from "../../diagnostics/suggest.js";
import { binary } from "./arithmetic.js";
import { resolveDimensions } from "./axes.js";
import { report, type Env, type ValueBinding } from "./env.js";
import { evaluate } from "./evaluate.js";
import { fits } from "./fit.js";
import { toNode } from "./nodes.js";
import { joinPath } from "./paths.js";
import { solveState } from "./recurrences.js";
import { POISON, tensor, type Value } from "./values.js";

type Assignment = Extract<Statement, { kind: "assign" }>;

export function assign(env: Env, statement: Assignment): undefined {
  if (statement.op !== "=") return rebind(env, statement);
  const [target] = statement.targets;
  if (
    target !== undefined &&
    statement.targets.length === 1 &&
    readsItself(env, target.name, statement.value)
  ) {
    const { name, span } = target.name;
    const owner = env.scope.owner(name);
    report(env, selfReference(span, name, owner?.values.get(name)?.span));
    if (owner === undefined) setValue(env, target.name, POISON, "a value");
    return;
  }
  const values = valuesFor(env, statement);
  statement.targets.forEach((to, k) => {
    const value = checkStated(env, to, values[k] ?? POISON, statement.value);
    const binding = env.scope.owner(to.name.name)?.values.get(to.name.name);
    if (binding?.kind === "state") {
      solveState(env, binding, value, statement.value.span);
      if (binding.solved !== undefined) nameValue(env, binding.name, binding.solved.value);
    } else define(env, to.name, value, "a value");
  });
}

/** Whether `x = …` reads x at this step, which only a rebinding or a recurrence can mean. A state has its own message. */
export function readsItself(env: Env, { name }: Ident, value: Expression): boolean {
  if (env.scope.owner(name)?.values.get(name)?.kind === "state") return false;
  return mentions(value, name);
}

function mentions(expression: Expression, name: string): boolean {
  const inside = (inner: Expression): boolean => mentions(inner, name);
  switch (expression.kind) {
    case "number":
    case "string":
      return false;
    case "name":
      return expression.name === name;
    case "list":
      return expression.items.some(inside);
    case "unary":
      return inside(expression.operand);
    case "binary":
      return inside(expression.left) || inside(expression.right);
    case "call":
      return (
        expression.callee.name !== "prev" &&
        expression.args.some((arg) => arg.kind !== "axis" && inside(arg.value))
      );
    case "select":
      return (
        inside(expression.base) ||
        expression.selectors.some((selector) => selector.kind !== "to" && inside(selector.value))
      );
  }
}

/** One value a target: the results of a call, or one expression for one name. */
function valuesFor(env: Env, { targets, value }: Assignment): readonly Value[] {
  if (targets.length === 1) return [evaluate(env, value)];
  const values = env.elaboration.walk.expression(env, value);
  if (values.length === targets.length) return values;
  if (!values.every((result) => result.kind === "poison"))
    report(env, resultCount(value.span, values.length, targets.length));
  return targets.map(() => POISON);
}

/** `y[t, m] = …` also says which axes the value has. */
function checkStated(
  env: Env,
  { name, axes: list }: AssignTarget,
  value: Value,
  expression: Expression,
): Value {
  if (list === undefined || value.kind === "poison") return value;
  const axes = resolveDimensions(env, list)?.flatMap((dimension) => dimension.axes);
  const node = toNode(env, value, expression.span);
  if (axes === undefined || node === undefined) return POISON;
  const { builder } = env.elaboration;
  const besides = [
    ...env.frame.ambient,
    ...builder.typeOf(node).axes.filter((axis) => builder.axisOf(axis).role === "batch"),
  ];
  const place = { what: `\`${name.name}\``, axes, besides, required: "some" as const, declared: list.span };
  return fits(env, node, place, expression.span) ? tensor(node) : POISON;
}

function rebind(env: Env, { targets, op, value }: Assignment): undefined {
  const values = valuesFor(env, { targets, op, value, kind: "assign", span: value.span });
  targets.forEach((target, k) => {
    const { name, span } = target.name;
    const owner = env.scope.owner(name);
    const old = owner?.values.get(name);
    if (owner === undefined || old === undefined) {
      report(env, rebindUndefined(span, name, op, closest(name, env.scope.valueNames())));
      setValue(env, target.name, POISON, "a value");
      return;
    }
    if (old.kind === "state" || (old.what !== "a value" && old.what !== "an argument")) {
      report(env, cannotRebind(span, name, old.kind === "state" ? "a state" : old.what, old.span));
      return;
    }
    const given = { value: values[k] ?? POISON, span: value.span };
    const result =
      op === "+=" ? binary(env, "+", { value: old.value, span }, given, value.span) : given.value;
    const checked = checkStated(env, target, result, value);
    nameValue(env, name, checked);
    owner.values.set(name, { ...old, value: checked });
  });
}

/** Enters a new name in the scope; reports one that the body already has. */
export function define(env: Env, ident: Ident, value: Value, what: ValueBinding["what"]): void {
  const { name, span } = ident;
  const first = env.scope.owner(name)?.values.get(name);
  if (first === undefined) return setValue(env, ident, value, what);
  const hint = what === "a value" ? `\`${name} := …\` rebinds it` : undefined;
  report(env, alreadyDefined(span, name, first.span, hint));
}

function setValue(env: Env, { name, span }: Ident, value: Value, what: ValueBinding["what"]): void {
  nameValue(env, name, value);
  env.scope.values.set(name, { kind: "value", value, what, span });
}

/** Gives the node the source's name, with its call path. */
function nameValue(env: Env, name: string, value: Value): void {
  if (value.kind !== "tensor") return;
  const { path, kind, name: callee } = env.frame;
  const inside = kind === "function" ? joinPath(path, callee) : path;
  env.elaboration.builder.rename(value.node, joinPath(inside, name));
}
