/** Side tables about who reads what. */
import { IdSet } from "../3-graph/id-set.js";
import { live, operands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";

/** By node, how often each live one is read: by nodes, state equations and outputs. */
export function useCounts(graph: Graph): Uint32Array {
  const alive = live(graph);
  const counts = new Uint32Array(graph.nodes.length);
  const use = (id: NodeId): void => void (counts[id] = (counts[id] ?? 0) + 1);
  for (const node of graph.nodes) if (alive.nodes.has(node.id)) operands(node).forEach(use);
  for (const state of graph.states) if (alive.states.has(state.id)) use(state.equation.value);
  for (const output of graph.outputs) use(output.value);
  return counts;
}

/** What is known only when a program runs, whatever it reads. */
const AT_RUN_TIME: ReadonlySet<Node["kind"]> = new Set([
  ...(["prev", "continuous", "coefficient", "input", "coordinate", "conv", "window", "chunk"] as const),
]);

/** Nodes that depend on at least one parameter and on nothing else but literals: known once weights are loaded. */
export function parameterOnly(graph: Graph): IdSet<NodeId> {
  const constant = new IdSet<NodeId>(graph.nodes.length);
  const found = new IdSet<NodeId>(graph.nodes.length);
  for (const node of graph.nodes) {
    if (AT_RUN_TIME.has(node.kind)) continue;
    const reads = operands(node);
    if (!reads.every((id) => found.has(id) || constant.has(id))) continue;
    if (node.kind === "param" || reads.some((id) => found.has(id))) found.add(node.id);
    else if (node.kind === "scalar" || reads.length > 0) constant.add(node.id);
  }
  return found;
}

/** What a value is computed from: its operands, and for `prev` the value of its state too. */
export function readsOf(graph: Graph, node: Node): readonly NodeId[] {
  if (node.kind !== "prev") return operands(node);
  const value = graph.states[node.state]?.equation.value;
  return value === undefined ? operands(node) : [value, ...operands(node)];
}

/** By node, the nodes that are computed from it, `prev` of a state from the state's value. None: nothing is. */
export function readersInTime(graph: Graph): readonly (readonly NodeId[] | undefined)[] {
  const known = readersInTimeTables.get(graph.nodes);
  if (known !== undefined) return known;
  const table: (NodeId[] | undefined)[] = new Array<undefined>(graph.nodes.length).fill(undefined);
  for (const node of graph.nodes)
    for (const id of readsOf(graph, node)) {
      const readers = table[id];
      if (readers === undefined) table[id] = [node.id];
      else readers.push(node.id);
    }
  readersInTimeTables.set(graph.nodes, table);
  return table;
}

/** By the nodes: programs that differ in the sizes of axes alone share them (`stepProgram`). */
const readersInTimeTables = new WeakMap<Graph["nodes"], readonly (readonly NodeId[] | undefined)[]>();
const readerTables = new WeakMap<Graph["nodes"], readonly (readonly Node[] | undefined)[]>();

/** By node, the nodes that read it, in the graph's order. Made once for a graph. */
export function readersOf(graph: Graph): readonly (readonly Node[] | undefined)[] {
  const known = readerTables.get(graph.nodes);
  if (known !== undefined) return known;
  const table: (Node[] | undefined)[] = new Array<undefined>(graph.nodes.length).fill(undefined);
  for (const node of graph.nodes)
    for (const id of operands(node)) {
      const readers = table[id];
      if (readers === undefined) table[id] = [node];
      // One that reads it twice is one reader.
      else if (readers.at(-1) !== node) readers.push(node);
    }
  readerTables.set(graph.nodes, table);
  return table;
}
