/** What stands in brackets after a value: picking and gathering, renaming, parts of sum axes. */
import type { AxisSlot, Expression, Selector } from "../../1-parse/ast.js";
import { noPart } from "../../diagnostics/codes/axes.js";
import { constantOperation } from "../../diagnostics/codes/constants.js";
import {
  axisMissing,
  indexRange,
  indexWithoutAxis,
  notIndex,
  renameCollision,
  runtimeCoordinate,
} from "../../diagnostics/codes/shapes.js";
import { closest } from "../../diagnostics/suggest.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId, NodeId } from "../types.js";
import { resolveAxes, resolveAxis } from "./axes.js";
import { report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";
import { add, axesOf, describe, scalarOf, toNode } from "./nodes.js";
import { listAxes, POISON, tensor, type Value } from "./values.js";

export function select(env: Env, base: Value, selectors: readonly Selector[], span: Span): Value {
  let node = toNode(env, base, span);
  for (const selector of selectors) {
    if (node === undefined) return POISON;
    node = selectOne(env, node, selector, span);
  }
  return node === undefined ? POISON : tensor(node);
}

function selectOne(env: Env, node: NodeId, selector: Selector, span: Span): NodeId | undefined {
  if (selector.kind === "index") {
    const [axis] = axesOf(env, node).toReversed();
    report(env, indexWithoutAxis(selector.span, describe(env, tensor(node)), axis));
    return undefined;
  }
  const { name } = selector.axis;
  const primes = resolveAxis(env, name, selector.axis.span);
  if (primes === undefined) return undefined;
  const has = axesOf(env, node);
  if (!primes.every((prime) => has.includes(prime))) {
    const found = describe(env, tensor(node));
    report(env, axisMissing(selector.axis.span, "[…]", name, found, [], closest(name, has)));
    return undefined;
  }
  return selector.kind === "at"
    ? pick(env, node, primes, selector.value, span)
    : become(env, node, name, primes, selector.target, span);
}

/** `x[v: token]`: the coordinate of an axis, constant or by a tensor of whole numbers. */
function pick(
  env: Env,
  node: NodeId,
  primes: readonly AxisId[],
  coordinate: Expression,
  span: Span,
): NodeId | undefined {
  const value = evaluate(env, coordinate);
  if (value.kind === "poison") return undefined;
  const { axes } = env.elaboration;
  if (value.kind === "constant") {
    if (typeof value.value !== "number" || !Number.isInteger(value.value)) {
      report(env, notIndex(coordinate.span, describe(env, value)));
      return undefined;
    }
    return pickConstant(env, node, primes, value.value, coordinate.span, span);
  }
  if (scalarOf(env, value.node) !== "index") {
    report(env, notIndex(coordinate.span, describe(env, value)));
    return undefined;
  }
  if (primes.length === 0 || !axes.isFixed(primes)) {
    report(env, constantOperation(coordinate.span, "values are gathered along an axis of fixed size"));
    return undefined;
  }
  const { table, axis } = asOneAxis(env, node, primes, span);
  return add(env, { kind: "gather", table, axis, index: value.node }, span);
}

/** The value with a product of axes as one: the joint of a single part. */
function asOneAxis(
  env: Env,
  node: NodeId,
  primes: readonly AxisId[],
  span: Span,
): { readonly table: NodeId; readonly axis: AxisId } {
  const [first, ...rest] = primes;
  if (first !== undefined && rest.length === 0) return { table: node, axis: first };
  const axis = env.elaboration.axes.stacked(primes.join("·"), [primes], span);
  return { table: add(env, { kind: "concat", parts: [node], axis }, span), axis };
}

function pickConstant(
  env: Env,
  node: NodeId,
  primes: readonly AxisId[],
  coordinate: number,
  at: Span,
  span: Span,
): NodeId | undefined {
  const { axes } = env.elaboration;
  if (!axes.isFixed(primes)) {
    report(env, runtimeCoordinate(at, primes.join("·")));
    return undefined;
  }
  const size = axes.size(primes);
  if (coordinate < 0 || coordinate >= size) {
    report(env, indexRange(at, primes.join("·"), coordinate, size));
    return undefined;
  }
  let rest = coordinate;
  return primes.toReversed().reduce((arg, axis) => {
    const extent = axes.size([axis]);
    const start = rest % extent;
    rest = Math.floor(rest / extent);
    return add(env, { kind: "slice", arg, axis, start, to: [] }, span);
  }, node);
}

/** `x[d -> e]` renames an axis; `x[p -> rot]` takes a part of a sum axis; `x[d -> [g, i]]` splits. */
function become(
  env: Env,
  node: NodeId,
  name: string,
  from: readonly AxisId[],
  slot: AxisSlot,
  span: Span,
): NodeId | undefined {
  const to = resolveAxes(env, { slots: [slot], span: slot.span });
  if (to === undefined) return undefined;
  const { builder, axes } = env.elaboration;
  const same = from.length === to.length && from.every((axis, k) => axis === to[k]);
  if (same) return node;
  const has = axesOf(env, node).filter((axis) => !from.includes(axis));
  const clash = to.find((axis) => has.includes(axis));
  if (clash !== undefined) {
    report(env, renameCollision(slot.span, clash, describe(env, tensor(node))));
    return undefined;
  }
  const [first, ...others] = from;
  const parts = first === undefined || others.length > 0 ? [] : (builder.axisOf(first).parts ?? []);
  const part = parts.find(({ axes: of }) => of.length === to.length && of.every((axis, k) => axis === to[k]));
  if (first !== undefined && part !== undefined)
    return add(env, { kind: "slice", arg: node, axis: first, start: part.start, to: part.axes }, span);
  const sizes = (list: readonly AxisId[]): string =>
    JSON.stringify(list.map((axis) => builder.axisOf(axis).size));
  if (sizes(from) === sizes(to)) {
    const pairs = from.flatMap((axis, k) => {
      const target = to[k];
      return target === undefined || target === axis ? [] : [{ from: axis, to: target }];
    });
    return add(env, { kind: "rename", arg: node, axes: pairs }, span);
  }
  const fixed = axes.isFixed([...from, ...to]);
  if (first !== undefined && others.length === 0 && fixed && axes.size(from) === axes.size(to))
    return add(env, { kind: "slice", arg: node, axis: first, start: 0, to }, span);
  const sized = (list: readonly AxisId[]): string =>
    `${listAxes(list)} of ${axes.isFixed(list) ? axes.size(list) : "run-time size"}`;
  report(
    env,
    noPart(
      slot.span,
      name,
      sized(to),
      sized(from),
      parts.map((p) => listAxes(p.axes)),
      [{ span, message: `\`${name}\` is ${sized(from)}` }],
    ),
  );
  return undefined;
}
