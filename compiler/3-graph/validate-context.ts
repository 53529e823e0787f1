/** What the rules of validation share: look-ups that throw, and the message that names the culprit. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Axis, AxisId, Graph, Node, NodeId, State } from "./types.js";

/** What rules need of the graph. */
export interface Validation {
  readonly graph: Graph;
  /** Throws, naming what is being looked at. */
  readonly fail: (what: string, detail: string) => never;
  readonly axis: (id: AxisId, what: string) => Axis;
  readonly node: (id: NodeId, what: string) => Node;
  readonly state: (id: number, what: string) => State;
  /** The same number or the same run-time name. */
  readonly sameSize: (p: AxisId, q: AxisId) => boolean;
  /** In canonical order, without repetition. */
  readonly isCanonical: (axes: readonly AxisId[]) => boolean;
}

/** A node as messages name it. */
export function describe(node: Node): string {
  const name = node.kind === "input" || node.name === undefined ? "" : ` \`${node.name}\``;
  return `%${node.id}${name} (${node.kind})`;
}

export function makeValidation(graph: Graph): Validation {
  const fail = (what: string, detail: string): never => {
    throw new InternalError("graph validation", `${graph.name}: ${what}: ${detail}`);
  };
  const rank = new Map([...graph.axes.keys()].map((id, k) => [id, k]));
  const rankOf = (id: AxisId): number => {
    const role = graph.axes.get(id)?.role;
    const group = role === "batch" ? 0 : role === "time" ? 1 : 2;
    return group * rank.size + (rank.get(id) ?? NaN);
  };
  const sizeKey = (id: AxisId): string => JSON.stringify(graph.axes.get(id)?.size);
  return {
    graph,
    fail,
    axis: (id, what) => graph.axes.get(id) ?? fail(what, `no axis \`${id}\``),
    node: (id, what) => graph.nodes[id] ?? fail(what, `no node %${id}`),
    state: (id, what) => graph.states[id] ?? fail(what, `no state #${id}`),
    sameSize: (p, q) => sizeKey(p) === sizeKey(q),
    isCanonical: (axes) =>
      axes.every((axis, k) => {
        const before = axes[k - 1];
        return before === undefined ? rank.has(axis) : rankOf(before) < rankOf(axis);
      }),
  };
}
