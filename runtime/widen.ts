/** Turning a checkpoint's numbers into the storage type that a bundle was built for: exactly, or not at all. */
import type { Storage } from "./bundle-format.js";

/** A conversion of whole elements, little-endian in and out, and the bytes of one element of its source. */
export interface Conversion {
  readonly elementBytes: number;
  convert(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** How a tensor of safetensors type `dtype` becomes `storage`, or the f32 that is then quantized to it; undefined where values could change. */
export function conversion(dtype: string, storage: Storage): Conversion | undefined {
  return conversions[`${dtype}→${storage.replace(/^int.$/, "f32")}`];
}

/** A tensor of floats as f32, exactly; undefined for other types, and for those that would have to be narrowed. */
export function widenToF32(
  dtype: string,
  bytes: Uint8Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> | undefined {
  const wide = conversion(dtype, "f32")?.convert(bytes);
  return wide && f32Of(wide);
}

/** Bytes of f32 as numbers: a copy, for those may begin anywhere in their buffer. */
export const f32Of = (wide: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  new Float32Array(wide.slice().buffer);

const same = (elementBytes: number): Conversion => ({ elementBytes, convert: (bytes) => bytes });

const conversions: Readonly<Record<string, Conversion>> = {
  "F32→f32": same(4),
  "F16→f16": same(2),
  "BF16→bf16": same(2),
  "BF16→f32": { elementBytes: 2, convert: widenBf16 },
  "F16→f32": { elementBytes: 2, convert: widenF16 },
};

/** A bf16 is the upper half of an f32. */
function widenBf16(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const halves = words(bytes);
  const wide = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) wide[i] = (halves[i] as number) << 16;
  return new Uint8Array(wide.buffer);
}

/** Every f16's value, made on first use: 65,536 of them are looked up faster than computed. */
let f16Values: Float32Array | undefined;

function widenF16(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const table = (f16Values ??= makeF16Values());
  const halves = words(bytes);
  const wide = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) wide[i] = table[halves[i] as number] as number;
  return new Uint8Array(wide.buffer);
}

/** An f16's bits, moved to where an f32 has them, are a number 2^112 times too small: but for the largest exponent, which is not finite. */
function makeF16Values(): Float32Array {
  const moved = Uint32Array.from(
    { length: 1 << 16 },
    (_, f16) => ((f16 >> 15) << 31) | ((f16 & 0x7fff) << 13),
  );
  return new Float32Array(moved.buffer).map((small, f16) => {
    const isFinite = (f16 & 0x7c00) < 0x7c00;
    return small * (isFinite ? 2 ** 112 : f16 & 0x3ff ? NaN : Infinity);
  });
}

function words(bytes: Uint8Array<ArrayBuffer>): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}
