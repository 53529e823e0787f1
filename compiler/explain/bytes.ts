/** What the kernels of a group move, in bytes, against the least that they could. */
import { bufferKey, elements, type BufferRef, type Tensor } from "../5-kernel/lower/buffers.js";
import { bytesOfElement } from "../5-kernel/lower/element-layout.js";
import type { LoweredKernel } from "../5-kernel/lower/index.js";
import type { BoundBuffer } from "../5-kernel/lower/scope.js";
import { count, union, within, type AddressSet } from "./address-set.js";
import type { EvaluateDim } from "./evaluate.js";
import { trafficOf, type Touched } from "./traffic.js";

/** What moves, in bytes. */
export interface Bytes {
  /** Distinct elements, once a dispatch. */
  readonly read: number;
  readonly written: number;
  /** Read or written by any program that computes the same from the same: each element once, whatever the dispatches. */
  readonly least: number;
  /** Read again by other workgroups of a dispatch: of caches, for the most part. Undefined where it is not known. */
  readonly reread: number | undefined;
  /** Whether data decide what is read, and this is the most that it can be. */
  readonly atMost: boolean;
}

export interface BindingBytes extends Omit<Bytes, "least"> {
  readonly name: string;
  /** What it is: a parameter, a value between kernels, … */
  readonly holds: BufferRef["kind"] | "params";
  /** How its elements lie in memory. */
  readonly element: Tensor["element"];
}

/** A binding's tensors, and where they begin in it. */
export function tensorsOf(
  buffer: BoundBuffer,
): readonly { readonly tensor: Tensor; readonly offset: number }[] {
  return buffer.kind === "pack" ? buffer.tensors : [{ tensor: buffer.tensor, offset: 0 }];
}

/** The kernels of one group, that run one after the other. */
export function bytesOfGroup(
  kernels: readonly LoweredKernel[],
  dim: EvaluateDim,
): { readonly bytes: Bytes; readonly bindings: readonly (readonly BindingBytes[])[] } {
  const tensors = new TensorSums();
  const bindings = kernels.map(({ kernel, buffers }) => {
    const sizes = new Map(kernel.bindings.map(({ name }, i) => [name, sizeOf(buffers[i], dim)]));
    return trafficOf(kernel, dim, (name) => sizes.get(name) ?? 0).map(({ binding, reads, writes }, i) => {
      const buffer = buffers[i];
      const size = bytesOfElement(kernel.bindings[i]?.element ?? "f32");
      for (const { tensor, offset } of buffer === undefined ? [] : tensorsOf(buffer)) {
        const end = offset + elementsOf(tensor, dim);
        tensors.add("read", tensor, part(reads, offset, end), size);
        tensors.add("write", tensor, part(writes, offset, end), size);
      }
      const again =
        reads.byWorkgroups === undefined ? undefined : size * (reads.byWorkgroups - reads.distinct);
      return {
        name: binding,
        holds: buffer?.kind === "tensor" ? buffer.tensor.ref.kind : ("params" as const),
        element: kernel.bindings[i]?.element ?? "f32",
        read: size * reads.distinct,
        written: size * writes.distinct,
        reread: again,
        atMost: reads.places === undefined || writes.places === undefined,
      };
    });
  });
  const all = bindings.flat();
  const total = (of: (binding: BindingBytes) => number): number =>
    all.reduce((sum, each) => sum + of(each), 0);
  return {
    bindings,
    bytes: {
      read: total(({ read }) => read),
      written: total(({ written }) => written),
      least: tensors.least(),
      reread: all.some(({ reread }) => reread === undefined) ? undefined : total(({ reread }) => reread ?? 0),
      atMost: all.some(({ atMost }) => atMost),
    },
  };
}

const sizeOf = (buffer: BoundBuffer | undefined, dim: EvaluateDim): number =>
  buffer === undefined ? 0 : buffer.kind === "pack" ? buffer.size : elementsOf(buffer.tensor, dim);

/** Of a tensor's buffer, with those that share it. */
const elementsOf = (tensor: Tensor, dim: EvaluateDim): number =>
  dim(elements(tensor)) * (tensor.joint?.count ?? 1);

const part = ({ places, distinct }: Touched, start: number, end: number): AddressSet | number =>
  (places && within(places, start, end)) ?? distinct;

/** Elements in any of the sets; in the largest, where there are too many runs to tell. */
function countOfAll(sets: readonly AddressSet[]): number {
  const all = union(sets);
  return all === undefined ? Math.max(...sets.map(count)) : count(all);
}

/** What a group touches of each tensor, through whichever of its kernels. */
class TensorSums {
  private readonly reads = new Map<string, { sets: AddressSet[]; counted: number; size: number }>();
  private readonly writes = new Map<string, { sets: AddressSet[]; counted: number; size: number }>();

  add(kind: "read" | "write", tensor: Tensor, places: AddressSet | number, size: number): void {
    // What the kernels of a group keep for each other need not be in memory.
    if (tensor.ref.kind === "own") return;
    const table = kind === "read" ? this.reads : this.writes;
    const entry = table.get(bufferKey(tensor)) ?? { sets: [], counted: 0, size };
    table.set(bufferKey(tensor), entry);
    if (typeof places === "number") entry.counted = Math.max(entry.counted, places);
    else entry.sets.push(places);
  }

  /** A value that the group reads back after writing it need not be read. */
  least(): number {
    let total = 0;
    const written = new Set<string>();
    for (const [key, { sets, counted, size }] of this.writes) {
      const elements = countOfAll(sets) + counted;
      if (elements > 0) written.add(key);
      total += size * elements;
    }
    for (const [key, { sets, counted, size }] of this.reads)
      if (!written.has(key)) total += size * (countOfAll(sets) + counted);
    return total;
  }
}
