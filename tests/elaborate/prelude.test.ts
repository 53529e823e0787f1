/** The prelude's functions and rules, against their definitions in plain JavaScript. */
import { strict as assert } from "node:assert";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "./support.js";

/** A function of x[b, t, m] with two features, evaluated at the given rows. */
function apply(expression: string, rows: readonly (readonly number[])[]): number[] {
  const graph = graphOf(`axis b: batch, t: time, m = ${rows[0]?.length ?? 1}
model example {
  input x: f32[b, t, m]
  output y[b, t, m] = ${expression}
}
`);
  const x = { shape: [1, rows.length, rows[0]?.length ?? 1], data: rows.flat() };
  return [...(interpret(graph, { inputs: { x } }).outputs["y"]?.data ?? [])];
}

function close(got: number, expected: number, what: string): void {
  const scale = Math.max(Math.abs(expected), 1e-300);
  assert(
    Math.abs(got - expected) <= 1e-12 * scale || got === expected,
    `${what}: ${got}, expected ${expected}`,
  );
}

const POINTS = [-800, -100, -20, -3, -1, -1e-3, -1e-9, 0, 1e-9, 1e-3, 0.5, 1, 3, 20, 100, 800];
/** Abramowitz & Stegun 7.1.5, which converges everywhere and is exact to rounding for |x| < 3. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const FUNCTIONS: Readonly<Record<string, (x: number) => number>> = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  softplus: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
  log_sigmoid: (x) => (x < -30 ? x : -Math.log1p(Math.exp(-x))),
  relu: (x) => (x > 0 ? x : 0),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
};

describe("prelude", () => {
  for (const [name, f] of Object.entries(FUNCTIONS))
    it(`${name} is right from -800 to 800`, () => {
      const got = apply(
        `${name}(x)`,
        POINTS.map((x) => [x]),
      );
      POINTS.forEach((x, k) => close(got[k] ?? NaN, f(x), `${name}(${x})`));
    });

  it("gelu is x·Φ(x)", () => {
    const points = [-2, -0.5, 0, 0.5, 2];
    const got = apply(
      "gelu(x)",
      points.map((x) => [x]),
    );
    points.forEach((x, k) => close(got[k] ?? NaN, 0.5 * x * (1 + erf(x / Math.SQRT2)), `gelu(${x})`));
  });

  it("normalizes over axes", () => {
    const row = [1, -2, 4];
    const rms = Math.sqrt((1 + 4 + 16) / 3 + 0.5);
    assert.deepEqual(
      apply("rms_norm(x, over m, 0.5)", [row]).map((v) => v.toFixed(12)),
      row.map((v) => (v / rms).toFixed(12)),
    );
    const variance = (0 + 9 + 9) / 3;
    assert.deepEqual(
      apply("layer_norm(x, over m, 0.5)", [row]).map((v) => v.toFixed(12)),
      [0, -3, 3].map((v) => (v / Math.sqrt(variance + 0.5)).toFixed(12)),
    );
    assert.deepEqual(
      apply("l2_norm(x, over m, 0)", [row]).map((v) => v.toFixed(12)),
      row.map((v) => (v / Math.sqrt(21)).toFixed(12)),
    );
  });

  it("softmax survives large values and sums to one", () => {
    const got = apply("softmax(x, over m)", [[1000, 1001, -1000]]);
    close(got[0] ?? NaN, 1 / (1 + Math.E), "first");
    close(got[1] ?? NaN, Math.E / (1 + Math.E), "second");
    assert.equal(got[2], 0);
    close(apply("log_sum_exp(x, over m) + 0 * x", [[1000, 1000]])[0] ?? NaN, 1000 + Math.LN2, "log_sum_exp");
  });

  it("clamps and interpolates", () => {
    assert.deepEqual(apply("clamp(x, -1, 2)", [[-5, 0.5, 7]]), [-1, 0.5, 2]);
    assert.deepEqual(apply("lerp(x, 10, 0.25)", [[2, 6]]), [4, 7]);
  });
});

describe("discretization rules", () => {
  const a = -0.7;
  const s = 0.3;
  const z = a * s;
  const b = [1.5, -2, 0.25, 3];
  const last = (k: number): number => (k === 0 ? 0 : (b[k - 1] ?? NaN));
  /** h of the next step from h, this step's b and the last one's. */
  const RULES: Readonly<Record<string, (h: number, b: number, last: number) => number>> = {
    "euler(0.3)": (h, now) => (1 + z) * h + s * now,
    "exp_euler(0.3)": (h, now) => Math.exp(z) * h + s * now,
    "zoh(0.3)": (h, now) => Math.exp(z) * h + (Math.expm1(z) / a) * now,
    "bilinear(0.3)": (h, now) => ((1 + z / 2) * h + s * now) / (1 - z / 2),
    "trapezoidal(0.3)": (h, now, before) => ((1 + z / 2) * h + (s * (now + before)) / 2) / (1 - z / 2),
    "exp_trapezoid(0.3, 0.4)": (h, now, before) => Math.exp(z) * (h + 0.6 * s * before) + 0.4 * s * now,
  };
  for (const [rule, step] of Object.entries(RULES))
    it(rule, () => {
      const graph = graphOf(`axis b: batch, t: time
model example {
  input x: f32[b, t]
  state h[]
  der(h) = -0.7 * h + x  by ${rule}
  output y[b, t] = h
}
`);
      const got =
        interpret(graph, { inputs: { x: { shape: [1, b.length], data: b } } }).outputs["y"]?.data ?? [];
      let h = 0;
      b.forEach((now, k) => {
        h = step(h, now, last(k));
        close(got[k] ?? NaN, h, `step ${k}`);
      });
    });
});
