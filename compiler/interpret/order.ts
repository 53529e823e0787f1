/** The order of evaluation: strongly connected sets through `prev`, dependencies first. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Graph, NodeId } from "../3-graph/types.js";
import { itemOperands, type Item, type Plan } from "./plan.js";

/** Nodes that need one another, in an order in which operands precede users once `prev` is known. */
export interface Component {
  readonly items: readonly Item[];
  /** The nodes form a recurrence: they depend on their own past. */
  readonly recurrent: boolean;
  /** Every value that the items read, `prev` included. */
  readonly reads: readonly NodeId[];
}

/** Everything that the roots need, by Tarjan's algorithm without recursion: graphs are thousands of nodes deep. */
export function components(graph: Graph, plan: Plan, roots: readonly NodeId[]): readonly Component[] {
  const reads = new Map<NodeId, readonly NodeId[]>();
  const readsOf = (id: NodeId): readonly NodeId[] => {
    let known = reads.get(id);
    if (known === undefined) {
      const item = itemAt(plan, id);
      known = [...itemOperands(item), ...pastOf(graph, item)];
      reads.set(id, known);
    }
    return known;
  };

  const index = new Map<NodeId, number>();
  const lowest = new Map<NodeId, number>();
  const open: NodeId[] = [];
  const isOpen = new Set<NodeId>();
  const found: Component[] = [];
  const path: { readonly id: NodeId; next: number }[] = [];
  const enter = (id: NodeId): void => {
    index.set(id, index.size);
    lowest.set(id, index.size - 1);
    open.push(id);
    isOpen.add(id);
    path.push({ id, next: 0 });
  };
  const lower = (id: NodeId, bound: number): void => {
    lowest.set(id, Math.min(lowest.get(id) ?? bound, bound));
  };

  for (const root of roots) {
    if (index.has(root)) continue;
    enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const read = readsOf(top.id)[top.next++];
      if (read !== undefined) {
        if (!index.has(read)) enter(read);
        else if (isOpen.has(read)) lower(top.id, index.get(read) ?? 0);
        continue;
      }
      path.pop();
      const low = lowest.get(top.id) ?? 0;
      const user = path.at(-1);
      if (user !== undefined) lower(user.id, low);
      if (low !== index.get(top.id)) continue;
      const members = open.splice(open.indexOf(top.id));
      for (const member of members) isOpen.delete(member);
      found.push(component(plan, members, readsOf));
    }
  }
  return found;
}

function component(
  plan: Plan,
  members: readonly NodeId[],
  readsOf: (id: NodeId) => readonly NodeId[],
): Component {
  const recurrent = members.length > 1 || members.some((id) => readsOf(id).includes(id));
  const items = recurrent ? withinStep(plan, members) : members.map((id) => itemAt(plan, id));
  return { items, recurrent, reads: members.flatMap(readsOf) };
}

/** Members in an order in which operands precede users, `prev` aside. */
function withinStep(plan: Plan, members: readonly NodeId[]): readonly Item[] {
  const inside = new Set(members);
  const state = new Map<NodeId, "visiting" | "done">();
  const ordered: Item[] = [];
  const visit = (id: NodeId): void => {
    if (!inside.has(id) || state.get(id) === "done") return;
    if (state.get(id) === "visiting")
      throw new InternalError("interpret", `%${id} depends on itself within a step`);
    state.set(id, "visiting");
    const item = itemAt(plan, id);
    itemOperands(item).forEach(visit);
    state.set(id, "done");
    ordered.push(item);
  };
  members.forEach(visit);
  return ordered;
}

/** What `prev` reads: the state's value, a step earlier. */
function pastOf(graph: Graph, item: Item): readonly NodeId[] {
  if (item.kind !== "prev") return [];
  const state = graph.states[item.state];
  if (state === undefined) throw new InternalError("interpret", `no state #${item.state}`);
  return [state.equation.value];
}

function itemAt(plan: Plan, id: NodeId): Item {
  const item = plan.items.get(id);
  if (item === undefined) throw new InternalError("interpret", `no node %${id}`);
  return item;
}
