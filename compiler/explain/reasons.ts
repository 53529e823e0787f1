/** The recorded reasons of fusion and classification, as sentences. */
import type { Fusion, Group } from "../4-passes/fuse.js";
import { turningStates, type Misreader } from "../4-passes/turning.js";
import type { AxisId, Graph, NodeId, State } from "../3-graph/types.js";
import { operands } from "../3-graph/rewrite.js";
import { shortName, type SourceText } from "./source.js";

export interface Boundary {
  /** The value that passes through memory. */
  readonly value: string;
  /** Where it is computed. */
  readonly at: string;
  /** The group that reads it. */
  readonly to: number;
  readonly why: string;
}

/** For every value that a group stores: who reads it, and why the reader is not part of the group. */
export function boundariesOf(
  graph: Graph,
  fusion: Fusion,
  g: number,
  source: SourceText,
): readonly Boundary[] {
  const group = fusion.groups[g];
  if (group === undefined) return [];
  const readers = readersOf(graph);
  const found: Boundary[] = [];
  // Of the values on the way that are computed as they are read, those that the author named are worth a word.
  const named = (id: NodeId): NodeId | undefined => (graph.nodes[id]?.name === undefined ? undefined : id);
  for (const value of [...group.stores, ...group.absorbed.flatMap(({ shared }) => shared)]) {
    const node = graph.nodes[value];
    const span = node && source.span(node);
    const reached = new Map<number, string>();
    const follow = (from: NodeId, through: NodeId | undefined): void => {
      for (const reader of readers.get(from) ?? []) {
        const home = fusion.home.get(reader);
        if (home === g) continue;
        if (home === undefined) {
          if (fusion.apart.has(reader)) follow(reader, through ?? named(reader));
          continue;
        }
        if (!reached.has(home))
          reached.set(home, whyApart(graph, fusion, { from: group, home, reader, through }, source));
      }
    };
    follow(value, undefined);
    for (const [k, other] of fusion.groups.entries())
      if (k !== g && !reached.has(k) && copies(graph, other, value))
        reached.set(k, startText(graph, other, source));
    for (const [to, why] of reached)
      found.push({
        value: source.label(graph, value),
        at: span === undefined ? "" : source.place(span),
        to,
        why,
      });
  }
  return found;
}

function copies(graph: Graph, group: Group, value: NodeId): boolean {
  const outputs = graph.outputs
    .filter(({ name }) => group.outputs.includes(name))
    .map((output) => output.value);
  const states = group.carries.map((id) => graph.states[id]?.equation.value);
  return [...outputs, ...states].includes(value);
}

function readersOf(graph: Graph): ReadonlyMap<NodeId, readonly NodeId[]> {
  const table = new Map<NodeId, NodeId[]>();
  for (const node of graph.nodes)
    for (const id of operands(node)) table.set(id, [...(table.get(id) ?? []), node.id]);
  return table;
}

interface Crossing {
  readonly from: Group;
  readonly home: number;
  readonly reader: NodeId;
  readonly through: NodeId | undefined;
}

function whyApart(
  graph: Graph,
  fusion: Fusion,
  { from, home, reader, through }: Crossing,
  source: SourceText,
): string {
  const group = fusion.groups[home];
  if (group === undefined) return "";
  const node = graph.nodes[reader];
  const isEpilogue =
    node?.kind === "map" && reader !== group.root && !group.recurrence?.members.includes(reader);
  // What stood against this reduction is that it is not summed as the product goes.
  if (isEpilogue && group.kind === "contract" && from.start.kind === "reduction")
    return aloneText(from.start.alone);
  const start = isEpilogue
    ? `${source.label(graph, reader)} also reads what that kernel computes, so it is computed there, last`
    : startText(graph, group, source);
  const { tooDear } = from;
  const dear =
    tooDear?.product === group.root
      ? `each of its ${tooDear.workgroups} workgroups would compute it anew, and ${(tooDear.bytes / 1e6).toFixed(1)} MB of what it is made of would be read again: more than a launch costs`
      : undefined;
  const apart = through === undefined ? undefined : apartText(graph, fusion, through, source);
  return [start, apart, dear].filter((text) => text !== undefined).join("; ");
}

/** Why a product does not make a reduction along its own axis. */
function aloneText(alone: Extract<Group["start"], { kind: "reduction" }>["alone"]): string {
  switch (alone) {
    case "rows":
      return "products of many rows make no other sums as they go, only those of a few rows do";
    case "function":
      return "a product makes plain sums as it goes, no others";
    case "readers":
      return "a product makes a sum as it goes only along its own axis, and if nothing else reads it";
  }
}

const axesText = (axes: readonly AxisId[]): string => axes.join(", ") || "nothing";

/** Why a kernel begins where it does. */
function startText(graph: Graph, group: Group, source: SourceText): string {
  const { start } = group;
  const root = graph.nodes[group.root];
  const what = source.label(graph, group.root);
  switch (start.kind) {
    case "product": {
      const over = root?.kind === "dot" ? axesText(root.over) : "an axis";
      const sums = `${what} sums over ${over}, of which each workgroup before has a part only`;
      if (start.alone === "long")
        return `${sums}; it is too long to be computed anew by the recurrence that reads it`;
      return start.alone === "complex" ? `${sums}; its elements are complex` : sums;
    }
    case "reduction": {
      const over = root?.kind === "reduce" ? axesText(root.over) : "an axis";
      return `${what} needs all of ${over}, of which each workgroup before has a part only`;
    }
    case "convolution":
      return `${what} reads earlier steps, which other workgroups compute`;
    case "delay":
      return `${what} is made of delays of delays, and delayed again: each reader would compute all of them`;
    case "gather":
      return `${what} reads where the data says, so anywhere`;
    case "recurrence": {
      const states = group.recurrence?.states.map((id) => shortName(graph.states[id]?.name ?? "?")) ?? [];
      const order = `${states.join(", ")} takes the steps in order, in one workgroup; other workgroups compute what it reads`;
      return start.spills === undefined
        ? order
        : `${order}; ${source.label(graph, start.spills)} keeps the state of every step from being contracted on chip`;
    }
    case "shared":
      return "it is dear to compute, and the product after it would compute it for each of many copies";
    case "relief":
      return `${what} is stored for ${source.label(graph, start.of)}, whose kernel would bind more buffers than the target allows`;
    case "output":
      return `the output '${start.name}' is laid out over other axes than the kernel that has its value`;
    case "carry":
      return `'${shortName(graph.states[start.state]?.name ?? "?")}' is handed to the next call over fewer axes than any kernel that reads it has`;
  }
}

function apartText(graph: Graph, fusion: Fusion, id: NodeId, source: SourceText): string | undefined {
  const apart = fusion.apart.get(id);
  const what = source.label(graph, id);
  switch (apart?.kind) {
    case undefined:
    case "view":
    case "leaf":
      return undefined;
    case "axes": {
      const missing = apart.lacks.length === 0 ? "" : ` without ${axesText(apart.lacks)}`;
      const more = apart.has.length === 0 ? "" : ` over ${axesText(apart.has)} too`;
      return `${what} is computed as it is read, for the kernel before has values${missing}${missing && more ? " and" : ""}${more}`;
    }
    case "through":
      return `${what} is computed as it is read, like ${source.label(graph, apart.operand)}`;
    case "cheap":
      return `${what} is computed as it is read: that costs no more than to load it`;
  }
}

/** What a recurrence is, and what in the source made it that. */
export interface RecurrenceText {
  readonly class: string;
  readonly states: readonly string[];
  readonly because: string;
  /** `file:line` of what decided. */
  readonly at: string;
}

export function recurrenceOf(graph: Graph, group: Group, source: SourceText): RecurrenceText | undefined {
  const { recurrence } = group;
  if (recurrence === undefined || group.class === undefined) return undefined;
  const states = recurrence.states.map((id) => shortName(graph.states[id]?.name ?? "?"));
  const [first] = recurrence.states;
  const state = first === undefined ? undefined : graph.states[first];
  const equation = state && graph.nodes[state.equation.value];
  const node = group.because ?? equation;
  const span = node && source.span(node);
  const at = span === undefined ? "" : source.place(span);
  const what = group.because === undefined ? "" : source.label(graph, group.because.id);
  const each = states.join(", ");
  const because = {
    diagonal: `${each} = a·prev(${each}) + b, element by element, with a and b free of ${each}: time can be cut in chunks`,
    "scalar decay": `${each} = a·prev(${each}) + b, and one a serves all of ${axesText(group.lacks ?? [])}, axes of an outer product in b: chunks of time can be products of matrices`,
    "vector decay": `${each} = a·prev(${each}) + b, and one a serves all of ${axesText(group.lacks ?? [])}, an axis of an outer product in b: chunks of time can be products of matrices`,
    "time-invariant": `${each} = a·prev(${each}) + b, element by element, with an a that does not depend on time: time can be cut in chunks`,
    tropical: `${each} is the greater (less) of prev(${each}) shifted and what is free of it: in chunks of time, maxima stand for sums and sums for products`,
    angle: `${each} = prev(${each}) + d, read by functions of period 2π alone: kept as a fraction of a turn, whose sum is exact in any order`,
    "low rank": `${what} contracts ${each} of the step before, and its product goes back into ${each}: a diagonal matrix and one of low rank`,
    elementwise: `each element depends on its own past alone, but ${what} is not affine in it: time cannot be cut`,
    coupled: `${what} makes an element of ${each} depend on others of the step before`,
  }[group.class];
  return { class: group.class, states, because: `${because}${whyNoAngle(graph, state, source)}`, at };
}

/** Of a sum that sines read: what else reads it, so that it is kept with all its turns. */
function whyNoAngle(graph: Graph, state: State | undefined, source: SourceText): string {
  const misread = turningStates(graph).find(
    (found) => found.state.id === state?.id && found.isTurned,
  )?.misread;
  if (misread === undefined) return "";
  return `; no angle that is kept as a fraction of a turn, for to ${misreader(graph, misread, source)} whole turns matter`;
}

function misreader(graph: Graph, by: Misreader, source: SourceText): string {
  switch (by.kind) {
    case "value":
      return source.label(graph, by.node.id);
    case "output":
      return `the output '${by.name}'`;
    case "state":
      return `'${shortName(by.state.name)}'`;
  }
}
