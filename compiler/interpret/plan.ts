/**
 * What is to be evaluated: the graph's nodes, with every continuous equation opened up. der(h) = rhs is linear in h,
 * so b is rhs at h = 0 and a is rhs at h = 1, less b. Each of the two, and a third at random h that proves linearity,
 * is a copy of the nodes between h and rhs.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import { operands, withOperands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId, State, StateId, TensorType } from "../3-graph/types.js";

/** Stands for the state in the third copy: another random number for every element. */
export interface Probe {
  readonly kind: "probe";
  readonly state: StateId;
  readonly id: NodeId;
  readonly type: TensorType;
  readonly name?: string;
}

export type Item = Node | Probe;

/** rhs at the probe must be a · probe + b. */
export interface LinearityCheck {
  readonly state: State;
  readonly a: NodeId;
  readonly b: NodeId;
  readonly probe: NodeId;
  readonly atProbe: NodeId;
}

export interface Plan {
  readonly items: ReadonlyMap<NodeId, Item>;
  readonly checks: readonly LinearityCheck[];
}

/** The items that must be known in the same step before this one. `prev` is not among them. */
export function itemOperands(item: Item): readonly NodeId[] {
  return item.kind === "probe" ? [] : operands(item);
}

export function makePlan(graph: Graph): Plan {
  const items = new Map<NodeId, Item>(graph.nodes.map((node) => [node.id, node]));
  const checks: LinearityCheck[] = [];
  const opened = new Map<StateId, { readonly a: NodeId; readonly b: NodeId }>();
  let next = graph.nodes.length;
  const add = (make: (id: NodeId) => Item): NodeId => {
    const id = next++ as NodeId;
    items.set(id, make(id));
    return id;
  };

  for (const state of graph.states) {
    if (state.equation.kind !== "continuous") continue;
    const { rhs } = state.equation;
    const base = { type: typeOf(items, rhs), spans: state.spans };
    const b = copyCone(graph, rhs, state, 0, add);
    const one = copyCone(graph, rhs, state, 1, add);
    const a = add((id) => ({ ...base, id, kind: "map", fn: "sub", args: [one, b] }));
    const probe = add((id) => ({ id, kind: "probe", state: state.id, type: base.type }));
    const atProbe = copyCone(graph, rhs, state, probe, add);
    opened.set(state.id, { a, b });
    checks.push({ state, a, b, probe, atProbe });
  }
  for (const item of items.values()) {
    if (item.kind !== "coefficient") continue;
    const parts = opened.get(item.state);
    if (parts === undefined)
      throw new InternalError("interpret", `%${item.id} is a coefficient of a state without der`);
    items.set(item.id, { ...item, kind: "rename", arg: parts[item.of], axes: [] });
  }
  return { items, checks };
}

/** A copy of the nodes through which `rhs` depends on the continuous variable, with 0, 1 or the probe in its place. */
function copyCone(
  graph: Graph,
  rhs: NodeId,
  state: State,
  value: 0 | 1 | NodeId,
  add: (make: (id: NodeId) => Item) => NodeId,
): NodeId {
  const copies = new Map<NodeId, NodeId>();
  const copy = (node: Node): NodeId => {
    const { type, spans } = node;
    if (node.kind !== "continuous") {
      const operation = withOperands(node, (id) => copies.get(id) ?? id);
      return add((id) => ({ ...operation, id, type, spans }));
    }
    return value === 0 || value === 1 ? add((id) => ({ kind: "scalar", value, id, type, spans })) : value;
  };
  for (const node of graph.nodes) {
    const depends =
      node.kind === "continuous" ? node.state === state.id : operands(node).some((id) => copies.has(id));
    if (depends) copies.set(node.id, copy(node));
    if (node.id === rhs) break;
  }
  return copies.get(rhs) ?? rhs;
}

function typeOf(items: ReadonlyMap<NodeId, Item>, id: NodeId): TensorType {
  const item = items.get(id);
  if (item === undefined) throw new InternalError("interpret", `no node %${id}`);
  return item.type;
}
