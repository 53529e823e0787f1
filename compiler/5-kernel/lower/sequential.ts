/**
 * Recurrences whose elements read each other (dot(k, prev(S)), permutations, …): one workgroup a sequence, each value of
 * the cycle a statement over its elements, a barrier between statements. Right for every shape; no more than that.
 */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import type { AxisId, Node, NodeId } from "../../3-graph/types.js";
import type { Expr, SequentialKernel, SequentialStatement } from "../types.js";
import { axisSize, product, type Tensor } from "./buffers.js";
import { describe, scalarizeContext, type LowerContext } from "./context.js";
import { domainOf } from "./elementwise.js";
import { scalarize, type Coordinates } from "./scalarize.js";
import type { KernelScope, Value } from "./scope.js";

export function lowerSequential(context: LowerContext, group: Group, scope: KernelScope): SequentialKernel {
  const { graph, tensors } = context;
  const e = scope.expr;
  const states = (group.recurrence?.states ?? []).map((id) => {
    const state = graph.states[id];
    if (state === undefined) throw new InternalError("lower", `no state #${id}`);
    return state;
  });
  const [first] = states;
  if (first === undefined) throw new InternalError("lower", "a recurrence without states");
  const lead = first.axes.filter((axis) => typeof axisSize(graph, axis) !== "number");
  const sizes = lead.map((axis) => axisSize(graph, axis));
  const leads = product(sizes);
  const steps = axisSize(graph, first.along);
  const outer = new Map<AxisId, Expr>();
  e.unflatten(e.variable("lead", "u32", leads), sizes).forEach((coordinate, k) => {
    const axis = lead[k];
    if (axis !== undefined) outer.set(axis, coordinate);
  });
  outer.set(first.along, steps === 1 ? e.u32(0) : e.variable("t", "u32", steps));

  /** A statement over the axes that lead and time do not fix. */
  const over = (
    axes: readonly AxisId[],
    stores: (at: Coordinates) => SequentialStatement["stores"],
  ): SequentialStatement => {
    const { domain, at } = domainOf(
      context,
      axes.filter((axis) => !outer.has(axis)),
      scope,
    );
    return { domain, stores: stores(new Map([...outer, ...at])) };
  };
  const place = (tensor: Tensor, at: Coordinates): readonly Expr[] =>
    tensor.layout.map((extent) => (extent.axis && at.get(extent.axis)) ?? e.u32(0));

  /** A value of one step: kept for the statements after it. */
  const temporary = (node: Node): Tensor => ({
    ...tensors.value(node.id),
    ref: { kind: "own", group: context.fusion.groups.indexOf(group), id: `step.${inside.indexOf(node)}` },
    layout: tensors.value(node.id).layout.filter((extent) => extent.axis !== first.along),
  });
  const inside = [...group.members]
    .map((id) => graph.nodes[id])
    .filter((node): node is Node => node !== undefined)
    .sort((p, q) => p.id - q.id);
  const isStep = new Set(inside.map((node) => node.id));
  const compute = (node: Node, at: Coordinates): Value => {
    const known = (id: NodeId, here: Coordinates): Value | undefined => {
      const other = graph.nodes[id];
      if (other === undefined || !isStep.has(id)) return undefined;
      if (other.kind === "prev") {
        const next = tensors.state(other.state, "next");
        return scope.load(next, place(next, here));
      }
      if (id === node.id) return undefined;
      const tensor = temporary(other);
      return scope.load(tensor, place(tensor, here));
    };
    return scalarize(node.id, at, scalarizeContext(context, group, scope, known));
  };

  const before = states.map((state) =>
    over(state.axes, (at) => {
      const next = tensors.state(state.id, "next");
      const carried = tensors.state(state.id, "state");
      return scope.store(next, place(next, at), scope.load(carried, place(carried, at)));
    }),
  );
  const values = inside
    .filter((node) => node.kind !== "prev")
    .map((node) =>
      over(node.type.axes, (at) => {
        const value = compute(node, at);
        const kept = temporary(node);
        const stores = [...scope.store(kept, place(kept, at), value)];
        if (group.stores.includes(node.id)) {
          const stored = tensors.value(node.id);
          stores.push(...scope.store(stored, place(stored, at), value));
        }
        for (const output of graph.outputs) {
          if (output.value !== node.id || !group.outputs.includes(output.name)) continue;
          const stored = tensors.output(output.name);
          stores.push(...scope.store(stored, place(stored, at), value));
        }
        return stores;
      }),
    );
  const kept = inside.flatMap((node) => {
    if (node.kind !== "prev" || !group.stores.includes(node.id)) return [];
    return [
      over(node.type.axes, (at) => {
        const stored = tensors.value(node.id);
        return scope.store(stored, place(stored, at), compute(node, at));
      }),
    ];
  });
  const updates = states.map((state) =>
    over(state.axes, (at) => {
      const node = graph.nodes[state.equation.value];
      if (node === undefined) throw new InternalError("lower", `state ${state.name} has no value`);
      const next = tensors.state(state.id, "next");
      const source = temporary(node);
      return scope.store(next, place(next, at), scope.load(source, place(source, at)));
    }),
  );
  return {
    ...describe(context, group),
    skeleton: "sequential",
    bindings: scope.finish().bindings,
    leads,
    steps,
    before,
    each: [...kept, ...values, ...updates],
    schedule: context.schedules.sequential(),
  };
}
