/** Runs components in order: whole, stepped over time, or iterated. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { AxisId, NodeId } from "../3-graph/types.js";
import { isStepwise, place, prepare, type Fill } from "./operations.js";
import type { Scope } from "./run.js";
import type { Component } from "./order.js";
import type { View } from "./view.js";

/** What is done with values once they are there: a result copied out, a check. */
export interface Use {
  readonly reads: readonly NodeId[];
  readonly run: () => void;
}

/** Evaluates all components. Uses run as soon as they can, and values go with their last reader, so that memory holds little. */
export function evaluateAll(
  order: readonly Component[],
  uses: readonly Use[],
  scope: Scope,
  views: Map<NodeId, View>,
): void {
  const madeAt = new Map(order.flatMap(({ items }, k) => items.map((item) => [item.id, k] as const)));
  const readLast = new Map<NodeId, number>();
  const read = (id: NodeId, k: number): void => {
    readLast.set(id, Math.max(readLast.get(id) ?? 0, k));
  };
  order.forEach(({ reads }, k) => {
    for (const id of reads) read(id, k);
  });
  const ready: Use[][] = order.map(() => []);
  for (const use of uses) {
    const k = Math.max(...use.reads.map((id) => madeAt.get(id) ?? 0));
    ready[k]?.push(use);
    for (const id of use.reads) read(id, k);
  }
  const drop: NodeId[][] = order.map(() => []);
  for (const [id, k] of readLast) drop[k]?.push(id);

  order.forEach((component, k) => {
    evaluate(component, scope, views);
    for (const use of ready[k] ?? []) use.run();
    for (const id of drop[k] ?? []) views.delete(id);
  });
}

/** Computes the values of a component into `views`. */
function evaluate(component: Component, scope: Scope, views: Map<NodeId, View>): void {
  const { items } = component;
  for (const item of items) views.set(item.id, place(item, scope));
  const along = component.recurrent ? stepAxis(component, scope) : undefined;
  const fills = items.flatMap((item): readonly Fill[] => {
    const view = views.get(item.id);
    const fill = view === undefined ? undefined : prepare(item, view, scope, along);
    return fill === undefined ? [] : [fill];
  });
  const round = (step: number): void => {
    for (const fill of fills) fill(step);
  };
  if (!component.recurrent) round(0);
  else if (along !== undefined) for (let step = 0; step < scope.sizeOf(along); step++) round(step);
  else iterate(component, scope, views, round);
}

/** The axis that all of the set can be stepped along, if there is one. */
function stepAxis({ items }: Component, scope: Scope): AxisId | undefined {
  const axes = new Set(
    items.flatMap((item) => (item.kind === "prev" ? (scope.graph.states[item.state]?.along ?? []) : [])),
  );
  const [along] = axes;
  if (along === undefined || axes.size !== 1) return undefined;
  const inside = new Set(items.map((item) => item.id));
  return items.every((item) => isStepwise(item, along, inside)) ? along : undefined;
}

/** Rounds over the whole set, each of which settles at least one more step; one more round must change nothing. */
function iterate(
  { items }: Component,
  scope: Scope,
  views: ReadonlyMap<NodeId, View>,
  round: (step: number) => void,
): void {
  const states = items.flatMap((item) =>
    item.kind === "prev" ? (scope.graph.states[item.state] ?? []) : [],
  );
  const rounds = new Set(states.map((state) => state.along));
  const steps = [...rounds].reduce((product, axis) => product * Math.max(1, scope.sizeOf(axis)), 1);
  for (let k = 0; k < steps; k++) round(0);
  const settled = states.map((state) => Float64Array.from(views.get(state.equation.value)?.data ?? []));
  round(0);
  states.forEach((state, k) => {
    const after = views.get(state.equation.value)?.data;
    if (settled[k]?.every((x, i) => Object.is(x, after?.[i])) !== true)
      throw new InternalError("interpret", `the recurrence of ${state.name} looks ahead in time`);
  });
}
