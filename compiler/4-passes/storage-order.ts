/**
 * In which order the axes of a stored value lie in memory. Usually that is canonical order. But where a product reads what it
 * contracts coordinate after coordinate, and multiplies it by a value that many of its rows share (a chunk's cumulated decays, say),
 * that value's neighbours along the contracted axis shall be neighbours in memory too: a load each would cost more than the product.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, Node, NodeId } from "../3-graph/types.js";
import type { Fusion } from "./fuse.js";

/** Values that do not lie in canonical order, each with its axes from the slowest to the fastest. */
export type StorageOrder = ReadonlyMap<NodeId, readonly AxisId[]>;

export function storageOrder(graph: Graph, fusion: Fusion): StorageOrder {
  const orders = new Map<NodeId, readonly AxisId[]>();
  for (const [g, group] of fusion.groups.entries()) {
    const product = graph.nodes[group.root];
    const fastest = product?.kind === "dot" ? product.over.at(-1) : undefined;
    if (product?.kind !== "dot" || fastest === undefined) continue;
    const sides = [product.lhs, product.rhs].map((id) => graph.nodes[id]?.type.axes ?? []);
    for (const [k, operand] of [product.lhs, product.rhs].entries()) {
      // What the other operand lacks: the rows (columns) of the product.
      const rows = sides[k]?.filter((axis) => sides[1 - k]?.includes(axis) === false) ?? [];
      const reads = readsAlong(graph, fusion, g, operand, fastest, rows);
      // Where nothing that is read lies along the contracted axis, tiles are read along the other one.
      if (!reads.some(({ axes, along, isShared }) => !isShared && axes.at(-1) === along)) continue;
      for (const { id, axes, along, isShared } of reads) {
        if (!isShared || !axes.includes(along) || axes.at(-1) === along) continue;
        if (!isScratch(fusion, id) || orders.has(id)) continue;
        orders.set(id, [...axes.filter((axis) => axis !== along), along]);
      }
    }
  }
  return orders;
}

/** A value in a buffer of its own. */
const isScratch = ({ home, joint }: Fusion, id: NodeId): boolean => home.has(id) && !joint.has(id);

interface ReadAlong {
  readonly id: NodeId;
  readonly axes: readonly AxisId[];
  /** What the contracted axis is called there. */
  readonly along: AxisId;
  /** Whether all rows of the product share it. */
  readonly isShared: boolean;
}

/** What kernel `g` loads to compute a value: leaves, and what others have stored. */
function readsAlong(
  graph: Graph,
  fusion: Fusion,
  g: number,
  value: NodeId,
  contracted: AxisId,
  ofRows: readonly AxisId[],
): readonly ReadAlong[] {
  const reads: ReadAlong[] = [];
  const seen = new Set<string>();
  const visit = (id: NodeId, along: AxisId | undefined, rows: readonly AxisId[]): void => {
    const node = graph.nodes[id];
    const key = [id, along, ...rows].join(" ");
    if (node === undefined || along === undefined || seen.has(key)) return;
    seen.add(key);
    const home = fusion.home.get(id);
    const args = operands(node);
    if ((home !== undefined && home !== g) || args.length === 0) {
      const { axes } = node.type;
      reads.push({ id, axes, along, isShared: !rows.some((axis) => axes.includes(axis)) });
      return;
    }
    for (const [k, arg] of args.entries())
      visit(
        arg,
        nameIn(graph, node, k, along),
        rows.flatMap((axis) => nameIn(graph, node, k, axis) ?? []),
      );
  };
  visit(value, contracted, ofRows);
  return reads;
}

/** What a node's k-th operand calls an axis of the node; undefined where it has none such. */
function nameIn(graph: Graph, node: Node, k: number, axis: AxisId): AxisId | undefined {
  switch (node.kind) {
    case "rename": {
      const renamed = node.axes.find(({ to }) => to === axis);
      return renamed?.from ?? (node.axes.some(({ from }) => from === axis) ? undefined : axis);
    }
    case "concat":
      return node.axis === axis ? graph.axes.get(axis)?.parts?.[k]?.axes.at(-1) : axis;
    case "chunk":
      return node.steps === axis ? node.of : axis;
    default:
      return axis;
  }
}
