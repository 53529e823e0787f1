/**
 * Dots of one operand with several parts of one stacked parameter become one dot with the whole parameter, sliced:
 * dot(w_x, u), dot(w_z, u) are one matrix product of twice the width.
 */
import { live, originOf, rewrite } from "../3-graph/rewrite.js";
import type { Span } from "../diagnostics/types.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";
import type { Pass } from "./pass.js";

interface StackedDot {
  /** The whole parameter, the part's slice, and the other operand. */
  readonly whole: NodeId;
  readonly slice: Node & { kind: "slice" };
  readonly other: NodeId;
  readonly key: string;
}

export const stackedDots: Pass = {
  name: "stacked-dots",
  run(graph) {
    const alive = live(graph);
    const dots = new Map<NodeId, StackedDot>();
    /** The spans of the dots that become one. */
    const partners = new Map<string, (readonly Span[])[]>();
    for (const node of graph.nodes) {
      const dot = alive.nodes.has(node.id) ? stacked(node, graph) : undefined;
      if (dot === undefined) continue;
      dots.set(node.id, dot);
      partners.set(dot.key, [...(partners.get(dot.key) ?? []), node.spans]);
    }
    return rewrite(graph, {
      visit(node, context) {
        const dot = dots.get(node.id);
        const spans = dot === undefined ? [] : (partners.get(dot.key) ?? []);
        if (node.kind !== "dot" || dot === undefined || spans.length < 2) return context.copy(node);
        const whole = context.builder.add(
          { kind: "dot", lhs: context.at(dot.whole), rhs: context.at(dot.other), over: node.over },
          { spans: innermostFirst(spans) },
        );
        const { axis, start, to } = dot.slice;
        return context.builder.add({ kind: "slice", arg: whole, axis, start, to }, originOf(node));
      },
    });
  },
};

/** The places of several nodes as those of one: of all expressions, then of the calls around them, each once. */
function innermostFirst(spans: readonly (readonly Span[])[]): readonly Span[] {
  const depth = Math.max(0, ...spans.map((each) => each.length));
  const all = Array.from({ length: depth }, (_, k) => spans.flatMap((each) => each[k] ?? [])).flat();
  return [...new Map(all.map((span) => [JSON.stringify(span), span])).values()];
}

function stacked(node: Node, graph: Graph): StackedDot | undefined {
  if (node.kind !== "dot") return undefined;
  for (const [part, other] of [
    [node.lhs, node.rhs],
    [node.rhs, node.lhs],
  ] as const) {
    const slice = graph.nodes[part];
    if (slice?.kind !== "slice" || slice.to.length === 0) continue;
    const whole = graph.nodes[slice.arg];
    const otherAxes = graph.nodes[other]?.type.axes ?? [];
    if (whole?.kind !== "param" || slice.to.some((a) => node.over.includes(a) || otherAxes.includes(a)))
      continue;
    if (otherAxes.includes(slice.axis)) continue;
    const key = JSON.stringify([slice.arg, other, slice.axis, node.over]);
    return { whole: slice.arg, slice, other, key };
  }
  return undefined;
}
