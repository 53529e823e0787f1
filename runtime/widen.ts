/** Turning a checkpoint's numbers into the storage type that a bundle was built for: exactly, or to the nearest. */
import type { Storage } from "./bundle-format.js";
import { toEven } from "./quantize.js";

/** A conversion of whole elements, little-endian in and out, and the bytes of one element of its source. */
export interface Conversion {
  readonly elementBytes: number;
  /** Undefined where a finite number would become an infinity. */
  convert(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined;
}

/**
 * How a tensor of safetensors type `dtype` becomes `storage`, or the f32 that is then quantized to it; undefined for types other
 * than floats of 16 or 32 bits.
 */
export function conversion(dtype: string, storage: Storage): Conversion | undefined {
  const wide = widenings.get(dtype);
  if (wide && dtype.toLowerCase() === storage) return { ...wide, convert: same };
  const to = narrowings[storage];
  if (!wide || !to) return wide;
  return {
    ...wide,
    convert: (bytes) => {
      const halves = narrow(f32Of(wide.convert(bytes)), to);
      return halves && new Uint8Array(halves.buffer);
    },
  };
}

/** Numbers as they lie in 16 bits; undefined for other types, and where a finite one would become an infinity. */
export const narrowTo = (
  storage: string,
  values: Float32Array<ArrayBuffer>,
): Uint16Array<ArrayBuffer> | undefined => {
  const to = narrowings[storage];
  return to && narrow(values, to);
};

/** A tensor of floats as f32, exactly; undefined for other types. Types are those of safetensors, or of a manifest. */
export const widenToF32 = (
  dtype: string,
  bytes: Uint8Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> | undefined => {
  const wide = widenings.get(dtype.toUpperCase())?.convert(bytes);
  return wide && f32Of(wide);
};

/** Bytes of f32 as numbers: a copy, for those may begin anywhere in their buffer. */
export const f32Of = (wide: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  new Float32Array(wide.slice().buffer);

const same = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => bytes;

interface Widening extends Conversion {
  convert(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

const widenings: ReadonlyMap<string, Widening> = new Map([
  ["F32", { elementBytes: 4, convert: same }],
  ["BF16", { elementBytes: 2, convert: widenBf16 }],
  ["F16", { elementBytes: 2, convert: widenF16 }],
]);

/** A type of 16 bits, whose bits stand above `shift` others in an f32 whose exponent is greater by `bias`. */
interface Narrowing {
  readonly shift: number;
  readonly bias: number;
  readonly infinity: number;
  /** Below it numbers are multiples of 2⁻²⁴, and their bits say how many. */
  readonly normal: number;
}

const narrowings: Readonly<Partial<Record<string, Narrowing>>> = {
  f16: { shift: 13, bias: 112 << 23, infinity: 0x7c00, normal: 2 ** -14 },
  bf16: { shift: 16, bias: 0, infinity: 0x7f80, normal: 0 },
};

/** To the nearest, halves to even. */
function narrow(
  wide: Float32Array<ArrayBuffer>,
  { shift, bias, infinity, normal }: Narrowing,
): Uint16Array<ArrayBuffer> | undefined {
  const words = new Uint32Array(wide.buffer, wide.byteOffset, wide.length);
  const halves = new Uint16Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    const word = words[i] as number;
    const size = Math.abs(wide[i] as number);
    const bits = (word & 0x7fffffff) - bias;
    let half =
      size < normal
        ? toEven(size * 2 ** 24)
        : (bits + (1 << (shift - 1)) - 1 + ((bits >> shift) & 1)) >>> shift;
    if (half >= infinity) {
      if (size < Infinity) return;
      half = size > 0 ? infinity : 0x7fff;
    }
    halves[i] = half | ((word >>> 16) & 0x8000);
  }
  return halves;
}

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
