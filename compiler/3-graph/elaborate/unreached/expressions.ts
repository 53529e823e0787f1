/** Names in expressions, in lists of axes and in paths. */
import type {
  Argument,
  AxisList,
  AxisSlot,
  Expression,
  Ident,
  PathString,
  Selector,
} from "../../../1-parse/ast.js";
import { BUILTIN_CONSTANTS } from "../../../2-analyze/constant-operations.js";
import { unknownHole } from "../../../diagnostics/codes/params.js";
import { closest } from "../../../diagnostics/suggest.js";
import { resolveAxis } from "../axes.js";
import { BUILTIN_NAMES } from "../builtins.js";
import { reportUnknownFunction } from "../calls.js";
import { report, type Env } from "../env.js";
import { reportNoValue } from "../expressions.js";
import { holesOf } from "../paths.js";
import { reportNoPrevious } from "../recurrences.js";

/** Reports each name in an expression that stands for nothing where it stands. */
export function expression(env: Env, node: Expression): void {
  switch (node.kind) {
    case "number":
    case "string":
      return;
    case "name":
      if (!isValue(env, node.name)) reportNoValue(env, node.name, node.span);
      return;
    case "list":
      for (const item of node.items) expression(env, item);
      return;
    case "unary":
      return expression(env, node.operand);
    case "binary":
      expression(env, node.left);
      return expression(env, node.right);
    case "call":
      return call(env, node);
    case "select":
      expression(env, node.base);
      for (const selector of node.selectors) selected(env, selector);
  }
}

function call(env: Env, { callee, args, at }: Extract<Expression, { kind: "call" }>): void {
  if (at !== undefined) pathString(env, at);
  const special = isFunction(env, callee.name) === "built in" ? OF_NAMES[callee.name] : undefined;
  const [first, ...rest] = args;
  if (special !== undefined && first?.kind === "value" && first.value.kind === "name") {
    special(env, first.value);
    for (const arg of rest) argument(env, arg);
    return;
  }
  if (isFunction(env, callee.name) === undefined) reportUnknownFunction(env, callee);
  for (const arg of args) argument(env, arg);
}

/** Built-in functions whose first argument may be a name that is no value. */
const OF_NAMES: Readonly<Record<string, (env: Env, name: Ident) => void>> = {
  pos: axisName,
  size: (env, name) => {
    if (!isAxis(env, name.name) && !isValue(env, name.name)) reportNoValue(env, name.name, name.span);
  },
  prev: (env, name) => {
    if (!isValue(env, name.name)) reportNoPrevious(env, name);
  },
};

/** What a call of that name finds. */
function isFunction(env: Env, name: string): "defined" | "built in" | undefined {
  const { home } = env.scope;
  for (const scope of env.scope.chain()) if (scope.functions.has(name)) return "defined";
  if (home.callables.has(name)) return "defined";
  if (BUILTIN_NAMES.has(name)) return "built in";
  return home.prelude?.callables.has(name) === true ? "defined" : undefined;
}

function argument(env: Env, arg: Argument): void {
  if (arg.kind === "axis") axisList(env, arg.axes);
  else expression(env, arg.value);
}

function selected(env: Env, selector: Selector): void {
  if (selector.kind !== "index") axisName(env, selector.axis);
  if (selector.kind === "to") axisSlot(env, selector.target);
  else expression(env, selector.value);
}

function isValue(env: Env, name: string): boolean {
  const { home } = env.scope;
  return env.scope.find(name) !== undefined || home.constants.has(name) || BUILTIN_CONSTANTS.has(name);
}

function isAxis(env: Env, name: string): boolean {
  for (const scope of env.scope.chain()) if (scope.axes.has(name)) return true;
  if (name.endsWith("'")) return isAxis(env, name.slice(0, -1));
  return env.scope.home.axes.has(name);
}

export function axisName(env: Env, { name, span }: Ident): void {
  if (!isAxis(env, name)) resolveAxis(env, name, span);
}

export function axisList(env: Env, { slots }: AxisList): void {
  for (const slot of slots) axisSlot(env, slot);
}

function axisSlot(env: Env, slot: AxisSlot): void {
  if (slot.kind === "name") axisName(env, slot);
  else if (slot.kind === "group") for (const inner of slot.slots) axisSlot(env, inner);
}

/** `own`: the axes of a parameter, which its path may name too. */
export function pathString(env: Env, path: PathString, own: readonly string[] = []): void {
  for (const hole of holesOf(path)) {
    if (own.includes(hole) || isValue(env, hole)) continue;
    report(env, unknownHole(path.span, hole, closest(hole, env.scope.valueNames())));
  }
}
