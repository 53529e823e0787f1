/** The one comparison of numbers: relative L2 error over the whole tensor, after shape and element type. */
import { AssertionError } from "node:assert/strict";

/**
 * The largest ‖got − expected‖ / ‖expected‖ allowed, by how the numbers were stored or computed. Weights are widened
 * exactly, so f16 and bf16 checkpoints are held to what f32 arithmetic can do.
 */
export const TOLERANCE = {
  /** f32 arithmetic against a reference. */
  f32: 1e-5,
  f16: 1e-5,
  bf16: 1e-5,
  /** f32 arithmetic over thousands of steps, where rounding adds up. */
  "f32-long": 1e-4,
  /** Sums in f32 of products of operands rounded to f16, a few after each other. */
  "f16-products": 2e-3,
  /** float64 arithmetic against a float64 result that was stored as f32. */
  "f32-stored": 1e-7,
  /** float64 arithmetic against float64 arithmetic in another order. */
  f64: 1e-12,
} as const;

export type Tolerance = keyof typeof TOLERANCE;

/** Row-major numbers. Complex ones interleave (re, im), with or without a last axis of 2. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** `f32`, `c64`, `index` … or a file's `F32`; compared where both sides have one. */
  readonly scalar?: string;
}

export interface ExpectCloseOptions {
  /** A key of the table, by how the numbers came about. */
  readonly tolerance: Tolerance;
  /** What is compared, for the message. */
  readonly what: string;
  /** The root mean square of numbers of the kind, where the expected ones are a few of them, small by chance. */
  readonly size?: number;
}

/** Throws unless `got` agrees with `expected`; the message names the error and the worst element. */
export function expectClose(got: Numbers, expected: Numbers, options: ExpectCloseOptions): void {
  const { what } = options;
  const fail = (message: string, actual: unknown, wanted: unknown): never => {
    throw new AssertionError({
      message: `${what}: ${message}`,
      actual,
      expected: wanted,
      operator: "expectClose",
    });
  };
  if (got.shape.join() !== expected.shape.join())
    fail(
      `shape [${got.shape.join(", ")}], expected [${expected.shape.join(", ")}]`,
      got.shape,
      expected.shape,
    );
  if (got.scalar !== undefined && expected.scalar !== undefined && got.scalar !== expected.scalar)
    fail(`element type ${got.scalar}, expected ${expected.scalar}`, got.scalar, expected.scalar);
  if (got.data.length !== expected.data.length)
    fail(
      `${got.data.length} numbers, expected ${expected.data.length}`,
      got.data.length,
      expected.data.length,
    );

  const { error, worst } = compare(got, expected, options.size);
  const allowed = TOLERANCE[options.tolerance];
  if (error <= allowed) return;
  fail(
    `relative error ${error.toExponential(2)}, allowed ${allowed.toExponential(0)} (${options.tolerance}); ` +
      `worst at [${coordinates(worst, expected).join(", ")}]: ${got.data[worst]}, expected ${expected.data[worst]}`,
    got.data[worst],
    expected.data[worst],
  );
}

/** ‖got − expected‖ / ‖expected‖, and the flat index of the largest difference. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  return compare({ shape: [], data: got }, { shape: [], data: expected }).error;
}

export function rootMeanSquare(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] ?? NaN) ** 2;
  return data.length === 0 ? 0 : Math.sqrt(sum / data.length);
}

function compare(
  got: Numbers,
  expected: Numbers,
  size = 0,
): { readonly error: number; readonly worst: number } {
  let difference = 0;
  let norm = 0;
  let worst = 0;
  let largest = -1;
  for (let i = 0; i < expected.data.length; i++) {
    const want = expected.data[i] ?? NaN;
    const have = got.data[i] ?? NaN;
    // Equal infinities agree; their difference would be NaN.
    const gap = have === want ? 0 : Math.abs(have - want);
    difference += gap * gap;
    if (Number.isFinite(want)) norm += want * want;
    if (gap > largest || (Number.isNaN(gap) && !Number.isNaN(largest))) {
      largest = gap;
      worst = i;
    }
  }
  if (Number.isNaN(difference)) return { error: Infinity, worst };
  if (Number.isFinite(size)) norm = Math.max(norm, expected.data.length * size * size);
  return { error: norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm), worst };
}

function coordinates(flat: number, { shape, data }: Numbers): readonly number[] {
  const count = shape.reduce((product, size) => product * size, 1);
  const sizes = data.length === 2 * count ? [...shape, 2] : shape;
  const result: number[] = [];
  let rest = flat;
  for (const size of [...sizes].reverse()) {
    result.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return result;
}
