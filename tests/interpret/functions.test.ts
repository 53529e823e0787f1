/** Elementwise functions against values from tables, and against each other where theory says they must agree. */
import assert from "node:assert/strict";
import { COMPLEX, type ComplexFn, type Result } from "../../compiler/interpret/complex.js";
import { erf, phi, REAL, roundHalfEven } from "../../compiler/interpret/real.js";
import type { MapFn } from "../../compiler/3-graph/types.js";
import { seeded } from "../support/random.js";

function near(got: number, expected: number, what: string, tolerance = 1e-14): void {
  const error = Math.abs(got - expected) / Math.max(Math.abs(expected), Number.MIN_VALUE);
  assert.ok(error <= tolerance, `${what}: got ${got}, expected ${expected}`);
}

describe("real functions", () => {
  it("erf agrees with the tables", () => {
    // Abramowitz and Stegun, Table 7.1, and erfc(x) from Table 7.2 where erf is near 1.
    near(erf(0.02), 0.0225645747, "erf(0.02)", 1e-8);
    near(erf(0.5), 0.5204998778, "erf(0.5)", 1e-9);
    near(erf(1), 0.8427007929, "erf(1)", 1e-9);
    near(erf(2), 0.995322265, "erf(2)", 1e-9);
    near(1 - erf(3), 2.209049699858544e-5, "1 - erf(3)", 1e-10);
    assert.equal(erf(0), 0);
    assert.equal(erf(-0.7), -erf(0.7));
    assert.equal(erf(8), 1);
    assert.equal(erf(-Infinity), -1);
    assert.ok(Number.isNaN(erf(NaN)));
  });

  it("erf has the Gaussian as its derivative", () => {
    for (const x of [0.1, 0.9, 1.7, 2.8, 4.1]) {
      const slope = (erf(x + 1e-5) - erf(x - 1e-5)) / 2e-5;
      near(slope, (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x), `slope at ${x}`, x > 4 ? 1e-2 : 1e-6);
    }
  });

  it("phi is stable near zero and right far from it", () => {
    assert.equal(phi(0), 1);
    for (const z of [1e-12, -1e-9, 1e-5]) near(phi(z), 1 + z / 2 + (z * z) / 6, `phi(${z})`);
    near(phi(2), (Math.exp(2) - 1) / 2, "phi(2)");
    near(phi(-50), 1 / 50, "phi(-50)");
    assert.equal(phi(Infinity), Infinity);
    assert.equal(phi(-Infinity), 0);
  });

  it("round goes to the even one of two", () => {
    const rounded = [-2.5, -1.5, -0.6, 0.5, 1.5, 2.5, 2.6].map(roundHalfEven);
    assert.deepEqual(rounded, [-2, -2, -1, 0, 2, 2, 3]);
  });

  it("mod takes the sign of the divisor", () => {
    const mod = REAL.mod;
    assert.ok(mod.args === 2);
    assert.equal(mod.apply(7, 3), 1);
    assert.equal(mod.apply(-1, 3), 2);
  });
});

describe("complex functions", () => {
  const call = (name: MapFn, ...args: readonly number[]): Result => {
    const fn: ComplexFn | undefined = COMPLEX[name];
    assert.ok(fn !== undefined, name);
    const result: Result = { re: NaN, im: NaN };
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
    fn(result, a, b, c, d, e, f);
    return result;
  };
  const same = (got: Result, re: number, im: number, what: string): void => {
    const error = Math.hypot(got.re - re, got.im - im) / Math.max(Math.hypot(re, im), 1e-300);
    assert.ok(error <= 1e-13, `${what}: got ${got.re} + ${got.im}i, expected ${re} + ${im}i`);
  };

  it("agree with the real ones on the real axis", () => {
    const inside: Readonly<Partial<Record<MapFn, number>>> = { log: 1.3, sqrt: 1.3, rsqrt: 1.3 };
    for (const [name, fn] of Object.entries(REAL) as [Exclude<MapFn, "complex">, (typeof REAL)["add"]][]) {
      if (COMPLEX[name] === undefined || name === "select") continue;
      for (const x of inside[name] === undefined ? [-0.8, 0.3, 2.4] : [0.2, inside[name]]) {
        if (fn.args === 1) same(call(name, x, 0), fn.apply(x), 0, `${name}(${x})`);
        if (fn.args === 2)
          same(call(name, Math.abs(x), 0, 1.7, 0), fn.apply(Math.abs(x), 1.7), 0, `${name}(${x}, 1.7)`);
      }
    }
  });

  it("obey the laws of their kind", () => {
    const random = seeded(7);
    for (let k = 0; k < 50; k++) {
      const [x, y, u, v] = [random.normal(), random.normal(), random.normal(), random.normal()];
      const product = call("mul", x, y, u, v);
      same(call("div", product.re, product.im, u, v), x, y, "(z·w)/w = z");
      const root = call("sqrt", x, y);
      same(call("mul", root.re, root.im, root.re, root.im), x, y, "sqrt(z)² = z");
      const power = call("exp", x, y);
      same(call("log", power.re, power.im), x, Math.atan2(Math.sin(y), Math.cos(y)), "log(exp(z)) = z");
      same(call("expm1", x, y), power.re - 1, power.im, "expm1(z) = exp(z) − 1");
      const ratio = call("phi", x, y);
      same(call("mul", ratio.re, ratio.im, x, y), power.re - 1, power.im, "phi(z)·z = exp(z) − 1");
      const [s, c] = [call("sin", x, y), call("cos", x, y)];
      const tangent = call("div", s.re, s.im, c.re, c.im);
      const hyperbolic = call("tanh", -y, x); // tanh(iz) = i·tan(z)
      same(hyperbolic, -tangent.im, tangent.re, "tanh(iz) = i·tan(z)");
      const square = call("pow", x, y, 2, 0);
      same(square, x * x - y * y, 2 * x * y, "z^2 = z·z");
    }
  });

  it("keep expm1 and phi exact for tiny arguments", () => {
    same(call("expm1", 1e-13, 1e-13), 1e-13, 1e-13, "expm1");
    same(call("phi", 1e-13, 2e-13), 1 + 0.5e-13, 1e-13, "phi");
    same(call("phi", 0, 0), 1, 0, "phi(0)");
  });
});
