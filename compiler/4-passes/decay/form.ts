/**
 * Recurrences that are outer products decaying in time: S = a·prev(S) + Σ x ⊗ k, where a lacks the axes of x (the *value*
 * axes), k lacks them too, and all that reads S contracts the axes of k (the *key* axes) with something that lacks the
 * value axes as well: y = Σ_key q·S. Mamba-2 and linear attention with any decay are of this form (Dao & Gu 2024; Yang
 * et al. 2024). What remains, the *lead* axes, are so many recurrences beside each other.
 *
 * One of low rank has one more outer product, p ⊗ u with u = Σ_key q·prev(S): what it takes out along a key (the delta
 * rule; Yang et al. 2024b).
 */
import type { AxisId, Graph, Node, NodeId, State } from "../../3-graph/types.js";
import type { Attached } from "../attach.js";
import { ASSOCIATIVE } from "../classify.js";
import { hasLogarithm } from "./logarithm.js";
import { axesOf, crossed, termsOf, type Factor, type Term } from "./terms.js";

export interface DecayForm {
  readonly state: State;
  readonly key: readonly AxisId[];
  readonly value: readonly AxisId[];
  readonly lead: readonly AxisId[];
  /** Nodes that are gone where the form is computed otherwise: all but the contractions. */
  readonly members: readonly NodeId[];
  /** a, as a product. */
  readonly decay: Omit<Term, "variable">;
  /** Whether a lacks the key axes, is one number for each lead coordinate. */
  readonly isScalar: boolean;
  readonly inputs: readonly Outer[];
  readonly reads: readonly Read[];
  readonly removal?: Removal;
}

/** p ⊗ u, where u contracts the state that was before. */
export interface Removal {
  /** u, whose terms read the state before, or none. */
  readonly read: Read;
  /** What p ⊗ u adds up: the factors beside u. */
  readonly puts: readonly Outer[];
}

/** A product, its factors sorted by whether they have key axes. */
export interface Outer {
  readonly scale: number;
  readonly key: readonly Factor[];
  readonly rest: readonly Factor[];
}

/** A contraction of the state: a sum of Σ_key q·S (`now`), Σ_key q·prev(S) (`before`), and of what reads no state. */
export interface Read {
  readonly node: NodeId;
  readonly terms: readonly (Outer & { readonly of: "now" | "before" | "none" })[];
}

/** The form, or what stands against it. */
export function decayForm(graph: Graph, attached: Attached): DecayForm | { readonly because?: Node } {
  const { recurrence, inner } = attached;
  const [id, ...others] = recurrence.states;
  const state = id === undefined ? undefined : graph.states[id];
  if (state === undefined || others.length > 0 || attached.kind !== "scan" || inner.length === 0) return {};
  if (attached.class === "tropical" || state.scalar !== "f32") return {};
  if (!ASSOCIATIVE.has(attached.class) && attached.class !== "low rank") return {};
  const members = attached.members.flatMap((member) => graph.nodes[member] ?? []);
  const { value: equation } = state.equation;
  const isBefore = (node: Node): boolean => node.kind === "prev" && node.state === state.id;

  const first = recurrence.members[0] ?? equation;
  const cycle = new Set(recurrence.members);
  const isContraction = (node: Node): boolean => node.kind === "dot" || node.kind === "reduce";
  const [removed, ...further] = members.filter((node) => cycle.has(node.id) && isContraction(node));
  if (further.length > 0) return {};
  const isVariable = (node: Node): boolean => isBefore(node) || node.id === removed?.id;
  const terms = termsOf(graph, equation, isVariable, first);
  if ("obstacle" in terms) return { because: terms.obstacle };
  const isPut = ({ variable }: Term): boolean => variable !== undefined && variable === removed?.id;
  const [decay, ...more] = terms.filter((term) => term.variable !== undefined && !isPut(term));
  if (decay === undefined || more.length > 0) return {};
  if (!hasLogarithm(graph, decay.scale, decay.factors)) {
    const because = graph.nodes[decay.factors[0]?.node ?? equation];
    return because === undefined ? {} : { because };
  }

  const sorted = ({ scale, factors }: Term): Outer => ({
    scale,
    key: factors.filter((factor) => hasAny(graph, [factor], inner)),
    rest: factors.filter((factor) => !hasAny(graph, [factor], inner)),
  });
  const inputs = terms.filter(({ variable }) => variable === undefined).map(sorted);
  const every: Read[] = [];
  for (const node of members.filter(isContraction)) {
    const found = readOf(graph, node, { isBefore, now: equation, first });
    if ("obstacle" in found) return { because: found.obstacle };
    every.push({
      node: node.id,
      terms: found.terms.map((term) => ({
        ...sorted(term),
        of: term.variable === undefined ? "none" : term.variable === equation ? "now" : "before",
      })),
    });
  }
  const [read, reads] = [
    every.find(({ node }) => node === removed?.id),
    every.filter(({ node }) => node !== removed?.id),
  ];
  const removal = read && { read, puts: terms.filter(isPut).map(sorted) };

  const byKey = [...inputs, ...(removal?.puts ?? []), ...every.flatMap(({ terms: each }) => each)];
  if (byKey.some(({ key }) => key.length === 0)) return {};
  const ofState = (each: Read): Read["terms"] => each.terms.filter(({ of }) => of !== "none");
  // What N is made of (removal.ts) is the same for all values.
  const matrix = removal === undefined ? [] : [...removal.puts, ...ofState(removal.read)];
  const fixed = [
    ...decay.factors,
    ...inputs.flatMap(({ key }) => key),
    ...reads.flatMap((each) => ofState(each).flatMap(({ key }) => key)),
    ...matrix.flatMap(({ key, rest }) => [...key, ...rest]),
  ];
  const isRunTime = (axis: AxisId): boolean => typeof graph.axes.get(axis)?.size !== "number";
  const taken = axesOf(graph, fixed);
  const apart = state.axes.filter((axis) => !inner.includes(axis));
  const value = apart.filter((axis) => !taken.has(axis) && !isRunTime(axis));
  if (value.length === 0) return {};
  return {
    state,
    key: inner,
    value,
    lead: apart.filter((axis) => !value.includes(axis)),
    members: members.filter((node) => !isContraction(node)).map((node) => node.id),
    decay,
    isScalar: !hasAny(graph, decay.factors, inner),
    inputs,
    reads,
    ...(removal && { removal }),
  };
}

function hasAny(graph: Graph, factors: readonly Factor[], axes: readonly AxisId[]): boolean {
  const found = axesOf(graph, factors);
  return axes.some((axis) => found.has(axis));
}

function readOf(
  graph: Graph,
  node: Node,
  {
    isBefore,
    now,
    first,
  }: { readonly isBefore: (node: Node) => boolean; readonly now: NodeId; readonly first: NodeId },
): { readonly terms: readonly Term[] } | { readonly obstacle: Node } {
  const expand = (id: NodeId): readonly Term[] | { readonly obstacle: Node } =>
    termsOf(graph, id, (each) => each.id === now || isBefore(each), first);
  if (node.kind === "reduce" && node.fn === "sum") {
    const terms = expand(node.arg);
    return "obstacle" in terms ? terms : { terms };
  }
  if (node.kind !== "dot") return { obstacle: node };
  const [left, right] = [expand(node.lhs), expand(node.rhs)];
  if ("obstacle" in left) return left;
  if ("obstacle" in right) return right;
  const terms = crossed(left, right);
  return terms === undefined ? { obstacle: node } : { terms };
}
