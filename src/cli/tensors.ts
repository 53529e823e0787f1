/** Cutting and joining row-major tensors on the host. */
import type { InputData } from "../../runtime/inputs.js";
import { elements, type HostTensor } from "../../runtime/tensor.js";

/** A tensor as a model takes it. */
export interface InputTensor {
  readonly shape: readonly number[];
  readonly data: InputData;
}

/** The coordinates `begin` ≤ i < `end` of one axis. */
export function sliceAxis(tensor: InputTensor, axis: number, begin: number, end: number): InputTensor {
  const { shape, data } = tensor;
  const inner = elements(shape.slice(axis + 1));
  const outer = elements(shape.slice(0, axis));
  const size = shape[axis] ?? 1;
  const length = end - begin;
  const part = emptyLike(data, outer * length * inner);
  for (let i = 0; i < outer; i++) {
    const from = (i * size + begin) * inner;
    part.set(data.subarray(from, from + length * inner), i * length * inner);
  }
  return { shape: shape.with(axis, length), data: part };
}

/** Tensors that differ in one axis alone, one behind the other along it. */
export function joinAxis(parts: readonly HostTensor[], axis: number): HostTensor {
  const [first] = parts;
  if (first === undefined) throw new RangeError("nothing to join");
  const inner = elements(first.shape.slice(axis + 1));
  const outer = elements(first.shape.slice(0, axis));
  const sizeOf = (part: HostTensor): number => part.shape[axis] ?? 1;
  const size = parts.reduce((total, part) => total + sizeOf(part), 0);
  const data = new Float32Array(outer * size * inner);
  let begin = 0;
  for (const part of parts) {
    const row = sizeOf(part) * inner;
    for (let i = 0; i < outer; i++) {
      data.set(part.data.subarray(i * row, (i + 1) * row), (i * size + begin) * inner);
    }
    begin += sizeOf(part);
  }
  return { shape: first.shape.with(axis, size), data };
}

function emptyLike(data: InputData, length: number): InputData {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Uint32Array ? new Uint32Array(length) : new Int32Array(length);
}
