/** `pos(axis)` and `size(axis)`. */
import type { ConstantValue } from "../../../runtime/bundle-format.js";
import type { Ident } from "../../1-parse/ast.js";
import { callConstant, describeConstant } from "../../2-analyze/constant-operations.js";
import { runtimeSize } from "../../diagnostics/codes/axes.js";
import { listLength } from "../../diagnostics/codes/constants.js";
import { wrongArguments } from "../../diagnostics/codes/names.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId, NodeId } from "../types.js";
import { arithmetic } from "./arithmetic.js";
import type { Call } from "./arguments.js";
import { lookupAxis, resolveAxis } from "./axes.js";
import { report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";
import { add, map, toNumber } from "./nodes.js";
import { constant, POISON, tensor, type Value } from "./values.js";

interface AxisName {
  readonly name: string;
  readonly span: Span;
}

/** The one argument of a call, if it is a bare name. */
function bareName(call: Call): AxisName | undefined {
  const [arg, ...rest] = call.args;
  return arg?.kind === "value" && arg.value.kind === "name" && rest.length === 0 ? arg.value : undefined;
}

/** The coordinate along an axis, a whole number; along a product, counted row-major. */
export function position(env: Env, call: Call): Value {
  const argument = bareName(call);
  if (argument === undefined) {
    report(env, wrongArguments(call.span, "pos", "takes the name of an axis", "pos(axis)"));
    return POISON;
  }
  const primes = resolveAxis(env, argument.name, argument.span);
  return primes === undefined ? POISON : positionAlong(env, primes, call.span);
}

function positionAlong(env: Env, primes: readonly AxisId[], span: Span): Value {
  const coordinate = (axis: AxisId): Value => tensor(add(env, { kind: "coordinate", axis }, span));
  const [first, ...rest] = primes;
  if (first === undefined) return constant(0);
  const unsized = rest.find((axis) => !env.elaboration.axes.isFixed([axis]));
  if (unsized !== undefined) {
    report(env, runtimeSize(span, unsized));
    return POISON;
  }
  if (rest.length > 0 && env.elaboration.axes.isFixed(primes)) {
    // A whole number: the coordinate of the product as one axis, which is then its primes again.
    const joint = env.elaboration.axes.stacked(primes.join("·"), [primes], span);
    const arg = add(env, { kind: "coordinate", axis: joint }, span);
    return tensor(add(env, { kind: "slice", arg, axis: joint, start: 0, to: primes }, span));
  }
  return rest.reduce((major, axis) => {
    const scale = { value: constant(env.elaboration.axes.size([axis])), span };
    const scaled = arithmetic(env, "mul", [{ value: major, span }, scale], span);
    const operands = [scaled, coordinate(axis)].map((value) => ({ value, span }));
    return arithmetic(env, "add", operands, span);
  }, coordinate(first));
}

/** The size of an axis, or the length of a constant list. */
export function size(env: Env, call: Call): Value {
  const argument = bareName(call);
  const primes = argument === undefined ? undefined : lookupAxis(env, argument.name, argument.span);
  if (primes === "poison") return POISON;
  if (primes !== undefined) {
    if (env.elaboration.axes.isFixed(primes)) return constant(env.elaboration.axes.size(primes));
    report(env, runtimeSize(call.span, argument?.name ?? primes.join(", ")));
    return POISON;
  }
  const [arg, ...rest] = call.args;
  const list = arg?.kind === "value" && rest.length === 0 ? evaluate(env, arg.value) : undefined;
  if (list?.kind === "poison") return POISON;
  const length = list?.kind === "constant" ? callConstant("size", [list.value]) : undefined;
  if (length !== undefined && "value" in length) return constant(length.value);
  report(env, wrongArguments(call.span, "size", "takes the name of an axis, or a list", "size(axis)"));
  return POISON;
}

/** A list's items along an axis of its length: a tensor. */
export function listAlong(env: Env, list: ConstantValue, axis: Ident, span: Span): Value {
  const primes = resolveAxis(env, axis.name, axis.span);
  if (primes === undefined) return POISON;
  const items = Array.isArray(list) ? (list as readonly ConstantValue[]) : [];
  const numbers = items.filter((item) => typeof item === "number");
  const fits = env.elaboration.axes.isFixed(primes) && env.elaboration.axes.size(primes) === items.length;
  if (numbers.length < items.length || !fits) {
    const { axes } = env.elaboration;
    const expected = axes.isFixed(primes) ? `${axes.size(primes)} numbers` : "an axis of fixed size";
    report(env, listLength(axis.span, axis.name, describeConstant(list), expected));
    return POISON;
  }
  const here = { value: positionAlong(env, primes, span), span };
  const scalar = (value: number): NodeId => add(env, { kind: "scalar", value }, span);
  const at = toNumber(env, here.value, span);
  const last = numbers.at(-1);
  if (at === undefined || last === undefined) return POISON;
  // Halving the range at each step keeps the depth of the choice logarithmic.
  const choose = (from: number, to: number): NodeId => {
    if (to - from === 1) return scalar(numbers[from] ?? last);
    const middle = Math.floor((from + to) / 2);
    const below = map(env, "lt", [at, scalar(middle)], span);
    return map(env, "select", [below, choose(from, middle), choose(middle, to)], span);
  };
  return tensor(numbers.length === 1 ? alongAll(env, at, scalar(last), span) : choose(0, numbers.length));
}

/** A scalar that carries the axes of `like`. */
function alongAll(env: Env, like: NodeId, value: NodeId, span: Span): NodeId {
  const zero = map(env, "mul", [like, add(env, { kind: "scalar", value: 0 }, span)], span);
  return map(env, "add", [zero, value], span);
}
