/**
 * Functions of complex numbers, as expressions on their parts. Each is written so that nothing cancels and nothing
 * overflows that is representable: where a textbook's formula would, the comment says what stands in its place.
 */
import type { MapFn } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import type { Expr } from "../types.js";

/** A complex number; a real one has an imaginary part of 0. */
export interface Complex {
  readonly re: Expr;
  readonly im: Expr;
}

type ComplexFunction = (f: Parts, z: Complex, w: Complex) => { readonly re: Expr; readonly im?: Expr };

/** What a shader computes of complex numbers besides sums, products and comparisons. */
export function complexFunction(
  e: ExprBuilder,
  fn: MapFn,
  z: Complex,
  w: Complex,
): { readonly re: Expr; readonly im?: Expr } | undefined {
  return FUNCTIONS[fn]?.(new Parts(e), z, w);
}

/** Real functions of the parts. */
class Parts {
  constructor(readonly e: ExprBuilder) {}

  readonly f32 = (value: number): Expr => this.e.f32(value);
  readonly add = (a: Expr, b: Expr): Expr => this.e.add(a, b);
  readonly sub = (a: Expr, b: Expr): Expr => this.e.sub(a, b);
  readonly mul = (a: Expr, b: Expr): Expr => this.e.mul(a, b);
  readonly div = (a: Expr, b: Expr): Expr => this.e.div(a, b);
  readonly neg = (a: Expr): Expr => this.e.op("neg", a);
  readonly abs = (a: Expr): Expr => this.e.op("abs", a);
  readonly square = (a: Expr): Expr => this.mul(a, a);
  readonly half = (a: Expr): Expr => this.mul(a, this.f32(0.5));
  readonly isNegative = (a: Expr): Expr => this.e.op("lt", a, this.f32(0));

  /** |a| with the sign of b; of 0 the positive one. */
  withSign(a: Expr, b: Expr): Expr {
    return this.e.select(this.isNegative(b), this.neg(a), a);
  }

  /** The greater and the lesser of |re| and |im|. */
  sizes({ re, im }: Complex): { readonly most: Expr; readonly least: Expr } {
    const [x, y] = [this.abs(re), this.abs(im)];
    return { most: this.e.op("max", x, y), least: this.e.op("min", x, y) };
  }

  /** a / b; 0 where b is 0, of parts where a is then 0 too. */
  ratio(a: Expr, b: Expr): Expr {
    const nothing = this.e.op("eq", b, this.f32(0));
    return this.e.select(nothing, this.f32(0), this.div(a, this.e.select(nothing, this.f32(1), b)));
  }

  /** |z| = most · √(1 + (least / most)²): no square leaves the range. */
  magnitude(z: Complex): Expr {
    const { most, least } = this.sizes(z);
    return this.mul(most, this.e.op("sqrt", this.add(this.f32(1), this.square(this.ratio(least, most)))));
  }

  /** log |z|; next to |z| = 1, where the logarithm vanishes, from |z|² − 1 = (most − 1)(most + 1) + least². */
  logMagnitude(z: Complex): Expr {
    const { most, least } = this.sizes(z);
    const one = this.f32(1);
    const beyond = this.add(this.mul(this.sub(most, one), this.add(most, one)), this.square(least));
    const isNear = this.e.op(
      "and",
      this.e.op("lt", this.f32(0.5), most),
      this.e.op("lt", most, this.f32(1.5)),
    );
    const near = this.e.op("log1p", this.e.select(isNear, beyond, this.f32(0)));
    const far = this.e.op("log1p", this.square(this.ratio(least, most)));
    return this.e.select(isNear, this.half(near), this.add(this.e.op("log", most), this.half(far)));
  }

  /** The arc tangent of 0 ≤ x ≤ 1: beyond tan(π/8) as π/4 + atan((x − 1)/(x + 1)); the rest by its series, fitted. */
  atan(x: Expr): Expr {
    const one = this.f32(1);
    const large = this.e.op("lt", this.f32(Math.SQRT2 - 1), x);
    const y = this.e.select(large, this.div(this.sub(x, one), this.add(x, one)), x);
    const z = this.square(y);
    const series = ARC_TANGENT.reduce<Expr>(
      (sum, coefficient) => this.add(this.mul(sum, z), this.f32(coefficient)),
      this.f32(0),
    );
    const small = this.add(this.mul(this.mul(series, z), y), y);
    return this.e.select(large, this.add(this.f32(Math.PI / 4), small), small);
  }

  /** The angle of z, −π to π. */
  angle(z: Complex): Expr {
    const { most, least } = this.sizes(z);
    const within = this.atan(this.ratio(least, most));
    const steep = this.e.op("lt", this.abs(z.re), this.abs(z.im));
    const quadrant = this.e.select(steep, this.sub(this.f32(Math.PI / 2), within), within);
    const half = this.e.select(this.isNegative(z.re), this.sub(this.f32(Math.PI), quadrant), quadrant);
    return this.withSign(half, z.im);
  }

  sinh(x: Expr): Expr {
    const grown = this.e.op("expm1", this.abs(x));
    const size = this.half(this.add(grown, this.div(grown, this.add(grown, this.f32(1)))));
    return this.withSign(size, x);
  }

  cosh(x: Expr): Expr {
    return this.half(this.add(this.e.op("exp", x), this.e.op("exp", this.neg(x))));
  }
}

/** Of atan(y) = y + y·z·(c₃ + z·(c₂ + …)), z = y², highest first; relative error 2e-7 for |y| ≤ tan(π/8). Moshier, Cephes: atanf. */
const ARC_TANGENT = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];

const exp: ComplexFunction = (f, { re, im }) => {
  const size = f.e.op("exp", re);
  return { re: f.mul(size, f.e.op("cos", im)), im: f.mul(size, f.e.op("sin", im)) };
};

/** Re = expm1(x)·cos y − 2·sin²(y/2), Im = e^x·sin y: exact next to 0. */
function expm1(f: Parts, { re, im }: Complex): Complex {
  const sine = f.e.op("sin", f.half(im));
  return {
    re: f.sub(f.mul(f.e.op("expm1", re), f.e.op("cos", im)), f.mul(f.f32(2), f.square(sine))),
    im: f.mul(f.e.op("exp", re), f.e.op("sin", im)),
  };
}

function quotient(f: Parts, { re: a, im: b }: Complex, { re: c, im: d }: Complex): Complex {
  const norm = f.add(f.square(c), f.square(d));
  return {
    re: f.div(f.add(f.mul(a, c), f.mul(b, d)), norm),
    im: f.div(f.sub(f.mul(b, c), f.mul(a, d)), norm),
  };
}

function reciprocal(f: Parts, { re, im }: Complex): Complex {
  const norm = f.add(f.square(re), f.square(im));
  return { re: f.div(re, norm), im: f.neg(f.div(im, norm)) };
}

const log = (f: Parts, z: Complex): Complex => ({ re: f.logMagnitude(z), im: f.angle(z) });

/** |1 + z|² − 1 = x(2 + x) + y², but next to −1, where that cancels and 1 + x is exact. */
const log1p: ComplexFunction = (f, { re, im }) => {
  const beyond = { re: f.add(re, f.f32(1)), im };
  const isBelow = f.e.op("lt", re, f.f32(-0.5));
  const above = f.add(f.mul(re, f.add(re, f.f32(2))), f.square(im));
  const size = f.half(f.e.op("log1p", f.e.select(isBelow, f.f32(0), above)));
  return { re: f.e.select(isBelow, f.logMagnitude(beyond), size), im: f.angle(beyond) };
};

/** The part that does not cancel is a root, the other |im| over twice that. */
function sqrt(f: Parts, z: Complex): Complex {
  const large = f.e.op("sqrt", f.half(f.add(f.magnitude(z), f.abs(z.re))));
  const small = f.ratio(f.half(f.abs(z.im)), large);
  const turned = f.isNegative(z.re);
  return {
    re: f.e.select(turned, small, large),
    im: f.withSign(f.e.select(turned, large, small), z.im),
  };
}

/** e^(w·log z); 0^w is 0, and 0^0 is 1. */
const pow: ComplexFunction = (f, z, w) => {
  const { re: size, im: angle } = log(f, z);
  const { re, im = f.f32(0) } = exp(
    f,
    {
      re: f.sub(f.mul(size, w.re), f.mul(angle, w.im)),
      im: f.add(f.mul(size, w.im), f.mul(angle, w.re)),
    },
    w,
  );
  const isZero = ({ re: x, im: y }: Complex): Expr =>
    f.e.op("and", f.e.op("eq", x, f.f32(0)), f.e.op("eq", y, f.f32(0)));
  const nothing = isZero(z);
  const ofZero = f.e.select(isZero(w), f.f32(1), f.f32(0));
  return { re: f.e.select(nothing, ofZero, re), im: f.e.select(nothing, f.f32(0), im) };
};

/** (e^2z − 1) / (e^2z + 1), turned so that e^2z is at most 1 in size. */
const tanh: ComplexFunction = (f, z) => {
  const turned = f.e.op("lt", f.f32(0), z.re);
  const turn = (x: Expr): Expr => f.e.select(turned, f.neg(x), x);
  const grown = expm1(f, { re: turn(f.mul(f.f32(2), z.re)), im: turn(f.mul(f.f32(2), z.im)) });
  const { re, im } = quotient(f, grown, { re: f.add(grown.re, f.f32(2)), im: grown.im });
  return { re: turn(re), im: turn(im) };
};

/** (e^z − 1)/z; next to 0, where the quotient says nothing, 1 + z/2. */
const phi: ComplexFunction = (f, z) => {
  const norm = f.add(f.square(z.re), f.square(z.im));
  const near = f.e.op("lt", norm, f.f32(1e-12));
  const grown = expm1(f, z);
  const safe = f.e.select(near, f.f32(1), norm);
  const [re, im] = [
    f.div(f.add(f.mul(grown.re, z.re), f.mul(grown.im, z.im)), safe),
    f.div(f.sub(f.mul(grown.im, z.re), f.mul(grown.re, z.im)), safe),
  ];
  return {
    re: f.e.select(near, f.add(f.f32(1), f.half(z.re)), re),
    im: f.e.select(near, f.half(z.im), im),
  };
};

const FUNCTIONS: { readonly [F in MapFn]?: ComplexFunction } = {
  abs: (f, z) => ({ re: f.magnitude(z) }),
  div: quotient,
  recip: reciprocal,
  exp,
  exp2: (f, { re, im }) => {
    const [size, angle] = [f.e.op("exp2", re), f.mul(im, f.f32(Math.LN2))];
    return { re: f.mul(size, f.e.op("cos", angle)), im: f.mul(size, f.e.op("sin", angle)) };
  },
  polar: (f, { re, im }) => {
    const size = f.e.op("exp2", re);
    return { re: f.e.op("polar_re", size, im), im: f.e.op("polar_im", size, im) };
  },
  expm1,
  phi,
  log,
  log1p,
  sqrt,
  rsqrt: (f, z) => reciprocal(f, sqrt(f, z)),
  pow,
  sin: (f, { re, im }) => ({
    re: f.mul(f.e.op("sin", re), f.cosh(im)),
    im: f.mul(f.e.op("cos", re), f.sinh(im)),
  }),
  cos: (f, { re, im }) => ({
    re: f.mul(f.e.op("cos", re), f.cosh(im)),
    im: f.neg(f.mul(f.e.op("sin", re), f.sinh(im))),
  }),
  tanh,
};
