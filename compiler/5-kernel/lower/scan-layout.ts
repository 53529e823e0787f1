/** How a scan is laid out: which axes are sequences, channels and inner, and how time is cut. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { LONGEST } from "../../4-passes/packed.js";
import type { Group } from "../../4-passes/fuse.js";
import { LONGEST_STAGED } from "../../4-passes/schedule.js";
import { operands } from "../../3-graph/operation.js";
import type { AxisId, Documents, Graph, NodeId, State, StateId } from "../../3-graph/types.js";
import { sharedSums } from "../shared-sums.js";
import type { ScanKernel } from "../types.js";
import { axisSize, constantSize, isPair, product } from "./buffers.js";
import { carriedAxes, documentsOf } from "./documents.js";
import type { LowerContext, LoweredKernel } from "./context.js";

/** How the axes of a recurrence are laid over the kernel's loops. */
export interface Layout {
  readonly states: readonly State[];
  /** Run-time axes of the state: sequences; in a packed program, documents. And what channels share inner values by: heads. */
  readonly lead: readonly AxisId[];
  readonly channel: readonly AxisId[];
  readonly inner: readonly AxisId[];
  readonly time: AxisId;
  /** In a packed program: the document of a lead has its own range of steps. */
  readonly documents?: Documents;
  /** Whether a state is two f32: a complex number, or an angle. */
  readonly complex: boolean;
}

/** The names of the run-time numbers that cut time, and the tensors between the three kernels. */
export interface Cut {
  readonly steps: string;
  readonly chunks: string;
}

export function layoutOf(context: LowerContext, group: Group): Layout {
  const { graph } = context;
  const states = (group.recurrence?.states ?? []).map((id) => stateOf(context, id));
  const [first] = states;
  if (first === undefined) throw new InternalError("lower", "a scan without states");
  const axes = [...graph.axes.keys()].filter((axis) =>
    states.some((state) => carriedAxes(state).includes(axis)),
  );
  const documents = documentsOf(first);
  const fixed = axes.filter((axis) => typeof axisSize(graph, axis) === "number");
  const heads = sharing(
    graph,
    group,
    first.along,
    fixed.filter((axis) => !group.inner.includes(axis)),
  );
  return {
    states,
    lead: axes.filter((axis) => !fixed.includes(axis) || heads.has(axis)),
    channel: fixed.filter((axis) => !group.inner.includes(axis) && !heads.has(axis)),
    inner: group.inner,
    time: first.along,
    ...(documents && { documents }),
    complex: states.some((state) => isPair(state.scalar)),
  };
}

/** Fewer channels of one head than a workgroup takes are no reason to give each head its own. */
const FEWEST_OF_A_HEAD = 32;

/**
 * The channel axes of values over time and the inner axis that do not depend on the state: keys and queries of a head. With a head
 * a workgroup, its channels read such values from on-chip memory, where they are computed once. Values that have nearly all
 * channels of their own are left aside.
 */
function sharing(graph: Graph, group: Group, time: AxisId, channel: readonly AxisId[]): ReadonlySet<AxisId> {
  const inner = sizeOf(graph, group.inner);
  if (inner === 1 || inner > LONGEST_STAGED) return new Set();
  const stateful = dependentsOf(graph, group);
  let heads: readonly AxisId[] = [];
  for (const id of readBy(graph, group)) {
    const axes = graph.nodes[id]?.type.axes ?? [];
    const isInner = axes.some((axis) => group.inner.includes(axis) && constantSize(graph, axis) > 1);
    if (stateful.has(id) || !isInner || !axes.includes(time)) continue;
    const wider = channel.filter((axis) => heads.includes(axis) || axes.includes(axis));
    if (
      sizeOf(
        graph,
        channel.filter((axis) => !wider.includes(axis)),
      ) >= FEWEST_OF_A_HEAD
    )
      heads = wider;
  }
  return new Set(heads);
}

/** The members of a group and what they read. */
function readBy(graph: Graph, group: Group): ReadonlySet<NodeId> {
  const found = new Set<NodeId>(group.members);
  for (const id of group.members) {
    const node = graph.nodes[id];
    if (node !== undefined) for (const operand of operands(node)) found.add(operand);
  }
  return found;
}

/** Values of a group that depend on its states at the same step. */
export function dependentsOf(graph: Graph, group: Group): ReadonlySet<NodeId> {
  const found = new Set<NodeId>(group.recurrence?.members ?? []);
  for (const node of graph.nodes) {
    if (found.has(node.id) || !group.members.has(node.id)) continue;
    if (node.kind === "map" && node.args.some((id) => found.has(id))) found.add(node.id);
  }
  return found;
}

/** Sequences, and heads of each. */
export const leadsOf = (graph: Graph, { lead }: Layout): Dim =>
  product(lead.map((axis) => axisSize(graph, axis)));

export const channelsOf = (graph: Graph, { channel }: Layout): number => sizeOf(graph, channel);

export const innerOf = (graph: Graph, { inner }: Layout): number => sizeOf(graph, inner);

const sizeOf = (graph: Graph, axes: readonly AxisId[]): number =>
  axes.reduce((size, axis) => size * constantSize(graph, axis), 1);

function stateOf(context: LowerContext, id: StateId): State {
  const state = context.graph.states[id];
  if (state === undefined) throw new InternalError("lower", `no state #${id}`);
  return state;
}

export function chunkingOf(
  context: LowerContext,
  layout: Layout,
  whole: ScanKernel,
):
  | { readonly when: Dim; readonly numbers: NonNullable<LoweredKernel["numbers"]>; readonly cut: Cut }
  | undefined {
  const steps =
    layout.documents === undefined ? axisSize(context.graph, layout.time) : longest(context, layout);
  if (typeof steps === "number") return undefined;
  const leads = leadsOf(context.graph, layout);
  const chunking = context.schedules.chunking(shapeOf(whole), leads, steps);
  if (chunking === undefined) return undefined;
  const per = [...factorsOf(leads), whole.channels, ...(chunking.isLight ? ["light"] : [])].join("_");
  const what = factorsOf(steps).join("_");
  const cut = { steps: `${what}_per_chunk_${per}`, chunks: `chunks_of_${what}_${per}` };
  const numbers = [
    { name: cut.steps, value: chunking.steps },
    { name: cut.chunks, value: ["^/", steps, cut.steps] as const },
  ];
  return { when: chunking.when, numbers, cut };
}

const factorsOf = (dim: Dim): readonly (string | number)[] =>
  typeof dim === "object" ? dim.slice(1).flatMap((part) => factorsOf(part)) : dim === 1 ? [] : [dim];

/** Steps of the longest document, or its chunks. */
function longest({ graph }: LowerContext, { time }: Layout): Dim {
  const cut = graph.axes.get(time)?.cut;
  return cut?.part === "chunks" ? ["^/", LONGEST, axisSize(graph, cut.steps)] : LONGEST;
}

/** That share anything: more share less. */
const FEWEST_LANES = 2;

export function shapeOf(
  kernel: Omit<ScanKernel, "schedule">,
): Parameters<LowerContext["schedules"]["scan"]>[0] {
  const count = (per: "channel" | "inner"): number =>
    kernel.staged.filter((value) => value.per === per).length;
  return {
    channels: kernel.channels,
    inner: kernel.inner,
    stagedChannel: count("channel"),
    stagedInner: count("inner"),
    reductions: kernel.reductions.length,
    sums: kernel.contractions?.length ?? 0,
    shared: sharedSums(kernel, FEWEST_LANES).length,
    held: kernel.inner * kernel.states.filter(({ inner }) => inner).length,
  };
}
