/**
 * Products regrouped by axes: step·(B·x) becomes (step·x)·B, so that what has few axes is computed once for many
 * elements; and e^(x·p) becomes 2^(x·(p·log2 e)) where p is known at load, since 2^x is what the hardware computes. Of a
 * complex p, the angle x·im p then counts half turns, of which whole ones are a matter of sign.
 */
import type { IdSet } from "../3-graph/id-set.js";
import { originOf, rewrite, type RewriteContext } from "../3-graph/rewrite.js";
import type { AxisId, Graph, MapFn, Node, NodeId } from "../3-graph/types.js";
import type { Pass } from "./pass.js";
import { parameterOnly, useCounts } from "./uses.js";

export const products: Pass = {
  name: "products",
  run(graph) {
    const uses = useCounts(graph);
    const known = parameterOnly(graph);
    const isProduct = (node: Node | undefined): node is Node & { kind: "map" } =>
      node?.kind === "map" && node.fn === "mul" && node.type.scalar !== "index";
    /** Factors of a product, through products that nothing else reads. */
    const factors = (id: NodeId, root: boolean): NodeId[] => {
      const node = graph.nodes[id];
      if (!isProduct(node) || (!root && (uses[id] ?? 0) > 1)) return [id];
      return node.args.flatMap((arg) => factors(arg, false));
    };
    return rewrite(graph, {
      visit(node, context) {
        if (isProduct(node)) {
          const all = factors(node.id, true);
          return all.length > 2 ? regrouped(all, node, graph, context) : context.copy(node);
        }
        if (
          node.kind === "map" &&
          node.fn === "exp" &&
          (node.type.scalar === "f32" || node.type.scalar === "c64")
        )
          return asPowerOfTwo(node, graph, known, context);
        return context.copy(node);
      },
    });
  },
};

function regrouped(all: readonly NodeId[], product: Node, graph: Graph, context: RewriteContext): NodeId {
  const { builder } = context;
  const mul = (x: NodeId, y: NodeId): NodeId =>
    builder.add({ kind: "map", fn: "mul", args: [x, y] }, { spans: product.spans });
  const groups = new Map<string, { readonly axes: readonly AxisId[]; value: NodeId }>();
  for (const id of all) {
    const axes = graph.nodes[id]?.type.axes ?? [];
    const group = groups.get(axes.join());
    if (group === undefined) groups.set(axes.join(), { axes, value: context.at(id) });
    else group.value = mul(group.value, context.at(id));
  }
  const rest = [...groups.values()].sort((p, q) => p.axes.length - q.axes.length);
  const roots: typeof rest = [];
  for (const [k, group] of rest.entries()) {
    const [wider] = rest
      .slice(k + 1)
      .filter((other) => group.axes.every((a) => other.axes.includes(a)))
      .sort((p, q) => elements(graph, p.axes) - elements(graph, q.axes));
    if (wider === undefined) roots.push(group);
    else wider.value = mul(wider.value, group.value);
  }
  const value = roots.map((group) => group.value).reduce(mul);
  if (product.name !== undefined) builder.rename(value, product.name);
  return value;
}

/** Elements along the axes of known size: what a product over them costs. */
function elements(graph: Graph, axes: readonly AxisId[]): number {
  return axes.reduce((product, axis) => {
    const size = graph.axes.get(axis)?.size;
    return typeof size === "number" ? product * size : product;
  }, axes.length);
}

function asPowerOfTwo(
  node: Node & { kind: "map" },
  graph: Graph,
  known: IdSet<NodeId>,
  context: RewriteContext,
): NodeId {
  const arg = graph.nodes[node.args[0] ?? -1];
  if (arg?.kind !== "map" || arg.fn !== "mul" || known.has(node.id)) return context.copy(node);
  const [x, y] = arg.args;
  if (x === undefined || y === undefined) return context.copy(node);
  const [factor, rest] = known.has(x) ? [x, y] : [y, x];
  if (!known.has(factor) || graph.nodes[rest]?.type.scalar === "c64") return context.copy(node);
  const { builder } = context;
  const origin = { spans: node.spans };
  const map = (fn: MapFn, ...args: NodeId[]): NodeId => builder.add({ kind: "map", fn, args }, origin);
  const times = (of: NodeId, value: number): NodeId =>
    map("mul", of, builder.add({ kind: "scalar", value }, origin));
  const p = context.at(factor);
  const isComplex = node.type.scalar === "c64";
  const scaled = isComplex
    ? map("complex", times(map("re", p), Math.LOG2E), times(map("im", p), 1 / Math.PI))
    : times(p, Math.LOG2E);
  const power = map("mul", context.at(rest), scaled);
  return builder.add({ kind: "map", fn: isComplex ? "polar" : "exp2", args: [power] }, originOf(node));
}
