/**
 * What a recurrence's kernel computes besides its cycle, and whether the fast scan can run it: every state element must
 * depend on its own past alone, and the values that others read must be contracted on chip or be as small as the state.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, Node, NodeId } from "../3-graph/types.js";
import { classify, MIXING, type RecurrenceClass } from "./classify.js";
import { LONGEST_SUMMED } from "./schedule.js";
import { readersInTime, readersOf } from "./uses.js";
import { recurrences, type Recurrence } from "./recurrences.js";

export interface Attached {
  readonly recurrence: Recurrence;
  readonly class: RecurrenceClass;
  /** The node that decided against a better class. */
  readonly because?: Node;
  /** Axes of an outer product that the decay lacks. */
  readonly lacks?: readonly AxisId[];
  /** scan: the reader of the state for which every step's state leaves the kernel. */
  readonly spills?: Node;
  readonly kind: "scan" | "sequential";
  readonly inner: readonly AxisId[];
  readonly members: readonly NodeId[];
  /** Axes of the values that leave the kernel: the states' axes less `inner`, and time. */
  readonly domain: readonly AxisId[];
}

/**
 * Every recurrence of the graph with what is attached to it, in the order of their first values. Nothing is attached to
 * two, nor to one that what it reads has to wait for: taken as wholes, recurrences read each other without a cycle.
 */
export function attachAll(graph: Graph): readonly Attached[] {
  const known = attachments.get(graph.nodes);
  if (known !== undefined) return known;
  const units = new Map<NodeId, Attached>();
  const found = recurrences(graph).map((recurrence) => {
    const attached = attach(graph, recurrence, units);
    for (const id of attached.members) units.set(id, attached);
    return attached;
  });
  attachments.set(graph.nodes, found);
  return found;
}

/**
 * Several passes ask it of one graph; and of its nodes with time of size one (`stepProgram`), which changes neither the
 * axes of states nor who reads them.
 */
const attachments = new WeakMap<Graph["nodes"], readonly Attached[]>();

/** `units`: what was attached to other recurrences before. */
function attach(graph: Graph, recurrence: Recurrence, units: ReadonlyMap<NodeId, Attached>): Attached {
  const first = graph.states[recurrence.states[0] ?? 0];
  const stateAxes = new Set(recurrence.states.flatMap((id) => graph.states[id]?.axes ?? []));
  const time = first?.along;
  const domain = [...graph.axes.keys()].filter((axis) => stateAxes.has(axis) || axis === time);
  const cycle = new Set(recurrence.members);
  const { class: found, because, lacks } = classify(graph, recurrence);
  const decided = { class: found, ...(because && { because }), ...(lacks && { lacks }) };
  const sequential = (): Attached => ({
    recurrence,
    ...decided,
    kind: "sequential",
    inner: [],
    members: [
      ...cycle,
      ...(isOverChunks(graph, time)
        ? []
        : readersUpToContraction(new OpenReaders(graph, cycle, units), time)),
    ],
    domain: canonical(graph, domain),
  });
  const sums = found === "low rank" ? innerSums(graph, recurrence, domain) : undefined;
  if (MIXING.has(found) && sums === undefined) return sequential();

  // What is contracted within a step already can be read as it is.
  const closed = new Set(recurrence.members.filter((id) => !hasAll(graph, id, sums ?? [])));
  const walk = new OpenReaders(graph, cycle, units, closed);
  const readers = contractedReaders(graph, walk, cycle, { domain, time, sums });
  if (sums !== undefined && ("spills" in readers || readers.inner.join() !== sums.join()))
    return sequential();
  if ("spills" in readers)
    return {
      recurrence,
      ...decided,
      ...(readers.spills && { spills: readers.spills }),
      kind: "scan",
      inner: [],
      members: [...cycle],
      domain: canonical(graph, domain),
    };
  return {
    recurrence,
    ...decided,
    kind: "scan",
    inner: readers.inner,
    members: [...cycle, ...readers.members],
    domain: canonical(
      graph,
      domain.filter((axis) => !readers.inner.includes(axis)),
    ),
  };
}

/** Chunks are few: what reads their states are products of their own. */
function isOverChunks(graph: Graph, time: AxisId | undefined): boolean {
  return time !== undefined && graph.axes.get(time)?.cut?.part === "chunks";
}

function canonical(graph: Graph, axes: readonly AxisId[]): readonly AxisId[] {
  const rank = (id: AxisId): number => {
    const role = graph.axes.get(id)?.role;
    return role === "batch" ? 0 : role === "time" ? 1 : 2;
  };
  return [...axes].sort((p, q) => rank(p) - rank(q));
}

/** Whether it contracts time: it reads steps that the recurrence has not come to. */
function contracts(node: Node, time: AxisId | undefined): boolean {
  return (node.kind === "dot" || node.kind === "reduce") && time !== undefined && node.over.includes(time);
}

/** The elementwise readers of the cycle and the contractions that end them, if all contract the same axes and nothing escapes uncontracted; else the reader that stands against it, if it is one. */
function contractedReaders(
  graph: Graph,
  walk: OpenReaders,
  cycle: ReadonlySet<NodeId>,
  {
    domain,
    time,
    sums,
  }: {
    readonly domain: readonly AxisId[];
    readonly time: AxisId | undefined;
    readonly sums: readonly AxisId[] | undefined;
  },
):
  | { readonly inner: readonly AxisId[]; readonly members: readonly NodeId[] }
  | { readonly spills: Node | undefined } {
  const { open } = walk;
  const members: NodeId[] = [];
  let inner: readonly AxisId[] | undefined;
  for (let node = walk.next(); node !== undefined; node = walk.next()) {
    if (walk.readsResults(node) || contracts(node, time)) return { spills: node };
    members.push(node.id);
    if (node.kind === "map" && node.type.axes.every((axis) => domain.includes(axis))) {
      walk.opens(node.id);
      continue;
    }
    const over = contractedAxes(node, domain);
    if (over === undefined || (inner !== undefined && inner.join() !== over.join())) return { spills: node };
    inner = over;
  }
  // What steps contract may be all that is read.
  inner ??= sums;
  if (inner === undefined) return { spills: undefined };
  const isOpen = (id: NodeId): boolean => open.has(id);
  const kept = [
    ...graph.outputs.map(({ value }) => value).filter(isOpen),
    ...graph.states.map(({ equation }) => equation.value).filter((id) => isOpen(id) && !cycle.has(id)),
  ];
  if (kept[0] !== undefined) return { spills: graph.nodes[kept[0]] };
  return { inner, members };
}

/**
 * The axes that the equations contract, where a scan can: all the same, of fixed sizes, few enough elements for the
 * registers of a channel's lanes, and besides them only what is elementwise. Their readers must contract the same.
 */
function innerSums(
  graph: Graph,
  { members }: Recurrence,
  domain: readonly AxisId[],
): readonly AxisId[] | undefined {
  let inner: readonly AxisId[] | undefined;
  for (const id of members) {
    const node = graph.nodes[id];
    if (node?.kind === "map" || node?.kind === "prev") {
      if (!node.type.axes.every((axis) => domain.includes(axis))) return undefined;
      continue;
    }
    const over = node && contractedAxes(node, domain);
    if (over === undefined || (inner !== undefined && inner.join() !== over.join())) return undefined;
    inner = over;
  }
  const sizes = (inner ?? []).map((axis) => graph.axes.get(axis)?.size);
  const elements = sizes.reduce<number>((p, size) => p * (typeof size === "number" ? size : Infinity), 1);
  return elements <= LONGEST_SUMMED ? inner : undefined;
}

/** The axes that a node contracts, if what it leaves is the rest of the domain. */
function contractedAxes(node: Node, domain: readonly AxisId[]): readonly AxisId[] | undefined {
  if (node.kind !== "dot" && (node.kind !== "reduce" || node.where !== undefined)) return undefined;
  const { over, type } = node;
  const rest = domain.filter((axis) => !over.includes(axis));
  const isRest = type.axes.length === rest.length && type.axes.every((axis) => rest.includes(axis));
  return isRest ? over : undefined;
}

const hasAll = (graph: Graph, id: NodeId, axes: readonly AxisId[]): boolean =>
  axes.every((axis) => graph.nodes[id]?.type.axes.includes(axis));

/** For the sequential kernel: everything that reads uncontracted state, up to and with the contraction. */
function readersUpToContraction(walk: OpenReaders, time: AxisId | undefined): readonly NodeId[] {
  const members: NodeId[] = [];
  for (let node = walk.next(); node !== undefined; node = walk.next()) {
    if (node.kind !== "map" && node.kind !== "dot" && node.kind !== "reduce") continue;
    if (walk.readsResults(node) || contracts(node, time)) continue;
    members.push(node.id);
    if (node.kind === "map") walk.opens(node.id);
  }
  return members;
}

/** The readers of values that still have the state's axes (*open* ones), one after the other in the graph's order. */
class OpenReaders {
  readonly open: Set<NodeId>;
  private readonly pending = new Set<NodeId>();
  private readonly later: Uint8Array;

  constructor(
    private readonly graph: Graph,
    private readonly cycle: ReadonlySet<NodeId>,
    private readonly units: ReadonlyMap<NodeId, Attached>,
    closed: ReadonlySet<NodeId> = new Set(),
  ) {
    this.open = new Set([...cycle].filter((id) => !closed.has(id)));
    this.later = dependents(graph, cycle, units);
    for (const id of this.open) this.readBy(id);
  }

  private readBy(id: NodeId): void {
    for (const reader of readersOf(this.graph)[id] ?? [])
      if (!this.cycle.has(reader.id)) this.pending.add(reader.id);
  }

  next(): Node | undefined {
    if (this.pending.size === 0) return undefined;
    const id = Math.min(...this.pending) as NodeId;
    this.pending.delete(id);
    return this.graph.nodes[id];
  }

  /** The value keeps the state's axes: who reads it comes next. */
  opens(id: NodeId): void {
    this.open.add(id);
    this.readBy(id);
  }

  /** Whether a node belongs to another recurrence, or also reads what has to be computed from the results of this one first. */
  readsResults(node: Node): boolean {
    return (
      this.units.has(node.id) ||
      operands(node).some((id) => !this.open.has(id) && !this.cycle.has(id) && this.later[id] === 1)
    );
  }
}

/** 1 for all values computed from some, at this step or a later one; what is attached to one recurrence is computed at once. */
function dependents(graph: Graph, from: Iterable<NodeId>, units: ReadonlyMap<NodeId, Attached>): Uint8Array {
  const found = new Uint8Array(graph.nodes.length);
  const pending: NodeId[] = [];
  const reach = (id: NodeId): void => {
    if (found[id] === 1) return;
    found[id] = 1;
    pending.push(id);
  };
  const readers = readersInTime(graph);
  for (const id of from) reach(id);
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    readers[id]?.forEach(reach);
    units.get(id)?.members.forEach(reach);
  }
  return found;
}
