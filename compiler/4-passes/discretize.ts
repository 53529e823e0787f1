/**
 * Continuous equations become discrete ones (Gu & Dao 2023, eq. 4, and its kin): der(h) = a·h + b is brought into affine
 * form, and the rule's discrete form gets its a and b.
 */
import { nonlinear } from "../diagnostics/codes/recurrences.js";
import { originOf, rewrite, type RewriteContext } from "../3-graph/rewrite.js";
import type { MapFn, Node, NodeId, StateId } from "../3-graph/types.js";
import { affineForm, type AffineForm } from "./linear.js";
import type { Pass } from "./pass.js";

const KEEPS_NOTHING: ReadonlySet<MapFn> = new Set<MapFn>(["mul", "div", "neg"]);

export const discretize: Pass = {
  name: "discretize",
  run(graph, { sink }) {
    const forms = new Map<StateId, AffineForm>();
    /** The node of each state's continuous variable: structurally equal nodes are one. */
    const variables = new Map<StateId, NodeId>();
    for (const node of graph.nodes) if (node.kind === "continuous") variables.set(node.state, node.id);
    /** What is 0 because an equation has no such term, whatever it is multiplied by. */
    const absent = new Set<NodeId>();
    return rewrite(graph, {
      visit(node, context) {
        const zero = (): NodeId => {
          absent.add(node.id);
          return context.builder.add({ kind: "scalar", value: 0 }, { spans: node.spans });
        };
        if (node.kind === "map" && KEEPS_NOTHING.has(node.fn)) {
          node.args.forEach(context.at);
          const factors = node.fn === "div" ? node.args.slice(0, 1) : node.args;
          if (factors.some((id) => absent.has(id))) return zero();
        }
        if (node.kind === "reduce") return reduced(node, context);
        if (node.kind !== "coefficient") return context.copy(node);
        const state = graph.states[node.state];
        let form = forms.get(node.state);
        if (form === undefined && state?.equation.kind === "continuous") {
          const from = variables.get(node.state);
          const found = affineForm(state.equation.rhs, {
            graph,
            isVariable: (n) => n.kind === "continuous" && n.state === node.state,
            ...(from !== undefined && { from }),
            builder: context.builder,
            at: context.at,
          });
          if ("obstacle" in found) {
            const at = found.obstacle.spans[0];
            const equation = state.spans[0];
            if (at !== undefined && equation !== undefined) sink.report(nonlinear(at, state.name, equation));
          }
          form = "obstacle" in found ? {} : found;
          forms.set(node.state, form);
        }
        return (node.of === "a" ? form?.a : form?.b) ?? zero();
      },
      equation: (_, equation, context) => ({ kind: "discrete", value: context.at(equation.value) }),
    });
  },
};

/** A coefficient may lack axes of its state: what is reduced over them is the same all along. */
function reduced(node: Node & { readonly kind: "reduce" }, context: RewriteContext): NodeId {
  const { builder, at, operation } = context;
  const { axes } = builder.typeOf(at(node.arg));
  const missing = node.over.filter((axis) => !axes.includes(axis));
  if (missing.length === 0) return context.copy(node);
  const spans = { spans: node.spans };
  const along = missing.reduce((value, axis) => {
    const index = builder.add({ kind: "coordinate", axis }, spans);
    const zero = builder.add({ kind: "scalar", value: 0 }, spans);
    const nothing = builder.add({ kind: "map", fn: "mul", args: [zero, index] }, spans);
    return builder.add({ kind: "map", fn: "add", args: [value, nothing] }, spans);
  }, at(node.arg));
  return builder.add(
    operation(node, (old) => (old === node.arg ? along : at(old))),
    originOf(node),
  );
}
