/** The recurrences of a graph: strongly connected sets of nodes and states. */
import { operands } from "../3-graph/rewrite.js";
import type { Graph, NodeId, StateId } from "../3-graph/types.js";

export interface Recurrence {
  /** States on the cycle, in the order of their declaration. */
  readonly states: readonly StateId[];
  /** Nodes on the cycle, in the graph's order. */
  readonly members: readonly NodeId[];
}

/**
 * Every cycle through `prev`: Tarjan's algorithm over nodes and states, where a state reads its equation's value and a
 * `prev` reads its state. States that read no `prev` of themselves, directly or not, are on no cycle.
 */
export function recurrences(graph: Graph): readonly Recurrence[] {
  const count = graph.nodes.length;
  const total = count + graph.states.length;
  const next = (v: number): readonly number[] => {
    if (v >= count) {
      const value = graph.states[v - count]?.equation.value;
      return value === undefined ? [] : [value];
    }
    const node = graph.nodes[v];
    if (node === undefined) return [];
    return node.kind === "prev" ? [count + node.state, ...operands(node)] : operands(node);
  };
  const found: Recurrence[] = [];
  for (const component of components(total, next)) {
    if (component.length < 2) continue;
    const sorted = [...component].sort((p, q) => p - q);
    found.push({
      members: sorted.filter((v) => v < count) as NodeId[],
      states: sorted.filter((v) => v >= count).map((v) => (v - count) as StateId),
    });
  }
  return found.sort((p, q) => (p.members[0] ?? 0) - (q.members[0] ?? 0));
}

/** Tarjan's strongly connected components, without recursion: a deep model has a deep graph. */
function components(total: number, next: (v: number) => readonly number[]): number[][] {
  const index = new Int32Array(total).fill(-1);
  const low = new Int32Array(total);
  const onStack = new Uint8Array(total);
  const stack: number[] = [];
  const found: number[][] = [];
  let counter = 0;
  for (let root = 0; root < total; root++) {
    if (index[root] !== -1) continue;
    const work: { v: number; edges: readonly number[]; at: number }[] = [];
    const enter = (v: number): void => {
      index[v] = low[v] = counter++;
      stack.push(v);
      onStack[v] = 1;
      work.push({ v, edges: next(v), at: 0 });
    };
    enter(root);
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const w = frame.edges[frame.at++];
      if (w !== undefined) {
        if (index[w] === -1) enter(w);
        else if (onStack[w] === 1) low[frame.v] = Math.min(low[frame.v] ?? 0, index[w] ?? 0);
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent !== undefined) low[parent.v] = Math.min(low[parent.v] ?? 0, low[frame.v] ?? 0);
      if (low[frame.v] !== index[frame.v]) continue;
      const component: number[] = [];
      for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
        onStack[v] = 0;
        component.push(v);
        if (v === frame.v) break;
      }
      found.push(component);
    }
  }
  return found;
}
