/** Elementwise functions of real numbers in float64. Truths are 1 and 0. */
import type { MapFn } from "../3-graph/types.js";

export type RealFn =
  | { readonly args: 1; readonly apply: (x: number) => number }
  | { readonly args: 2; readonly apply: (x: number, y: number) => number }
  | { readonly args: 3; readonly apply: (x: number, y: number, z: number) => number };

const one = (apply: (x: number) => number): RealFn => ({ args: 1, apply });
const two = (apply: (x: number, y: number) => number): RealFn => ({ args: 2, apply });
const truth = (test: (x: number, y: number) => boolean): RealFn => two((x, y) => (test(x, y) ? 1 : 0));

export const REAL: { readonly [F in Exclude<MapFn, "complex">]: RealFn } = {
  add: two((x, y) => x + y),
  sub: two((x, y) => x - y),
  mul: two((x, y) => x * y),
  div: two((x, y) => x / y),
  mod: two((x, y) => x - y * Math.floor(x / y)),
  pow: two((x, y) => x ** y),
  min: two(Math.min),
  max: two(Math.max),
  neg: one((x) => -x),
  abs: one(Math.abs),
  sign: one(Math.sign),
  floor: one(Math.floor),
  ceil: one(Math.ceil),
  round: one(roundHalfEven),
  sqrt: one(Math.sqrt),
  rsqrt: one((x) => 1 / Math.sqrt(x)),
  recip: one((x) => 1 / x),
  exp: one(Math.exp),
  exp2: one((x) => 2 ** x),
  polar: one((x) => 2 ** x),
  expm1: one(Math.expm1),
  log: one(Math.log),
  log1p: one(Math.log1p),
  sin: one(Math.sin),
  cos: one(Math.cos),
  tanh: one(Math.tanh),
  erf: one(erf),
  phi: one(phi),
  eq: truth((x, y) => x === y),
  ne: truth((x, y) => x !== y),
  lt: truth((x, y) => x < y),
  le: truth((x, y) => x <= y),
  gt: truth((x, y) => x > y),
  ge: truth((x, y) => x >= y),
  and: truth((x, y) => x !== 0 && y !== 0),
  or: truth((x, y) => x !== 0 || y !== 0),
  not: one((x) => (x === 0 ? 1 : 0)),
  select: { args: 3, apply: (condition, x, y) => (condition !== 0 ? x : y) },
  re: one((x) => x),
  im: one(() => 0),
  conj: one((x) => x),
  float: one((x) => x),
  // In radians: float64 has room for all the turns there are.
  angle: one((x) => x),
  turn: two((x, y) => x + y),
  radians: one((x) => x),
};

/** To the nearest whole number, halves to the even one, as WGSL and IEEE 754 round. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const over = x - below;
  if (over !== 0.5) return over < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * erf(x) = 2/√π · e^(−x²) · Σₙ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): all terms have one sign, so nothing cancels. From 6 on,
 * erf is 1 to the last bit.
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) >= 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** φ(z) = (e^z − 1) / z, and its limit 1 at 0. */
export function phi(z: number): number {
  if (z === 0) return 1;
  return z === Infinity ? Infinity : Math.expm1(z) / z;
}
