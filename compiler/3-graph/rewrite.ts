/** Rebuilding a graph node by node: how every pass makes a new graph from an old one. */
import { InternalError } from "../diagnostics/internal-error.js";
import { GraphBuilder, nodeOf, type Origin } from "./build.js";
import type {
  AxisId,
  Equation,
  Graph,
  Node,
  NodeId,
  Operation,
  Output,
  ParamId,
  State,
  StateId,
  TensorType,
} from "./types.js";

export interface RewriteContext {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  /** The new node that stands for an old one; the old one must have been visited. */
  readonly at: (old: NodeId) => NodeId;
  /** The node's operation with its operands replaced by the new ones, or by what `operand` gives. */
  readonly operation: (node: Node, operand?: (old: NodeId) => NodeId) => Operation;
  /** Adds the node unchanged but for its operands. */
  readonly copy: (node: Node) => NodeId;
}

export interface RewriteOptions {
  /** The new node for an old one. Called in order, for the nodes that outputs and kept states need. */
  readonly visit?: (node: Node, context: RewriteContext) => NodeId;
  /** The axes of the new graph; by default the old one's. */
  readonly axis?: (axis: AxisId) => AxisId;
  /** The time axis of a state in the new graph. Default: the old one, through `axis`. */
  readonly along?: (state: State) => AxisId;
  /** The equation of a state in the new graph. Default: the old one, through `at`. */
  readonly equation?: (state: StateId, equation: Equation, context: RewriteContext) => Equation | undefined;
  /** The new value of an output. Default: the old one, through `at`. */
  readonly output?: (output: Output, context: RewriteContext) => NodeId;
}

/** The nodes an operation reads. */
export function operands(operation: Operation): readonly NodeId[] {
  switch (operation.kind) {
    case "scalar":
    case "input":
    case "param":
    case "coordinate":
    case "continuous":
    case "coefficient":
      return [];
    case "prev":
      return given(operation.steps);
    case "map":
      return operation.args;
    case "reduce":
      return operation.where === undefined ? [operation.arg] : [operation.arg, operation.where];
    case "dot":
      return [operation.lhs, operation.rhs];
    case "gather":
      return [operation.table, operation.index];
    case "conv":
      return [operation.x, operation.w, ...given(operation.steps)];
    case "flip":
      return [operation.arg, ...given(operation.steps)];
    case "rename":
    case "slice":
    case "window":
    case "chunk":
    case "unchunk":
      return [operation.arg];
    case "concat":
      return operation.parts;
  }
}

const given = (id: NodeId | undefined): readonly NodeId[] => (id === undefined ? [] : [id]);

/** The operation alone, of a node or by itself, with every operand replaced. */
export function withOperands(op: Operation, at: (id: NodeId) => NodeId): Operation {
  // Each case names its fields: this runs for every node of every pass, and copies by spread are several times slower.
  switch (op.kind) {
    case "scalar":
      return { kind: "scalar", value: op.value };
    case "input":
      return { kind: "input", name: op.name };
    case "param":
      return { kind: "param", param: op.param };
    case "coordinate":
      return { kind: "coordinate", axis: op.axis };
    case "prev":
      return op.steps === undefined
        ? { kind: "prev", state: op.state }
        : { kind: "prev", state: op.state, steps: at(op.steps) };
    case "continuous":
      return { kind: "continuous", state: op.state };
    case "coefficient":
      return { kind: "coefficient", state: op.state, of: op.of };
    case "map":
      return { kind: "map", fn: op.fn, args: op.args.map(at) };
    case "reduce": {
      const { kind, fn, over, where } = op;
      const reduced = { kind, fn, arg: at(op.arg), over };
      return where === undefined ? reduced : { ...reduced, where: at(where) };
    }
    case "dot":
      return { kind: "dot", lhs: at(op.lhs), rhs: at(op.rhs), over: op.over };
    case "gather":
      return { kind: "gather", table: at(op.table), axis: op.axis, index: at(op.index) };
    case "conv": {
      const { kind, along, over, history, steps } = op;
      const convolved = { kind, x: at(op.x), w: at(op.w), along, over, history };
      return steps === undefined ? convolved : { ...convolved, steps: at(steps) };
    }
    case "rename":
      return { kind: "rename", arg: at(op.arg), axes: op.axes };
    case "slice":
      return { kind: "slice", arg: at(op.arg), axis: op.axis, start: op.start, to: op.to };
    case "flip":
      return op.steps === undefined
        ? { kind: "flip", arg: at(op.arg), axis: op.axis }
        : { kind: "flip", arg: at(op.arg), axis: op.axis, steps: at(op.steps) };
    case "window":
      return { kind: "window", arg: at(op.arg), from: op.from, to: op.to, offset: op.offset };
    case "chunk": {
      const { kind, of, chunks, steps, past } = op;
      return { kind, arg: at(op.arg), of, chunks, steps, ...(past === undefined ? {} : { past }) };
    }
    case "unchunk":
      return { kind: "unchunk", arg: at(op.arg), of: op.of, chunks: op.chunks, steps: op.steps };
    case "concat":
      return { kind: "concat", parts: op.parts.map(at), axis: op.axis };
  }
}

/** Where a node comes from, to give to the node that takes its place. */
export function originOf(node: Node): Origin {
  return node.name === undefined ? { spans: node.spans } : { spans: node.spans, name: node.name };
}

/** An operation's own fields, without what makes it a node. */
export function operationOf(node: Node): Operation {
  return withOperands(node, (id) => id);
}

/** The nodes an equation names. */
function equationReads(equation: Equation): readonly NodeId[] {
  return equation.kind === "continuous"
    ? [equation.value, equation.rhs]
    : [equation.value, ...given(equation.documents?.spans)];
}

/** The equation with every node replaced. */
function withEquation(equation: Equation, at: (id: NodeId) => NodeId): Equation {
  if (equation.kind === "continuous")
    return { ...equation, rhs: at(equation.rhs), value: at(equation.value) };
  const { documents, value } = equation;
  if (documents === undefined) return { kind: "discrete", value: at(value) };
  return { kind: "discrete", value: at(value), documents: { ...documents, spans: at(documents.spans) } };
}

/** The nodes that outputs and state equations read, directly or not. Unused states go too. */
export function live(graph: Graph): {
  readonly nodes: ReadonlySet<NodeId>;
  readonly states: ReadonlySet<StateId>;
} {
  const nodes = new Set<NodeId>();
  const states = new Set<StateId>();
  const pending: NodeId[] = graph.outputs.map((output) => output.value);
  const reach = (state: StateId): void => {
    if (states.has(state)) return;
    states.add(state);
    const equation = graph.states[state]?.equation;
    if (equation !== undefined) pending.push(...equationReads(equation));
  };
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (nodes.has(id)) continue;
    nodes.add(id);
    const node = graph.nodes[id];
    if (node === undefined) throw new InternalError("graph", `no node %${id}`);
    if (node.kind === "prev" || node.kind === "continuous" || node.kind === "coefficient") reach(node.state);
    if (node.kind === "conv") reach(node.history);
    pending.push(...operands(node));
  }
  return { nodes, states };
}

/** Builds the graph anew: dead nodes, states and parameters drop out, types are inferred again, `visit` may change what it likes. */
export function rewrite(graph: Graph, options: RewriteOptions): Graph {
  const builder = new GraphBuilder(graph.name);
  for (const { id, ...rest } of graph.axes.values()) builder.axis(id, rest);
  const axis = options.axis ?? ((id: AxisId) => id);
  for (const input of graph.inputs) builder.input({ ...input, axes: input.axes.map(axis) });

  const alive = live(graph);
  const newState = new Map<StateId, StateId>();
  for (const state of graph.states) {
    const { id, equation: _, ...rest } = state;
    const along = options.along?.(state) ?? axis(rest.along);
    if (alive.states.has(id)) newState.set(id, builder.state({ ...rest, axes: rest.axes.map(axis), along }));
  }
  const stateAt = (old: StateId): StateId => {
    const state = newState.get(old);
    if (state === undefined) throw new InternalError("rewrite", `state #${old} is not live`);
    return state;
  };

  const made = new Map<NodeId, NodeId>();
  const at = (old: NodeId): NodeId => {
    const node = made.get(old);
    if (node === undefined) throw new InternalError("rewrite", `%${old} is read before it was visited`);
    return node;
  };
  const newParam = new Map<ParamId, ParamId>();
  const paramAt = (old: ParamId): ParamId => {
    let id = newParam.get(old);
    if (id === undefined) {
      const { id: _, ...param } = graph.params[old] ?? fail(`no param #${old}`);
      newParam.set(old, (id = builder.param(param)));
    }
    return id;
  };
  const operation = (node: Node, operand = at): Operation => {
    const renewed = withOperands(node, operand);
    switch (renewed.kind) {
      case "param":
        return { kind: "param", param: paramAt(renewed.param) };
      case "prev":
      case "continuous":
      case "coefficient":
        return { ...renewed, state: stateAt(renewed.state) };
      case "conv":
        return { ...renewed, history: stateAt(renewed.history) };
      default:
        return renewed;
    }
  };
  const context: RewriteContext = {
    graph,
    builder,
    at,
    operation,
    copy: (node) =>
      stays(node) ? builder.adopt(node) : builder.add(operation(node), originOf(node), keptType(node)),
  };
  const axesStay = options.axis === undefined && options.along === undefined;
  /** A node's type is what it was where the axes of states and inputs stay and its operands' types are what they were. */
  const keptType = (node: Node): TensorType | undefined =>
    axesStay && operands(node).every((id) => builder.typeOf(at(id)) === graph.nodes[id]?.type)
      ? node.type
      : undefined;
  /** Nothing about the node changes, not even its place: the new graph has it as it is. */
  const stays = (node: Node): boolean =>
    builder.size === node.id &&
    operands(node).every((id) => at(id) === id) &&
    keptType(node) !== undefined &&
    (node.kind !== "param" || paramAt(node.param) === node.param) &&
    (!("state" in node) || stateAt(node.state) === node.state) &&
    (node.kind !== "conv" || stateAt(node.history) === node.history);
  for (const node of graph.nodes)
    if (alive.nodes.has(node.id))
      made.set(node.id, options.visit === undefined ? context.copy(node) : options.visit(node, context));

  for (const state of graph.states) {
    if (!alive.states.has(state.id)) continue;
    const { equation } = state;
    const renewed = options.equation?.(state.id, equation, context) ?? withEquation(equation, at);
    builder.define(stateAt(state.id), renewed);
  }
  for (const output of graph.outputs)
    builder.output({
      ...output,
      axes: output.axes.map(axis),
      value: options.output?.(output, context) ?? at(output.value),
    });
  const rebuilt = builder.finish();
  // A pass that has nothing to do gives back what it got; what it replaced may have left nodes that nothing reads.
  return axesStay && isSame(graph, rebuilt) ? graph : pruned(rebuilt);
}

/** Whether every node stayed as it was, and every equation. */
function isSame(old: Graph, graph: Graph): boolean {
  const same = (p: Equation, q: Equation | undefined): boolean =>
    p.kind === q?.kind && equationReads(p).every((id, k) => id === equationReads(q)[k]);
  return (
    graph.nodes.length === old.nodes.length &&
    graph.axes.size === old.axes.size &&
    graph.states.length === old.states.length &&
    graph.params.length === old.params.length &&
    graph.outputs.length === old.outputs.length &&
    graph.outputs.every(({ value }, k) => value === old.outputs[k]?.value) &&
    graph.nodes.every((node, k) => node === old.nodes[k]) &&
    graph.states.every(({ equation }, k) => same(equation, old.states[k]?.equation))
  );
}

/** The graph without the nodes, states and parameters that nothing reads; the rest keeps its order and its types. */
function pruned(graph: Graph): Graph {
  const alive = live(graph);
  if (alive.nodes.size === graph.nodes.length) return graph;
  const nodes = new Map([...alive.nodes].sort((p, q) => p - q).map((id, k) => [id, k as NodeId]));
  const states = new Map([...alive.states].sort((p, q) => p - q).map((id, k) => [id, k as StateId]));
  const params = new Map<ParamId, ParamId>();
  for (const id of nodes.keys()) {
    const node = graph.nodes[id];
    if (node?.kind === "param" && !params.has(node.param)) params.set(node.param, params.size as ParamId);
  }
  const at = <T>(table: ReadonlyMap<T, T>, id: T): T => table.get(id) ?? fail("a dead id is read");
  const renumbered = (node: Node): Operation => {
    const operation = withOperands(node, (id) => at(nodes, id));
    switch (operation.kind) {
      case "param":
        return { kind: "param", param: at(params, operation.param) };
      case "prev":
      case "continuous":
      case "coefficient":
        return { ...operation, state: at(states, operation.state) };
      case "conv":
        return { ...operation, history: at(states, operation.history) };
      default:
        return operation;
    }
  };
  const moved = (node: Node): Node => nodeOf(renumbered(node), at(nodes, node.id), node.type, originOf(node));
  const equationOf = (equation: Equation): Equation => withEquation(equation, (id) => at(nodes, id));
  return {
    ...graph,
    nodes: graph.nodes.filter(({ id }) => nodes.has(id)).map(moved),
    states: graph.states
      .filter(({ id }) => states.has(id))
      .map((state) => ({ ...state, id: at(states, state.id), equation: equationOf(state.equation) })),
    params: [...params].map(([old, id]) => ({ ...(graph.params[old] ?? fail("a parameter is gone")), id })),
    outputs: graph.outputs.map((output) => ({ ...output, value: at(nodes, output.value) })),
  };
}

function fail(message: string): never {
  throw new InternalError("rewrite", message);
}
