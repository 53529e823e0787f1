/** `concat` along a sum axis, `stack` along a new one, `flip`. */
import { axisMissing, joinMismatch } from "../../diagnostics/codes/shapes.js";
import type { Span } from "../../diagnostics/types.js";
import type { Arguments } from "./arguments.js";
import { report, type Env } from "./env.js";
import { add, axesOf, describe, map, toNumber } from "./nodes.js";
import { listAxes, POISON, tensor, type Value } from "./values.js";

/** Values one after the other along a sum axis: value k carries the axes of part k. */
export function concat(env: Env, { values, axes }: Arguments, span: Span): Value {
  const nodes = values.map(({ value, span: at }) => toNumber(env, value, at));
  const parts = nodes.filter((node) => node !== undefined);
  const target = axes.as;
  if (parts.length < nodes.length || target === undefined) return POISON;
  const [axis, ...others] = target.primes;
  const places =
    axis === undefined || others.length > 0 ? undefined : env.elaboration.builder.axisOf(axis).parts;
  if (axis === undefined || places?.length !== parts.length) {
    const problem =
      places === undefined
        ? "joins along a sum axis"
        : `the axis has ${places.length} parts, and there are ${parts.length} values`;
    report(
      env,
      joinMismatch(span, "concat", problem, "declare it: `axis s = a | b`; `stack` makes a new axis"),
    );
    return POISON;
  }
  for (const [k, node] of parts.entries()) {
    const place = places[k]?.axes ?? [];
    const has = axesOf(env, node);
    const foreign = [axis, ...places.flatMap((other) => other.axes)].filter(
      (prime) => !place.includes(prime),
    );
    if (place.every((prime) => has.includes(prime)) && !foreign.some((prime) => has.includes(prime)))
      continue;
    const found = describe(env, tensor(node));
    const at = values[k]?.span ?? span;
    const hint = `part ${k + 1} of \`${axis}\` is ${listAxes(place)}, and no other part's axes may be there; rename: \`x[a -> b]\``;
    report(env, joinMismatch(at, "concat", `this value is ${found}`, hint));
    return POISON;
  }
  return tensor(add(env, { kind: "concat", parts, axis }, span));
}

/** Values side by side along an axis whose size is their number. */
export function stack(env: Env, { values, axes }: Arguments, span: Span): Value {
  const nodes = values.map(({ value, span: at }) => toNumber(env, value, at));
  const items = nodes.filter((node) => node !== undefined);
  const target = axes.as;
  const last = items.at(-1);
  if (items.length < nodes.length || target === undefined || last === undefined) return POISON;
  const [axis, ...others] = target.primes;
  const { axes: table } = env.elaboration;
  const fits =
    axis !== undefined && others.length === 0 && table.isFixed([axis]) && table.size([axis]) === items.length;
  if (!fits) {
    const size = table.isFixed(target.primes) ? ` of ${table.size(target.primes)}` : "";
    report(
      env,
      joinMismatch(
        target.list.span,
        "stack",
        `there are ${items.length} values, and the new axis is ${listAxes(target.primes)}${size}`,
        "stack along one axis of that size",
      ),
    );
    return POISON;
  }
  const carrier = items.findIndex((node) => axesOf(env, node).includes(axis));
  if (carrier >= 0) {
    const at = values[carrier]?.span ?? span;
    report(
      env,
      joinMismatch(at, "stack", `this value already has the axis \`${axis}\``, `pick one: \`x[${axis}: 0]\``),
    );
    return POISON;
  }
  const coordinate = add(env, { kind: "coordinate", axis }, span);
  const at = map(env, "float", [coordinate], span);
  const result = items.slice(0, -1).reduceRight((rest, item, k) => {
    const scalar = add(env, { kind: "scalar", value: k }, span);
    return map(env, "select", [map(env, "eq", [at, scalar], span), item, rest], span);
  }, last);
  return tensor(result);
}

export function flip(env: Env, { values: [x], axes }: Arguments, span: Span): Value {
  const along = axes.along;
  const node = x === undefined ? undefined : toNumber(env, x.value, x.span);
  if (x === undefined || along === undefined || node === undefined) return POISON;
  const has = axesOf(env, node);
  const missing = along.primes.find((prime) => !has.includes(prime));
  if (missing !== undefined) {
    report(env, axisMissing(x.span, "flip", missing, describe(env, tensor(node)), []));
    return POISON;
  }
  return tensor(along.primes.reduce((arg, axis) => add(env, { kind: "flip", arg, axis }, span), node));
}
