/** Groups without a recurrence or a product: map and reduce kernels. */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import type { AxisId, Node, NodeId, StateId } from "../../3-graph/types.js";
import { identityValue } from "../expr.js";
import type { Expr, Extent, MapKernel, ReduceKernel, Store } from "../types.js";
import { axisSize, product } from "./buffers.js";
import { coordinateOf, type Part } from "./by-banks.js";
import { stepsOf } from "./document-steps.js";
import { documentsOf, type DocumentSteps } from "./documents.js";
import { describe, resultStores, scalarizeContext, withAbsorbed, type LowerContext } from "./context.js";
import { scalarize, type Coordinates, type ScalarizeContext } from "./scalarize.js";
import type { KernelScope } from "./scope.js";
import { takeTurn } from "./turns.js";

/** A var for every axis, and the coordinates that they are in a part of the domain. */
export function domainOf(
  context: LowerContext,
  axes: readonly AxisId[],
  scope: KernelScope,
  part?: Part,
): { readonly domain: readonly Extent[]; readonly at: Coordinates } {
  const names = new Set<string>();
  const domain = axes.map((axis): Extent => {
    let name = `i_${axis.replace(/[^A-Za-z0-9]/g, "_")}`;
    while (names.has(name)) name += "_";
    names.add(name);
    return { var: name, extent: part?.ranges.get(name)?.size ?? axisSize(context.graph, axis) };
  });
  const at = new Map<AxisId, Expr>();
  axes.forEach((axis, k) => {
    const extent = domain[k];
    if (extent !== undefined) at.set(axis, coordinateOf(scope.expr, extent, part));
  });
  return { domain, at };
}

export function lowerMap(context: LowerContext, group: Group, scope: KernelScope, part: Part): MapKernel {
  const { domain, at } = domainOf(context, group.domain, scope, part);
  const inner = scalarizeContext(context, group, scope);
  const stores = [...resultStores(context, group, at, inner)];
  const carryOnly = group.members.size === 0 && group.outputs.length === 0;
  for (const state of group.carries)
    stores.push(...(carryOnly ? carryEverySlot : carryAlong)(context, state, at, inner));
  return {
    ...describe(context, group),
    skeleton: "map",
    bindings: scope.finish().bindings,
    domain,
    stores,
    schedule: context.schedules.map(),
  };
}

interface Carried {
  readonly value: NodeId;
  readonly time: AxisId;
  /** The first step, and how many there are: in a packed program, of the document. */
  readonly begin: Expr;
  readonly length: Expr;
  /** Carried steps: K − 1 for a history (its last axis), 1 otherwise. */
  readonly slots: number;
  readonly taps: AxisId | undefined;
  readonly document?: DocumentSteps;
}

function carriedState(context: LowerContext, id: StateId, at: Coordinates, inner: ScalarizeContext): Carried {
  const { scope } = inner;
  const state = context.graph.states[id];
  if (state === undefined) throw new InternalError("lower", `no state #${id}`);
  const taps = state.kind === "history" ? state.axes.at(-1) : undefined;
  const size = taps === undefined ? 1 : axisSize(context.graph, taps);
  const documents = documentsOf(state);
  const document = documents && at.get(documents.axis);
  const span = documents && document && stepsOf(documents, state.along, document, inner);
  return {
    value: state.equation.value,
    time: state.along,
    ...(span && { document: span }),
    begin: span?.begin ?? scope.expr.u32(0),
    length: span
      ? scope.expr.sub(span.end, span.begin)
      : scope.expr.dim(axisSize(context.graph, state.along)),
    slots: typeof size === "number" ? size : 1,
    taps,
  };
}

/**
 * The last steps of a value, written by the kernel that runs over all of them: step t goes to slot t − (T − slots); the
 * first step also moves what is left of the old history when the run is shorter than it.
 */
export function carryAlong(
  context: LowerContext,
  id: StateId,
  at: Coordinates,
  inner: ScalarizeContext,
): readonly Store[] {
  const { scope } = inner;
  const e = scope.expr;
  const { value, time, length, slots, taps } = carriedState(context, id, at, inner);
  const step = at.get(time) ?? e.u32(0);
  const next = context.tensors.state(id, "next");
  const before = context.tensors.state(id, "state");
  const place = (slot: Expr): readonly Expr[] =>
    next.layout.map((extent) =>
      extent.axis === taps ? slot : ((extent.axis && at.get(extent.axis)) ?? e.u32(0)),
    );
  const filled = e.add(step, slots);
  const slot = e.sub(e.op("max", filled, length), length);
  const stores = [...scope.store(next, place(slot), scalarize(value, at, inner), e.op("ge", filled, length))];
  for (let j = 0; j + 1 < slots; j++) {
    const short = e.op("lt", e.add(length, j), e.u32(slots));
    const source = e.op("min", e.add(length, j), e.u32(slots - 1));
    const when = e.op("and", e.op("eq", step, e.u32(0)), short);
    if (when.kind === "literal" && when.value === 0) continue;
    stores.push(...scope.store(next, place(e.u32(j)), scope.load(before, place(source)), when));
  }
  return stores;
}

/** The same, by a kernel that runs over the slots. */
function carryEverySlot(
  context: LowerContext,
  id: StateId,
  at: Coordinates,
  inner: ScalarizeContext,
): readonly Store[] {
  const { scope } = inner;
  const e = scope.expr;
  const { value, time, begin, length, slots, taps, document } = carriedState(context, id, at, inner);
  const next = context.tensors.state(id, "next");
  const place = (slot: Expr): readonly Expr[] =>
    next.layout.map((extent) =>
      extent.axis === taps ? slot : ((extent.axis && at.get(extent.axis)) ?? e.u32(0)),
    );
  const slot = (taps && at.get(taps)) ?? e.u32(0);
  const end = e.add(length, slot);
  const inRun = e.op("ge", end, e.u32(slots));
  const step = e.add(begin, e.sub(e.op("max", end, e.u32(slots)), e.u32(slots)));
  const within = document === undefined ? inner : { ...inner, document };
  const computed = scalarize(value, new Map(at).set(time, step), within);
  if (inRun.kind === "literal" && inRun.value === 1) return scope.store(next, place(slot), computed);
  const old = scope.load(context.tensors.state(id, "state"), place(e.op("min", end, e.u32(slots - 1))));
  return [
    ...scope.store(next, place(slot), computed, inRun),
    ...scope.store(next, place(slot), old, e.op("not", inRun)),
  ];
}

export function lowerReduce(
  context: LowerContext,
  group: Group,
  scope: KernelScope,
  part: Part,
): ReduceKernel {
  const e = scope.expr;
  const { domain, at } = domainOf(context, group.domain, scope, part);
  const { over } = reductionOf(context, group.root);
  const sizes = over.map((axis) => axisSize(context.graph, axis));
  const depth = part.ranges.get("along")?.size ?? product(sizes);
  const flat = coordinateOf(e, { var: "along", extent: depth }, part);
  const inside = new Map(at);
  e.unflatten(flat, sizes).forEach((coordinate, k) => {
    const axis = over[k];
    if (axis !== undefined) inside.set(axis, coordinate);
  });
  const known = new Map<NodeId, Expr>();
  const inner = scalarizeContext(context, group, scope, (id) => {
    const re = known.get(id);
    return re && { re };
  });
  const before = group.absorbed.map((each) => each.group.root);
  // Each may read the results of those before it.
  const reductions = [...before, group.root].map((id, k) => {
    const { fn, arg, where } = reductionOf(context, id);
    const value = scalarize(arg, inside, inner).re;
    const nothing = e.literal(value.type, identityValue(fn, value.type));
    const body = where === undefined ? value : e.select(scalarize(where, inside, inner).re, value, nothing);
    const name = before.length === 0 ? "reduced" : `reduced_${k}`;
    known.set(id, e.variable(name, body.type));
    return { name, fn, body };
  });
  const results = reductions.map(({ name, fn, body }) => ({ fn, value: e.variable(name, body.type) }));
  const turn = part.turn && takeTurn(context, scope, part.turn, results, domain);
  const last = turn?.values.at(-1);
  if (last !== undefined) known.set(group.root, last);
  const shared = group.absorbed.flatMap((each) =>
    resultStores(context, { ...each.group, stores: each.shared }, at, inner),
  );
  const stores =
    part.turn?.isLast === false
      ? (turn?.stores ?? [])
      : [...shared, ...resultStores(context, group, at, inner)];
  return {
    ...describe(context, withAbsorbed(group)),
    skeleton: "reduce",
    bindings: scope.finish().bindings,
    domain,
    over: { var: "along", extent: depth },
    reductions,
    stores,
    schedule: context.schedules.reduce(depth),
  };
}

function reductionOf({ graph }: LowerContext, id: NodeId): Node & { kind: "reduce" } {
  const node = graph.nodes[id];
  if (node?.kind !== "reduce") throw new InternalError("lower", `%${id} is no reduction`);
  return node;
}
