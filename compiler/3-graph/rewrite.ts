/** Rebuilding a graph node by node: how every pass makes a new graph from an old one. */
import { InternalError } from "../diagnostics/internal-error.js";
import { GraphBuilder } from "./build.js";
import { IdSet } from "./id-set.js";
import { areLists } from "./operation-table.js";
import { nodeOf, operands, withReferences, type References } from "./operation.js";
import type {
  AxisId,
  Equation,
  Graph,
  Node,
  NodeId,
  Operation,
  Output,
  Param,
  ParamId,
  State,
  StateId,
  TensorType,
} from "./types.js";

export { operands, operationOf, originOf, withOperands } from "./operation.js";

export interface RewriteContext {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  /** The new node that stands for an old one, which is visited if it has not been: what a visit reads may stand behind it. */
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
  /** What a state is made of in the new graph. Default: what it was. */
  readonly scalar?: (state: State) => State["scalar"];
  /** The time axis of a state in the new graph. Default: the old one, through `axis`. */
  readonly along?: (state: State) => AxisId;
  /** The equation of a state in the new graph. Default: the old one, through `at`. */
  readonly equation?: (state: StateId, equation: Equation, context: RewriteContext) => Equation | undefined;
  /** The new value of an output. Default: the old one, through `at`. */
  readonly output?: (output: Output, context: RewriteContext) => NodeId;
}

/** The nodes an equation names. */
function equationReads(equation: Equation): readonly NodeId[] {
  return equation.kind === "continuous"
    ? [equation.value, equation.rhs]
    : equation.documents === undefined
      ? [equation.value]
      : [equation.value, equation.documents.spans];
}

/** The equation with every node replaced. */
function withEquation(equation: Equation, at: (id: NodeId) => NodeId): Equation {
  if (equation.kind === "continuous")
    return { ...equation, rhs: at(equation.rhs), value: at(equation.value) };
  const { documents, value } = equation;
  if (documents === undefined) return { kind: "discrete", value: at(value) };
  return { kind: "discrete", value: at(value), documents: { ...documents, spans: at(documents.spans) } };
}

export interface Live {
  readonly nodes: IdSet<NodeId>;
  readonly states: IdSet<StateId>;
}

/** Passes ask it of one graph one after the other. */
const liveSets = new WeakMap<Graph, Live>();

/** The nodes that outputs and state equations read, directly or not. Unused states go too. */
export function live(graph: Graph): Live {
  const known = liveSets.get(graph);
  if (known !== undefined) return known;
  const nodes = new IdSet<NodeId>(graph.nodes.length);
  const states = new IdSet<StateId>(graph.states.length);
  let last = -1;
  const read = (id: NodeId): void => {
    if (nodes.has(id)) return;
    if (graph.nodes[id] === undefined) fail(`no node %${id}`);
    nodes.add(id);
    if (id > last) last = id;
  };
  const reach = (id: StateId): void => {
    if (states.has(id)) return;
    states.add(id);
    const state = graph.states[id];
    if (state !== undefined) equationReads(state.equation).forEach(read);
  };
  for (const output of graph.outputs) read(output.value);
  // Operands stand before who reads them, so that one way back through the nodes finds them all; but for the value of a state,
  // which may stand behind the `prev` that reads it: from there the way back is gone again.
  const seen = new Uint8Array(graph.nodes.length);
  for (let id = last as NodeId; id >= 0; id--) {
    const node = graph.nodes[id];
    if (node === undefined || seen[id] === 1 || !nodes.has(id)) continue;
    seen[id] = 1;
    last = -1;
    if (node.kind === "prev" || node.kind === "continuous" || node.kind === "coefficient") reach(node.state);
    if (node.kind === "conv") reach(node.history);
    for (const operand of operands(node)) read(operand);
    if (last > id) id = (last + 1) as NodeId;
  }
  const found = { nodes, states };
  liveSets.set(graph, found);
  return found;
}

/** Builds the graph anew: dead nodes, states and parameters drop out, types are inferred again, `visit` may change what it likes. */
export function rewrite(graph: Graph, options: RewriteOptions): Graph {
  const builder = new GraphBuilder(graph.name);
  for (const { id, ...rest } of graph.axes.values()) builder.axis(id, rest);
  const axis = options.axis ?? ((id: AxisId) => id);
  for (const input of graph.inputs) builder.input({ ...input, axes: input.axes.map(axis) });

  const alive = live(graph);
  const newState: StateId[] = [];
  for (const state of graph.states) {
    const { id, equation: _, ...rest } = state;
    const along = options.along?.(state) ?? axis(rest.along);
    const scalar = options.scalar?.(state) ?? rest.scalar;
    if (alive.states.has(id))
      newState[id] = builder.state({ ...rest, scalar, axes: rest.axes.map(axis), along });
  }
  const newParam: ParamId[] = [];
  const made: NodeId[] = [];
  const references: References = {
    node: (old) => made[old] ?? visit(graph.nodes[old] ?? fail(`no node %${old}`)),
    state: (old) => newState[old] ?? fail(`state #${old} is not live`),
    param: (old) =>
      newParam[old] ?? (newParam[old] = builder.adoptParam(graph.params[old] ?? fail(`no param #${old}`))),
  };
  const { node: at, state: stateAt, param: paramAt } = references;
  const operation = (node: Node, operand = at): Operation =>
    withReferences(node, operand === at ? references : { ...references, node: operand });
  const axesStay = options.axis === undefined && options.along === undefined;
  const copy = (node: Node): NodeId => {
    // A node's type is what it was where the axes of states and inputs stay and its operands' types are what they were.
    let keepsType = axesStay;
    // Where nothing about a node changes, not even its place, the new graph has it as it is.
    let stays = builder.size === node.id;
    for (const id of operands(node)) {
      const to = at(id);
      stays = stays && to === id;
      keepsType = keepsType && isSameType(builder.typeOf(to), graph.nodes[id]?.type);
    }
    stays =
      stays &&
      keepsType &&
      (node.kind !== "param" || paramAt(node.param) === node.param) &&
      (!("state" in node) || stateAt(node.state) === node.state) &&
      (node.kind !== "conv" || stateAt(node.history) === node.history);
    return stays
      ? builder.adopt(node)
      : builder.add(withReferences(node, references), node, keepsType ? node.type : undefined);
  };
  const context: RewriteContext = { graph, builder, at, operation, copy };
  const visit = (node: Node): NodeId => {
    const made_ = options.visit?.(node, context) ?? copy(node);
    made[node.id] = made_;
    return made_;
  };
  for (const node of graph.nodes) if (alive.nodes.has(node.id) && made[node.id] === undefined) visit(node);

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

function isSameType(p: TensorType, q: TensorType | undefined): boolean {
  return p === q || (q !== undefined && p.scalar === q.scalar && areLists(p.axes, q.axes));
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
  const nodes = places(alive.nodes);
  const states = places(alive.states);
  const params: ParamId[] = [];
  const paramsInOrder: Param[] = [];
  const references: References = {
    node: (id) => nodes[id] ?? fail(`%${id} is read and dead`),
    state: (id) => states[id] ?? fail(`state #${id} is read and dead`),
    param: (id) => {
      if (params[id] === undefined) {
        const param = graph.params[id] ?? fail("a parameter is gone");
        params[id] = paramsInOrder.length as ParamId;
        paramsInOrder.push(param.id === params[id] ? param : { ...param, id: params[id] });
      }
      return params[id];
    },
  };
  const { node: at, state: stateAt } = references;
  const kept: Node[] = [];
  for (const id of alive.nodes) {
    const node = graph.nodes[id];
    if (node !== undefined)
      kept.push(nodeOf(withReferences(node, references), kept.length as NodeId, node.type, node));
  }
  const rest: Graph = {
    ...graph,
    nodes: kept,
    states: graph.states
      .filter(({ id }) => alive.states.has(id))
      .map((state) => ({ ...state, id: stateAt(state.id), equation: withEquation(state.equation, at) })),
    params: paramsInOrder,
    outputs: graph.outputs.map((output) => ({ ...output, value: at(output.value) })),
  };
  liveSets.set(rest, { nodes: IdSet.all(kept.length), states: IdSet.all(rest.states.length) });
  return rest;
}

/** Ids counted anew without gaps. */
function places<Id extends number>(ids: IdSet<Id>): readonly Id[] {
  const table: Id[] = [];
  let next = 0;
  for (const id of ids) table[id] = next++ as Id;
  return table;
}

function fail(message: string): never {
  throw new InternalError("rewrite", message);
}
