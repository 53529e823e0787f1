/** The functions that Krait is made of. All others are written in Krait, in templates/prelude.krait. */
import { callConstant } from "../../2-analyze/constant-operations.js";
import { constantOperation, notConstant } from "../../diagnostics/codes/constants.js";
import { wrongArguments } from "../../diagnostics/codes/names.js";
import type { Span } from "../../diagnostics/types.js";
import type { MapFn } from "../types.js";
import { readArguments, type Arguments, type Call, type Signature } from "./arguments.js";
import { arithmetic, choose, isReal, type Operand } from "./arithmetic.js";
import { position, size } from "./coordinates.js";
import { report, type Env } from "./env.js";
import { concat, flip, stack } from "./joins.js";
import { map, toNumber } from "./nodes.js";
import { causalConv, previous } from "./recurrences.js";
import { dot, reduction } from "./reductions.js";
import { constant, POISON, tensor, type Value } from "./values.js";

type Builtin = (env: Env, call: Call) => Value;
type Apply = (env: Env, args: Arguments, span: Span, call: Call) => Value;

/** Reads the arguments, computes with constants where all are constants, and leaves the rest to `apply`. */
function builtin(signature: Signature, apply: Apply): Builtin {
  return (env, call) => {
    const args = readArguments(env, call, signature);
    if (args === undefined) return POISON;
    return foldConstants(env, call, args) ?? apply(env, args, call.span, call);
  };
}

/** The call on constants; `undefined` if some argument is a tensor, or the function has no form for constants. */
function foldConstants(env: Env, call: Call, args: Arguments): Value | undefined {
  if (call.args.length > args.values.length) return undefined;
  const constants = args.values.flatMap(({ value }) => (value.kind === "constant" ? [value.value] : []));
  if (constants.length < args.values.length) return undefined;
  const outcome = callConstant(call.callee.name, constants);
  if (outcome === undefined) return undefined;
  if ("value" in outcome) return constant(outcome.value);
  report(env, constantOperation(call.span, outcome.problem));
  return POISON;
}

/** A function of constants alone. */
const ofConstants: Apply = (env, { values }, span, call) => {
  const offender = values.find(({ value }) => value.kind === "tensor");
  report(env, notConstant(offender?.span ?? span, `an argument of \`${call.callee.name}\``));
  return POISON;
};

const elementwise =
  (fn: MapFn): Apply =>
  (env, { values }, span) =>
    arithmetic(env, fn, values, span);

const complex: Apply = (env, { values }, span) => {
  const nodes = values.map(({ value, span: at }) => toNumber(env, value, at));
  const defined = nodes.filter((node) => node !== undefined);
  if (defined.length < nodes.length || values.some((part) => !isReal(env, part))) return POISON;
  return tensor(map(env, "complex", defined, span));
};

/** `max(a, b, …)` is elementwise, `max(x, over A)` a reduction. */
const extremum =
  (fn: "max" | "min"): Apply =>
  (env, { values, axes, clauses }, span, call) => {
    const [first, ...rest] = values;
    if (first === undefined) return POISON;
    if (axes.over !== undefined && rest.length === 0)
      return reduction(env, fn, first, axes.over, clauses.where, span);
    if (rest.length === 0 || axes.over !== undefined || clauses.where !== undefined) {
      const signature = `${fn}(a, b) or ${fn}(x, over A)`;
      report(
        env,
        wrongArguments(call.span, fn, "compares two values, or reduces one over an axis", signature),
      );
      return POISON;
    }
    return rest.reduce(
      (left: Operand, right) => ({ value: arithmetic(env, fn, [left, right], span), span }),
      first,
    ).value;
  };

const sum: Apply = (env, { values: [x], axes: { over }, clauses }, span) =>
  x === undefined || over === undefined ? POISON : reduction(env, "sum", x, over, clauses.where, span);

const ELEMENTWISE = [
  "abs",
  "sign",
  "floor",
  "ceil",
  "round",
  "sqrt",
  "rsqrt",
  "exp",
  "expm1",
  "log",
  "log1p",
] as const;
const TRANSCENDENTAL = ["sin", "cos", "tanh", "erf", "phi", "re", "im", "conj"] as const;

const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...[...ELEMENTWISE, ...TRANSCENDENTAL].map((fn): [string, Builtin] => [
    fn,
    builtin({ text: `${fn}(x)`, values: [1, 1] }, elementwise(fn)),
  ]),
  ...(["max", "min"] as const).map((fn): [string, Builtin] => [
    fn,
    builtin(
      {
        text: `${fn}(a, b) or ${fn}(x, over A)`,
        values: [1, Infinity],
        optionalAxes: ["over"],
        clauses: ["where"],
      },
      extremum(fn),
    ),
  ]),
  ["complex", builtin({ text: "complex(re, im)", values: [2, 2] }, complex)],
  ["select", builtin({ text: "select(condition, a, b)", values: [3, 3] }, choose)],
  ["sum", builtin({ text: "sum(x, over A)", values: [1, 1], axes: ["over"], clauses: ["where"] }, sum)],
  ["dot", builtin({ text: "dot(a, b, over A)", values: [2, 2], axes: ["over"] }, dot)],
  ["concat", builtin({ text: "concat(a, b, as S)", values: [2, Infinity], axes: ["as"] }, concat)],
  ["stack", builtin({ text: "stack(a, b, as P)", values: [2, Infinity], axes: ["as"] }, stack)],
  ["flip", builtin({ text: "flip(x, along A)", values: [1, 1], axes: ["along"] }, flip)],
  [
    "causal_conv",
    builtin(
      { text: "causal_conv(x, w, along t, over k)", values: [2, 2], axes: ["along", "over"] },
      causalConv,
    ),
  ],
  ["find", builtin({ text: "find(list, item)", values: [2, 2] }, ofConstants)],
  ["len", builtin({ text: "len(list)", values: [1, 1] }, ofConstants)],
  ["prev", previous],
  ["pos", position],
  ["size", size],
]);

export const BUILTIN_NAMES: ReadonlySet<string> = new Set(BUILTINS.keys());

/** The value of a call of a built-in; `undefined` if there is none of that name. */
export function callBuiltin(env: Env, call: Call): Value | undefined {
  return BUILTINS.get(call.callee.name)?.(env, call);
}
