/**
 * One model, several programs. `step` is the graph with time of size one. `prefill` is the graph whose outputs are
 * computed for a window of positions, by a tail that the caller may leave out or run for the last position alone.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import { NUMBERS } from "../3-graph/numbers.js";
import { live, operands, originOf, rewrite } from "../3-graph/rewrite.js";
import type { Axis, AxisId, Graph, Node, NodeId } from "../3-graph/types.js";
import { attachAll } from "./attach.js";

/** Run-time numbers of the window: its first position within the piece at hand, and how many. */
export const TAIL_BEGIN = NUMBERS.tailBegin;
export const TAIL_COUNT = NUMBERS.tailCount;

/** The time axis of run-time size, if the graph has one. */
export function timeAxis(graph: Graph): AxisId | undefined {
  return [...graph.axes.values()].find((axis) => axis.role === "time" && typeof axis.size !== "number")?.id;
}

/**
 * A node that reads other positions than its own and those that states and convolutions carry, if there is one: it sums
 * over time or over a copy of it, turns time round, or takes it for another axis. Such a model has no `step`.
 */
export function looksAhead(graph: Graph): Node | undefined {
  const times = [...graph.axes.values()].filter((axis) => axis.role === "time");
  const runtimeName = (axis: AxisId): string | undefined => {
    const size = graph.axes.get(axis)?.size;
    return typeof size === "object" ? size.runtime : undefined;
  };
  const names = new Set(times.map(({ id }) => runtimeName(id)));
  const isCopy = (axis: AxisId): boolean => {
    const name = runtimeName(axis);
    return name !== undefined && names.has(name) && graph.axes.get(axis)?.role !== "time";
  };
  const alive = live(graph).nodes;
  return graph.nodes.find(
    (node) =>
      alive.has(node.id) &&
      (node.type.axes.some(isCopy) || times.some(({ id }) => node.kind !== "conv" && looksAcross(node, id))),
  );
}

/** The graph for one step: time has size one. Undefined for a model that looks ahead. */
export function stepProgram(graph: Graph): Graph | undefined {
  if (looksAhead(graph) !== undefined) return undefined;
  const one = ([id, axis]: [AxisId, Axis]): [AxisId, Axis] => [
    id,
    axis.role === "time" ? { ...axis, size: 1 } : axis,
  ];
  return { ...graph, axes: new Map([...graph.axes].map(one)) };
}

/** The graph of a prefill: outputs have the window's axis in the place of time. */
export function prefillProgram(original: Graph): Graph {
  const time = timeAxis(original);
  if (time === undefined) return original;
  const body = bodyNodes(original, time);
  const { graph, window } = withWindow(original, time, body);
  return rewrite(graph, {
    visit(node, context) {
      if (body.has(node.id) || node.kind === "window") return context.copy(node);
      const operand = (id: NodeId): NodeId => {
        const source = nodeOf(graph, id);
        if (!body.has(id) || !source.type.axes.includes(time)) return context.at(id);
        const view = {
          kind: "window",
          arg: context.at(id),
          from: time,
          to: window,
          offset: TAIL_BEGIN,
        } as const;
        return context.builder.add(view, originOf(source));
      };
      return context.builder.add(context.operation(node, operand), originOf(node));
    },
  });
}

function nodeOf(graph: Graph, id: NodeId): Node {
  const node = graph.nodes[id];
  if (node === undefined) throw new InternalError("programs", `no node %${id}`);
  return node;
}

/** The graph with a window axis; outputs that the body computes are read through a window. */
function withWindow(
  graph: Graph,
  time: AxisId,
  body: ReadonlySet<NodeId>,
): { readonly graph: Graph; readonly window: AxisId } {
  const window = `${time}_out` as AxisId;
  const spans = graph.axes.get(time)?.spans ?? [];
  const axis: Axis = { id: window, size: { runtime: TAIL_COUNT }, role: "time", spans };
  const swap = (id: AxisId): AxisId => (id === time ? window : id);
  const nodes = [...graph.nodes];
  const outputs = graph.outputs.map((output) => {
    const source = nodeOf(graph, output.value);
    const axes = output.axes.map(swap);
    if (!body.has(source.id) || !source.type.axes.includes(time)) return { ...output, axes };
    const id = nodes.length as NodeId;
    const type = { ...source.type, axes: source.type.axes.map(swap) };
    nodes.push({
      kind: "window",
      arg: source.id,
      from: time,
      to: window,
      offset: TAIL_BEGIN,
      id,
      type,
      ...originOf(source),
    });
    return { ...output, axes, value: id };
  });
  return { graph: { ...graph, nodes, outputs, axes: new Map([...graph.axes, [window, axis]]) }, window };
}

/**
 * Nodes that are computed for every position of a piece: what states and other positions need, and elementwise
 * functions of those, up to the first product or reduction that outputs alone read. What a recurrence's kernel contracts
 * (attach.ts) is never left for the tail: the expanded state stays on chip.
 */
function bodyNodes(graph: Graph, time: AxisId): ReadonlySet<NodeId> {
  const alive = live(graph);
  const body = new Set<NodeId>();
  const pending: NodeId[] = [];
  for (const state of graph.states) if (alive.states.has(state.id)) pending.push(state.equation.value);
  for (const node of graph.nodes)
    if (alive.nodes.has(node.id) && looksAcross(node, time)) pending.push(...operands(node), node.id);
  for (const { members } of attachAll(graph)) pending.push(...members);
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (body.has(id)) continue;
    body.add(id);
    pending.push(...operands(nodeOf(graph, id)));
  }
  for (const node of graph.nodes) {
    const starts = ["dot", "reduce", "gather", "window"].includes(node.kind);
    if (!starts && operands(node).every((id) => body.has(id))) body.add(node.id);
  }
  return body;
}

/** Whether the node at one position reads its operands at others. */
function looksAcross(node: Node, time: AxisId): boolean {
  switch (node.kind) {
    case "conv":
      return node.along === time;
    case "reduce":
    case "dot":
      return node.over.includes(time);
    case "gather":
    case "slice":
    case "concat":
    case "flip":
      return node.axis === time;
    case "rename":
      return node.axes.some((r) => r.from === time || r.to === time);
    default:
      return false;
  }
}
