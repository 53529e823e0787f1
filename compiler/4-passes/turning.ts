/**
 * Which states are angles: sums along time, θ = prev(θ) + d, that are read by functions of period 2π alone, so that whole
 * turns are of no account.
 */
import { operands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId, State, StateId } from "../3-graph/types.js";
import { termsOf } from "./decay/terms.js";
import { recurrences, type Recurrence } from "./recurrences.js";

export interface Turning {
  readonly state: State;
  /** Whether some sine, cosine or exponential reads it. */
  readonly isTurned: boolean;
  /** The first thing to which whole turns matter: a value, an output, another state. Absent: nothing. */
  readonly misread?: Misreader;
}

export type Misreader =
  | { readonly kind: "value"; readonly node: Node }
  | { readonly kind: "output"; readonly name: string }
  | { readonly kind: "state"; readonly state: State };

/** Every real state that is a sum along time, with how it is read. */
export function turningStates(graph: Graph): readonly Turning[] {
  const sums = recurrences(graph).flatMap((recurrence): Sum[] => {
    const state = summed(graph, recurrence);
    return state === undefined ? [] : [{ state, members: new Set(recurrence.members) }];
  });
  const misread = new Map<StateId, Misreader>();
  for (;;) {
    const open = sums.filter(({ state }) => !misread.has(state.id));
    if (open.length === 0) return sums.map(({ state }) => described(state, new Set()));
    const readers = readersOf(graph, open);
    // What is made of two angles of which one is none may suit the other: its readers are asked again.
    for (const [id, by] of readers.misread) misread.set(id, by);
    if (readers.misread.size === 0) return sums.map(({ state }) => described(state, readers.turned));
  }

  function described(state: State, turned: ReadonlySet<StateId>): Turning {
    const by = misread.get(state.id);
    return by === undefined
      ? { state, isTurned: turned.has(state.id) }
      : { state, isTurned: isTurnedAlone(graph, sums, state), misread: by };
  }
}

interface Sum {
  readonly state: State;
  readonly members: ReadonlySet<NodeId>;
}

/** Whether a sine reads it besides what stands against it. */
const isTurnedAlone = (graph: Graph, sums: readonly Sum[], state: State): boolean =>
  readersOf(
    graph,
    sums.filter((sum) => sum.state.id === state.id),
  ).turned.has(state.id);

/** The state of a recurrence that is prev of itself, once and as it is, and something free of it. */
function summed(graph: Graph, { states, members }: Recurrence): State | undefined {
  const [id, ...others] = states;
  const state = id === undefined ? undefined : graph.states[id];
  if (state?.kind !== "state" || state.scalar !== "f32" || others.length > 0) return undefined;
  if (members.some((member) => !["map", "prev"].includes(graph.nodes[member]?.kind ?? ""))) return undefined;
  const first = members[0] ?? state.equation.value;
  const isBefore = (node: Node): boolean => node.kind === "prev" && node.state === id;
  const terms = termsOf(graph, state.equation.value, isBefore, first);
  if ("obstacle" in terms) return undefined;
  // Rules multiply what an equation lacks by 0.
  const found = terms.filter(({ scale }) => scale !== 0);
  const own = found.filter(({ variable }) => variable !== undefined);
  const isSum = own.length === 1 && own.every(({ scale, factors }) => scale === 1 && factors.length === 0);
  return isSum && found.length > 1 ? state : undefined;
}

/**
 * What a value is of an angle: itself, up to sign, whole factors and what is free of it; the imaginary part of a complex
 * number; or, within the sum's own equation, something else.
 */
type Kind = "angle" | "imaginary" | "inside";

interface Role {
  readonly kind: Kind;
  readonly of: ReadonlySet<StateId>;
}

interface Readers {
  readonly turned: ReadonlySet<StateId>;
  readonly misread: ReadonlyMap<StateId, Misreader>;
}

/** Follows the angles through all that reads them, operands before their users. */
function readersOf(graph: Graph, sums: readonly Sum[]): Readers {
  const roles = new Map<NodeId, Role>();
  const turned = new Set<StateId>();
  const misread = new Map<StateId, Misreader>();
  const open = new Map(sums.map((sum) => [sum.state.id, sum] as const));
  const values = new Map(sums.map(({ state }) => [state.equation.value, state.id] as const));
  const refuse = (of: Iterable<StateId>, by: Misreader): void => {
    for (const id of of) if (!misread.has(id)) misread.set(id, by);
  };
  for (const node of graph.nodes) {
    if (node.kind === "prev" && open.has(node.state)) {
      roles.set(node.id, { kind: "angle", of: new Set([node.state]) });
      continue;
    }
    const read = operands(node).flatMap((id) => roles.get(id) ?? []);
    if (read.length === 0) continue;
    const of = new Set(read.flatMap((role) => [...role.of]));
    const own = values.get(node.id);
    const kind = own !== undefined && of.size === 1 && of.has(own) ? "angle" : kindOf(graph, node, roles);
    if (kind === "nothing") for (const id of of) turned.add(id);
    else if (kind !== undefined) roles.set(node.id, { kind, of });
    else if ([...of].every((id) => open.get(id)?.members.has(node.id) === true))
      roles.set(node.id, { kind: "inside", of });
    else refuse(of, { kind: "value", node });
  }
  for (const state of graph.states) {
    const role = roles.get(state.equation.value);
    if (role === undefined || (open.has(state.id) && role.kind === "angle")) continue;
    refuse(role.of, { kind: "state", state });
  }
  for (const { value, name } of graph.outputs) refuse(roles.get(value)?.of ?? [], { kind: "output", name });
  return { turned, misread };
}

/** What a value is of the angles that it reads; "nothing" where whole turns are gone; undefined where they matter. */
function kindOf(graph: Graph, node: Node, roles: ReadonlyMap<NodeId, Role>): Kind | "nothing" | undefined {
  const kind = (id: NodeId | undefined): Kind | undefined =>
    id === undefined ? undefined : roles.get(id)?.kind;
  /** The one kind that some of the values have; the others are free of angles. */
  const common = (ids: readonly NodeId[]): Kind | undefined => {
    const kinds = new Set(ids.flatMap((id) => kind(id) ?? []));
    const [only] = kinds;
    return kinds.size === 1 ? only : undefined;
  };
  switch (node.kind) {
    case "rename":
    case "slice":
    case "window":
      return outside(kind(node.arg));
    case "flip":
      return node.steps === undefined ? outside(kind(node.arg)) : undefined;
    case "concat":
      return ofScalar(node, common(node.parts));
    case "reduce":
      return node.fn === "sum" && (node.where === undefined || kind(node.where) === undefined)
        ? outside(kind(node.arg))
        : undefined;
    case "map":
      break;
    default:
      return undefined;
  }
  const [x, y, z] = node.args;
  switch (node.fn) {
    case "neg":
      return outside(kind(x));
    case "add":
    case "sub":
      return ofScalar(node, common(node.args));
    case "select":
      return y === undefined || z === undefined || kind(x) !== undefined
        ? undefined
        : ofScalar(node, common([y, z]));
    case "mul":
      return kind(x) === undefined ? timesWhole(graph, kind(y), x) : timesWhole(graph, kind(x), y);
    case "complex":
      return kind(x) === undefined && kind(y) === "angle" ? "imaginary" : undefined;
    case "conj":
      return kind(x) === "imaginary" ? "imaginary" : undefined;
    case "exp":
      return kind(x) === "imaginary" ? "nothing" : undefined;
    case "sin":
    case "cos":
      return kind(x) === "angle" ? "nothing" : undefined;
    default:
      return undefined;
  }
}

const outside = (kind: Kind | undefined): Kind | undefined => (kind === "inside" ? undefined : kind);

/** An angle beside a complex number would be its real part. */
const ofScalar = ({ type }: Node, kind: Kind | undefined): Kind | undefined =>
  type.scalar === (kind === "angle" ? "f32" : "c64") ? outside(kind) : undefined;

/** An angle times a whole number, or times a whole number of i. */
function timesWhole(graph: Graph, kind: Kind | undefined, factor: NodeId | undefined): Kind | undefined {
  const node = factor === undefined ? undefined : graph.nodes[factor];
  const value = (id: NodeId | undefined): number | undefined => {
    const scalar = id === undefined ? undefined : graph.nodes[id];
    return scalar?.kind === "scalar" ? scalar.value : undefined;
  };
  if (Number.isInteger(value(factor))) return outside(kind);
  if (kind !== "angle" || node?.kind !== "map" || node.fn !== "complex") return undefined;
  const [re, im] = node.args;
  return value(re) === 0 && Number.isInteger(value(im)) ? "imaginary" : undefined;
}
