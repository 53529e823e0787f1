/**
 * The class of a recurrence: what its equations are in terms of `prev`, and so which kernels can run it
 * (SPEC.md § Classes). Decided by the form of the equations alone.
 */
import { operands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";
import { dependents } from "./linear.js";
import type { Recurrence } from "./recurrences.js";

export type RecurrenceClass =
  /** h = a·prev(h) + b, elementwise, a and b free of state: chunks of time can be joined. */
  | "diagonal"
  /** Every element depends on its own past alone, but not in affine form, or on several states at once. */
  | "elementwise"
  /** Elements read each other's past. */
  | "coupled";

export interface Classification {
  readonly recurrence: Recurrence;
  readonly class: RecurrenceClass;
  /** The node that decided against a better class. */
  readonly because?: Node;
}

export function classify(graph: Graph, recurrence: Recurrence): Classification {
  const members = new Set(recurrence.members);
  const mixing = recurrence.members
    .map((id) => graph.nodes[id])
    .find((node) => node !== undefined && node.kind !== "map" && node.kind !== "prev");
  if (mixing !== undefined) return { recurrence, class: "coupled", because: mixing };

  const past = dependents(graph, (node) => node.kind === "prev" && members.has(node.id));
  for (const id of recurrence.states) {
    const state = graph.states[id];
    if (state === undefined) continue;
    const obstacle = nonAffine(graph, state.equation.value, (node) => past.has(node));
    if (obstacle !== undefined) return { recurrence, class: "elementwise", because: obstacle };
    const other = readsOther(graph, state.equation.value, id, past);
    if (other !== undefined) return { recurrence, class: "elementwise", because: other };
  }
  return { recurrence, class: "diagonal" };
}

/** The first node under `root` that is not affine in the past, if there is one. */
function nonAffine(graph: Graph, root: NodeId, isPast: (id: NodeId) => boolean): Node | undefined {
  const node = graph.nodes[root];
  if (node === undefined || !isPast(root) || node.kind === "prev") return undefined;
  if (node.kind !== "map") return node;
  const past = node.args.filter(isPast);
  const linear =
    node.fn === "add" ||
    node.fn === "sub" ||
    node.fn === "neg" ||
    (node.fn === "mul" && past.length === 1) ||
    (node.fn === "div" && past.length === 1 && past[0] === node.args[0]) ||
    (node.fn === "select" && !past.includes(node.args[0] ?? root));
  if (!linear) return node;
  for (const arg of node.args) {
    const obstacle = nonAffine(graph, arg, isPast);
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

/** A `prev` of another state of the recurrence under `root`. */
function readsOther(graph: Graph, root: NodeId, own: number, past: ReadonlySet<NodeId>): Node | undefined {
  const node = graph.nodes[root];
  if (node === undefined || !past.has(root)) return undefined;
  if (node.kind === "prev") return node.state === own ? undefined : node;
  for (const arg of operands(node)) {
    const other = readsOther(graph, arg, own, past);
    if (other !== undefined) return other;
  }
  return undefined;
}
