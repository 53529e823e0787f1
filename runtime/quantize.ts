/**
 * Quantizing: of each group of elements a scale, the least bf16 at which its largest element is at most as many scales as the codes
 * have, and of each element the whole number of scales nearest to it, halves to even. It is computed here and not on the
 * GPU, so that every device has the same weights to the bit.
 */
import { GROUP_ELEMENTS, STORAGE_BITS, type Storage } from "./bundle-format.js";

export type Quantized = "int8" | "int4";

export const isQuantized = (storage: Storage): storage is Quantized =>
  storage === "int8" || storage === "int4";

/** Codes and scales as they lie on the GPU. */
export interface QuantizedPiece {
  readonly codes: Uint8Array<ArrayBuffer>;
  /** bf16, an even number of them. */
  readonly scales: Uint8Array<ArrayBuffer>;
}

const bits = new Float32Array(1);
const word = new Uint32Array(bits.buffer);

/** The least bf16 that is not less, as the upper half of its f32; of a number that is not negative. */
function bf16NotBelow(value: number): number {
  bits[0] = value;
  // Rounding to f32 may have gone down.
  const below = bits[0] < value ? 1 : 0;
  return ((word[0] as number) + below + 0xffff) >>> 16;
}

/** Half to even, of what is far below 2⁵¹: adding pushes the fraction out. */
const EVEN = 1.5 * 2 ** 52;

/**
 * @param values whole groups, but for the last one of a tensor, which is filled up with zeros.
 * @returns undefined where a value is no finite number.
 */
export function quantize(values: Float32Array, storage: Quantized): QuantizedPiece | undefined {
  const count = Math.ceil(values.length / GROUP_ELEMENTS);
  const width = STORAGE_BITS[storage];
  const most = 2 ** (width - 1) - 1;
  const codes = new Uint8Array((count * GROUP_ELEMENTS * width) / 8);
  const scales = new Uint16Array(count + (count % 2));
  for (let group = 0; group < count; group++) {
    const begin = group * GROUP_ELEMENTS;
    const end = Math.min(begin + GROUP_ELEMENTS, values.length);
    const largest = largestOf(values, begin, end);
    if (!(largest < Infinity)) return undefined;
    const half = bf16NotBelow(largest / most);
    scales[group] = half;
    word[0] = half << 16;
    const scale = bits[0] as number;
    for (let i = begin; i < begin + GROUP_ELEMENTS; i++) {
      const exact = i < end && scale > 0 ? (values[i] as number) / scale : 0;
      const code = exact + EVEN - EVEN + most + 1;
      if (width === 8) codes[i] = code;
      else codes[i >> 1] = (codes[i >> 1] as number) | (code << ((i & 1) * 4));
    }
  }
  return { codes, scales: new Uint8Array(scales.buffer) };
}

function largestOf(values: Float32Array, begin: number, end: number): number {
  let largest = 0;
  for (let i = begin; i < end; i++) {
    const size = Math.abs(values[i] as number);
    // Not `Math.max`: what is no number must come out.
    if (!(size <= largest)) largest = size;
    if (size !== size) return NaN;
  }
  return largest;
}
