/** How a scan is laid out: which axes are sequences, channels and inner, and how time is cut. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { LONGEST } from "../../4-passes/packed.js";
import type { Group } from "../../4-passes/fuse.js";
import type { AxisId, Documents, State, StateId } from "../../3-graph/types.js";
import type { ScanKernel } from "../types.js";
import { axisSize, product } from "./buffers.js";
import { carriedAxes, documentsOf } from "./documents.js";
import type { LowerContext, LoweredKernel } from "./context.js";

/** How the axes of a recurrence are laid over the kernel's loops. */
export interface Layout {
  readonly states: readonly State[];
  /** Run-time axes of the state: sequences. In a packed program, documents. */
  readonly lead: readonly AxisId[];
  readonly channel: readonly AxisId[];
  readonly inner: readonly AxisId[];
  readonly time: AxisId;
  /** In a packed program: the document of a lead has its own range of steps. */
  readonly documents?: Documents;
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
  const isLead = (axis: AxisId): boolean => typeof axisSize(graph, axis) !== "number";
  return {
    states,
    lead: axes.filter(isLead),
    channel: axes.filter((axis) => !isLead(axis) && !group.inner.includes(axis)),
    inner: group.inner,
    time: first.along,
    ...(documents && { documents }),
    complex: states.some((state) => state.scalar === "c64"),
  };
}

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
  const leads = product(layout.lead.map((axis) => axisSize(context.graph, axis)));
  const chunking = context.schedules.chunking(shapeOf(whole), leads, steps);
  if (chunking === undefined) return undefined;
  const per = [...factorsOf(leads), whole.channels].join("_");
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
  };
}
