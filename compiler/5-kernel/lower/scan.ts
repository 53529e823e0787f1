/**
 * Recurrences whose state elements depend on their own past alone, or on sums over an inner axis that the lanes of a
 * channel can hold, as scan kernels: one dispatch, or three when time is cut into chunks (chunk-local states and decays;
 * carry over chunks; rescan from the carried states).
 */
import { ASSOCIATIVE } from "../../4-passes/classify.js";
import type { Group } from "../../4-passes/fuse.js";
import type { ScanKernel } from "../types.js";
import { axisSize } from "./buffers.js";
import type { LowerContext, LoweredKernel } from "./context.js";
import { ScanBuilder } from "./scan-builder.js";
import { carryOver, localStates, rescan } from "./scan-chunks.js";
import { chunkingOf, layoutOf } from "./scan-layout.js";
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
  if (chunking === undefined) return [whole];
  const { when, numbers, cut } = chunking;
  const parts = [localStates, carryOver, rescan].map((build) => part((scan) => build(scan, cut)));
  return [{ ...whole, when: ["==", when, 0] }, ...parts.map((each) => ({ ...each, when, numbers }))];
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
