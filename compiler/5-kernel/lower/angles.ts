/**
 * Angles: fractions of a turn, as pairs of f32. The first is a whole number of 2⁻²³ turns from −½ to ½, the second a whole
 * number of 2⁻⁴⁶ from −2⁻²⁴ to 2⁻²⁴. Every sum and difference below is of few enough bits to be exact, so no contraction or
 * reordering of a shader's compiler changes it, and the sum of many angles is the same in whatever order it is taken.
 */
import type { ExprBuilder } from "../expr.js";
import type { Expr } from "../types.js";
import type { Value } from "./scope.js";

const UNIT = 2 ** -23;

export const angleOf = (e: ExprBuilder, radians: Expr): Value => ({
  re: e.op("turns", radians),
  im: e.op("turns_rest", radians),
});

/** The sum of two angles without whole turns: each sum's nearest whole number goes. */
export function turn(e: ExprBuilder, x: Value, y: Value): Value {
  const nearest = (value: Expr): Expr => e.op("floor", e.add(value, e.f32(0.5)));
  const rest = e.add(restOf(e, x), restOf(e, y));
  const carried = nearest(e.mul(rest, e.f32(1 / UNIT)));
  const sum = e.add(e.add(x.re, y.re), e.mul(carried, e.f32(UNIT)));
  return { re: e.sub(sum, nearest(sum)), im: e.sub(rest, e.mul(carried, e.f32(UNIT))) };
}

/** From −π to π, to f32's precision. */
export const radians = (e: ExprBuilder, x: Value): Expr =>
  e.mul(e.add(x.re, restOf(e, x)), e.f32(2 * Math.PI));

const restOf = (e: ExprBuilder, { im }: Value): Expr => im ?? e.f32(0);
