/**
 * Reductions over the same axis at the same coordinates are one kernel: one after the other, as a variance after its mean, or
 * side by side. A workgroup has what it reduces at hand, and reads it again from its own cache.
 */
import type { Graph, NodeId } from "../3-graph/types.js";
import type { Absorbed, Fusion, Group } from "./fuse.js";
import { GroupReaders, regrouped } from "./regroup.js";
import { readsOf } from "./uses.js";

export function mergeReductions(graph: Graph, fusion: Fusion): Fusion {
  const { groups } = fusion;
  const readers = new GroupReaders(graph, fusion);
  const axes = groups.map((group) => axesOf(graph, group));
  const candidates = [...groups.keys()].filter((g) => axes[g] !== undefined);
  const into = new Map<number, number>();
  const targetOf = (g: number): number => into.get(g) ?? g;
  for (const g of candidates.toReversed()) {
    const group = groups[g];
    if (group === undefined || group.outputs.length > 0) continue;
    const read = [...readers.of(group.members, g)];
    const first = Math.min(...read);
    const isFor = (target: number): boolean =>
      read.every((reader) => reader > target || targetOf(reader) === target) &&
      candidates.every((each) => targetOf(each) !== target || readsInPlace(graph, fusion, each, g));
    const other = candidates.find((k) => k > g && k <= first && axes[k] === axes[g] && isFor(targetOf(k)));
    if (other !== undefined) into.set(g, targetOf(other));
  }
  const ordered = [...into].sort(([p], [q]) => p - q);
  return regrouped(
    fusion,
    new Map(
      ordered.flatMap(([g, target]) => {
        const isShared = (id: NodeId): boolean =>
          [...readers.of([id], g)].some((reader) => targetOf(reader) !== target);
        return groups.slice(g, g + 1).map((group) => [g, { target, absorbed: absorbedOf(group, isShared) }]);
      }),
    ),
  );
}

const absorbedOf = (group: Group, isShared: (id: NodeId) => boolean): Absorbed => ({
  group,
  shared: group.stores.filter(isShared),
});

/** What a kernel's reduction runs over, and at which coordinates; undefined for what is no reduction of its own. */
function axesOf(graph: Graph, group: Group | undefined): string | undefined {
  const root = group && graph.nodes[group.root];
  if (group?.kind !== "reduce" || root?.kind !== "reduce" || root.type.scalar !== "f32") return undefined;
  if (group.absorbed.length > 0 || group.carries.length > 0) return undefined;
  return `${root.over.join()} at ${group.domain.join()}`;
}

/** Whether group `g` reads what `other` computes at its own coordinates alone: through elementwise functions. */
function readsInPlace(graph: Graph, { groups, home }: Fusion, g: number, other: number): boolean {
  const seen = new Set<string>();
  const visit = (id: NodeId, inPlace: boolean): boolean => {
    if (home.get(id) === other) return inPlace;
    const node = graph.nodes[id];
    const isComputed = (home.get(id) ?? g) === g;
    const way = `${id} ${inPlace}`;
    if (node === undefined || seen.has(way) || !isComputed) return true;
    seen.add(way);
    const isMap = node.kind === "map" || id === groups[g]?.root;
    return readsOf(graph, node).every((read) => visit(read, inPlace && isMap));
  };
  return [...(groups[g]?.members ?? [])].every((id) => visit(id, true));
}
