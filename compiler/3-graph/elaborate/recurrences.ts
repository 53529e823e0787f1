/** What carries a value from one step to the next: `state`, `prev`, causal convolutions. */
import type { Ident, StateDefinition } from "../../1-parse/ast.js";
import { unknownName, wrongArguments } from "../../diagnostics/codes/names.js";
import {
  noTimeAxis,
  notState,
  notTime,
  productTime,
  stateOverTime,
  stateSolvedTwice,
  timeInvariantPrev,
} from "../../diagnostics/codes/recurrences.js";
import { axisMissing, joinMismatch, scalarType } from "../../diagnostics/codes/shapes.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId, NodeId, StateId } from "../types.js";
import { readArguments, type Arguments, type Call } from "./arguments.js";
import { grouping, resolveDimensions } from "./axes.js";
import { origin, report, unique, type Env, type StateBinding } from "./env.js";
import { requireConstant } from "./evaluate.js";
import { fits } from "./fit.js";
import { add, axesOf, describe, map, scalarOf, toNumber } from "./nodes.js";
import { joinPath } from "./paths.js";
import { constant, POISON, tensor, type Value } from "./values.js";

const NO_STATE = -1 as StateId;

/** A state in name alone: what reads it is poison. */
export const unknownState = (name: string, span: Span): StateBinding => ({
  kind: "state",
  name,
  state: NO_STATE,
  span,
  solved: { value: POISON, span },
});

/** Declares a state: the ambient axes, then its own. Its equation comes later. */
export function declareState(env: Env, definition: StateDefinition): StateBinding {
  const { name, span } = definition.name;
  const { builder } = env.elaboration;
  const { ambient, time, timeProduct, path } = env.frame;
  const binding = (state: StateId): StateBinding => {
    const made: StateBinding = { kind: "state", name, state, span };
    if (state === NO_STATE) made.solved = { value: POISON, span };
    return made;
  };
  const init = definition.init === undefined ? 0 : requireConstant(env, definition.init, "the initial value");
  if (init !== undefined && typeof init !== "number" && definition.init !== undefined) {
    const what = "the initial value";
    report(env, scalarType(definition.init.span, what, describe(env, constant(init)), "a number"));
  }
  const declared = resolveDimensions(env, definition.axes);
  if (declared === undefined || typeof init !== "number") return binding(NO_STATE);
  if (timeProduct !== undefined) {
    report(env, productTime(span, "a state", timeProduct));
    return binding(NO_STATE);
  }
  if (time === undefined) {
    report(env, noTimeAxis(span, "a state"));
    return binding(NO_STATE);
  }
  const own = declared.flatMap(({ axes }) => axes);
  const overTime = own.find((axis) => builder.axisOf(axis).role === "time");
  if (overTime !== undefined) {
    report(env, stateOverTime(definition.axes.span, name, overTime));
    return binding(NO_STATE);
  }
  const outer = ambient.filter((axis) => !own.includes(axis));
  const unbounded = outer.find(
    (axis) => typeof builder.axisOf(axis).size !== "number" && builder.axisOf(axis).role !== "batch",
  );
  if (unbounded !== undefined) {
    report(env, stateOverTime(definition.axes.span, name, unbounded));
    return binding(NO_STATE);
  }
  const dimensions = grouping(env, [...outer.map((axis) => ({ name: axis, axes: [axis] })), ...declared]);
  const state = builder.state({
    kind: "state",
    name: unique(env.elaboration, joinPath(path, name)),
    scalar: definition.scalar === "complex" ? "c64" : "f32",
    axes: [...outer, ...own],
    ...(dimensions === undefined ? {} : { dimensions }),
    along: time,
    init,
    spans: origin(env, span).spans,
  });
  return binding(state);
}

/** `h = …` for a declared state h: its discrete equation. */
export function solveState(env: Env, binding: StateBinding, value: Value, span: Span): void {
  if (binding.solved !== undefined) {
    if (binding.state !== NO_STATE) report(env, stateSolvedTwice(span, binding.name, binding.solved.span));
    return;
  }
  const node = stateValue(env, binding, value, span);
  binding.solved = { value: node === undefined ? POISON : tensor(node), span };
  if (node !== undefined) env.elaboration.builder.define(binding.state, { kind: "discrete", value: node });
}

/** The value as a state of that declaration holds it; `undefined` after reporting that it does not fit. */
export function stateValue(env: Env, binding: StateBinding, value: Value, span: Span): NodeId | undefined {
  const node = toNumber(env, value, span);
  if (node === undefined || binding.state === NO_STATE) return undefined;
  const state = env.elaboration.builder.stateOf(binding.state);
  const place = {
    what: `the value of \`${binding.name}\``,
    axes: state.axes,
    besides: [state.along],
    required: "none" as const,
    declared: binding.span,
  };
  if (!fits(env, node, place, span)) return undefined;
  const scalar = scalarOf(env, node);
  if (scalar === "c64" && state.scalar === "f32") {
    const hint = `declare it as \`state ${binding.name}[…]: complex\``;
    report(env, scalarType(span, place.what, "a complex number", "a real number", hint));
    return undefined;
  }
  if (scalar === state.scalar) return node;
  const zero = add(env, { kind: "scalar", value: 0 }, span);
  return map(env, "complex", [node, zero], span);
}

/** `prev(h)` of a state, or `prev(e, init v)` of any expression, which makes a delay. */
export function previous(env: Env, call: Call): Value {
  const [arg, ...rest] = call.args;
  const named = arg?.kind === "value" && arg.value.kind === "name" ? arg.value : undefined;
  const binding = named === undefined ? undefined : env.scope.find(named.name);
  if (named !== undefined && binding === undefined && !env.scope.home.constants.has(named.name)) {
    reportNoPrevious(env, named);
    return POISON;
  }
  if (binding?.kind === "state") {
    if (binding.state === NO_STATE) return POISON;
    const extra = rest.find((other) => other.kind !== "axis");
    if (extra === undefined) return tensor(add(env, { kind: "prev", state: binding.state }, call.span));
    const problem = "of a state takes nothing else; its first value stands in its declaration";
    report(env, wrongArguments(extra.span, "prev", problem, `state ${binding.name}[…] init v`));
    return POISON;
  }
  const args = readArguments(env, call, {
    text: "prev(e), prev(e, init v)",
    values: [1, 1],
    optionalAxes: ["along"],
    clauses: ["init"],
  });
  return args === undefined ? POISON : delay(env, args, named?.name, call.span);
}

/** Says of a name after `prev` that it is nothing. */
export function reportNoPrevious(env: Env, { name, span }: Ident): void {
  const near = closest(name, env.scope.valueNames());
  report(env, near === undefined ? notState(span, name) : unknownName(span, name, near));
}

function delay(
  env: Env,
  { values: [e], axes, clauses }: Arguments,
  name: string | undefined,
  span: Span,
): Value {
  const { time, timeProduct, ambient, path } = env.frame;
  const { builder, delays } = env.elaboration;
  const value = e === undefined ? undefined : toNumber(env, e.value, e.span);
  if (e === undefined || value === undefined) return POISON;
  const product = axes.along === undefined ? timeProduct : productName(axes.along.primes);
  if (product !== undefined) {
    report(env, productTime(axes.along?.list.span ?? span, "`prev`", product));
    return POISON;
  }
  const along = axes.along?.primes[0] ?? time;
  if (along === undefined) {
    report(env, noTimeAxis(span, "`prev`"));
    return POISON;
  }
  if (builder.axisOf(along).role !== "time") {
    report(env, notTime(axes.along?.list.span ?? span, "prev", along));
    return POISON;
  }
  if (!axesOf(env, value).includes(along)) {
    report(env, timeInvariantPrev(e.span, along));
    return POISON;
  }
  const init = clauses.init === undefined ? constant(0) : clauses.init.value;
  if (init.kind !== "constant" || typeof init.value !== "number") {
    const at = clauses.init?.span ?? span;
    report(env, scalarType(at, "the initial value", describe(env, init), "a constant number"));
    return POISON;
  }
  const key = `${value} ${along} ${init.value}`;
  let state = delays.get(key);
  if (state === undefined) {
    const inner = axesOf(env, value).filter((axis) => axis !== along && !ambient.includes(axis));
    const scalar = scalarOf(env, value) === "c64" ? "c64" : "f32";
    state = builder.state({
      kind: "delay",
      name: unique(env.elaboration, joinPath(path, name === undefined ? "prev" : `prev_${name}`)),
      scalar,
      axes: [...ambient, ...inner],
      along,
      init: init.value,
      spans: origin(env, span).spans,
    });
    builder.define(state, { kind: "discrete", value });
    delays.set(key, state);
  }
  return tensor(add(env, { kind: "prev", state }, span));
}

const productName = (primes: readonly AxisId[]): string | undefined =>
  primes.length > 1 ? primes.join("·") : undefined;

/** y[t] = Σₖ w[k]·x[t − (K − 1) + k]; the last K − 1 values of x are carried. */
export function causalConv(
  env: Env,
  { values: [x, w], axes: { along, over } }: Arguments,
  span: Span,
): Value {
  if (x === undefined || w === undefined || along === undefined || over === undefined) return POISON;
  const { builder, axes } = env.elaboration;
  const lhs = toNumber(env, x.value, x.span);
  const rhs = toNumber(env, w.value, w.span);
  if (lhs === undefined || rhs === undefined) return POISON;
  const [time, ...notOneTime] = along.primes;
  const [taps, ...notOneTap] = over.primes;
  if (time === undefined || notOneTime.length > 0 || builder.axisOf(time).role !== "time") {
    report(env, notTime(along.list.span, "causal_conv", along.primes.join(", ")));
    return POISON;
  }
  if (taps === undefined || notOneTap.length > 0 || !axes.isFixed([taps])) {
    report(
      env,
      joinMismatch(over.list.span, "causal_conv", "the taps lie along one axis of fixed size", "axis k = 4"),
    );
    return POISON;
  }
  for (const [operand, node, axis] of [
    [x, lhs, time],
    [w, rhs, taps],
  ] as const) {
    if (axesOf(env, node).includes(axis)) continue;
    report(env, axisMissing(operand.span, "causal_conv", axis, describe(env, tensor(node)), []));
    return POISON;
  }
  if (axesOf(env, lhs).includes(taps)) {
    const hint = `rename it: \`x[${taps} -> ${taps}']\``;
    report(env, joinMismatch(x.span, "causal_conv", `this value carries the taps' axis \`${taps}\``, hint));
    return POISON;
  }
  const size = axes.size([taps]);
  if (size === 1) {
    const only = add(env, { kind: "slice", arg: rhs, axis: taps, start: 0, to: [] }, span);
    return tensor(map(env, "mul", [only, lhs], span));
  }
  const history = historyOf(env, lhs, time, size - 1, span);
  return tensor(add(env, { kind: "conv", x: lhs, w: rhs, along: time, over: taps, history }, span));
}

function historyOf(env: Env, x: NodeId, along: AxisId, length: number, span: Span): StateId {
  const { builder, axes } = env.elaboration;
  const taps = axes.intern("taps", { size: length, role: "plain", spans: [span] });
  const state = builder.state({
    kind: "history",
    name: unique(env.elaboration, joinPath(env.frame.path, "conv")),
    scalar: scalarOf(env, x) === "c64" ? "c64" : "f32",
    axes: [...axesOf(env, x).filter((axis) => axis !== along), taps],
    along,
    init: 0,
    spans: origin(env, span).spans,
  });
  builder.define(state, { kind: "discrete", value: x });
  return state;
}
