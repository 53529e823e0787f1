/**
 * The class of a recurrence: what its equations are in terms of `prev`, and so which kernels can run it
 * (SPEC.md § Classes). Decided by the form of the equations alone.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, Node, NodeId, State } from "../3-graph/types.js";
import { axesOf, termsOf, type Factor, type Term } from "./decay/terms.js";
import { dependents, type NodeRange } from "./linear.js";
import type { Recurrence } from "./recurrences.js";

export type RecurrenceClass =
  /** h = a·prev(h) + b, elementwise, a and b free of state: chunks of time can be joined. */
  | "diagonal"
  /** The same, with one a for all of an outer product in b. */
  | "scalar decay"
  /** The same, with an a that has one side's axes of an outer product in b. */
  | "vector decay"
  /** The same, with an a that does not depend on time. */
  | "time-invariant"
  /** m = max(prev(m) + a, b): a product of maxima and sums; or min for max. */
  | "tropical"
  /** θ = prev(θ) + d, read by functions of period 2π alone, and kept as a fraction of a turn (angles.ts). */
  | "angle"
  /** S = a·prev(S) + k·dot(q, prev(S)) + b: a diagonal matrix and one of low rank. */
  | "low rank"
  /** Every element depends on its own past alone, but in none of these forms, or on several states at once. */
  | "elementwise"
  /** Elements read each other's past. */
  | "coupled";

export interface Classification {
  readonly recurrence: Recurrence;
  readonly class: RecurrenceClass;
  /** The node that decided against a better class. */
  readonly because?: Node;
  /** Axes of an outer product in b that a lacks. */
  readonly lacks?: readonly AxisId[];
}

/** Those whose chunks of time can be computed apart and joined. */
export const ASSOCIATIVE: ReadonlySet<RecurrenceClass> = new Set<RecurrenceClass>([
  ...(["diagonal", "scalar decay", "vector decay", "time-invariant", "tropical", "angle"] as const),
]);

/** Those whose elements read others' past: no scan can run them. */
export const MIXING: ReadonlySet<RecurrenceClass> = new Set<RecurrenceClass>(["low rank", "coupled"]);

export function classify(graph: Graph, recurrence: Recurrence): Classification {
  const members = new Set(recurrence.members);
  const mixing = recurrence.members
    .map((id) => graph.nodes[id])
    .find((node) => node !== undefined && node.kind !== "map" && node.kind !== "prev");
  if (mixing !== undefined) {
    const found = isLowRank(graph, recurrence) ? "low rank" : "coupled";
    return { recurrence, class: found, because: mixing };
  }
  if (recurrence.states.some((id) => graph.states[id]?.scalar === "angle"))
    return { recurrence, class: "angle" };
  const range = rangeOf(recurrence);
  const past = dependents(graph, (node) => node.kind === "prev" && members.has(node.id), range);
  for (const id of recurrence.states) {
    const state = graph.states[id];
    if (state === undefined) continue;
    const other = readsOther(graph, state.equation.value, id, past);
    const isBefore = (node: Node): boolean => node.kind === "prev" && node.state === id;
    const terms = termsOf(graph, state.equation.value, isBefore, range.from);
    if ("obstacle" in terms) {
      const [only, ...more] = recurrence.states;
      const alone = only === id && more.length === 0;
      if (alone && isTropical(graph, state.equation.value, past)) return { recurrence, class: "tropical" };
      return { recurrence, class: "elementwise", because: terms.obstacle };
    }
    if (other !== undefined) return { recurrence, class: "elementwise", because: other };
  }
  return { recurrence, ...diagonalClass(graph, recurrence) };
}

/** Where the recurrence's nodes stand, every `prev` of its states among them. */
function rangeOf({ members }: Recurrence): NodeRange {
  const none = 0 as NodeId;
  return { from: members[0] ?? none, to: members.at(-1) ?? none };
}

/** Which of the classes of h = a·prev(h) + b. */
function diagonalClass(graph: Graph, recurrence: Recurrence): Pick<Classification, "class" | "lacks"> {
  const states = recurrence.states.flatMap((id) => graph.states[id] ?? []);
  const forms = states.map((state) => decayOf(graph, state, rangeOf(recurrence).from));
  const [form] = forms;
  if (form !== undefined && forms.length === 1 && form.lacks.length > 0)
    return { class: form.isScalar ? "scalar decay" : "vector decay", lacks: form.lacks };
  return { class: forms.every((each) => each?.hasTime === false) ? "time-invariant" : "diagonal" };
}

interface Decay {
  readonly hasTime: boolean;
  /** Axes of an outer product in b that a lacks. */
  readonly lacks: readonly AxisId[];
  /** Whether it lacks those of both sides. */
  readonly isScalar: boolean;
}

function decayOf(graph: Graph, state: State, first: NodeId): Decay | undefined {
  const terms = termsOf(
    graph,
    state.equation.value,
    (node) => node.kind === "prev" && node.state === state.id,
    first,
  );
  if ("obstacle" in terms) return undefined;
  const own = axesOf(
    graph,
    terms.flatMap(({ variable, factors }) => (variable === undefined ? [] : factors)),
  );
  const b = terms.filter(({ variable }) => variable === undefined);
  const isFixed = (axis: AxisId): boolean => typeof graph.axes.get(axis)?.size === "number";
  const axes = state.axes.filter((axis) => isFixed(axis) && graph.axes.get(axis)?.size !== 1);
  const outer = axes.filter((axis) => axes.some((other) => apart(graph, b, axis, other)));
  const lacks = outer.filter((axis) => !own.has(axis));
  const isScalar = lacks.some((axis) => lacks.some((other) => apart(graph, b, axis, other)));
  return { hasTime: own.has(state.along), lacks, isScalar };
}

/** Whether the terms have both axes, and no factor has the two of them. */
function apart(graph: Graph, terms: readonly Term[], p: AxisId, q: AxisId): boolean {
  const has = (factor: Factor, axis: AxisId): boolean =>
    graph.nodes[factor.node]?.type.axes.includes(axis) === true;
  return (
    terms.length > 0 &&
    terms.every(
      ({ factors }) =>
        factors.some((factor) => has(factor, p)) &&
        factors.some((factor) => has(factor, q)) &&
        factors.every((factor) => !has(factor, p) || !has(factor, q)),
    )
  );
}

/** max over terms, each prev(m) plus something free of it, or free of it; or min. */
function isTropical(graph: Graph, root: NodeId, past: ReadonlySet<NodeId>): boolean {
  const extremum = graph.nodes[root];
  if (extremum?.kind !== "map" || (extremum.fn !== "max" && extremum.fn !== "min")) return false;
  const visit = (id: NodeId): boolean => {
    const node = graph.nodes[id];
    if (node === undefined || !past.has(id) || node.kind === "prev") return true;
    if (node.kind !== "map") return false;
    const [x, y] = node.args;
    if (x === undefined || y === undefined) return false;
    if (node.fn === extremum.fn) return visit(x) && visit(y);
    if (node.fn === "add") return past.has(x) !== past.has(y) && isShifted(x) && isShifted(y);
    return node.fn === "sub" && !past.has(y) && isShifted(x);
  };
  /** prev(m), shifted: no extremum inside, which a scan would have to distribute over. */
  const isShifted = (id: NodeId): boolean => {
    const node = graph.nodes[id];
    if (!past.has(id) || node?.kind === "prev") return true;
    return node?.kind === "map" && (node.fn === "add" || node.fn === "sub") && visit(id);
  };
  return visit(root);
}

/** Linear in prev(S) and in contractions of what is prev(S) times something. */
function isLowRank(graph: Graph, recurrence: Recurrence): boolean {
  const { states, members } = recurrence;
  const range = rangeOf(recurrence);
  const [id, ...others] = states;
  const state = id === undefined ? undefined : graph.states[id];
  if (state === undefined || others.length > 0) return false;
  const inside = new Set(members);
  const isBefore = (node: Node): boolean => node.kind === "prev" && node.state === id;
  const contracts = (node: Node): boolean =>
    inside.has(node.id) && (node.kind === "dot" || (node.kind === "reduce" && node.fn === "sum"));
  const contractions = members.flatMap((member) => {
    const node = graph.nodes[member];
    return node !== undefined && contracts(node) ? [node] : [];
  });
  const isLinear = (root: NodeId, isVariable: (node: Node) => boolean): boolean =>
    !("obstacle" in termsOf(graph, root, isVariable, range.from));
  const past = dependents(graph, isBefore, range);
  return (
    isLinear(state.equation.value, (node) => isBefore(node) || contracts(node)) &&
    contractions.every((node) => {
      const mixed = operands(node).filter((arg) => past.has(arg));
      return mixed.length === 1 && mixed.every((arg) => isLinear(arg, isBefore));
    })
  );
}

/** A `prev` of another state of the recurrence under `root`. */
function readsOther(graph: Graph, root: NodeId, own: number, past: ReadonlySet<NodeId>): Node | undefined {
  const node = graph.nodes[root];
  if (node === undefined || !past.has(root)) return undefined;
  if (node.kind === "prev") return node.state === own ? undefined : node;
  for (const arg of operands(node)) {
    const other = readsOther(graph, arg, own, past);
    if (other !== undefined) return other;
  }
  return undefined;
}
