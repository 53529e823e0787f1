/**
 * Which parameters may be stored as int8 or int4: the matrices that products contract and the tables that are looked up. They are
 * nearly all of a model's weights, and each of their elements is one of many in a sum (or one of a row), so that
 * errors of rounding average out. Norms, biases, decays, convolutions and what else is computed with elementwise are
 * small, and an error in them is one in every step: they keep their type.
 */
import { RANGE_ELEMENTS } from "../../runtime/bundle-format.js";
import type { Graph, Node, NodeId, Param } from "../3-graph/types.js";

/** The names of the graphs' parameters that may be. */
export function quantizable(...graphs: readonly Graph[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const graph of graphs)
    for (const node of graph.nodes)
      for (const id of matricesOf(graph, node)) {
        const param = storedParam(graph, id);
        if (param !== undefined && mayBe(param)) found.add(param.name);
      }
  return found;
}

/** Complex parameters have no product of their own, and of several tensors each must have whole words of scales. */
const mayBe = ({ derived, scalar, pieces }: Param): boolean =>
  derived !== true &&
  scalar === "f32" &&
  (pieces === undefined || pieces.shape.reduce((p, q) => p * q, 1) % RANGE_ELEMENTS === 0);

/** Operands that are matrices: of a product those with an axis that the other lacks, of a lookup the table. */
function matricesOf(graph: Graph, node: Node): readonly NodeId[] {
  if (node.kind === "gather") return axesOf(graph, node.table).length > 1 ? [node.table] : [];
  if (node.kind !== "dot") return [];
  const has = (id: NodeId, axis: string): boolean => axesOf(graph, id).some((each) => each === axis);
  return (
    [
      [node.lhs, node.rhs],
      [node.rhs, node.lhs],
    ] as const
  ).flatMap(([id, other]) => (axesOf(graph, id).some((axis) => !has(other, axis)) ? [id] : []));
}

const axesOf = (graph: Graph, id: NodeId): readonly string[] => graph.nodes[id]?.type.axes ?? [];

/** The parameter that a value is, or is a part of. */
function storedParam(graph: Graph, id: NodeId): Param | undefined {
  const node = graph.nodes[id];
  switch (node?.kind) {
    case "param":
      return graph.params[node.param];
    case "slice":
    case "rename":
      return storedParam(graph, node.arg);
    case "gather":
      return storedParam(graph, node.table);
    case "concat":
      return node.parts.length === 1 && node.parts[0] !== undefined
        ? storedParam(graph, node.parts[0])
        : undefined;
    default:
      return undefined;
  }
}
