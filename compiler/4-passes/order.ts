/** The order in which values can be computed, recurrences as wholes, independent products as early as they can be. */
import { live } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";
import type { Attached } from "./attach.js";
import { readsOf } from "./uses.js";

/**
 * Live nodes, and recurrences with what is attached to them, sorted by level (how many anchors lie before), then by the source's order: a product that
 * a scan's epilogue reads comes before the scan, wherever the author wrote it.
 */
export function executionOrder(graph: Graph, found: readonly Attached[]): readonly (NodeId | Attached)[] {
  const alive = live(graph).nodes;
  const cycle = new Map<NodeId, Attached>();
  for (const attached of found) for (const id of attached.members) cycle.set(id, attached);
  const levels = new Map<NodeId | Attached, number>();
  const done: (NodeId | Attached)[] = [];
  const open = new Set<NodeId | Attached>();

  const readsAt = (id: NodeId): readonly NodeId[] => {
    const node = graph.nodes[id];
    return node === undefined ? [] : readsOf(graph, node);
  };
  const unit = (id: NodeId): NodeId | Attached => cycle.get(id) ?? id;
  const reads = (item: NodeId | Attached): readonly NodeId[] => {
    if (typeof item !== "number") {
      const inside = new Set(item.members);
      return item.members.flatMap(readsAt).filter((id) => !inside.has(id));
    }
    return readsAt(item);
  };
  const visit = (root: NodeId | Attached): void => {
    const work: { item: NodeId | Attached; read: (NodeId | Attached)[]; next: number }[] = [];
    const enter = (item: NodeId | Attached): void => {
      if (open.has(item)) return;
      open.add(item);
      const read = reads(item).map(unit);
      work.push({ item, read, next: read.length });
    };
    enter(root);
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const next = frame.read[--frame.next];
      if (next !== undefined) {
        enter(next);
        continue;
      }
      work.pop();
      const before = Math.max(0, ...frame.read.map((each) => levels.get(each) ?? 0));
      levels.set(frame.item, before + (isAnchor(graph, frame.item) ? 1 : 0));
      done.push(frame.item);
    }
  };
  for (const node of graph.nodes) if (alive.has(node.id)) visit(unit(node.id));
  const place = new Map(done.map((item, k) => [item, k]));
  const first = (item: NodeId | Attached): number => place.get(item) ?? 0;
  return done.sort((p, q) => (levels.get(p) ?? 0) - (levels.get(q) ?? 0) || first(p) - first(q));
}

function isAnchor(graph: Graph, item: NodeId | Attached): boolean {
  if (typeof item !== "number") return true;
  const kind: Node["kind"] | undefined = graph.nodes[item]?.kind;
  return kind === "dot" || kind === "reduce" || kind === "conv" || kind === "gather";
}
