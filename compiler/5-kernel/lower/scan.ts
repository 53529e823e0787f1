/**
 * Recurrences whose state elements depend on their own past alone, or on sums over an inner axis that the lanes of a
 * channel can hold, as scan kernels: one dispatch, or three when time is cut into chunks (chunk-local states and decays;
 * carry over chunks; rescan from the carried states).
 */
import type { Dim } from "../../../runtime/bundle-format.js";
import { ASSOCIATIVE } from "../../4-passes/classify.js";
import type { Group } from "../../4-passes/fuse.js";
import type { ScanKernel } from "../types.js";
import { axisSize } from "./buffers.js";
import type { LowerContext, LoweredKernel } from "./context.js";
import { ScanBuilder } from "./scan-builder.js";
import { carryOver, localStates, rescan } from "./scan-chunks.js";
import { chunkingOf, layoutOf, leadsOf, shapeOf, type Layout } from "./scan-layout.js";
import { withinBindings } from "./within-bindings.js";

export function lowerScan(context: LowerContext, group: Group): readonly LoweredKernel[] {
  const layout = layoutOf(context, group);
  const part = (build: (scan: ScanBuilder) => ScanKernel): LoweredKernel =>
    withinBindings(context, (scope) => build(new ScanBuilder(context, group, layout, scope)));
  const tried: boolean[] = [];
  const whole = part((scan) => {
    const { kernel, isAffine } = wholeScan(scan);
    tried.push(isAffine);
    return kernel;
  });
  const { kernel } = whole;
  const cuts = tried.at(-1) === true && group.class !== undefined && ASSOCIATIVE.has(group.class);
  const chunking = cuts && kernel.skeleton === "scan" ? chunkingOf(context, layout, kernel) : undefined;
  if (chunking === undefined) return crowding(context, layout, whole, undefined);
  const { when, numbers, cut } = chunking;
  const parts = [localStates, carryOver, rescan].map((build) => part((scan) => build(scan, cut)));
  return [
    ...crowding(context, layout, whole, ["==", when, 0]),
    ...parts.map((each) => ({ ...each, when, numbers })),
  ];
}

/** The whole scan, and once more by another schedule where there are very many channels: sizes of a run pick. */
function crowding(
  context: LowerContext,
  layout: Layout,
  whole: LoweredKernel,
  when: Dim | undefined,
): readonly LoweredKernel[] {
  const { kernel } = whole;
  const alone = { ...whole, ...(when !== undefined && { when }) };
  if (kernel.skeleton !== "scan" || axisSize(context.graph, layout.time) === 1) return [alone];
  const crowded = context.schedules.crowded(shapeOf(kernel));
  if (crowded === undefined) return [alone];
  const leads = leadsOf(context.graph, layout);
  const other = { ...whole, kernel: { ...kernel, schedule: crowded.schedule } };
  if (typeof leads === "number")
    return [
      leads * kernel.channels < crowded.from ? alone : { ...other, ...(when !== undefined && { when }) },
    ];
  const many: Dim = ["<=", crowded.from, ["*", leads, kernel.channels]];
  const also = (condition: Dim): Dim => (when === undefined ? condition : ["&", when, condition]);
  return [
    { ...whole, when: also(["==", many, 0]) },
    { ...other, when: also(many) },
  ];
}

/** The scan from the carried states over all steps; and whether every state is a factor times its own past, and something. */
function wholeScan(scan: ScanBuilder): { readonly kernel: ScanKernel; readonly isAffine: boolean } {
  const { e, leads } = scan;
  const at = scan.coordinates(e.variable("lead", "u32", leads));
  const solved = scan.solved(
    at,
    (state) =>
      state.kind === "local"
        ? { re: e.f32(state.init) }
        : scan.scope.load(scan.tensor(state, "state"), scan.place(state, at)),
    true,
  );
  const steps = axisSize(scan.context.graph, scan.layout.time);
  const { begin, end } = scan.values.documentOf(at) ?? { begin: e.u32(0), end: e.dim(steps) };
  return {
    kernel: scan.withResults(at, { suffix: "", leads, begin, end }, solved),
    isAffine: scan.semiring.decay === undefined || solved.every(({ decay }) => decay !== undefined),
  };
}
