/**
 * A product reads an element of an operand for each row or column of tiles, and one that the operand is broadcast from
 * for each of its copies too. What is dear to compute and broadcast there (softplus of a step, one for a whole head) is
 * computed once, by a small kernel before the first that reads it.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, MapFn, Node, NodeId } from "../3-graph/types.js";
import type { Fusion } from "./fuse.js";
import { storeBefore } from "./store-before.js";

/** Functions of ten operations and more: polynomials in templates/kernels/math.ts. */
const DEAR: ReadonlySet<MapFn> = new Set<MapFn>([
  ...(["pow", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "phi"] as const),
]);
/** How often a value must be computed anew to be worth a launch. */
const FEWEST_COPIES = 16;

export function share(graph: Graph, fusion: Fusion): Fusion {
  let shared = fusion;
  const wanted = new Set<NodeId>();
  for (const group of fusion.groups) {
    const root = graph.nodes[group.root];
    if (group.kind !== "contract" || root?.kind !== "dot") continue;
    for (const side of [root.lhs, root.rhs]) for (const id of dearIn(graph, fusion, side)) wanted.add(id);
  }
  for (const id of [...wanted].sort((p, q) => p - q)) {
    shared = storeBefore(graph, shared, [id], { kind: "shared" }) ?? shared;
  }
  return shared;
}

/** Values under `root` that no kernel stores, that are dear, and that `root` has many copies of. */
function dearIn(graph: Graph, fusion: Fusion, root: NodeId): readonly NodeId[] {
  const found: NodeId[] = [];
  const visit = (id: NodeId, axes: readonly AxisId[]): void => {
    const node = graph.nodes[id];
    if (node === undefined || fusion.home.has(id)) return;
    if (node.kind === "map") {
      const isReal = node.type.scalar === "f32" || node.type.scalar === "c64";
      if (isReal && copies(graph, axes, node.type.axes) >= FEWEST_COPIES && isDear(graph, fusion, node))
        found.push(id);
      else for (const arg of node.args) visit(arg, axes);
      return;
    }
    const under = axesUnder(node, axes);
    if (under !== undefined) for (const arg of operands(node)) visit(arg, under);
  };
  visit(root, graph.nodes[root]?.type.axes ?? []);
  return found;
}

/** The axes as the operand of a view knows them; undefined for what is no view. */
function axesUnder(node: Node, axes: readonly AxisId[]): readonly AxisId[] | undefined {
  switch (node.kind) {
    case "rename":
      return axes.map((axis) => node.axes.find(({ to }) => to === axis)?.from ?? axis);
    case "chunk":
      return [...axes.filter((axis) => axis !== node.chunks && axis !== node.steps), node.of];
    case "slice":
      return [...axes.filter((axis) => !node.to.includes(axis)), node.axis];
    default:
      return undefined;
  }
}

/** Elements along the axes that the value lacks. */
function copies(graph: Graph, axes: readonly AxisId[], own: readonly AxisId[]): number {
  return axes
    .filter((axis) => !own.includes(axis))
    .reduce((product, axis) => {
      const size = graph.axes.get(axis)?.size;
      return typeof size === "number" ? product * size : product;
    }, 1);
}

/** Whether computing the value from what is stored takes a dear function. */
function isDear(graph: Graph, fusion: Fusion, root: Node): boolean {
  const visit = (id: NodeId): boolean => {
    const node = graph.nodes[id];
    if (node?.kind !== "map" || fusion.home.has(id)) return false;
    return DEAR.has(node.fn) || node.args.some(visit);
  };
  return visit(root.id);
}
