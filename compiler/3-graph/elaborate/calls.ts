/** Calls: functions and blocks are written out where they are called. */
import type { BlockDeclaration, Formal, FunctionDeclaration, Ident } from "../../1-parse/ast.js";
import type { Callable, Module } from "../../2-analyze/types.js";
import { ambientCollision } from "../../diagnostics/codes/axes.js";
import {
  endlessRecursion,
  missingReturn,
  resultCount,
  pathWithoutParameters,
  unknownFunction,
  wrongArguments,
  wrongKind,
} from "../../diagnostics/codes/names.js";
import { stateWithoutEquation } from "../../diagnostics/codes/recurrences.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId } from "../types.js";
import type { Call } from "./arguments.js";
import type { Operand } from "./arithmetic.js";
import { resolveAxes, resolveDimensions, type DeclaredAxis } from "./axes.js";
import { BUILTIN_NAMES, callBuiltin } from "./builtins.js";
import { placeWithin, report, Scope, stopCalls, unique, type Env, type Frame } from "./env.js";
import { evaluate } from "./evaluate.js";
import { fits } from "./fit.js";
import { axesOf, toNode } from "./nodes.js";
import { fillHoles, joinCallPath, joinPath } from "./paths.js";
import { constant, POISON, tensor, type Value } from "./values.js";

const DEEPEST_CALL = 64;

/** The results of a call, at least one. */
export function call(env: Env, expression: Call): readonly Value[] {
  const { name } = expression.callee;
  if (env.frame.calls.length > DEEPEST_CALL) {
    report(env, endlessRecursion(expression.span, name));
    stopCalls(env);
    return [POISON];
  }
  const local = env.scope.findFunction(name);
  if (local !== undefined)
    return callFunction(env, expression, local.declaration, local.scope.home, local.scope);
  const { home } = env.scope;
  const own = home.callables.get(name);
  if (own !== undefined) return callCallable(env, expression, own);
  const builtin = callBuiltin(env, expression);
  if (builtin !== undefined) return [builtin];
  const fromPrelude = home.prelude?.callables.get(name);
  if (fromPrelude !== undefined) return callCallable(env, expression, fromPrelude);
  reportUnknownFunction(env, expression.callee);
  return [POISON];
}

export function reportUnknownFunction(env: Env, { name, span }: Ident): void {
  report(env, unknownFunction(span, name, closest(name, functionNames(env)), calledValue(env, name)));
}

/** What to say of a value that is called: `x(0)` is how other languages index. */
function calledValue(env: Env, name: string): string | undefined {
  const binding = env.scope.find(name);
  if (binding === undefined && !env.scope.home.constants.has(name)) return undefined;
  const what = binding === undefined ? "a constant" : binding.kind === "state" ? "a state" : binding.what;
  return `\`${name}\` is ${what}; \`${name}[axis: i]\` picks from it, \`${name} * (…)\` multiplies`;
}

function functionNames(env: Env): string[] {
  const local = [...env.scope.chain()].flatMap((scope) => [...scope.functions.keys()]);
  const { home } = env.scope;
  return [...local, ...home.callables.keys(), ...BUILTIN_NAMES, ...(home.prelude?.callables.keys() ?? [])];
}

function callCallable(env: Env, expression: Call, { declaration, home }: Callable): readonly Value[] {
  switch (declaration.kind) {
    case "fn":
      return callFunction(env, expression, declaration, home, undefined);
    case "block":
      return callBlock(env, expression, declaration, home);
    case "rule": {
      const hint = `a rule stands after \`by\`: \`der(h) = …  by ${declaration.name.name}(…)\``;
      report(env, wrongKind(expression.callee.span, declaration.name.name, "a rule, not a function", hint));
      return [POISON];
    }
  }
}

/** A function's body in a scope of its own, its axes those of the values it is given. */
function callFunction(
  env: Env,
  expression: Call,
  declaration: FunctionDeclaration,
  home: Module,
  closure: Scope | undefined,
): readonly Value[] {
  const scope = new Scope(home, closure, true);
  if (expression.at !== undefined) {
    report(env, pathWithoutParameters(expression.at.span, declaration.name.name));
    return [POISON];
  }
  if (!bindParameters(env, expression, declaration, scope)) return [POISON];
  const frame: Frame = {
    ...env.frame,
    kind: "function",
    name: declaration.name.name,
    calls: [{ span: expression.span, callee: declaration.name.name }, ...env.frame.calls],
  };
  const inner = { ...env, scope, frame };
  const results = env.elaboration.walk.body(inner, declaration.body);
  if (results !== undefined) return results;
  report(inner, missingReturn(declaration.name.span, declaration.name.name));
  return [POISON];
}

function bindParameters(env: Env, expression: Call, declaration: FunctionDeclaration, scope: Scope): boolean {
  const { name } = declaration.name;
  const open = [...declaration.parameters];
  const refuse = (span: Span, problem: string, suggestion?: string): boolean => {
    const parameters = declaration.parameters.map(
      (p) => (p.keyword === undefined ? "" : `${p.keyword} `) + p.name.name,
    );
    const signature = `${name}(${parameters.join(", ")})`;
    const declared = { span: declaration.name.span, message: `\`${name}\` is defined here` };
    report(env, wrongArguments(span, name, problem, signature, [declared], suggestion));
    return false;
  };
  const take = (
    matches: (parameter: (typeof open)[number]) => boolean,
  ): (typeof open)[number] | undefined => {
    const at = open.findIndex(matches);
    return at < 0 ? undefined : open.splice(at, 1)[0];
  };
  const bind = ({ name: { name: own, span } }: (typeof open)[number], value: Value): void =>
    void scope.values.set(own, { kind: "value", value, what: "an argument", span });
  for (const arg of expression.args) {
    if (arg.kind === "clause") {
      const parameter = take((p) => p.keyword === arg.keyword);
      if (parameter === undefined) return refuse(arg.span, `takes no \`${arg.keyword}\``);
      bind(parameter, evaluate(env, arg.value));
      continue;
    }
    if (arg.kind === "axis") {
      const parameter = take((p) => p.keyword === arg.keyword);
      if (parameter === undefined) return refuse(arg.span, `takes no further \`${arg.keyword}\``);
      const primes = resolveAxes(env, arg.axes);
      if (primes === undefined) return false;
      scope.axes.set(parameter.name.name, { kind: "bound", primes });
      continue;
    }
    const parameter =
      arg.kind === "named"
        ? take((p) => p.keyword === undefined && p.name.name === arg.name.name)
        : take((p) => p.keyword === undefined);
    if (parameter === undefined)
      return arg.kind === "named"
        ? refuse(arg.span, `has no further argument \`${arg.name.name}\``, nearest(arg.name, open))
        : refuse(arg.span, "is given too many values");
    bind(parameter, evaluate(env, arg.value));
  }
  const mask = take((p) => p.keyword === "where");
  if (mask !== undefined) bind(mask, constant(true));
  const [missing] = open;
  return missing === undefined || refuse(expression.span, `needs \`${missing.name.name}\``);
}

/** The name among those that are still to be given which a misspelt one most likely means. */
const nearest = ({ name }: Ident, open: readonly { readonly name: Ident }[]): string | undefined =>
  closest(
    name,
    open.map((parameter) => parameter.name.name),
  );

/** A block's body, mapped over the axes that its arguments carry and its header does not name. */
function callBlock(
  env: Env,
  expression: Call,
  declaration: BlockDeclaration,
  home: Module,
): readonly Value[] {
  const { name } = declaration.name;
  const failed = declaration.results.map(() => POISON);
  const scope = new Scope(home, undefined, true);
  const calls = [{ span: expression.span, callee: name }, ...env.frame.calls];
  const paths = callPaths(env, expression, name);
  const header: Frame = { ...env.frame, ...paths, kind: "block", name, ambient: [], calls, states: [] };
  const bound = bindFormals(env, { ...env, scope, frame: header }, expression, declaration);
  if (bound === undefined) return failed;
  const { builder } = env.elaboration;
  const roleOf = (axis: AxisId): string => builder.axisOf(axis).role;
  const clash = env.frame.ambient.find((axis) => bound.named.has(axis) && roleOf(axis) === "plain");
  if (clash !== undefined) {
    env.elaboration.sink.report(ambientCollision(declaration.name.span, clash, name, expression.span));
    return failed;
  }
  const ambient = builder
    .canonical([...env.frame.ambient, ...bound.mapped])
    .filter((axis) => roleOf(axis) !== "time");
  const times = [...bound.named].filter((axis) => roleOf(axis) === "time");
  const time = times.length === 1 ? times[0] : env.frame.time;
  const timeProduct = times.length === 0 ? env.frame.timeProduct : bound.timeProduct;
  const inner: Env = { ...env, scope, frame: { ...header, ambient, time, timeProduct } };
  const results = env.elaboration.walk.body(inner, declaration.body);
  for (const state of inner.frame.states)
    if (state.solved === undefined) report(inner, stateWithoutEquation(state.span, state.name));
  return checkResults(inner, declaration, results, bound.mapped);
}

function callPaths(env: Env, { at }: Call, name: string): Pick<Frame, "paramPath" | "path"> {
  const text = at === undefined ? undefined : fillHoles(env, at);
  return {
    paramPath: text === undefined ? env.frame.paramPath : joinPath(env.frame.paramPath, text),
    path: unique(env.elaboration, joinCallPath(env.frame.path, text ?? name)),
  };
}

interface Bound {
  /** Axes that the header names. */
  readonly named: ReadonlySet<AxisId>;
  /** A product of the header that has time in it. */
  readonly timeProduct: string | undefined;
  /** Axes that arguments carry besides. */
  readonly mapped: readonly AxisId[];
}

const isTimeProduct = (env: Env, { axes }: DeclaredAxis): boolean =>
  axes.length > 1 && axes.some((axis) => env.elaboration.builder.axisOf(axis).role === "time");

/** Evaluates the arguments in the caller's scope and enters them in the block's. */
function bindFormals(
  env: Env,
  inner: Env,
  expression: Call,
  declaration: BlockDeclaration,
): Bound | undefined {
  const given = matchFormals(env, expression, declaration);
  if (given === undefined) return undefined;
  const mapped = new Set<AxisId>();
  const named = new Set<AxisId>();
  let timeProduct: string | undefined;
  let ok = true;
  for (const [formal, operand] of given) {
    const { name, span } = formal.name;
    const value = formal.kind === "const" ? constArgument(inner, formal, operand) : operand?.value;
    if (value === undefined) {
      ok = false;
      continue;
    }
    const what = formal.kind === "const" ? "a constant" : "an argument";
    if (formal.kind === "const" || operand === undefined) {
      inner.scope.values.set(name, { kind: "value", value, what, span });
      continue;
    }
    const dimensions = resolveDimensions(inner, formal.axes);
    const axes = dimensions?.flatMap((dimension) => dimension.axes);
    timeProduct ??= dimensions?.find((dimension) => isTimeProduct(env, dimension))?.name;
    const node = toNode(env, value, operand.span);
    inner.scope.values.set(name, {
      kind: "value",
      value: node === undefined ? POISON : tensor(node),
      what,
      span,
    });
    if (axes === undefined) ok = false;
    if (axes === undefined || node === undefined) continue;
    axes.forEach((axis) => named.add(axis));
    const besides = axesOf(env, node).filter((axis) => !axes.includes(axis));
    besides.forEach((axis) => mapped.add(axis));
    const place = {
      what: `the argument \`${name}\` of \`${declaration.name.name}\``,
      axes,
      besides,
      required: "some" as const,
      declared: formal.axes.span,
    };
    if (!fits(env, node, place, operand.span)) ok = false;
  }
  return ok ? { named, timeProduct, mapped: [...mapped].filter((axis) => !named.has(axis)) } : undefined;
}

/** Each formal with its argument, in order of the header; `undefined` where its default holds. */
function matchFormals(
  env: Env,
  expression: Call,
  declaration: BlockDeclaration,
): ReadonlyMap<Formal, Operand | undefined> | undefined {
  const { name } = declaration.name;
  const refuse = (span: Span, problem: string, suggestion?: string): undefined => {
    const formals = declaration.formals.map((f) => (f.kind === "const" ? "const " : "") + f.name.name);
    const signature = `${name}(${formals.join(", ")})`;
    const declared = { span: declaration.name.span, message: `\`${name}\` is defined here` };
    report(env, wrongArguments(span, name, problem, signature, [declared], suggestion));
    return undefined;
  };
  const given = new Map<Formal, Operand | undefined>();
  const open = [...declaration.formals];
  for (const arg of expression.args) {
    if (arg.kind !== "value" && arg.kind !== "named") return refuse(arg.span, `takes no \`${arg.keyword}\``);
    const at = arg.kind === "value" ? 0 : open.findIndex((formal) => formal.name.name === arg.name.name);
    const [formal] = at < 0 ? [] : open.splice(at, 1);
    if (formal === undefined)
      return arg.kind === "named"
        ? refuse(arg.span, `has no further argument \`${arg.name.name}\``, nearest(arg.name, open))
        : refuse(arg.span, "is given too many arguments");
    given.set(formal, { value: evaluate(env, arg.value), span: arg.value.span });
  }
  for (const formal of open) {
    if (formal.kind === "tensor" || formal.value === undefined)
      return refuse(expression.span, `needs \`${formal.name.name}\``);
    given.set(formal, undefined);
  }
  return given;
}

function constArgument(
  inner: Env,
  formal: Extract<Formal, { kind: "const" }>,
  operand: Operand | undefined,
): Value | undefined {
  if (operand === undefined) return formal.value === undefined ? undefined : evaluate(inner, formal.value);
  if (operand.value.kind !== "tensor") return operand.value;
  const problem = `needs a constant for \`${formal.name.name}\``;
  report(inner, wrongArguments(operand.span, inner.frame.name, problem));
  return undefined;
}

function checkResults(
  inner: Env,
  declaration: BlockDeclaration,
  results: readonly Value[] | undefined,
  mapped: readonly AxisId[],
): readonly Value[] {
  const { name, span } = declaration.name;
  const failed = declaration.results.map(() => POISON);
  if (results === undefined) {
    report(inner, missingReturn(span, name));
    return failed;
  }
  if (results.length !== declaration.results.length) {
    report(inner, resultCount(span, results.length, declaration.results.length));
    return failed;
  }
  return results.map((value, k) => {
    const list = declaration.results[k];
    const axes = list === undefined ? undefined : resolveDimensions(inner, list)?.flatMap((d) => d.axes);
    const node = toNode(inner, value, span);
    if (list === undefined || axes === undefined || node === undefined) return POISON;
    const besides = [...inner.frame.ambient, ...mapped];
    const place = {
      what: `what \`${name}\` returns`,
      axes,
      besides,
      required: "some" as const,
      declared: list.span,
    };
    const at = placeWithin(inner.elaboration.builder.node(node).spans, declaration.span) ?? span;
    return fits(inner, node, place, at) ? tensor(node) : POISON;
  });
}
