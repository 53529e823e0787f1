/** Side tables about who reads what. */
import { live, operands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";

/** How often each live node is read: by nodes, state equations and outputs. */
export function useCounts(graph: Graph): ReadonlyMap<NodeId, number> {
  const alive = live(graph);
  const counts = new Map<NodeId, number>();
  const use = (id: NodeId): void => void counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const node of graph.nodes) if (alive.nodes.has(node.id)) operands(node).forEach(use);
  for (const state of graph.states) if (alive.states.has(state.id)) use(state.equation.value);
  for (const output of graph.outputs) use(output.value);
  return counts;
}

/** Nodes that depend on at least one parameter and on nothing else but literals: known once weights are loaded. */
export function parameterOnly(graph: Graph): ReadonlySet<NodeId> {
  const constant = new Set<NodeId>();
  const found = new Set<NodeId>();
  for (const node of graph.nodes) {
    const reads = operands(node);
    const known = reads.every((id) => found.has(id) || constant.has(id));
    const leaf = node.kind === "scalar" || node.kind === "param";
    const carried = [
      "prev",
      "continuous",
      "coefficient",
      "input",
      "coordinate",
      "conv",
      "window",
      "chunk",
    ].includes(node.kind);
    if (carried || !known) continue;
    if (node.kind === "param" || reads.some((id) => found.has(id))) found.add(node.id);
    else if (leaf || reads.length > 0) constant.add(node.id);
  }
  return found;
}

/** What a value is computed from: its operands, and for `prev` the value of its state too. */
export function readsOf(graph: Graph, node: Node): readonly NodeId[] {
  if (node.kind !== "prev") return operands(node);
  const value = graph.states[node.state]?.equation.value;
  return value === undefined ? operands(node) : [value, ...operands(node)];
}

/** The nodes that are computed from each node, `prev` of a state from the state's value. */
export function readersInTime(graph: Graph): ReadonlyMap<NodeId, readonly NodeId[]> {
  const known = readersInTimeTables.get(graph.nodes);
  if (known !== undefined) return known;
  const table = new Map<NodeId, NodeId[]>();
  for (const node of graph.nodes)
    for (const id of readsOf(graph, node)) {
      const readers = table.get(id);
      if (readers === undefined) table.set(id, [node.id]);
      else readers.push(node.id);
    }
  readersInTimeTables.set(graph.nodes, table);
  return table;
}

/** By the nodes: programs that differ in the sizes of axes alone share them (`stepProgram`). */
const readersInTimeTables = new WeakMap<Graph["nodes"], ReadonlyMap<NodeId, readonly NodeId[]>>();
const readerTables = new WeakMap<Graph["nodes"], ReadonlyMap<NodeId, readonly Node[]>>();

/** The nodes that read each node, in the graph's order. Made once for a graph. */
export function readersOf(graph: Graph): ReadonlyMap<NodeId, readonly Node[]> {
  const known = readerTables.get(graph.nodes);
  if (known !== undefined) return known;
  const table = new Map<NodeId, Node[]>();
  for (const node of graph.nodes)
    for (const id of new Set(operands(node))) {
      const readers = table.get(id);
      if (readers === undefined) table.set(id, [node]);
      else readers.push(node);
    }
  readerTables.set(graph.nodes, table);
  return table;
}
