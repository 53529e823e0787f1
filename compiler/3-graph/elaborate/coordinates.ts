/** `pos(axis)` and `size(axis)`. */
import { callConstant } from "../../2-analyze/constant-operations.js";
import { runtimeSize } from "../../diagnostics/codes/axes.js";
import { wrongArguments } from "../../diagnostics/codes/names.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId } from "../types.js";
import { arithmetic } from "./arithmetic.js";
import type { Call } from "./arguments.js";
import { lookupAxis, resolveAxis } from "./axes.js";
import { report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";
import { add } from "./nodes.js";
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
  if (primes === undefined) return POISON;
  const coordinate = (axis: AxisId): Value => tensor(add(env, { kind: "coordinate", axis }, call.span));
  const [first, ...rest] = primes;
  if (first === undefined) return constant(0);
  return rest.reduce((major, axis) => {
    const scale = { value: constant(env.elaboration.axes.size([axis])), span: call.span };
    const scaled = arithmetic(env, "mul", [{ value: major, span: call.span }, scale], call.span);
    const operands = [scaled, coordinate(axis)].map((value) => ({ value, span: call.span }));
    return arithmetic(env, "add", operands, call.span);
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
