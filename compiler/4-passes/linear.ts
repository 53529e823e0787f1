/**
 * The affine normal form: a node as a·s + b, where s is one variable (a state's `prev` or `continuous`), and neither a
 * nor b reads s. Shared by discretize (der(h) = a·h + b) and by chunking (h = a·prev(h) + b).
 */
import type { GraphBuilder } from "../3-graph/build.js";
import { operands } from "../3-graph/rewrite.js";
import type { Graph, MapFn, Node, NodeId } from "../3-graph/types.js";

export interface AffineForm {
  /** Absent: zero. */
  readonly a?: NodeId;
  readonly b?: NodeId;
}

/** Nodes from one id to another, both with it. Operands have lower ids: what `to` reads is at most `to`. */
export interface NodeRange {
  readonly from: NodeId;
  readonly to: NodeId;
}

/**
 * The nodes in the range whose value depends on a node in it that `isVariable`, through operands alone (not through
 * states). A deep model asks this for each of its layers: a range keeps it from going through all of them every time.
 */
export function dependents(
  graph: Graph,
  isVariable: (node: Node) => boolean,
  { from, to }: NodeRange,
): ReadonlySet<NodeId> {
  const found = new Set<NodeId>();
  for (let id = from; id <= to; id++) {
    const node = graph.nodes[id];
    if (node !== undefined && (isVariable(node) || operands(node).some((read) => found.has(read))))
      found.add(id);
  }
  return found;
}

export interface AffineRequest {
  readonly graph: Graph;
  readonly isVariable: (node: Node) => boolean;
  /** No variable stands before this one. Default: the graph's first node. */
  readonly from?: NodeId;
  readonly builder: GraphBuilder;
  /** The new node for an old one that does not read the variable. */
  readonly at: (id: NodeId) => NodeId;
}

/** The affine form of `root` in new nodes, or the node that stands in its way. */
export function affineForm(root: NodeId, request: AffineRequest): AffineForm | { readonly obstacle: Node } {
  const { graph, builder, at } = request;
  const reads = dependents(graph, request.isVariable, { from: request.from ?? (0 as NodeId), to: root });
  let obstacle: Node | undefined;

  const map = (fn: MapFn, origin: Node, ...args: NodeId[]): NodeId =>
    builder.add({ kind: "map", fn, args }, { spans: origin.spans });
  const plus = (x: NodeId | undefined, y: NodeId | undefined, node: Node): NodeId | undefined =>
    x === undefined ? y : y === undefined ? x : map("add", node, x, y);
  const scale = (fn: "mul" | "div", x: NodeId | undefined, by: NodeId, node: Node): NodeId | undefined =>
    x === undefined ? undefined : map(fn, node, x, by);
  const form = (a: NodeId | undefined, b: NodeId | undefined): AffineForm => ({
    ...(a === undefined ? {} : { a }),
    ...(b === undefined ? {} : { b }),
  });

  const visit = (id: NodeId): AffineForm => {
    const node = graph.nodes[id];
    if (node === undefined || !reads.has(id)) return { b: at(id) };
    if (request.isVariable(node))
      return { a: builder.add({ kind: "scalar", value: 1 }, { spans: node.spans }) };
    if (node.kind === "map") {
      const [x, y, z] = node.args;
      if (node.fn === "neg" && x !== undefined) {
        const { a, b } = visit(x);
        return form(
          a === undefined ? undefined : map("neg", node, a),
          b === undefined ? undefined : map("neg", node, b),
        );
      }
      if ((node.fn === "add" || node.fn === "sub") && x !== undefined && y !== undefined) {
        const left = visit(x);
        const right = visit(y);
        const sign = (v: NodeId | undefined): NodeId | undefined =>
          v === undefined || node.fn === "add" ? v : map("neg", node, v);
        return form(plus(left.a, sign(right.a), node), plus(left.b, sign(right.b), node));
      }
      if (node.fn === "mul" && x !== undefined && y !== undefined && reads.has(x) !== reads.has(y)) {
        const [inner, factor] = reads.has(x) ? [x, y] : [y, x];
        const { a, b } = visit(inner);
        return form(scale("mul", a, at(factor), node), scale("mul", b, at(factor), node));
      }
      if (node.fn === "div" && x !== undefined && y !== undefined && !reads.has(y)) {
        const { a, b } = visit(x);
        return form(scale("div", a, at(y), node), scale("div", b, at(y), node));
      }
      if (node.fn === "select" && x !== undefined && y !== undefined && z !== undefined && !reads.has(x)) {
        const yes = visit(y);
        const no = visit(z);
        const zero = builder.add({ kind: "scalar", value: 0 }, { spans: node.spans });
        const pick = (p: NodeId | undefined, q: NodeId | undefined): NodeId | undefined =>
          p === undefined && q === undefined ? undefined : map("select", node, at(x), p ?? zero, q ?? zero);
        return form(pick(yes.a, no.a), pick(yes.b, no.b));
      }
    }
    obstacle ??= node;
    return {};
  };
  const result = visit(root);
  return obstacle === undefined ? result : { obstacle };
}
