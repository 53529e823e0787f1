/**
 * States that are angles (turning.ts) are kept as fractions of a turn: in f32 a sum of a million of them would be off by
 * radians, and so would its sine. Their sum is exact whatever order it is taken in, so that however time is cut there are
 * the same bits (docs/decisions/0017).
 */
import { InternalError } from "../diagnostics/internal-error.js";
import { originOf, rewrite, type RewriteContext } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId, StateId } from "../3-graph/types.js";
import { affineForm } from "./linear.js";
import type { Pass } from "./pass.js";
import { turningStates } from "./turning.js";

export const angles: Pass = {
  name: "angles",
  run(graph) {
    const found = turningStates(graph).filter(({ isTurned, misread }) => isTurned && misread === undefined);
    if (found.length === 0) return graph;
    const values = new Map(found.map(({ state }) => [state.equation.value, state.id] as const));
    const kept = new Set(found.map(({ state }) => state.id));
    const equations = new Map<StateId, NodeId>();
    return rewrite(graph, {
      scalar: ({ id, scalar }) => (kept.has(id) ? "angle" : scalar),
      visit(node, context) {
        const state = values.get(node.id);
        if (state !== undefined) {
          const value = turned(graph, node, state, context);
          equations.set(state, value);
          return asRadians(value, node, context);
        }
        const isBefore = node.kind === "prev" && kept.has(node.state);
        return isBefore ? asRadians(before(node, context), node, context) : context.copy(node);
      },
      equation(id) {
        const value = equations.get(id);
        return value === undefined ? undefined : { kind: "discrete", value };
      },
    });
  },
};

const before = (node: Node, { builder, operation }: RewriteContext): NodeId =>
  builder.add(operation(node), { spans: node.spans });

const asRadians = (angle: NodeId, node: Node, { builder }: RewriteContext): NodeId =>
  builder.add({ kind: "map", fn: "radians", args: [angle] }, originOf(node));

/** θ = prev(θ) + d, as an angle. */
function turned(graph: Graph, value: Node, state: StateId, context: RewriteContext): NodeId {
  const { builder, at } = context;
  const isBefore = (node: Node): boolean => node.kind === "prev" && node.state === state;
  const form = affineForm(value.id, { graph, isVariable: isBefore, builder, at });
  const last = graph.nodes.find(isBefore);
  if ("obstacle" in form || form.b === undefined || last === undefined)
    throw new InternalError("angles", `%${value.id} is no sum`);
  const { spans } = value;
  const by = builder.add({ kind: "map", fn: "angle", args: [form.b] }, { spans });
  return builder.add({ kind: "map", fn: "turn", args: [before(last, context), by] }, { spans });
}
