/** What a run is given, found by name when a node asks for it. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Graph, Input, NodeId, Param, ParamId, State, StateId } from "../3-graph/types.js";
import { carriedAxes, documentsOf } from "./documents.js";
import { probeOf } from "./linearity.js";
import type { Scope } from "./run.js";
import { positionKey, type Sizes } from "./sizes.js";
import type { InterpretOptions, Values } from "./types.js";
import { fromValues, shapeOf, type Layout } from "./values.js";
import { constant, type SizeOf, type View } from "./view.js";

export function makeScope(
  graph: Graph,
  options: InterpretOptions,
  { sizeOf, numbers }: Sizes,
  views: ReadonlyMap<NodeId, View>,
): Scope {
  const initial = graph.states.map((state) => initialOf(state, options, sizeOf));
  const params = new Map<ParamId, View>();
  return {
    graph,
    sizeOf,
    number: (name) => numbers.get(name) ?? missing(`the run-time number \`${name}\``),
    start: (axis) => options.positions?.[positionKey(graph, axis)] ?? 0,
    input: (name) => inputOf(graph.inputs, name, options, sizeOf),
    param: (id) => {
      const view = params.get(id) ?? paramOf(graph, id, options);
      params.set(id, view);
      return view;
    },
    initial: (id) => initial[id] ?? absent(`state #${id}`),
    probe: (id) => probeOf(stateOf(graph, id), sizeOf),
    view: (id) => views.get(id) ?? absent(`value of %${id}`),
  };
}

function inputOf(inputs: readonly Input[], name: string, options: InterpretOptions, sizeOf: SizeOf): View {
  const input = inputs.find((i) => i.name === name) ?? absent(`input \`${name}\``);
  const values = options.inputs?.[name] ?? missing(`input \`${name}\``);
  return fromValues(values, { ...layoutOf(input, sizeOf), scalar: input.scalar }, `input \`${name}\``);
}

function paramOf(graph: Graph, id: ParamId, options: InterpretOptions): View {
  const param = graph.params[id] ?? absent(`parameter #${id}`);
  const valuesOf = ({ name, sources }: Pick<Param, "name" | "sources">): Values | undefined =>
    [name, ...sources].flatMap((key) => options.params?.[key] ?? [])[0];
  const what = `parameter \`${param.name}\``;
  const shape = param.shape ?? param.layout.map((slot) => slot.size);
  const values = valuesOf(param) ?? joined(param, shape, valuesOf);
  return fromValues(values ?? missing(what), { slots: param.layout, shape, scalar: param.scalar }, what);
}

/** The pieces of a parameter one after the other. */
function joined(
  { pieces, scalar }: Param,
  shape: readonly number[],
  valuesOf: (tensor: Pick<Param, "name" | "sources">) => Values | undefined,
): Values | undefined {
  if (pieces === undefined) return undefined;
  const data = pieces.tensors.flatMap((tensor) => {
    const what = `parameter \`${tensor.name}\``;
    const values = valuesOf(tensor) ?? missing(what);
    fromValues(values, { slots: [], shape: pieces.shape, scalar }, what);
    return Array.from(values.data);
  });
  return { shape, data: Float64Array.from(data) };
}

function initialOf(state: State, options: InterpretOptions, sizeOf: SizeOf): View {
  const values = options.states?.[state.name];
  if (values === undefined) return constant(state.init, state.scalar);
  const layout =
    documentsOf(state) === undefined
      ? layoutOf(state, sizeOf)
      : layoutOf({ axes: carriedAxes(state) }, sizeOf);
  return fromValues(values, { ...layout, scalar: state.scalar }, `state \`${state.name}\``);
}

function layoutOf(
  entry: Pick<Input | State, "axes" | "dimensions">,
  sizeOf: SizeOf,
): Pick<Layout, "slots" | "shape"> {
  return {
    slots: entry.axes.map((axis) => ({ axis, size: sizeOf(axis) })),
    shape: shapeOf(entry, sizeOf),
  };
}

function stateOf(graph: Graph, id: StateId): State {
  return graph.states[id] ?? absent(`state #${id}`);
}

/** The caller's mistake. */
function missing(what: string): never {
  throw new Error(`interpret: ${what} is missing`);
}

/** The graph's mistake. */
function absent(what: string): never {
  throw new InternalError("interpret", `no ${what}`);
}
