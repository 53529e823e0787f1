/**
 * The oracle: evaluates a graph in float64, straight from its equations. It shares no code with passes or kernels, works
 * on the graph of every stage, and is what they are held against.
 *
 * Everything that is no recurrence is evaluated whole, node by node. Nodes that depend on their own past are stepped
 * over time together. A recurrence that is no step-by-step one (attention inside it) is iterated to its fixed point,
 * which causality reaches in as many rounds as there are steps.
 */
import type { Graph, NodeId } from "../3-graph/types.js";
import { advance, carried } from "./carry.js";
import { evaluate, lastUses } from "./evaluate.js";
import { checkLinear } from "./linearity.js";
import { components } from "./order.js";
import { makePlan } from "./plan.js";
import { makeScope } from "./scope.js";
import { resolveSizes } from "./sizes.js";
import type { Interpretation, InterpretOptions } from "./types.js";
import { shapeOf, toTensor } from "./values.js";
import type { View } from "./view.js";

export type { Interpretation, InterpretOptions, Tensor, Values } from "./types.js";

/** Evaluates the graph. Throws `Error` for values that are missing or of the wrong shape, `InternalError` for an ill-formed graph. */
export function interpret(graph: Graph, options: InterpretOptions): Interpretation {
  const sizes = resolveSizes(graph, options.sizes ?? {}, options.inputs ?? {});
  const views = new Map<NodeId, View>();
  const scope = makeScope(graph, options, sizes, views);
  const plan = makePlan(graph);
  const roots = [
    ...graph.outputs.map((output) => output.value),
    ...graph.states.map((state) => state.equation.value),
    ...plan.checks.flatMap((check) => [check.a, check.b, check.probe, check.atProbe]),
  ];
  const order = components(graph, plan, roots);
  const drop = lastUses(order, roots);
  order.forEach((component, k) => {
    evaluate(component, scope, views);
    for (const id of drop[k] ?? []) views.delete(id);
  });
  for (const check of plan.checks) checkLinear(check, plan, scope);

  const outputs = Object.fromEntries(
    graph.outputs.map((output) => {
      const value = scope.view(output.value);
      const scalar = plan.items.get(output.value)?.type.scalar ?? "f32";
      const tensor = toTensor(value, output.axes, scalar, sizes.sizeOf);
      return [output.name, { ...tensor, shape: shapeOf(output, sizes.sizeOf) }];
    }),
  );
  const states = Object.fromEntries(graph.states.map((state) => [state.name, carried(state, scope)]));
  return { outputs, states, positions: advance(graph, options.positions ?? {}, sizes.numbers) };
}
