/**
 * Fusion: which values are stored in memory, and which kernel computes what (SPEC.md § Fusion).
 *
 * Anchors (contractions, reductions, convolutions, gathers, recurrences) start a group, which becomes one kernel.
 * An elementwise value joins the group of an operand when it has that group's domain and everything else that it reads
 * was stored before (an epilogue). Every other elementwise value or view is *virtual*: each reader computes it anew from
 * what is stored (a prologue).
 */
import { InternalError } from "../diagnostics/internal-error.js";
import type { AxisId, Graph, MapFn, Node, NodeId, StateId } from "../3-graph/types.js";
import { operands } from "../3-graph/rewrite.js";
import { uncut } from "./decay/chunks.js";
import { executionOrder } from "./order.js";
import { TAIL_COUNT } from "./programs.js";
import type { RecurrenceClass } from "./classify.js";
import type { Recurrence } from "./recurrences.js";
import { attachAll, type Attached } from "./attach.js";
import { readersInTime, readsOf } from "./uses.js";
import { apartByAxes, type Apart, type Start } from "./fusion-reasons.js";

export type GroupKind = "map" | "reduce" | "contract" | "scan" | "sequential";

export interface Group {
  readonly kind: GroupKind;
  /** The anchor; for a recurrence its last member. */
  readonly root: NodeId;
  /** Why it is a kernel of its own. */
  readonly start: Start;
  readonly recurrence?: Recurrence;
  readonly class?: RecurrenceClass;
  /** The node that decided against a better class. */
  readonly because?: Node;
  /** Axes of an outer product that the decay lacks. */
  readonly lacks?: readonly AxisId[];
  /** scan: the axes that the outputs contract; the state is split over lanes along them. */
  readonly inner: readonly AxisId[];
  /** Values computed inside: the anchor, its epilogue; for a recurrence the cycle and what is attached to it. */
  readonly members: ReadonlySet<NodeId>;
  /** Coordinates of a stored value, in canonical order. */
  readonly domain: readonly AxisId[];
  /** Members that other groups, outputs or states read: what goes to memory. */
  readonly stores: readonly NodeId[];
  /** Outputs (by name) that this group writes. */
  readonly outputs: readonly string[];
  /** States off any cycle whose carried value this group writes. */
  readonly carries: readonly StateId[];
  /** contract: what it computes as it goes, where its rows are few; reduce: what it computes before its own. */
  readonly absorbed: readonly Absorbed[];
  /** map: the product of few rows that could compute it as it goes, and what its workgroups would read again for a row. */
  readonly tooDear?: { readonly product: NodeId; readonly workgroups: number; readonly bytes: number };
}

/** A kernel's work that another does too: a product up to so many rows, and with more that kernel runs before it. */
export interface Absorbed {
  /** The kernel: of a product, a reduction over what it contracts, or a map over its rows and that; else a reduction over the same axis. */
  readonly group: Group;
  /** What of it other kernels read. */
  readonly shared: readonly NodeId[];
  /** Absent: any. */
  readonly mostRows?: number;
}

export interface Fusion {
  /** In an order in which each group reads only what earlier ones stored. */
  readonly groups: readonly Group[];
  /** The group that computes a value; absent: leaf or virtual. */
  readonly home: ReadonlyMap<NodeId, number>;
  /** Why values that are virtual did not join the kernel that stores what they read. */
  readonly apart: ReadonlyMap<NodeId, Apart>;
  /** Values of equal shape that lie one after the other in one buffer, each with all of its buffer's values in order. */
  readonly joint: ReadonlyMap<NodeId, readonly NodeId[]>;
}

export interface FusionOptions {
  /** Products with a parameter over an axis up to this long are computed by the recurrence that reads them. 0: never. */
  readonly inlineDots: number;
  /** So are sums, maxima and minima. */
  readonly inlineReductions: number;
}

interface Draft {
  kind: GroupKind;
  root: NodeId;
  start: Start;
  recurrence?: Recurrence;
  class?: RecurrenceClass;
  because?: Node;
  lacks?: readonly AxisId[];
  inner: readonly AxisId[];
  members: Set<NodeId>;
  domain: readonly AxisId[];
  outputs: string[];
  carries: StateId[];
}

export function fuse(graph: Graph, options: FusionOptions): Fusion {
  const fusion = new Fuser(graph, options);
  fusion.place();
  fusion.placeOutputs();
  fusion.placeCarries();
  fusion.leaveToReaders();
  return fusion.finish();
}

/** Functions that cost no more than the load of their result. */
const CHEAP: ReadonlySet<MapFn> = new Set<MapFn>([
  "add",
  "sub",
  "mul",
  "neg",
  "min",
  "max",
  "abs",
  "select",
  "float",
]);

/** A delay computes what it delays anew, one step earlier: of n delays of one another, each adding what it delays, 2ⁿ times. */
const MOST_DELAYS = 3;

const sameAxes = (p: readonly AxisId[], q: readonly AxisId[]): boolean =>
  p.length === q.length && p.every((axis) => q.includes(axis));

class Fuser {
  private readonly drafts: Draft[] = [];
  private readonly home = new Map<NodeId, number>();
  /** The last group that must have run before a value can be read; −1: none. */
  private readonly ready = new Map<NodeId, number>();
  private readonly cyclic = new Set<StateId>();
  private readonly onCycle = new Set<NodeId>();
  /** The cycles and what is attached to them. */
  private readonly inRecurrence = new Set<NodeId>();
  private readonly apart = new Map<NodeId, Apart>();
  /** Of what no kernel stores: how many delays of one another its readers compute. */
  private readonly delays = new Map<NodeId, number>();
  private readonly carriedValues: ReadonlySet<NodeId>;

  constructor(
    private readonly graph: Graph,
    private readonly options: FusionOptions,
  ) {
    this.carriedValues = new Set(graph.states.map(({ equation }) => equation.value));
  }

  place(): void {
    const found = attachAll(this.graph);
    for (const { recurrence, members } of found) {
      recurrence.states.forEach((state) => this.cyclic.add(state));
      recurrence.members.forEach((id) => this.onCycle.add(id));
      members.forEach((id) => this.inRecurrence.add(id));
    }
    for (const item of executionOrder(this.graph, found)) {
      if (typeof item !== "number") this.placeRecurrence(item);
      else if (!this.home.has(item)) this.placeNode(this.node(item));
    }
  }

  private node(id: NodeId): Node {
    const node = this.graph.nodes[id];
    if (node === undefined) throw new InternalError("fuse", `no node %${id}`);
    return node;
  }

  private readyAt(id: NodeId): number {
    return this.ready.get(id) ?? -1;
  }

  private start(draft: Omit<Draft, "outputs" | "carries" | "members">, members: Iterable<NodeId>): number {
    const index = this.drafts.length;
    this.drafts.push({ ...draft, members: new Set(members), outputs: [], carries: [] });
    for (const id of this.drafts[index]?.members ?? []) {
      this.home.set(id, index);
      this.ready.set(id, index);
    }
    return index;
  }

  private placeRecurrence(attached: Attached): void {
    const { recurrence, kind, inner, members, domain, class: found, because, lacks, spills } = attached;
    const root = recurrence.members.at(-1);
    if (root === undefined) throw new InternalError("fuse", "a recurrence without members");
    const start: Start = { kind: "recurrence", ...(spills && { spills: spills.id }) };
    const decided = { class: found, ...(because && { because }), ...(lacks && { lacks }) };
    this.start({ kind, root, start, recurrence, ...decided, inner, domain }, members);
  }

  private placeNode(node: Node): void {
    const anchor = this.anchorKind(node);
    if (anchor !== undefined) {
      const start = this.startOf(node);
      this.start({ kind: anchor, root: node.id, start, inner: [], domain: node.type.axes }, [node.id]);
      return;
    }
    const delays = this.delaysIn(node);
    if (delays >= MOST_DELAYS && this.isDelayed(node.id)) {
      const start: Start = { kind: "delay" };
      this.start({ kind: "map", root: node.id, start, inner: [], domain: node.type.axes }, [node.id]);
      return;
    }
    const latest = Math.max(-1, ...readsOf(this.graph, node).map((id) => this.readyAt(id)));
    this.ready.set(node.id, latest);
    this.delays.set(node.id, delays);
    const apart = this.keptApart(node, latest);
    if (apart !== undefined) {
      this.apart.set(node.id, apart);
      return;
    }
    this.drafts[latest]?.members.add(node.id);
    this.home.set(node.id, latest);
  }

  /** Delays of one another that a value's readers would compute with it. */
  private delaysIn(node: Node): number {
    const inside = readsOf(this.graph, node)
      .filter((id) => !this.home.has(id))
      .map((id) => this.delays.get(id) ?? 0);
    return Math.max(0, ...inside) + (node.kind === "prev" ? 1 : 0);
  }

  /** Whether a delay carries the value from step to step. */
  private isDelayed(id: NodeId): boolean {
    return this.graph.states.some(
      ({ id: state, equation }) => equation.value === id && !this.cyclic.has(state),
    );
  }

  /** An elementwise node is computed by group `g`, right after the values that it reads there, unless something stands against it. */
  private keptApart(node: Node, g: number): Apart | undefined {
    const draft = this.drafts[g];
    if (draft === undefined) return { kind: "leaf" };
    // Chunks and steps joined again are the domain itself under other coordinates.
    const joins = node.kind === "unchunk" && this.home.get(node.arg) === g;
    if (node.kind !== "map" && !joins) return { kind: "view" };
    if (!this.isOn(node.type.axes, draft.domain)) return apartByAxes(node.type.axes, draft.domain);
    const operand = operands(node).find((id) => this.home.get(id) !== g && this.readyAt(id) >= g);
    return operand === undefined ? undefined : { kind: "through", operand };
  }

  /** Whether axes are those of a domain, or those of the time that it has cut. */
  private isOn(axes: readonly AxisId[], domain: readonly AxisId[]): boolean {
    return sameAxes(axes, domain) || sameAxes(axes, uncut(this.graph, domain)?.axes ?? domain);
  }

  private startOf(node: Node): Start {
    if (node.kind === "conv") return { kind: "convolution" };
    if (node.kind === "reduce") return { kind: "reduction", alone: "rows" };
    if (node.kind !== "dot") return { kind: "gather" };
    if (node.type.scalar === "c64") return { kind: "product", alone: "complex" };
    return { kind: "product", alone: this.onlyForRecurrences(node.id) ? "long" : "readers" };
  }

  private anchorKind(node: Node): GroupKind | undefined {
    switch (node.kind) {
      case "dot":
        if (node.type.scalar === "c64") return "map";
        return this.inlines(node) ? undefined : "contract";
      case "reduce":
        if (this.inlines(node)) return undefined;
        return node.type.scalar === "c64" ? "map" : "reduce";
      case "conv":
        return "map";
      case "gather":
        return this.onlyForProducts(node.id) ? undefined : "map";
      default:
        return undefined;
    }
  }

  /** A short product or reduction that only a recurrence reads, through elementwise functions: the scan computes it as it stages its inputs. */
  private inlines(node: Node & { kind: "dot" | "reduce" }): boolean {
    const { inlineDots, inlineReductions } = this.options;
    const size = node.over.reduce((product, axis) => {
      const extent = this.graph.axes.get(axis)?.size;
      return product * (typeof extent === "number" ? extent : Infinity);
    }, 1);
    return size <= (node.kind === "dot" ? inlineDots : inlineReductions) && this.onlyForRecurrences(node.id);
  }

  /** What products alone read they gather themselves: an expert's weights are not copied for each position. */
  private onlyForProducts(id: NodeId): boolean {
    const readers = readersInTime(this.graph)[id] ?? [];
    return readers.length > 0 && readers.every((reader) => this.node(reader).kind === "dot");
  }

  private onlyForRecurrences(id: NodeId): boolean {
    const readers = readersInTime(this.graph)[id] ?? [];
    return (
      readers.length > 0 &&
      readers.every((reader) => {
        if (this.inRecurrence.has(reader)) return true;
        const node = this.node(reader);
        if (node.kind === "dot" || node.kind === "reduce") return this.inlines(node);
        return node.kind === "map" && this.onlyForRecurrences(reader);
      })
    );
  }

  /** Outputs are stored by the group that computes them, or by one that only copies. */
  placeOutputs(): void {
    for (const output of this.graph.outputs) {
      const home = this.home.get(output.value);
      const draft = home === undefined ? undefined : this.drafts[home];
      if (
        home !== undefined &&
        draft !== undefined &&
        this.isOn(output.axes, draft.domain) &&
        this.isResult(draft, output.value) &&
        (this.isWindowed(draft.domain) || this.onlyForOutputs(home))
      ) {
        draft.outputs.push(output.name);
        continue;
      }
      const copy: Draft = {
        kind: "map",
        root: output.value,
        start: { kind: "output", name: output.name },
        inner: [],
        members: new Set(),
        // Along a run-time axis that the value lacks it is the same everywhere.
        domain: output.axes,
        outputs: [output.name],
        carries: [],
      };
      this.drafts.push(copy);
    }
  }

  /** Whether a domain is of the tail alone, or the program has no tail. */
  private isWindowed(domain: readonly AxisId[]): boolean {
    const windows = [...this.graph.axes.values()].filter(
      ({ size }) => typeof size === "object" && size.runtime === TAIL_COUNT,
    );
    return windows.length === 0 || windows.some(({ id }) => domain.includes(id));
  }

  /** Whether no other group and no state reads a group's values. A kernel that writes outputs is of the tail, and the body cannot read what it computes. */
  private onlyForOutputs(g: number): boolean {
    const members = this.drafts[g]?.members ?? new Set();
    const carried = this.graph.states.some(({ equation }) =>
      this.leaves(equation.value).some((id) => members.has(id)),
    );
    return !carried && [...members].every((id) => this.groupsReading(id, g).length === 0);
  }

  /** Whether a member has a value for each point of the domain (and not for each point of an inner axis too). */
  private isResult(draft: Draft, id: NodeId): boolean {
    return this.isOn(this.node(id).type.axes, draft.domain);
  }

  /** States on no cycle (delays, histories) are written by the kernel that reads them, or by one of their own. */
  placeCarries(): void {
    for (const state of this.graph.states) {
      if (this.cyclic.has(state.id)) continue;
      const { equation } = state;
      const { value } = equation;
      // A document may have no steps of its own: its values go on by a kernel that runs over documents.
      const documents = equation.kind === "discrete" ? equation.documents : undefined;
      const spread = [...this.node(value).type.axes];
      const host = this.drafts.find(
        (draft, g) =>
          documents === undefined &&
          draft.kind === "map" &&
          [...draft.members].some((id) => this.reads(id, state.id)) &&
          sameAxes(draft.domain, spread) &&
          (this.home.get(value) === g || this.readyAt(value) < g),
      );
      if (host !== undefined) {
        host.carries.push(state.id);
        continue;
      }
      const index = this.drafts.length;
      const start: Start = { kind: "carry", state: state.id };
      const domain = documents === undefined ? state.axes : [documents.axis, ...state.axes];
      this.start({ kind: "map", root: value, start, inner: [], domain }, []);
      this.drafts[index]?.carries.push(state.id);
    }
  }

  /**
   * A cheap epilogue value is not worth storing where its readers can compute it from what is stored anyway, or where
   * two or more such values come from one that could be stored in their place. What another epilogue value of the group
   * reads stays at hand there: computing it in place costs nothing.
   */
  leaveToReaders(): void {
    const stored = this.storedValues();
    for (const [g, draft] of this.drafts.entries()) {
      const inside = (id: NodeId): boolean => this.home.get(id) === g;
      const candidates = (): (Node & { kind: "map" })[] =>
        [...draft.members]
          .filter((id) => stored.has(id) && !this.onCycle.has(id))
          .sort((p, q) => q - p)
          .map((id) => this.node(id))
          .filter((node): node is Node & { kind: "map" } => node.kind === "map" && CHEAP.has(node.fn))
          .filter(({ id }) => !this.carried(id, draft));
      const leave = (node: Node & { kind: "map" }): void => {
        draft.members.delete(node.id);
        this.home.delete(node.id);
        this.apart.set(node.id, { kind: "cheap" });
        stored.delete(node.id);
        for (const arg of node.args) if (inside(arg)) stored.add(arg);
      };
      for (const node of candidates())
        if (node.args.every((arg) => !inside(arg) || stored.has(arg))) leave(node);
      const sources = new Map<NodeId, (Node & { kind: "map" })[]>();
      for (const node of candidates()) {
        const [source, ...others] = new Set(node.args.filter((arg) => inside(arg) && !stored.has(arg)));
        if (source === undefined || others.length > 0 || this.onCycle.has(source)) continue;
        sources.set(source, [...(sources.get(source) ?? []), node]);
      }
      for (const nodes of sources.values()) if (nodes.length > 1) nodes.forEach(leave);
    }
  }

  /** Whether a value is what an output or a state of this group is. */
  private carried(id: NodeId, draft: Draft): boolean {
    return (
      this.carriedValues.has(id) ||
      draft.outputs.some((name) => this.graph.outputs.find((o) => o.name === name)?.value === id)
    );
  }

  private reads(id: NodeId, state: StateId): boolean {
    const node = this.node(id);
    return (node.kind === "conv" && node.history === state) || (node.kind === "prev" && node.state === state);
  }

  /** Groups other than `except` that read a value, directly or through virtual nodes. */
  private groupsReading(id: NodeId, except: number): readonly number[] {
    const found = new Set<number>();
    const seen = new Set<NodeId>([id]);
    const pending = [id];
    for (let value = pending.pop(); value !== undefined; value = pending.pop())
      for (const reader of readersInTime(this.graph)[value] ?? []) {
        const home = this.home.get(reader);
        if (home !== undefined && home !== except) found.add(home);
        if (home === undefined && !seen.has(reader)) {
          seen.add(reader);
          pending.push(reader);
        }
      }
    return [...found];
  }

  finish(): Fusion {
    const kept = this.drafts.map((_, g) => g).filter((g) => this.keeps(g));
    const renumbered = new Map(kept.map((g, k) => [g, k]));
    const stored = this.storedValues();
    const groups = kept.map((g): Group => {
      const draft = this.drafts[g];
      if (draft === undefined) throw new InternalError("fuse", `no group ${g}`);
      return {
        ...draft,
        absorbed: [],
        stores: [...draft.members].filter((id) => stored.has(id)).sort((p, q) => p - q),
      };
    });
    const home = new Map<NodeId, number>();
    for (const [id, g] of this.home) {
      const k = renumbered.get(g);
      if (k !== undefined) home.set(id, k);
    }
    return { groups, home, apart: this.apart, joint: new Map() };
  }

  private keeps(g: number): boolean {
    const draft = this.drafts[g];
    return (
      draft !== undefined && (draft.members.size > 0 || draft.outputs.length > 0 || draft.carries.length > 0)
    );
  }

  /** Members read from outside their group: by another group's members, through virtual nodes, as copied outputs or as carried states. */
  private storedValues(): Set<NodeId> {
    const stored = new Set<NodeId>();
    for (const [id, g] of this.home) if (this.groupsReading(id, g).length > 0) stored.add(id);
    for (const [g, draft] of this.drafts.entries()) {
      const outside = (id: NodeId): void => {
        for (const leaf of this.leaves(id)) if (this.home.get(leaf) !== g) stored.add(leaf);
      };
      for (const name of draft.outputs) {
        const output = this.graph.outputs.find((o) => o.name === name);
        if (output !== undefined) outside(output.value);
      }
      for (const state of draft.carries) {
        const value = this.graph.states[state]?.equation.value;
        if (value !== undefined) outside(value);
      }
    }
    return stored;
  }

  /** The placed values that a value is computed from, itself if it is placed. */
  private leaves(id: NodeId): readonly NodeId[] {
    const found = new Set<NodeId>();
    const seen = new Set<NodeId>(); // a value may be reached on more paths than there are values
    const visit = (at: NodeId): void => {
      if (seen.has(at)) return;
      seen.add(at);
      if (this.home.has(at)) found.add(at);
      else readsOf(this.graph, this.node(at)).forEach(visit);
    };
    visit(id);
    return [...found];
  }
}
