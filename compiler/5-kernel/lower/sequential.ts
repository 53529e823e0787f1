/**
 * Recurrences whose elements read each other (dot(k, prev(S)), permutations, …): one workgroup a sequence, and for each
 * coordinate of axes along which nothing meets; each value of the cycle a statement over its elements, a barrier between
 * statements. Right for every shape; no more than that.
 */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import { operands } from "../../3-graph/rewrite.js";
import type { AxisId, Node, NodeId, State } from "../../3-graph/types.js";
import type { Expr, SequentialKernel, SequentialStatement } from "../types.js";
import { axisSize, constantSize, isPair, product, type Tensor } from "./buffers.js";
import { stepsOf } from "./document-steps.js";
import { carriedAxes, documentsOf } from "./documents.js";
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
  const inside = [...group.members]
    .map((id) => graph.nodes[id])
    .filter((node): node is Node => node !== undefined)
    .sort((p, q) => p.id - q.id);
  const lead = carriedAxes(first).filter(
    (axis) => typeof axisSize(graph, axis) !== "number" || isApart(axis, states, inside),
  );
  const sizes = lead.map((axis) => axisSize(graph, axis));
  const leads = product(sizes);
  const steps = axisSize(graph, first.along);
  const outer = new Map<AxisId, Expr>();
  e.unflatten(e.variable("lead", "u32", leads), sizes).forEach((coordinate, k) => {
    const axis = lead[k];
    if (axis !== undefined) outer.set(axis, coordinate);
  });
  outer.set(first.along, steps === 1 ? e.u32(0) : e.variable("t", "u32", steps));

  const documents = documentsOf(first);
  const document = documents && outer.get(documents.axis);
  const range =
    documents &&
    document &&
    stepsOf(documents, first.along, document, scalarizeContext(context, group, scope));

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

  const stepValues = new StepValues(context, group, lead, first.along, outer, scope);
  const compute = (node: Node, at: Coordinates): Value => {
    const known = (id: NodeId, here: Coordinates): Value | undefined => {
      const other = graph.nodes[id];
      if (other === undefined || !group.members.has(id)) return undefined;
      if (other.kind === "prev") {
        const next = tensors.state(other.state, "next");
        return scope.load(next, place(next, here));
      }
      return id === node.id ? undefined : stepValues.load(other, here);
    };
    return scalarize(node.id, at, scalarizeContext(context, group, scope, known, range));
  };

  /** The stores of a value that leaves the kernel. */
  const results = (node: Node, at: Coordinates, value: Value): SequentialStatement["stores"] => {
    const outputs = graph.outputs.filter(
      (output) => output.value === node.id && group.outputs.includes(output.name),
    );
    const stored = [
      ...(group.stores.includes(node.id) ? [tensors.value(node.id)] : []),
      ...outputs.map(({ name }) => tensors.output(name)),
    ];
    return stored.flatMap((tensor) => scope.store(tensor, place(tensor, at), value));
  };

  const before = states.map((state) =>
    over(state.axes, (at) => {
      const next = tensors.state(state.id, "next");
      const carried = tensors.state(state.id, "state");
      return scope.store(next, place(next, at), scope.load(carried, place(carried, at)));
    }),
  );
  const values = inside
    .filter((node) => node.kind !== "prev" && (stepValues.has(node) || isResult(context, group, node)))
    .map((node) =>
      over(node.type.axes, (at) => {
        const value = compute(node, at);
        return [...stepValues.store(node, at, value), ...results(node, at, value)];
      }),
    );
  // Before the states move on.
  const kept = inside
    .filter((node) => node.kind === "prev" && isResult(context, group, node))
    .map((node) => over(node.type.axes, (at) => results(node, at, compute(node, at))));
  const updates = states.map((state) =>
    over(state.axes, (at) => {
      const node = graph.nodes[state.equation.value];
      if (node === undefined) throw new InternalError("lower", `state ${state.name} has no value`);
      const next = tensors.state(state.id, "next");
      return scope.store(next, place(next, at), stepValues.load(node, at) ?? compute(node, at));
    }),
  );
  return {
    ...describe(context, group),
    skeleton: "sequential",
    bindings: scope.finish().bindings,
    leads,
    steps,
    ...(range && { range: { begin: range.begin, end: range.end } }),
    before,
    each: [...kept, ...values, ...updates],
    schedule: context.schedules.sequential(),
  };
}

/** Whether coordinates of an axis never meet: everything has it, and nothing goes along it. Each then has a workgroup. */
function isApart(axis: AxisId, states: readonly State[], inside: readonly Node[]): boolean {
  const keeps = (node: Node): boolean => {
    switch (node.kind) {
      case "map":
      case "prev":
        return true;
      case "dot":
      case "reduce":
        return !node.over.includes(axis);
      case "rename":
        return !node.axes.some(({ from, to }) => from === axis || to === axis);
      default:
        return false;
    }
  };
  return (
    states.every((state) => state.axes.includes(axis)) &&
    inside.every((node) => node.type.axes.includes(axis) && keeps(node))
  );
}

/** Whether a value leaves the kernel: for another group, or as an output. */
function isResult({ graph }: LowerContext, group: Group, node: Node): boolean {
  return (
    group.stores.includes(node.id) ||
    graph.outputs.some((output) => output.value === node.id && group.outputs.includes(output.name))
  );
}

/**
 * Values of one step that later statements read: states' new values, products and reductions, and what those read at
 * other coordinates than their own. All lie in one buffer, a row a sequence; every other value is computed in place.
 */
class StepValues {
  private readonly slots = new Map<NodeId, { readonly offset: number; readonly axes: readonly AxisId[] }>();
  private readonly tensor: Tensor;

  constructor(
    private readonly context: LowerContext,
    group: Group,
    private readonly lead: readonly AxisId[],
    time: AxisId,
    private readonly outer: Coordinates,
    private readonly scope: KernelScope,
  ) {
    const { graph, fusion } = context;
    let size = 0;
    for (const id of [...group.members].sort((p, q) => p - q)) {
      const node = graph.nodes[id];
      if (node === undefined || !isKept(context, group, node)) continue;
      const axes = node.type.axes.filter((axis) => axis !== time && !lead.includes(axis));
      this.slots.set(id, { offset: size, axes });
      const count = axes.reduce((product_, axis) => product_ * constantSize(graph, axis), 1);
      size += count * (isPair(node.type.scalar) ? 2 : 1);
    }
    this.tensor = {
      ref: { kind: "own", group: fusion.groups.indexOf(group), id: "step" },
      name: "step_values",
      layout: [...lead.map((axis) => ({ axis, size: axisSize(graph, axis) })), { size }],
      complex: false,
      element: "f32",
      inside: true,
    };
  }

  has(node: Node): boolean {
    return this.slots.has(node.id);
  }

  /** Undefined for a value that is not kept. */
  load(node: Node, at: Coordinates): Value | undefined {
    const place = this.place(node, at);
    if (place === undefined) return undefined;
    const [re, im] = place.map((coordinates) => this.scope.load(this.tensor, coordinates).re);
    return re === undefined || im === undefined ? re && { re } : { re, im };
  }

  store(node: Node, at: Coordinates, value: Value): SequentialStatement["stores"][number][] {
    const parts = [value.re, value.im ?? this.scope.expr.f32(0)];
    return (this.place(node, at) ?? []).flatMap((coordinates, k) => {
      const re = parts[k];
      return re === undefined ? [] : this.scope.store(this.tensor, coordinates, { re });
    });
  }

  /** Where a value lies: one place, or two for a complex one. */
  private place(node: Node, at: Coordinates): readonly (readonly Expr[])[] | undefined {
    const slot = this.slots.get(node.id);
    if (slot === undefined) return undefined;
    const e = this.scope.expr;
    const flat = e.flatten(
      slot.axes.map((axis) => ({
        value: at.get(axis) ?? e.u32(0),
        extent: axisSize(this.context.graph, axis),
      })),
    );
    const rows = this.lead.map((axis) => this.outer.get(axis) ?? e.u32(0));
    if (!isPair(node.type.scalar)) return [[...rows, e.add(flat, slot.offset)]];
    const first = e.add(e.mul(flat, 2), slot.offset);
    return [first, e.add(first, 1)].map((index) => [...rows, index]);
  }
}

/** Numbers that are dear to compute again, or that must stay when the states move on. Whole numbers and truths are not kept. */
function isKept({ graph }: LowerContext, group: Group, node: Node): boolean {
  if (node.kind === "prev" || node.type.scalar === "index" || node.type.scalar === "bool") return false;
  if (node.kind !== "map") return true;
  if (group.recurrence?.states.some((id) => graph.states[id]?.equation.value === node.id) === true)
    return true;
  return [...group.members].some((id) => {
    const reader = graph.nodes[id];
    return reader !== undefined && reader.kind !== "map" && operands(reader).includes(node.id);
  });
}
