/** Row-major tensors on the host, as they come from files and go to them. */

export type TensorData = Float32Array | Uint32Array | Int32Array;

export interface HostTensor<Data extends TensorData = TensorData> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** The coordinates `begin` ≤ i < `end` of one axis. */
export function sliceAxis(tensor: HostTensor, axis: number, begin: number, end: number): HostTensor {
  const { shape, data } = tensor;
  const inner = product(shape.slice(axis + 1));
  const outer = product(shape.slice(0, axis));
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
export function joinAxis(parts: readonly HostTensor<Float32Array>[], axis: number): HostTensor<Float32Array> {
  const [first] = parts;
  if (first === undefined) throw new RangeError("nothing to join");
  const inner = product(first.shape.slice(axis + 1));
  const outer = product(first.shape.slice(0, axis));
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

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

function emptyLike(data: TensorData, length: number): TensorData {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Uint32Array ? new Uint32Array(length) : new Int32Array(length);
}
