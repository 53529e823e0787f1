/**
 * The oracle: evaluates a graph in float64, straight from its equations. It shares no code with passes or kernels, works
 * on the graph of every stage, and is what they are held against.
 *
 * Everything that is no recurrence is evaluated whole, node by node. Nodes that depend on their own past are stepped
 * over time together. A recurrence that is no step-by-step one (attention inside it) is iterated to its fixed point,
 * which causality reaches in as many rounds as there are steps.
 */
import type { Graph, NodeId, Output, State } from "../3-graph/types.js";
import { advance, carried } from "./carry.js";
import { carriedFrom } from "./documents.js";
import { evaluateAll, type Use } from "./evaluate.js";
import { checkLinear } from "./linearity.js";
import { components } from "./order.js";
import type { Scope } from "./run.js";
import { makePlan, type Plan } from "./plan.js";
import { makeScope } from "./scope.js";
import { resolveSizes } from "./sizes.js";
import type { Interpretation, InterpretOptions, Tensor } from "./types.js";
import { shapeOf, toTensor } from "./values.js";
import type { View } from "./view.js";

export type { Interpretation, InterpretOptions, Tensor, Values } from "./types.js";

/** Evaluates the graph. Throws `Error` for values that are missing or of the wrong shape, `InternalError` for an ill-formed graph. */
export function interpret(graph: Graph, options: InterpretOptions): Interpretation {
  const sizes = resolveSizes(graph, options.sizes ?? {}, options.inputs ?? {});
  const views = new Map<NodeId, View>();
  const scope = makeScope(graph, options, sizes, views);
  const plan = makePlan(graph);
  const outputs = new Map<string, Tensor>();
  const states = new Map<string, Tensor>();

  // In this order, so that every layer's checks and states are done, and its numbers dropped, before the next.
  const uses: readonly Use[] = [
    ...plan.checks.map((check) => ({
      reads: [check.a, check.b, check.probe, check.atProbe],
      run: () => {
        checkLinear(check, plan, scope);
      },
    })),
    ...graph.states.filter(isCarried).map((state) => ({
      reads: carriedFrom(state),
      run: () => states.set(state.name, carried(state, scope)),
    })),
    ...graph.outputs.map((output) => ({
      reads: [output.value],
      run: () => outputs.set(output.name, outputTensor(output, plan, scope)),
    })),
  ];
  const roots = uses.flatMap(({ reads }) => reads);
  evaluateAll(components(graph, plan, roots), uses, scope, views);
  return {
    outputs: inOrder(graph.outputs, outputs),
    states: inOrder(graph.states.filter(isCarried), states),
    positions: advance(graph, options.positions ?? {}, sizes.numbers),
  };
}

const isCarried = ({ kind }: State): boolean => kind !== "local";

function outputTensor(output: Output, plan: Plan, scope: Scope): Tensor {
  const scalar = plan.items.get(output.value)?.type.scalar ?? "f32";
  const tensor = toTensor(scope.view(output.value), output.axes, scalar, scope.sizeOf);
  return { ...tensor, shape: shapeOf(output, scope.sizeOf) };
}

/** As the graph declares them, whenever they were done. */
function inOrder(
  entries: readonly { readonly name: string }[],
  done: ReadonlyMap<string, Tensor>,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    entries.flatMap(({ name }) => {
      const tensor = done.get(name);
      return tensor === undefined ? [] : [[name, tensor]];
    }),
  );
}
