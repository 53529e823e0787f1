/** What a launch has written, on the host, and how far two of them are apart. */
import { BufferUsage, MAP_READ } from "../../runtime/gpu-constants.js";
import { widenToF32 } from "../../runtime/widen.js";

export interface Written {
  readonly element: string;
  readonly bytes: ArrayBuffer;
}

/** Of a larger buffer its first and its last bytes are compared, so many each. */
const COMPARED = 2 ** 22;

export async function copyOf(
  device: GPUDevice,
  { buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding,
  element: string,
): Promise<Written> {
  const ranges =
    size <= 2 * COMPARED
      ? [{ from: offset, count: size }]
      : [
          { from: offset, count: COMPARED },
          { from: offset + size - COMPARED, count: COMPARED },
        ];
  const total = ranges.reduce((sum, { count }) => sum + count, 0);
  const read = device.createBuffer({ size: total, usage: BufferUsage.COPY_DST | BufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  let at = 0;
  for (const { from, count } of ranges) {
    encoder.copyBufferToBuffer(buffer, from, read, at, count);
    at += count;
  }
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(MAP_READ);
  const bytes = read.getMappedRange().slice(0);
  read.destroy();
  return { element, bytes };
}

const isHalf = ({ element }: Written): boolean => element === "f16" || element === "bf16";

const numbersOf = ({ element, bytes }: Written): Float32Array =>
  widenToF32(element, new Uint8Array(bytes)) ?? new Float32Array(bytes);

/** Of numbers of 16 bits, whether two follow each other: what lies between them for both was rounded to the one and the other. */
function neighboursOf(got: Written, expected: Written): (i: number) => boolean {
  if (!isHalf(expected)) return () => false;
  const [a, b] = [new Uint16Array(got.bytes), new Uint16Array(expected.bytes)];
  const rank = (bits = 0): number => (bits < 0x8000 ? bits : 0x8000 - bits);
  return (i) => Math.abs(rank(a[i]) - rank(b[i])) <= 1;
}

/**
 * ‖a − b‖ / ‖b‖, the largest of all buffers; Infinity where whole numbers differ, or one side alone is no number. Neighbours
 * among numbers of 16 bits count as the same.
 */
export function differenceOf(got: readonly Written[], expected: readonly Written[]): number {
  return Math.max(0, ...expected.map((each, i) => distance(got[i], each)));
}

function distance(got: Written | undefined, expected: Written): number {
  if (got?.bytes.byteLength !== expected.bytes.byteLength) return Infinity;
  if (expected.element === "u32") {
    const [a, b] = [new Uint32Array(got.bytes), new Uint32Array(expected.bytes)];
    return a.every((value, i) => value === b[i]) ? 0 : Infinity;
  }
  const [a, b] = [numbersOf(got), numbersOf(expected)];
  const isRoundedElsewhere = neighboursOf(got, expected);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const [value, wanted] = [a[i] ?? NaN, b[i] ?? NaN];
    if (Object.is(value, wanted)) norm += Number.isFinite(wanted) ? wanted ** 2 : 0;
    else if (!Number.isFinite(value) || !Number.isFinite(wanted)) return Infinity;
    else if (isRoundedElsewhere(i)) norm += wanted ** 2;
    else [difference, norm] = [difference + (value - wanted) ** 2, norm + wanted ** 2];
  }
  return difference === 0 ? 0 : Math.sqrt(difference) / Math.max(Math.sqrt(norm), Number.MIN_VALUE);
}
