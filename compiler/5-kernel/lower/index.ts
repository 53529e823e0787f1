/** Lowering: each group of a fused program becomes the kernels that compute it. */
import type { Activations, Storage } from "../../../runtime/bundle-format.js";
import type { Span } from "../../diagnostics/types.js";
import type { Fusion, Group } from "../../4-passes/fuse.js";
import { storageOrder } from "../../4-passes/storage-order.js";
import type { Schedules } from "../../4-passes/schedule.js";
import type { Graph, NodeId } from "../../3-graph/types.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { refKey, Tensors, type Tensor } from "./buffers.js";
import type { LowerContext, LoweredKernel, SourceLine } from "./context.js";
import { byBanks } from "./by-banks.js";
import { lowerContract } from "./contract.js";
import { lowerMap, lowerReduce } from "./elementwise.js";
import { lowerScan } from "./scan.js";
import type { BoundBuffer } from "./scope.js";
import { lowerSequential } from "./sequential.js";
import { signatureOf, type Signature } from "./signature.js";
import { withinBindings } from "./within-bindings.js";

export type { LoweredKernel, SourceLine } from "./context.js";

/** A group and its kernels; where several could run, their `when` picks. */
export interface LoweredGroup {
  readonly group: Group;
  readonly kernels: readonly LoweredKernel[];
}

export interface LowerOptions {
  readonly schedules: Schedules;
  readonly storage: (param: string) => Storage;
  readonly activations?: Activations;
  readonly sourceAt: (span: Span) => SourceLine | undefined;
  /** Whether this is the load program, whose outputs are constants. */
  readonly loads?: boolean;
}

export function lower(graph: Graph, fusion: Fusion, options: LowerOptions): readonly LoweredGroup[] {
  const { schedules, sourceAt } = options;
  const context: LowerContext = {
    graph,
    fusion,
    tensors: new Tensors(graph, {
      storage: options.storage,
      activations: options.activations ?? "f32",
      joint: fusion.joint,
      order: storageOrder(graph, fusion),
      bindingBytes: schedules.bindingBytes,
      ...(options.loads && { loads: true }),
    }),
    schedules,
    sourceAt,
  };
  const known = new Map<
    string,
    { readonly kernels: readonly LoweredKernel[]; readonly signature: Signature; readonly group: number }
  >();
  return fusion.groups.map((group, g) => {
    const signature = signatureOf(context, group, g);
    const same = known.get(signature.key);
    if (same !== undefined)
      return { group, kernels: moved(same.kernels, same.signature, signature, same.group, g) };
    const kernels = kernelsOf({ ...context, group: g }, group).flatMap(inOrder);
    for (const lowered of kernels) checkBindings(lowered, schedules);
    known.set(signature.key, { kernels, signature, group: g });
    return { group, kernels };
  });
}

/** Only constants over the binding limit may take more bindings than there are (SPEC.md § Banks). */
function checkBindings({ kernel, buffers }: LoweredKernel, { maxBindings }: Schedules): void {
  const inBanks = buffers.some((buffer) => buffer.kind === "tensor" && buffer.tensor.bank !== undefined);
  if (buffers.length > maxBindings && !inBanks)
    throw new InternalError("lower", `${kernel.name} binds ${buffers.length} buffers of ${maxBindings}`);
}

/** A kernel between those that it needs. */
function inOrder({ before = [], after = [], ...kernel }: LoweredKernel): readonly LoweredKernel[] {
  const { when } = kernel;
  const alike = (each: LoweredKernel): LoweredKernel => ({ ...each, ...(when !== undefined && { when }) });
  return [...before.map(alike), kernel, ...after.map(alike)];
}

/** The kernels of one group over the buffers of another with the same signature. */
function moved(
  kernels: readonly LoweredKernel[],
  from: Signature,
  to: Signature,
  fromGroup: number,
  toGroup: number,
): readonly LoweredKernel[] {
  const place = new Map(from.refs.map((ref, k) => [refKey(ref), to.refs[k] ?? ref]));
  const move = (tensor: Tensor): Tensor => {
    const { ref } = tensor;
    if (ref.kind === "own" && ref.group === fromGroup) return { ...tensor, ref: { ...ref, group: toGroup } };
    const target = place.get(refKey(ref));
    if (target === undefined)
      throw new InternalError("lower", `${tensor.name} is not in its group's signature`);
    return { ...tensor, ref: target };
  };
  return kernels.map((lowered) => ({
    ...lowered,
    buffers: lowered.buffers.map((buffer): BoundBuffer => {
      if (buffer.kind === "tensor") return { ...buffer, tensor: move(buffer.tensor) };
      return { ...buffer, tensors: buffer.tensors.map((each) => ({ ...each, tensor: move(each.tensor) })) };
    }),
  }));
}

/** A reduction and those that it absorbed: one kernel, or one each where what they read lies in banks. */
function lowerReductions(context: LowerContext, group: Group): readonly LoweredKernel[] {
  const together = byBanks(context, (scope, part) => lowerReduce(context, group, scope, part));
  const [only, ...more] = together;
  const isOne = more.length === 0 && only?.before === undefined && only?.after === undefined;
  if (group.absorbed.length === 0 || isOne) return together;
  const stored = new Set<NodeId>();
  return [...group.absorbed.map((each) => each.group), group].flatMap((own) => {
    const alone = { ...own, absorbed: [] };
    const here = { ...context, stored: new Set(stored) };
    own.stores.forEach((id) => stored.add(id));
    return byBanks(here, (scope, part) => lowerReduce(here, alone, scope, part));
  });
}

function kernelsOf(context: LowerContext, group: Group): readonly LoweredKernel[] {
  switch (group.kind) {
    case "map":
      return byBanks(context, (scope, part) => lowerMap(context, group, scope, part));
    case "reduce":
      return lowerReductions(context, group);
    case "contract":
      return lowerContract(context, group);
    case "scan":
      return lowerScan(context, group);
    case "sequential":
      return [withinBindings(context, (scope) => lowerSequential(context, group, scope))];
  }
}
