/** Products as Σ_k a(batch, row, k) · b(batch, col, k): which operand is which, and which axes. */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, Node, NodeId } from "../3-graph/types.js";

export interface Roles {
  readonly a: NodeId;
  readonly b: NodeId;
  readonly batch: readonly AxisId[];
  readonly rows: readonly AxisId[];
  readonly cols: readonly AxisId[];
  readonly depth: readonly AxisId[];
}

/** Which operand gives rows and which columns: a parameter is columns, so that lanes run along its stored rows. */
export function rolesOf(graph: Graph, dot: Node & { kind: "dot" }, domain: readonly AxisId[]): Roles {
  const [a, b] =
    isParameter(graph, dot.lhs) && !isParameter(graph, dot.rhs) ? [dot.rhs, dot.lhs] : [dot.lhs, dot.rhs];
  const inA = new Set(graph.nodes[a]?.type.axes);
  const inB = new Set(graph.nodes[b]?.type.axes);
  return {
    a,
    b,
    depth: dot.over,
    batch: domain.filter((axis) => inA.has(axis) && inB.has(axis)),
    rows: domain.filter((axis) => inA.has(axis) && !inB.has(axis)),
    cols: domain.filter((axis) => !inA.has(axis) && inB.has(axis)),
  };
}

function isParameter(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id];
  if (node === undefined) return false;
  if (node.kind === "param") return true;
  if (node.kind === "gather") return isParameter(graph, node.table);
  return (
    (node.kind === "slice" || node.kind === "rename") &&
    operands(node).every((arg) => isParameter(graph, arg))
  );
}
