/**
 * States that are angles. The GPU has a fraction of a turn in two f32: a whole number of 2⁻²³ from −½ to ½, and a rest in
 * whole 2⁻⁴⁶ (SPEC.md § Angles). Callers have radians, and what f32 leaves of them, so that nothing is lost.
 */
import { PARTS_AXIS, type AxisEntry } from "./bundle-format.js";
import type { HostTensor } from "./tensor.js";

export const isAngle = (axes: readonly AxisEntry[]): boolean => axes.at(-1)?.name === PARTS_AXIS.angle;

/** The axes of a state as callers have it. */
export const callersAxes = (axes: readonly AxisEntry[]): readonly AxisEntry[] =>
  isAngle(axes) ? axes.slice(0, -1) : axes;

/** What callers find what f32 leaves of an angle under; no name that a source could give. */
export const restOf = (name: string): string => `${name}:rest`;

const UNIT = 2 ** 23;
/** x without a multiple of `whole`, from −whole/2 to whole/2. */
const centred = (x: number, whole: number): number => x - whole * Math.floor(x / whole + 0.5);

/** An angle in radians, as it is stored. */
export function storedAngle(radians: number): readonly [turns: number, rest: number] {
  // Sines of angles of any size are right; a quotient by 2π is off by as much as it has whole turns.
  const turns = Math.atan2(Math.sin(radians), Math.cos(radians)) / (2 * Math.PI);
  const count = Math.round((turns - Math.floor(turns)) * UNIT * UNIT);
  const rest = centred(count, UNIT);
  return [centred((count - rest) / UNIT, UNIT) / UNIT, rest / UNIT / UNIT];
}

/** Angles in radians, with what f32 left of them where that is known. */
export function storedAngles(radians: HostTensor, rest?: HostTensor): Float32Array<ArrayBuffer> {
  const stored = new Float32Array(2 * radians.data.length);
  radians.data.forEach((angle, i) => {
    stored.set(storedAngle(angle + (rest?.data[i] ?? 0)), 2 * i);
  });
  return stored;
}

/** Stored angles in radians, between −π and π, and what f32 leaves of them. */
export function anglesOf(stored: Float32Array): {
  readonly radians: Float32Array;
  readonly rest: Float32Array;
} {
  const [radians, rest] = [new Float32Array(stored.length / 2), new Float32Array(stored.length / 2)];
  for (let i = 0; i < radians.length; i++) {
    const angle = 2 * Math.PI * ((stored[2 * i] ?? 0) + (stored[2 * i + 1] ?? 0));
    radians[i] = angle;
    rest[i] = angle - Math.fround(angle);
  }
  return { radians, rest };
}
