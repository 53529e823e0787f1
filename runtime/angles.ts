/** States that are angles, as they are stored: a fraction of a turn in two f32 (SPEC.md § Angles). */

/** What the manifest calls the last axis of angles; no name that a source could give. */
export const ANGLE_AXIS = "turns, rest";

const UNIT = 2 ** 23;
/** x without a multiple of `whole`, from −whole/2 to whole/2. */
const centred = (x: number, whole: number): number => x - whole * Math.floor(x / whole + 0.5);

/** Turns as a whole number of 2⁻²³ from −½ to ½, and a rest in whole 2⁻⁴⁶. */
function storedTurns(turns: number): readonly [turns: number, rest: number] {
  const count = Math.round((turns - Math.floor(turns)) * UNIT * UNIT);
  const rest = centred(count, UNIT);
  return [centred((count - rest) / UNIT, UNIT) / UNIT, rest / UNIT / UNIT];
}

/** An angle in radians. */
export const storedAngle = (radians: number): readonly [turns: number, rest: number] =>
  storedTurns(radians / (2 * Math.PI));

/** Angles as callers give them, in radians or as they are stored. */
export function storedAngles(data: Float32Array, inRadians: boolean): Float32Array<ArrayBuffer> {
  const count = inRadians ? data.length : data.length / 2;
  const stored = new Float32Array(2 * count);
  for (let i = 0; i < count; i++)
    stored.set(
      inRadians ? storedAngle(data[i] ?? NaN) : storedTurns((data[2 * i] ?? NaN) + (data[2 * i + 1] ?? NaN)),
      2 * i,
    );
  return stored;
}
