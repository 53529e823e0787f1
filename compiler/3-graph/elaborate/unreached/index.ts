/**
 * Names in what elaboration does not come to: functions and blocks that nobody calls, branches that are not taken, rounds that
 * there are none of. Without types, what a name stands for is all that can be known there, and that it stands for nothing is a
 * mistake under any settings. Everything is walked, and what elaboration reported at the same place stands.
 */
import type {
  AxisDefinition,
  BlockDeclaration,
  FunctionDeclaration,
  Ident,
  InterfaceScalar,
  ParamDefinition,
  RuleDeclaration,
  Statement,
} from "../../../1-parse/ast.js";
import type { Module } from "../../../2-analyze/types.js";
import { alreadyDefined, rebindUndefined, selfReference } from "../../../diagnostics/codes/names.js";
import { ruleForm } from "../../../diagnostics/codes/recurrences.js";
import { closest } from "../../../diagnostics/suggest.js";
import { define, readsItself } from "../assignments.js";
import { coefficientNames, reportNoRule, reportNoState, ruleNames } from "../derivatives.js";
import { report, Scope, type Elaboration, type Env, type Frame, type ValueBinding } from "../env.js";
import { unknownState } from "../recurrences.js";
import { definedNames, end } from "../statements.js";
import { POISON } from "../values.js";
import { axisList, axisName, expression, pathString } from "./expressions.js";

/** Reports names that stand for nothing, in the module and in all that `use` brings to it. */
export function checkNames(module: Module, elaboration: Elaboration): void {
  const frame: Frame = {
    kind: "model",
    name: "",
    paramPath: "",
    path: "",
    ambient: [],
    time: undefined,
    timeProduct: undefined,
    calls: [],
    states: [],
  };
  for (const home of modulesOf(module)) {
    const enter = (): Env => ({ elaboration, scope: new Scope(home, undefined, true), frame });
    for (const { declaration, home: owner } of home.callables.values())
      if (owner === home) callable(enter(), declaration);
    if (home.model !== undefined) body(enter(), home.model.body);
  }
}

/** The module and those whose functions it or they use, but for the prelude. */
function modulesOf(module: Module): ReadonlySet<Module> {
  const found = new Set<Module>([module]);
  for (const one of found) for (const { home } of one.callables.values()) found.add(home);
  return found;
}

function callable(env: Env, declaration: FunctionDeclaration | BlockDeclaration | RuleDeclaration): void {
  switch (declaration.kind) {
    case "fn":
      return fn(env, declaration);
    case "block":
      return block(env, declaration);
    case "rule":
      return rule(env, declaration);
  }
}

function fn(env: Env, { parameters, body: statements }: FunctionDeclaration): void {
  for (const { keyword, name } of parameters)
    if (keyword === undefined || keyword === "where") bind(env, name, "an argument");
    else env.scope.axes.set(name.name, { kind: "bound", primes: [] });
  body(env, statements);
}

function block(env: Env, { formals, results, body: statements }: BlockDeclaration): void {
  for (const formal of formals) {
    if (formal.kind === "tensor") axisList(env, formal.axes);
    else if (formal.value !== undefined) expression(env, formal.value);
    bind(env, formal.name, formal.kind === "const" ? "a constant" : "an argument");
  }
  for (const list of results) axisList(env, list);
  body(env, statements);
}

function rule(env: Env, declaration: RuleDeclaration): void {
  const { parameters, state, continuous, discrete, name } = declaration;
  const coefficients = coefficientNames(declaration);
  if (coefficients === undefined) return report(env, ruleForm(continuous.span, name.name));
  for (const parameter of parameters) bind(env, parameter, "an argument");
  for (const coefficient of [coefficients.a, coefficients.b, state.name])
    bind(env, { name: coefficient, span: continuous.span }, "an argument");
  expression(env, discrete);
}

/** Enters a name whose value is not known. */
function bind(env: Env, { name, span }: Ident, what: ValueBinding["what"]): void {
  env.scope.values.set(name, { kind: "value", value: POISON, what, span });
}

function body(env: Env, statements: readonly Statement[]): void {
  const functions: FunctionDeclaration[] = [];
  for (const statement of statements) {
    if (env.elaboration.sink.isFull) return;
    if (statement.kind === "fn") functions.push(statement);
    run(env, statement);
  }
  // A function sees what its body defines behind it too, if it is called there.
  for (const declaration of functions)
    fn({ ...env, scope: new Scope(env.scope.home, env.scope, true) }, declaration);
}

function run(env: Env, statement: Statement): void {
  switch (statement.kind) {
    case "const":
      for (const { name, axis, value } of statement.definitions) {
        expression(env, value);
        if (axis !== undefined) axisName(env, axis);
        define(env, name, POISON, "a constant");
      }
      return;
    case "axis":
      for (const definition of statement.definitions) axisDefinition(env, definition);
      return;
    case "fn":
      return void env.scope.functions.set(statement.name.name, { declaration: statement, scope: env.scope });
    case "input":
      interfaceScalar(env, statement.scalar);
      axisList(env, statement.axes);
      return define(env, statement.name, POISON, "an input");
    case "param":
      for (const definition of statement.definitions) param(env, definition);
      return;
    case "state":
      for (const { name, axes, init } of statement.definitions) {
        axisList(env, axes);
        if (init !== undefined) expression(env, init);
        const first = env.scope.owner(name.name)?.values.get(name.name);
        if (first === undefined) env.scope.values.set(name.name, unknownState(name.name, name.span));
        else report(env, alreadyDefined(name.span, name.name, first.span));
      }
      return;
    case "der": {
      const { state, value, rule: by, args } = statement;
      if (env.scope.find(state.name)?.kind !== "state") reportNoState(env, state);
      expression(env, value);
      for (const arg of args) expression(env, arg);
      if (!ruleNames(env).includes(by.name)) reportNoRule(env, by);
      return;
    }
    case "assign":
      return assign(env, statement);
    case "repeat":
      return repeat(env, statement);
    case "if":
      return branches(env, statement);
    case "output":
      interfaceScalar(env, statement.scalar);
      axisList(env, statement.axes);
      return expression(env, statement.value);
    case "return":
      for (const value of statement.values) expression(env, value);
  }
}

function interfaceScalar(env: Env, scalar: InterfaceScalar | undefined): void {
  if (scalar?.kind === "index") axisName(env, scalar.axis);
}

function axisDefinition(env: Env, { name, value }: AxisDefinition): void {
  switch (value.kind) {
    case "runtime":
      break;
    case "product":
      axisList(env, value.axes);
      break;
    case "sum":
      for (const part of value.parts) axisName(env, part);
      break;
    case "size":
      expression(env, value.size);
  }
  const known = env.scope.axes.get(name.name);
  if (known?.kind === "symbol") report(env, alreadyDefined(name.span, name.name, known.span));
  env.scope.axes.set(name.name, { kind: "symbol", symbol: undefined, span: name.span });
}

function param(env: Env, { parts, axes, from }: ParamDefinition): void {
  axisList(env, axes);
  const own = axes.slots.flatMap((slot) => (slot.kind === "name" ? [slot.name] : []));
  for (const path of from) pathString(env, path, own);
  for (const part of parts) {
    if (parts.length > 1) axisList(env, part.axes);
    define(env, part.name, POISON, "a parameter");
  }
}

function assign(env: Env, { targets, op, value }: Extract<Statement, { kind: "assign" }>): void {
  const [target] = targets;
  if (op === "=" && target !== undefined && targets.length === 1 && readsItself(env, target.name, value)) {
    const owner = env.scope.owner(target.name.name);
    const { name, span } = target.name;
    report(env, selfReference(span, name, owner?.values.get(name)?.span));
    if (owner === undefined) bind(env, target.name, "a value");
    return;
  }
  expression(env, value);
  for (const { name, axes } of targets) {
    if (axes !== undefined) axisList(env, axes);
    const binding = env.scope.owner(name.name)?.values.get(name.name);
    if (op === "=" && binding?.kind !== "state") define(env, name, POISON, "a value");
    if (op === "=" || binding !== undefined) continue;
    report(env, rebindUndefined(name.span, name.name, op, closest(name.name, env.scope.valueNames())));
    bind(env, name, "a value");
  }
}

function repeat(
  env: Env,
  { name, from, to, at, body: statements }: Extract<Statement, { kind: "repeat" }>,
): void {
  expression(env, from);
  expression(env, to);
  const scope = new Scope(env.scope.home, env.scope, false);
  const inner = { ...env, scope };
  bind(inner, name, "a constant");
  if (at !== undefined) pathString(inner, at);
  body(inner, statements);
  end(scope, "`repeat`");
}

function branches(env: Env, { condition, then, otherwise }: Extract<Statement, { kind: "if" }>): void {
  expression(env, condition);
  const [first, second] = [then, otherwise].map((statements) => {
    const scope = new Scope(env.scope.home, env.scope, false);
    body({ ...env, scope }, statements);
    return scope;
  });
  const other = definedNames(otherwise);
  for (const name of definedNames(then)) {
    const binding = first?.values.get(name);
    if (other.has(name) && binding !== undefined) env.scope.values.set(name, binding);
  }
  for (const scope of [first, second]) if (scope !== undefined) end(scope, "one branch of `if`");
}
