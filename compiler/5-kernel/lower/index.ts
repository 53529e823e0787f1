/** Lowering: each group of a fused program becomes the kernels that compute it. */
import type { Storage } from "../../../runtime/bundle-format.js";
import type { Span } from "../../diagnostics/types.js";
import type { Fusion, Group } from "../../4-passes/fuse.js";
import type { Schedules } from "../../4-passes/schedule.js";
import type { Graph } from "../../3-graph/types.js";
import { Tensors } from "./buffers.js";
import { withinBindings, type LowerContext, type LoweredKernel } from "./context.js";
import { lowerContract } from "./contract.js";
import { lowerMap, lowerReduce } from "./elementwise.js";
import { lowerScan } from "./scan.js";
import { lowerSequential } from "./sequential.js";

export type { LoweredKernel } from "./context.js";

/** A group and its kernels; where several could run, their `when` picks. */
export interface LoweredGroup {
  readonly group: Group;
  readonly kernels: readonly LoweredKernel[];
}

export interface LowerOptions {
  readonly schedules: Schedules;
  readonly storage: (param: string) => Storage;
  readonly sourceText: (span: Span) => string;
}

export function lower(graph: Graph, fusion: Fusion, options: LowerOptions): readonly LoweredGroup[] {
  const { schedules, sourceText } = options;
  const context: LowerContext = {
    graph,
    fusion,
    tensors: new Tensors(graph, options.storage),
    schedules,
    sourceText,
  };
  return fusion.groups.map((group) => ({ group, kernels: kernelsOf(context, group) }));
}

function kernelsOf(context: LowerContext, group: Group): readonly LoweredKernel[] {
  switch (group.kind) {
    case "map":
      return [withinBindings(context, (scope) => ({ kernel: lowerMap(context, group, scope) }))];
    case "reduce":
      return [withinBindings(context, (scope) => ({ kernel: lowerReduce(context, group, scope) }))];
    case "contract":
      return lowerContract(context, group);
    case "scan":
      return lowerScan(context, group);
    case "sequential":
      return [withinBindings(context, (scope) => ({ kernel: lowerSequential(context, group, scope) }))];
  }
}
