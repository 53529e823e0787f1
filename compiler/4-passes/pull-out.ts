/**
 * Factors that a contraction does not touch leave it: Σ_m (x·w·s) with s lacking m is s·Σ_m x·w. So a norm's scale is
 * applied once to each result, and not to each element of each tile. For products with a parameter: those are the tiled ones.
 */
import { originOf, rewrite, type RewriteContext } from "../3-graph/rewrite.js";
import type { AxisId, Graph, NodeId } from "../3-graph/types.js";
import type { Pass } from "./pass.js";
import { parameterOnly } from "./uses.js";

export const pullOut: Pass = {
  name: "pull-out",
  run(graph) {
    const known = parameterOnly(graph);
    return rewrite(graph, {
      visit(node, context) {
        if (node.kind !== "dot" || !known.has(node.lhs) === !known.has(node.rhs)) return context.copy(node);
        const lhs = split(node.lhs, node.over, graph, context);
        const rhs = split(node.rhs, node.over, graph, context);
        const outside = [...lhs.outside, ...rhs.outside];
        if (outside.length === 0) return context.copy(node);
        const origin = { spans: node.spans };
        const dot = context.builder.add(
          { kind: "dot", lhs: lhs.inside, rhs: rhs.inside, over: node.over },
          origin,
        );
        const value = outside.reduce(
          (product, factor) =>
            context.builder.add({ kind: "map", fn: "mul", args: [product, factor] }, origin),
          dot,
        );
        const { name } = originOf(node);
        if (name !== undefined) context.builder.rename(value, name);
        return value;
      },
    });
  },
};

/** The factors of a product with and without the contracted axes. At least one factor stays inside. */
function split(
  id: NodeId,
  over: readonly AxisId[],
  graph: Graph,
  context: RewriteContext,
): { readonly inside: NodeId; readonly outside: readonly NodeId[] } {
  const node = graph.nodes[id];
  if (node?.kind !== "map" || node.fn !== "mul") return { inside: context.at(id), outside: [] };
  const [x, y] = node.args;
  if (x === undefined || y === undefined) return { inside: context.at(id), outside: [] };
  const contracted = (arg: NodeId): boolean =>
    graph.nodes[arg]?.type.axes.some((a) => over.includes(a)) ?? true;
  if (contracted(x) && contracted(y)) {
    const left = split(x, over, graph, context);
    const right = split(y, over, graph, context);
    const outside = [...left.outside, ...right.outside];
    if (outside.length === 0) return { inside: context.at(id), outside };
    const args = [left.inside, right.inside];
    return { inside: context.builder.add({ kind: "map", fn: "mul", args }, { spans: node.spans }), outside };
  }
  if (!contracted(x) && !contracted(y)) return { inside: context.at(id), outside: [] };
  const [keep, leave] = contracted(x) ? [x, y] : [y, x];
  const inner = split(keep, over, graph, context);
  return { inside: inner.inside, outside: [...inner.outside, context.at(leave)] };
}
