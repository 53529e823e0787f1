/**
 * Quantizing: of each group of elements a scale, the least bf16 at which its largest element is at most as many scales as the codes
 * have, and of each element the whole number of scales nearest to it, halves to even. It is computed here and not on the
 * GPU, so that every device has the same weights to the bit.
 */
import { GROUP_ELEMENTS, STORAGE_BITS, type Storage } from "./bundle-format.js";

export type Quantized = "int8" | "int4";

export const isQuantized = (storage: Storage): storage is Quantized => STORAGE_BITS[storage] < 16;

/** Codes and scales as they lie on the GPU. */
export interface QuantizedPiece {
  readonly codes: Uint8Array<ArrayBuffer>;
  /** bf16, an even number of them. */
  readonly scales: Uint8Array<ArrayBuffer>;
}

const bits = new Float32Array(1);
const word = new Uint32Array(bits.buffer);

/** The nearest whole number, halves to even, of what is far below 2⁵¹: adding pushes the fraction out. */
export const toEven = (value: number): number => value + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;

/**
 * @param values whole groups, but for the last one of a tensor, which is filled up with zeros.
 * @returns undefined where a value is no finite number.
 */
export function quantize(values: Float32Array, storage: Quantized): QuantizedPiece | undefined {
  const count = Math.ceil(values.length / GROUP_ELEMENTS);
  const width = STORAGE_BITS[storage];
  const most = 2 ** (width - 1) - 1;
  const codes = new Uint8Array((count * GROUP_ELEMENTS * width) / 8);
  const scales = new Uint16Array(count + (count & 1));
  for (let group = 0; group < count; group++) {
    const begin = group * GROUP_ELEMENTS;
    const end = begin + GROUP_ELEMENTS;
    let largest = 0;
    // What is no number comes out as none.
    for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(values[i] ?? 0));
    if (!(largest < Infinity)) return;
    const wanted = largest / most;
    bits[0] = wanted;
    // Rounded up to a bf16, which is the upper half of an f32; to that it may have been rounded down.
    word[0] = ((word[0] as number) + (bits[0] < wanted ? 0x10000 : 0xffff)) & 0xffff0000;
    scales[group] = word[0] >>> 16;
    const scale = bits[0];
    for (let i = begin; i < end; i++) {
      const code = toEven(scale && (values[i] ?? 0) / scale) + most + 1;
      const at = i * width;
      codes[at >> 3] = (codes[at >> 3] ?? 0) | (code << (at & 7));
    }
  }
  return { codes, scales: new Uint8Array(scales.buffer) };
}
