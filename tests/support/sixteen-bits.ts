/** Rounding to 16 bits, without the runtime's or a shader's help: to the nearest, halves to even. */
import assert from "node:assert/strict";
import { Float16Array } from "@petamoriken/float16";

export type Half = "f16" | "bf16";

/** Of numbers of size 1: half of what lies between two neighbours, at most. */
export const HALF_STEP: Readonly<Record<Half, number>> = { f16: 2 ** -11, bf16: 2 ** -8 };

/** From the least number with all its digits on. */
const NORMAL: Readonly<Record<Half, number>> = { f16: 2 ** -14, bf16: 2 ** -126 };

/** Half the distance between the neighbours of a number in this type. */
export const halfStepAt = (type: Half, value: number): number =>
  HALF_STEP[type] * 2 ** Math.floor(Math.log2(Math.max(Math.abs(value), NORMAL[type])));

export const rounded = (type: Half, values: ArrayLike<number>): Float32Array<ArrayBuffer> =>
  type === "f16"
    ? Float32Array.from(Float16Array.from(values))
    : Float32Array.from(values, (value) => nearestBf16(value));

function nearestBf16(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const step = 2 * halfStepAt("bf16", value);
  const below = Math.floor(value / step);
  const rest = value / step - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return (below + (up ? 1 : 0)) * step;
}

/** Their bits, as a model takes them. */
export function bitsOf(type: Half, values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  if (type === "f16") return new Uint16Array(Float16Array.from(values).buffer);
  return Uint16Array.from(new Uint32Array(rounded(type, values).buffer), (word) => word >>> 16);
}

/** The numbers that bits stand for. */
export const valuesOf = (type: Half, bits: Uint16Array<ArrayBuffer>): Float32Array =>
  type === "f16"
    ? Float32Array.from(new Float16Array(bits.buffer))
    : new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);

/** What a product in f32 leaves, beside which the rounding of its result stands. */
export const OF_F32 = 2e-5;

/** Every element is the expected one rounded, but for what f32 left of it before. */
export function expectRounded(
  type: Half,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
): void {
  const nearest = rounded(type, got);
  const size = Math.sqrt(Array.from(expected, (x) => x * x).reduce((p, q) => p + q, 0) / expected.length);
  assert.equal(got.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const [have = NaN, want = NaN] = [got[i], expected[i]];
    assert.equal(have, nearest[i], `${what}: ${String(have)} at ${String(i)} is not of ${type}`);
    const allowed = halfStepAt(type, want) + OF_F32 * Math.max(Math.abs(want), size);
    if (!(Math.abs(have - want) <= allowed))
      assert.fail(`${what}: ${String(have)} at ${String(i)} in the place of ${String(want)}`);
  }
}
