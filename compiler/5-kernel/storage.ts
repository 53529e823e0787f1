/**
 * How values lie in memory between kernels and as the model's outputs: as f32, or in 16 bits where that was asked for. Which kernels write a
 * value, and how, is known once a program is lowered; so that is decided here, for each value that all its writers can write
 * in whole words (fill/word-stores.ts). Arithmetic stays f32.
 */
import type { Activations } from "../../runtime/bundle-format.js";
import { InternalError } from "../diagnostics/internal-error.js";
import { canWriteWords, withFourColumns, writesWords } from "./fill/word-stores.js";
import { exprsOf } from "./fill/printed.js";
import { exprsOfScan } from "./fill/scan-frame.js";
import { bufferKey, elements, type Tensor } from "./lower/buffers.js";
import type { NodeId } from "../3-graph/types.js";
import type { LoweredGroup, LoweredKernel } from "./lower/index.js";
import { KernelScope, type BoundBuffer } from "./lower/scope.js";
import { walk } from "./traverse.js";
import type { Binding, Expr, Kernel, MapKernel } from "./types.js";

/** Another tensor in the place of one, and how the kernels that bind it do so. */
export type Restore = (tensor: Tensor, binding: Binding) => readonly [Tensor, Binding];

export interface StorageOptions {
  readonly activations: Activations;
  /** Which values between kernels are rounded. */
  readonly isRounded: (node: NodeId) => boolean;
  readonly copies: MapKernel["schedule"];
}

/** A program whose outputs, and what values can, lie in 16 bits. What no kernel can write so, one of its own packs. */
export function inStorage(
  groups: readonly LoweredGroup[],
  { activations, isRounded, copies }: StorageOptions,
): readonly LoweredGroup[] {
  if (activations === "f32") return groups;
  const packed = packedBuffers(groups, isRounded);
  const rounded = (tensor: Tensor): Tensor => ({ ...tensor, element: activations });
  const known: Remade = new Map();
  return groups.map((group, g) => {
    const apart = new Map<string, Tensor>();
    const restore: Restore = (tensor, binding) => {
      if (packed.has(bufferKey(tensor))) {
        const words = binding.access === "read_write" ? ({ words: true } as const) : {};
        return [rounded(tensor), { ...binding, element: activations, ...words }];
      }
      if (!isRealOutput(tensor)) return [tensor, binding];
      apart.set(bufferKey(tensor), tensor);
      return [unpacked(tensor, g), binding];
    };
    const kernels = restored(group.kernels, restore, known, (kernel) =>
      writesWords(kernel) ? withFourColumns(kernel) : kernel,
    );
    const after = [...apart.values()].map((tensor) => pack(unpacked(tensor, g), rounded(tensor), copies));
    return { ...group, kernels: [...kernels, ...after] };
  });
}

/** Buffers that every kernel which writes them can write in words, and that none of those reads. */
function packedBuffers(
  groups: readonly LoweredGroup[],
  isRounded: StorageOptions["isRounded"],
): ReadonlySet<string> {
  const written = new Set<string>();
  const others = new Set<string>();
  const known = new Map<Kernel, ReadonlyMap<string, boolean>>();
  for (const { kernel, buffers } of groups.flatMap(({ kernels }) => kernels))
    for (const [i, buffer] of buffers.entries()) {
      const binding = kernel.bindings[i];
      if (buffer.kind === "pack" || binding === undefined) {
        for (const tensor of tensorsOf(buffer)) others.add(bufferKey(tensor));
        continue;
      }
      const key = bufferKey(buffer.tensor);
      if (!isPackable(buffer.tensor, isRounded)) others.add(key);
      if (binding.access === "read") continue;
      const can = known.get(kernel) ?? writableOf(kernel);
      known.set(kernel, can);
      (can.get(binding.name) === true ? written : others).add(key);
    }
  for (const other of others) written.delete(other);
  return written;
}

/** By binding that a kernel writes, whether it can in words. */
const writableOf = (kernel: Kernel): ReadonlyMap<string, boolean> =>
  new Map(
    kernel.bindings
      .filter(({ access }) => access === "read_write")
      .map(({ name }) => [name, !isRead(kernel, name) && canWriteWords(withFourColumns(kernel), name)]),
  );

export const tensorsOf = (buffer: BoundBuffer): readonly Tensor[] =>
  buffer.kind === "tensor" ? [buffer.tensor] : buffer.tensors.map(({ tensor }) => tensor);

/** Real numbers in one buffer. States, and what a group's kernels keep for each other of them, are not among them. */
const isPackable = (tensor: Tensor, isRounded: StorageOptions["isRounded"]): boolean =>
  isRealOutput(tensor) || (tensor.ref.kind === "value" && isRounded(tensor.ref.node) && isAlone(tensor));

const isRealOutput = (tensor: Tensor): boolean => tensor.ref.kind === "output" && isAlone(tensor);

export const isAlone = ({ element, complex, joint, banks, bank }: Tensor): boolean =>
  element === "f32" && !complex && joint === undefined && banks === undefined && bank === undefined;

/** An output as f32, of whole fours, before it is packed. */
const unpacked = (tensor: Tensor, group: number): Tensor => ({
  ...tensor,
  ref: { kind: "own", group, id: `unpacked.${"name" in tensor.ref ? tensor.ref.name : tensor.name}` },
  layout: [{ size: ["^/", elements(tensor), 4] }, { size: 4 }],
});

/** Packs an output four by four, to the last one's end. */
function pack(from: Tensor, to: Tensor, schedule: MapKernel["schedule"]): LoweredKernel {
  const scope = new KernelScope();
  const [quads, fours] = from.layout;
  if (quads === undefined || fours === undefined) throw new InternalError("lower", "an output of fours");
  const at = [scope.expr.variable("quad", "u32", quads.size), scope.expr.variable("i", "u32", fours.size)];
  const stores = scope.store({ ...to, layout: from.layout }, at, scope.load(from, at));
  const { bindings, buffers } = scope.finish();
  const kernel: Kernel = {
    name: `${to.name}_packed`,
    notes: [],
    skeleton: "map",
    bindings: bindings.map((each) => (each.access === "read" ? each : { ...each, words: true })),
    domain: [
      { var: "quad", extent: quads.size },
      { var: "i", extent: fours.size },
    ],
    stores,
    schedule,
  };
  return {
    kernel,
    buffers: buffers.map((buffer) =>
      buffer.kind === "tensor" && buffer.tensor.ref.kind === "output"
        ? { kind: "tensor", tensor: to }
        : buffer,
    ),
  };
}

/** Kernels made of others, by which of their bindings are other ones. */
export type Remade = Map<Kernel, Map<string, Kernel>>;

/** Kernels over tensors that lie otherwise; those of a program that were one kernel still are. */
export function restored(
  kernels: readonly LoweredKernel[],
  restore: Restore,
  known: Remade,
  then: (kernel: Kernel) => Kernel = (kernel) => kernel,
): readonly LoweredKernel[] {
  return kernels.map((lowered) => {
    const { kernel } = lowered;
    const changed: number[] = [];
    const bindings = [...kernel.bindings];
    const buffers = lowered.buffers.map((buffer, i) => {
      const binding = kernel.bindings[i];
      if (buffer.kind === "pack" || binding === undefined) return buffer;
      const [tensor, bound] = restore(buffer.tensor, binding);
      bindings[i] = bound;
      if (bound !== binding) changed.push(i);
      return tensor === buffer.tensor ? buffer : { ...buffer, tensor };
    });
    if (changed.length === 0) return { ...lowered, buffers };
    const same = known.get(kernel) ?? new Map<string, Kernel>();
    known.set(kernel, same);
    const key = changed.join();
    const made = same.get(key) ?? then({ ...kernel, bindings });
    same.set(key, made);
    return { ...lowered, kernel: made, buffers };
  });
}

/** Whether a kernel may load a binding that it stores. */
export function isRead(kernel: Kernel, binding: string): boolean {
  switch (kernel.skeleton) {
    case "map":
      return loadsOf(exprsOf(kernel.stores), binding).length > 0;
    case "reduce": {
      const bodies = kernel.reductions.map(({ body }) => body);
      return loadsOf([...bodies, ...exprsOf(kernel.stores)], binding).length > 0;
    }
    case "contract": {
      const along = [...kernel.along.map(({ body }) => body), ...exprsOf(kernel.storesAlong ?? [])];
      return loadsOf([kernel.a, kernel.b, ...along, ...exprsOf(kernel.stores)], binding).length > 0;
    }
    case "scan":
      return loadsOf(exprsOfScan(kernel), binding).length > 0;
    case "sequential":
      return true;
  }
}

export function loadsOf(exprs: readonly Expr[], binding: string): readonly Expr[] {
  const found: Expr[] = [];
  walk(exprs, (expr) => {
    if (expr.kind === "load" && expr.binding === binding) found.push(expr);
  });
  return found;
}
