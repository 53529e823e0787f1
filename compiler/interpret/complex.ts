/** Elementwise functions of complex numbers in float64: pairs in, a pair out through `result`, so that loops make no garbage. */
import type { MapFn } from "../3-graph/types.js";

/** (re, im) of what the last function gave. */
export interface Result {
  re: number;
  im: number;
}

/** a, b, c are the arguments; a real one comes with an imaginary part of 0. */
export type ComplexFn = (
  result: Result,
  ar: number,
  ai: number,
  br: number,
  bi: number,
  cr: number,
  ci: number,
) => void;

const set = (result: Result, re: number, im: number): void => {
  result.re = re;
  result.im = im;
};

const exp: ComplexFn = (r, x, y) => {
  const size = Math.exp(x);
  set(r, size * Math.cos(y), size * Math.sin(y));
};

const log: ComplexFn = (r, x, y) => {
  set(r, Math.log(Math.hypot(x, y)), Math.atan2(y, x));
};

/** Re = expm1(x)·cos y + (cos y − 1), with 1 − cos y = 2·sin²(y/2): exact near zero. */
const expm1: ComplexFn = (r, x, y) => {
  const half = Math.sin(y / 2);
  set(r, Math.expm1(x) * Math.cos(y) - 2 * half * half, Math.exp(x) * Math.sin(y));
};

const div: ComplexFn = (r, x, y, u, v) => {
  const square = u * u + v * v;
  set(r, (x * u + y * v) / square, (y * u - x * v) / square);
};

const sqrt: ComplexFn = (r, x, y) => {
  const size = Math.hypot(x, y);
  const re = Math.sqrt((size + x) / 2);
  const im = Math.sqrt((size - x) / 2);
  set(r, re, y < 0 ? -im : im);
};

const pow: ComplexFn = (r, x, y, u, v) => {
  if (x === 0 && y === 0) {
    set(r, u === 0 && v === 0 ? 1 : 0, 0);
    return;
  }
  log(r, x, y, 0, 0, 0, 0);
  exp(r, r.re * u - r.im * v, r.re * v + r.im * u, 0, 0, 0, 0);
};

const sin: ComplexFn = (r, x, y) => {
  set(r, Math.sin(x) * Math.cosh(y), Math.cos(x) * Math.sinh(y));
};
const cos: ComplexFn = (r, x, y) => {
  set(r, Math.cos(x) * Math.cosh(y), -Math.sin(x) * Math.sinh(y));
};

/** What the graph may ask of complex numbers; the rest has no order or no use. */
export const COMPLEX: { readonly [F in MapFn]?: ComplexFn } = {
  add: (r, x, y, u, v) => {
    set(r, x + u, y + v);
  },
  sub: (r, x, y, u, v) => {
    set(r, x - u, y - v);
  },
  mul: (r, x, y, u, v) => {
    set(r, x * u - y * v, x * v + y * u);
  },
  div,
  pow,
  neg: (r, x, y) => {
    set(r, -x, -y);
  },
  abs: (r, x, y) => {
    set(r, Math.hypot(x, y), 0);
  },
  sqrt,
  rsqrt: (r, x, y) => {
    sqrt(r, x, y, 0, 0, 0, 0);
    div(r, 1, 0, r.re, r.im, 0, 0);
  },
  recip: (r, x, y) => {
    div(r, 1, 0, x, y, 0, 0);
  },
  exp,
  exp2: (r, x, y) => {
    exp(r, x * Math.LN2, y * Math.LN2, 0, 0, 0, 0);
  },
  polar: (r, x, y) => {
    // Whole turns are exact, as π·y is not.
    exp(r, x * Math.LN2, (y % 2) * Math.PI, 0, 0, 0, 0);
  },
  expm1,
  log,
  log1p: (r, x, y) => {
    set(r, Math.log1p(x * (2 + x) + y * y) / 2, Math.atan2(y, 1 + x));
  },
  sin,
  cos,
  tanh: (r, x, y) => {
    // tanh z = (e^2z − 1) / (e^2z + 1), turned so that e^2z is at most 1 in size.
    const flip = x > 0 ? -1 : 1;
    expm1(r, 2 * flip * x, 2 * flip * y, 0, 0, 0, 0);
    div(r, flip * r.re, flip * r.im, r.re + 2, r.im, 0, 0);
  },
  phi: (r, x, y) => {
    if (x === 0 && y === 0) {
      set(r, 1, 0);
      return;
    }
    expm1(r, x, y, 0, 0, 0, 0);
    div(r, r.re, r.im, x, y, 0, 0);
  },
  eq: (r, x, y, u, v) => {
    set(r, x === u && y === v ? 1 : 0, 0);
  },
  ne: (r, x, y, u, v) => {
    set(r, x !== u || y !== v ? 1 : 0, 0);
  },
  select: (r, condition, _, x, y, u, v) => {
    if (condition !== 0) set(r, x, y);
    else set(r, u, v);
  },
  complex: (r, x, _, u) => {
    set(r, x, u);
  },
  re: (r, x) => {
    set(r, x, 0);
  },
  im: (r, _, y) => {
    set(r, y, 0);
  },
  conj: (r, x, y) => {
    set(r, x, -y);
  },
};
