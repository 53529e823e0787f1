/** Running the tiny bundle and comparing what comes out. */
import assert from "node:assert/strict";
import { tensorCheckpoint } from "../../runtime/checkpoint.js";
import type { Inputs } from "../../runtime/inputs.js";
import { A, CHANNELS, type TinyInputs } from "./tiny-bundle.js";

export const weights = tensorCheckpoint({ a: { data: A, shape: [CHANNELS] } });

/** Every product of the tiny model rounds, so results are compared within f32. */
export function assertNear(got: Float32Array | undefined, expected: readonly number[], within = 1e-6): void {
  assert.ok(got !== undefined);
  assert.equal(got.length, expected.length);
  for (const [i, value] of expected.entries()) {
    const error = Math.abs((got[i] ?? Number.NaN) - value);
    assert.ok(
      error <= within * Math.max(1, Math.abs(value)),
      `[${String(i)}]: ${String(got[i])}, not ${String(value)}`,
    );
  }
}

export function as(inputs: TinyInputs): Inputs {
  return { ...inputs };
}

/** Rows `t` of y[batch, steps, c]. */
export function rowsAt(y: readonly number[], batch: number, begin: number, end: number): number[] {
  const steps = y.length / batch / CHANNELS;
  return y.filter((_, i) => {
    const t = Math.floor(i / CHANNELS) % steps;
    return t >= begin && t < end;
  });
}
