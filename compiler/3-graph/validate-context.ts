/** What the rules of validation share: look-ups that throw, and the message that names the culprit. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Axis, AxisId, Graph, Node, NodeId, State } from "./types.js";

/** The entry of a table that is being looked at: a node, or another by a phrase that names it. */
export type Culprit = Node | string;

/** What rules need of the graph. */
export interface Validation {
  readonly graph: Graph;
  /** Throws, naming what is being looked at. */
  readonly fail: (what: Culprit, detail: string) => never;
  readonly axis: (id: AxisId, what: Culprit) => Axis;
  readonly node: (id: NodeId, what: Culprit) => Node;
  readonly state: (id: number, what: Culprit) => State;
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
  const fail = (what: Culprit, detail: string): never => {
    const name = typeof what === "string" ? what : describe(what);
    throw new InternalError("graph validation", `${graph.name}: ${name}: ${detail}`);
  };
  const group = { batch: 0, time: 1, plain: 2 };
  const rank = new Map(
    [...graph.axes.values()].map(({ id, role }, k) => [id, group[role] * graph.axes.size + k]),
  );
  const rankOf = (id: AxisId): number => rank.get(id) ?? NaN;
  /** Lists that were found to be so: many nodes share one. */
  const canonical = new Set<readonly AxisId[]>();
  const isCanonical = (axes: readonly AxisId[]): boolean => {
    if (canonical.has(axes)) return true;
    const found = axes.every((axis, k) => {
      const before = axes[k - 1];
      return before === undefined ? rank.has(axis) : rankOf(before) < rankOf(axis);
    });
    if (found) canonical.add(axes);
    return found;
  };
  const sizeKey = (id: AxisId): string => JSON.stringify(graph.axes.get(id)?.size);
  return {
    graph,
    fail,
    axis: (id, what) => graph.axes.get(id) ?? fail(what, `no axis \`${id}\``),
    node: (id, what) => graph.nodes[id] ?? fail(what, `no node %${id}`),
    state: (id, what) => graph.states[id] ?? fail(what, `no state #${id}`),
    sameSize: (p, q) => sizeKey(p) === sizeKey(q),
    isCanonical,
  };
}
