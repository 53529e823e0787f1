/** Sums of products: an expression as the terms that it adds up, each the factors that it multiplies. */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { AxisId, Graph, Node, NodeId } from "../../3-graph/types.js";
import { dependents, type NodeRange } from "../linear.js";

/** A node, one over it, or whether it is (not) true, as 1 and 0. */
export interface Factor {
  readonly node: NodeId;
  readonly as: "value" | "reciprocal" | "where" | "unless";
}

export interface Term {
  readonly scale: number;
  /** The variable that the term is linear in; absent in those that read none. */
  readonly variable?: NodeId;
  readonly factors: readonly Factor[];
}

/**
 * The terms of `root`, linear in the variables, none of which stands before `first`: none of their factors reads one. Sums that read no variable are taken
 * apart at the top alone; within a product they are a factor. Or the node that is not linear.
 */
export function termsOf(
  graph: Graph,
  root: NodeId,
  isVariable: (node: Node) => boolean,
  first: NodeId,
): readonly Term[] | { readonly obstacle: Node } {
  const expansion = new Expansion(graph, isVariable, { from: first, to: root });
  const terms = expansion.visit(root, false);
  return expansion.obstacle === undefined ? terms : { obstacle: expansion.obstacle };
}

/** The products of every term of one list with every term of the other; undefined where both are linear in a variable. */
export function crossed(left: readonly Term[], right: readonly Term[]): readonly Term[] | undefined {
  const products: Term[] = [];
  for (const x of left)
    for (const y of right) {
      if (x.variable !== undefined && y.variable !== undefined) return undefined;
      const variable = x.variable ?? y.variable;
      products.push({
        scale: x.scale * y.scale,
        ...(variable === undefined ? {} : { variable }),
        factors: [...x.factors, ...y.factors],
      });
    }
  return products;
}

/** The axes of a product of factors. */
export function axesOf(graph: Graph, factors: readonly Factor[]): ReadonlySet<AxisId> {
  return new Set(factors.flatMap(({ node }) => graph.nodes[node]?.type.axes ?? []));
}

class Expansion {
  obstacle: Node | undefined;
  private readonly reads: ReadonlySet<NodeId>;

  constructor(
    private readonly graph: Graph,
    private readonly isVariable: (node: Node) => boolean,
    range: NodeRange,
  ) {
    this.reads = dependents(graph, isVariable, range);
  }

  visit(id: NodeId, inProduct: boolean): readonly Term[] {
    const node = this.graph.nodes[id];
    if (node === undefined) throw new InternalError("decay", `no node %${id}`);
    if (this.isVariable(node)) return [{ scale: 1, variable: id, factors: [] }];
    if (node.kind === "scalar") return [{ scale: node.value, factors: [] }];
    const atom: readonly Term[] = [{ scale: 1, factors: [{ node: id, as: "value" }] }];
    const found = node.kind === "map" ? this.map(node, inProduct) : undefined;
    if (found !== undefined) return found;
    if (this.reads.has(id)) this.obstacle ??= node;
    return atom;
  }

  /** Undefined for functions that are no sum or product. */
  private map(node: Node & { readonly kind: "map" }, inProduct: boolean): readonly Term[] | undefined {
    const [x, y, z] = node.args;
    if (x === undefined) return undefined;
    const isSum = this.reads.has(node.id) || !inProduct;
    switch (node.fn) {
      case "neg":
        return scaled(this.visit(x, inProduct), -1);
      case "add":
      case "sub":
        if (y === undefined || !isSum) return undefined;
        return [...this.visit(x, inProduct), ...scaled(this.visit(y, inProduct), node.fn === "add" ? 1 : -1)];
      case "mul":
        if (y === undefined) return undefined;
        return crossed(this.visit(x, true), this.visit(y, true));
      case "div":
        if (y === undefined || this.reads.has(y)) return undefined;
        return this.visit(x, true).map((term) => divided(term, this.graph.nodes[y]));
      case "select": {
        if (y === undefined || z === undefined || !this.reads.has(node.id) || this.reads.has(x))
          return undefined;
        const when = (terms: readonly Term[], as: "where" | "unless"): readonly Term[] =>
          terms
            .filter(({ scale }) => scale !== 0)
            .map((term) => ({ ...term, factors: [...term.factors, { node: x, as }] }));
        return [...when(this.visit(y, true), "where"), ...when(this.visit(z, true), "unless")];
      }
      default:
        return undefined;
    }
  }
}

const scaled = (terms: readonly Term[], by: number): readonly Term[] =>
  terms.map((term) => ({ ...term, scale: term.scale * by }));

function divided(term: Term, by: Node | undefined): Term {
  if (by?.kind === "scalar") return { ...term, scale: term.scale / by.value };
  return by === undefined ? term : { ...term, factors: [...term.factors, { node: by.id, as: "reciprocal" }] };
}
