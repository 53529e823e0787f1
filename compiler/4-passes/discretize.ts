/**
 * Continuous equations become discrete ones (Gu & Dao 2023, eq. 4, and its kin): der(h) = a·h + b is brought into affine
 * form, and the rule's discrete form gets its a and b.
 */
import { nonlinear } from "../diagnostics/codes/recurrences.js";
import { rewrite } from "../3-graph/rewrite.js";
import type { NodeId, StateId } from "../3-graph/types.js";
import { affineForm, type AffineForm } from "./linear.js";
import type { Pass } from "./pass.js";

export const discretize: Pass = {
  name: "discretize",
  run(graph, { sink }) {
    const forms = new Map<StateId, AffineForm>();
    /** The node of each state's continuous variable: structurally equal nodes are one. */
    const variables = new Map<StateId, NodeId>();
    for (const node of graph.nodes) if (node.kind === "continuous") variables.set(node.state, node.id);
    return rewrite(graph, {
      visit(node, context) {
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
        const zero = (): NodeId => context.builder.add({ kind: "scalar", value: 0 }, { spans: node.spans });
        return (node.of === "a" ? form?.a : form?.b) ?? zero();
      },
      equation: (_, equation, context) => ({ kind: "discrete", value: context.at(equation.value) }),
    });
  },
};
