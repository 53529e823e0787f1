/** A kernel of its own for values that their readers would compute anew, before the first of these. */
import type { Graph, NodeId } from "../3-graph/types.js";
import type { Fusion, Group } from "./fuse.js";
import type { Start } from "./fusion-reasons.js";
import { readsOf } from "./uses.js";

/**
 * The fusion with a kernel that computes the values, all over the same axes, side by side into one buffer. Undefined
 * where the first reader of one runs before what another is computed from.
 */
export function storeBefore(
  graph: Graph,
  fusion: Fusion,
  values: readonly NodeId[],
  start: Start,
): Fusion | undefined {
  const [first] = values;
  const place = Math.min(...values.map((id) => firstReader(graph, fusion, id)));
  if (first === undefined || place === Infinity) return undefined;
  if (latestLeaf(graph, fusion, values) >= place) return undefined;
  const before: Group = {
    kind: "map",
    root: first,
    start,
    inner: [],
    members: new Set(values),
    domain: graph.nodes[first]?.type.axes ?? [],
    stores: values,
    outputs: [],
    carries: [],
    absorbed: [],
  };
  const home = new Map([...fusion.home].map(([id, at]) => [id, at >= place ? at + 1 : at]));
  const apart = new Map(fusion.apart);
  for (const id of values) {
    home.set(id, place);
    apart.delete(id);
  }
  return {
    groups: [...fusion.groups.slice(0, place), before, ...fusion.groups.slice(place)],
    home,
    apart,
    joint: new Map([...fusion.joint, ...values.map((id) => [id, values] as const)]),
  };
}

/** The first group whose kernel computes a value that no kernel stores; Infinity where none does. */
export function firstReader(graph: Graph, fusion: Fusion, id: NodeId): number {
  const found = fusion.groups.findIndex((_, g) => readsVirtually(graph, fusion, g, id));
  return found < 0 ? Infinity : found;
}

/** The last group whose results values are computed from; −1: none. */
function latestLeaf(graph: Graph, fusion: Fusion, values: readonly NodeId[]): number {
  const seen = new Set<NodeId>();
  let latest = -1;
  const visit = (id: NodeId): void => {
    const node = graph.nodes[id];
    if (node === undefined || seen.has(id)) return;
    seen.add(id);
    const home = fusion.home.get(id);
    if (home === undefined) readsOf(graph, node).forEach(visit);
    else latest = Math.max(latest, home);
  };
  values.forEach(visit);
  return latest;
}

function readsVirtually(graph: Graph, fusion: Fusion, g: number, wanted: NodeId): boolean {
  const group = fusion.groups[g];
  if (group === undefined) return false;
  const seen = new Set<NodeId>();
  const visit = (id: NodeId): boolean => {
    if (id === wanted) return true;
    if (seen.has(id)) return false;
    seen.add(id);
    const home = fusion.home.get(id);
    const node = graph.nodes[id];
    return node !== undefined && (home === undefined || home === g) && readsOf(graph, node).some(visit);
  };
  const outputs = graph.outputs.filter(({ name }) => group.outputs.includes(name)).map(({ value }) => value);
  const carried = group.carries.flatMap((id) => graph.states[id]?.equation.value ?? []);
  return [...group.members, ...outputs, ...carried].some(visit);
}
