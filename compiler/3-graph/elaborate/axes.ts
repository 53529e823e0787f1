/** Axis names where they stand: in lists, after `over`, in `pos(…)`. */
import type { AxisList, AxisSlot } from "../../1-parse/ast.js";
import { ambientCollision, axisSlot, unknownAxis } from "../../diagnostics/codes/axes.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId, Dimension } from "../types.js";
import { report, type Env } from "./env.js";

/** One slot of a declaration's list: `d` with its primes, a group, or a literal 1 with none. */
export interface DeclaredAxis {
  readonly name: string;
  readonly axes: readonly AxisId[];
}

/**
 * How callers see a list of axes; `undefined` where it is one prime a slot. A product with a factor of run-time size is
 * a dimension for each factor: what callers pass says how many of them there are.
 */
export function grouping(env: Env, declared: readonly DeclaredAxis[]): readonly Dimension[] | undefined {
  if (declared.every(({ axes }) => axes.length === 1)) return undefined;
  const { axes: table } = env.elaboration;
  return declared.flatMap(({ name, axes }): readonly Dimension[] =>
    table.isFixed(axes)
      ? [{ name, primes: axes.length }]
      : axes.map((axis) => ({ name: axes.length === 1 ? name : axis, primes: 1 })),
  );
}

/** The primes that a name stands for, or `undefined` after reporting. */
export function resolveAxis(env: Env, name: string, span: Span): readonly AxisId[] | undefined {
  const found = lookupAxis(env, name, span);
  if (found === undefined) {
    report(env, unknownAxis(span, name, closest(name, axisNames(env)), otherKind(env, name)));
    return undefined;
  }
  return found === "poison" ? undefined : found;
}

/** Values and axes have separate names, so that one may be taken for the other. */
function otherKind(env: Env, name: string): string | undefined {
  const binding = env.scope.find(name);
  if (binding !== undefined) return `\`${name}\` is ${binding.kind === "state" ? "a state" : binding.what}`;
  return env.scope.home.constants.has(name) ? `\`${name}\` is a constant` : undefined;
}

/** Like `resolveAxis`, in silence: whether the name is an axis at all. */
export function lookupAxis(env: Env, name: string, span: Span): readonly AxisId[] | "poison" | undefined {
  const { axes } = env.elaboration;
  const local = env.scope.findAxis(name);
  if (local?.kind === "bound") return local.primes;
  if (local?.kind === "symbol")
    return local.symbol === undefined ? "poison" : checkHygiene(env, axes.primes(local.symbol), span);
  if (name.endsWith("'")) {
    const of = lookupAxis(env, name.slice(0, -1), span);
    return of === undefined || of === "poison" ? of : axes.copies(of, span);
  }
  const { home } = env.scope;
  if (!home.axes.has(name)) return undefined;
  const symbol = home.axes.get(name);
  return symbol === undefined ? "poison" : checkHygiene(env, axes.primes(symbol), span);
}

/**
 * A block that is mapped over an axis must not use that axis by name: its equations would act on the caller's. Batch
 * and time are the same axis everywhere and are exempt.
 */
function checkHygiene(env: Env, primes: readonly AxisId[], span: Span): readonly AxisId[] | "poison" {
  const { frame, elaboration } = env;
  const clash = primes.find(
    (prime) => frame.ambient.includes(prime) && elaboration.builder.axisOf(prime).role === "plain",
  );
  if (clash === undefined) return primes;
  const place = `${frame.path} ${clash}`;
  if (elaboration.collisions.has(place)) return "poison";
  elaboration.collisions.add(place);
  elaboration.sink.report(ambientCollision(span, clash, frame.name, frame.calls[0]?.span));
  return "poison";
}

function axisNames(env: Env): string[] {
  const local = [...env.scope.chain()].flatMap((scope) => [...scope.axes.keys()]);
  return [...local, ...env.scope.home.axes.keys()];
}

/** The primes of a list as written after `over`, `along` or `as`. */
export function resolveAxes(env: Env, list: AxisList): readonly AxisId[] | undefined {
  const dimensions = resolveDimensions(env, list);
  const literal = list.slots.find((slot) => slot.kind === "size");
  if (literal !== undefined) {
    report(env, axisSlot(literal.span, "a size is not an axis", "name the axis"));
    return undefined;
  }
  return dimensions?.flatMap((dimension) => dimension.axes);
}

/**
 * A list of axes in a declaration: one dimension a slot, in order. A literal 1 is a dimension without axes. Reports
 * unknown names, axes that stand twice, and other literals.
 */
export function resolveDimensions(env: Env, list: AxisList): readonly DeclaredAxis[] | undefined {
  const dimensions = list.slots.map((slot) => resolveSlot(env, slot));
  const defined = dimensions.filter((dimension) => dimension !== undefined);
  if (defined.length < dimensions.length) return undefined;
  const seen = new Set<AxisId>();
  for (const [k, dimension] of defined.entries())
    for (const prime of dimension.axes) {
      if (seen.has(prime)) {
        const span = list.slots[k]?.span ?? list.span;
        report(env, axisSlot(span, `the axis \`${prime}\` stands here twice`, `write a copy: \`${prime}'\``));
        return undefined;
      }
      seen.add(prime);
    }
  return defined;
}

function resolveSlot(env: Env, slot: AxisSlot): DeclaredAxis | undefined {
  switch (slot.kind) {
    case "name": {
      const axes = resolveAxis(env, slot.name, slot.span);
      return axes === undefined ? undefined : { name: slot.name, axes };
    }
    case "size":
      if (slot.value === 1) return { name: "1", axes: [] };
      report(
        env,
        axisSlot(
          slot.span,
          `the only literal size is 1, not ${slot.value}`,
          "give the axis a name: `axis k = …`",
        ),
      );
      return undefined;
    case "stack":
      report(
        env,
        axisSlot(slot.span, "`_` is where stacked parameters stack", "`param (a[p] | b[q])[_, m]`"),
      );
      return undefined;
    case "group": {
      const inner = slot.slots.map((part) => resolveSlot(env, part));
      const defined = inner.filter((dimension) => dimension !== undefined);
      if (defined.length < inner.length) return undefined;
      const name = `[${defined.map((dimension) => dimension.name).join(", ")}]`;
      return { name, axes: defined.flatMap((dimension) => dimension.axes) };
    }
  }
}
