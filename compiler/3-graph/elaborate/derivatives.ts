/** `der(h) = … by rule(step)`: the continuous equation, and the rule's discrete form. */
import type { Expression, Ident, RuleDeclaration, Statement } from "../../1-parse/ast.js";
import type { Callable } from "../../2-analyze/types.js";
import { unknownName, wrongArguments } from "../../diagnostics/codes/names.js";
import {
  matrixCoefficient,
  nonlinear,
  notState,
  ruleForm,
  stateSolvedTwice,
  unknownRule,
} from "../../diagnostics/codes/recurrences.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import { operands } from "../rewrite.js";
import type { NodeId, StateId } from "../types.js";
import { placeWithin, report, Scope, type Env, type StateBinding } from "./env.js";
import { evaluate } from "./evaluate.js";
import { add } from "./nodes.js";
import { joinPath } from "./paths.js";
import { stateValue } from "./recurrences.js";
import { POISON, tensor, type Value } from "./values.js";

type Derivative = Extract<Statement, { kind: "der" }>;

export function solveDerivative(env: Env, statement: Derivative): void {
  const { name } = statement.state;
  const binding = env.scope.find(name);
  if (binding?.kind !== "state") return reportNoState(env, statement.state);
  if (binding.solved !== undefined) {
    if (binding.solved.value.kind !== "poison")
      report(env, stateSolvedTwice(statement.span, name, binding.solved.span));
    return;
  }
  const rhs = continuousSide(env, binding, statement);
  const value = discreteForm(env, binding, statement);
  binding.solved = { value: POISON, span: statement.span };
  if (rhs === undefined || value === undefined) return;
  if (!isLinear(env, rhs, binding, statement.span)) return;
  const { builder } = env.elaboration;
  builder.define(binding.state, { kind: "continuous", rhs, rule: statement.rule.name, value });
  binding.solved = { value: tensor(value), span: statement.span };
}

/** Says of a name after `der` that it is no state. */
export function reportNoState(env: Env, { name, span }: Ident): void {
  const near = env.scope.find(name) === undefined ? closest(name, env.scope.valueNames()) : undefined;
  report(env, near === undefined ? notState(span, name) : unknownName(span, name, near));
}

/** The node of the continuous variable: the same one however often it is asked for. */
function variableOf(env: Env, state: StateId, span: Span): NodeId {
  return add(env, { kind: "continuous", state }, span);
}

/** The right side, where the state's name is the continuous variable. */
function continuousSide(env: Env, binding: StateBinding, { value, span }: Derivative): NodeId | undefined {
  const variable = variableOf(env, binding.state, span);
  const scope = new Scope(env.scope.home, env.scope, false);
  scope.values.set(binding.name, { ...binding, solved: { value: tensor(variable), span } });
  const inner = { ...env, scope };
  return stateValue(env, binding, evaluate(inner, value), value.span);
}

function discreteForm(env: Env, binding: StateBinding, statement: Derivative): NodeId | undefined {
  const args = statement.args.map((arg) => evaluate(env, arg));
  const rule = findRule(env, statement.rule.name);
  if (rule === undefined) {
    reportNoRule(env, statement.rule);
    return undefined;
  }
  const { declaration } = rule;
  const { parameters } = declaration;
  if (args.length !== parameters.length) {
    const problem = `takes ${parameters.length} argument${parameters.length === 1 ? "" : "s"}, and is given ${args.length}`;
    const signature = `${declaration.name.name}(${parameters.map((p) => p.name).join(", ")})`;
    report(env, wrongArguments(statement.span, declaration.name.name, problem, signature));
    return undefined;
  }
  const names = coefficientNames(declaration);
  if (names === undefined) {
    report(env, ruleForm(declaration.continuous.span, declaration.name.name));
    return undefined;
  }
  const ok = args.every((value, k) => {
    const arg = statement.args[k];
    return arg !== undefined && stateValue(env, binding, value, arg.span) !== undefined;
  });
  return ok ? expandRule(env, binding, statement, rule.home, declaration, names, args) : undefined;
}

function expandRule(
  env: Env,
  binding: StateBinding,
  statement: Derivative,
  home: Callable["home"],
  rule: RuleDeclaration,
  names: { readonly a: string; readonly b: string },
  args: readonly Value[],
): NodeId | undefined {
  const { state } = binding;
  const scope = new Scope(home, undefined, true);
  const bind = (name: string, value: Value, span: Span): void =>
    void scope.values.set(name, { kind: "value", value, what: "an argument", span });
  rule.parameters.forEach((parameter, k) => bind(parameter.name, args[k] ?? POISON, parameter.span));
  for (const of of ["a", "b"] as const)
    bind(
      names[of],
      tensor(add(env, { kind: "coefficient", state, of }, statement.span)),
      rule.continuous.span,
    );
  scope.values.set(rule.state.name, { kind: "state", name: rule.state.name, state, span: rule.state.span });
  const frame = {
    ...env.frame,
    kind: "rule" as const,
    name: rule.name.name,
    path: joinPath(env.frame.path, binding.name),
    calls: [{ span: statement.span, callee: rule.name.name }, ...env.frame.calls],
  };
  const value = evaluate({ ...env, scope, frame }, rule.discrete);
  return stateValue(env, binding, value, statement.span);
}

function findRule(
  env: Env,
  name: string,
): { home: Callable["home"]; declaration: RuleDeclaration } | undefined {
  const { home } = env.scope;
  const found = home.callables.get(name) ?? home.prelude?.callables.get(name);
  return found?.declaration.kind === "rule"
    ? { home: found.home, declaration: found.declaration }
    : undefined;
}

export function reportNoRule(env: Env, { name, span }: Ident): void {
  report(env, unknownRule(span, name, closest(name, ruleNames(env))));
}

/** The rules that may stand after `by`. */
export function ruleNames(env: Env): string[] {
  const { home } = env.scope;
  return [...home.callables.values(), ...(home.prelude?.callables.values() ?? [])].flatMap(
    ({ declaration }) => (declaration.kind === "rule" ? [declaration.name.name] : []),
  );
}

/** What the rule calls a and b in `der(h) = a*h + b`. */
export function coefficientNames({
  continuous,
  state,
}: RuleDeclaration): { a: string; b: string } | undefined {
  const name = (expression: Expression): string | undefined =>
    expression.kind === "name" ? expression.name : undefined;
  if (continuous.kind !== "binary" || continuous.op !== "+") return undefined;
  const { left, right } = continuous;
  if (left.kind !== "binary" || left.op !== "*" || name(left.right) !== state.name) return undefined;
  const a = name(left.left);
  const b = name(right);
  return a === undefined || b === undefined || a === b ? undefined : { a, b };
}

/** Whether the right side is a·h + b, elementwise; reports the node where it is not. */
function isLinear(env: Env, rhs: NodeId, binding: StateBinding, equation: Span): boolean {
  const { builder } = env.elaboration;
  const depends = dependence(env, variableOf(env, binding.state, equation));
  const check = (id: NodeId): boolean => {
    if (!depends(id)) return true;
    const node = builder.node(id);
    const at = placeWithin(node.spans, equation) ?? equation;
    if (node.kind === "continuous") return true;
    if (node.kind !== "map") {
      const inner = operands(node).filter((arg) => depends(arg) && builder.node(arg).kind !== "continuous");
      if (inner.some((arg) => !check(arg))) return false;
      report(env, matrixCoefficient(at, binding.name, equation));
      return false;
    }
    const [first, second] = node.args;
    const linear =
      node.fn === "add" ||
      node.fn === "sub" ||
      node.fn === "neg" ||
      (node.fn === "mul" && node.args.filter(depends).length === 1) ||
      (node.fn === "div" && second !== undefined && !depends(second)) ||
      (node.fn === "select" && first !== undefined && !depends(first));
    if (linear) return node.args.every(check);
    report(env, nonlinear(at, binding.name, equation));
    return false;
  };
  return check(rhs);
}

/** Whether a node reads the continuous variable of a state. Nodes older than the variable cannot. */
function dependence(env: Env, variable: NodeId): (id: NodeId) => boolean {
  const known = new Map<NodeId, boolean>();
  const depends = (id: NodeId): boolean => {
    if (id <= variable) return id === variable;
    const cached = known.get(id);
    if (cached !== undefined) return cached;
    const result = operands(env.elaboration.builder.node(id)).some(depends);
    known.set(id, result);
    return result;
  };
  return depends;
}
