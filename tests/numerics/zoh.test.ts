/**
 * Zero-order hold solves der(h) = a·h + u exactly while u holds: after k steps of length s, h = k·s·φ(k·s·a)·u with
 * φ(z) = (e^z − 1)/z. Real and complex a, |s·a| from 10⁻⁸ to 10, on the GPU and by the oracle.
 */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf } from "../support/model.js";

/** Steps that the input holds for. */
const STEPS = 33;

interface Complex {
  readonly re: number;
  readonly im: number;
}

/** e^z − 1 without cancellation, from the real expm1 and the half-angle formula. */
function expm1({ re, im }: Complex): Complex {
  const grown = Math.expm1(re);
  const turned = -2 * Math.sin(im / 2) ** 2; // cos(im) − 1
  return { re: grown * (1 + turned) + turned, im: (grown + 1) * Math.sin(im) };
}

/** (e^z − 1)/a for z = time·a; `time` where a vanishes. */
function held(a: Complex, time: number): Complex {
  const norm = a.re * a.re + a.im * a.im;
  if (norm === 0) return { re: time, im: 0 };
  const { re, im } = expm1({ re: time * a.re, im: time * a.im });
  return { re: (re * a.re + im * a.im) / norm, im: (im * a.re - re * a.im) / norm };
}

/** |s·a|, by powers of ten and between. */
const SIZES = Array.from({ length: 28 }, (_, k) => 10 ** (k / 3 - 8));
/** Decaying, growing where it stays small, turning, and between. */
const ANGLES = [Math.PI, 0, Math.PI / 2, -Math.PI / 2, (3 * Math.PI) / 4, 3.1, 1.7];
const STEP_LENGTHS = [1, 0.01, 37];

interface Point extends Complex {
  readonly step: number;
  readonly u: number;
}

const POINTS: readonly Point[] = [
  ...SIZES.flatMap((size, k) =>
    ANGLES.filter((angle) => Math.cos(angle) < 0.5 || size < 0.1).map((angle): Point => {
      const step = Math.fround(STEP_LENGTHS[k % STEP_LENGTHS.length] ?? 1);
      const round = (x: number): number => Math.fround(Math.abs(x) < 1e-12 * size ? 0 : x / step);
      return {
        re: round(size * Math.cos(angle)),
        im: round(size * Math.sin(angle)),
        step,
        u: k % 2 === 0 ? 1 : -0.75,
      };
    }),
  ),
  { re: 0, im: 0, step: 0.5, u: 2 },
];

const source = (kind: "real" | "complex"): string => `
axis b: batch, t: time
axis n = ${String(POINTS.length)}
model zoh {
  input x: f32[b, t, n]
  input re_a: f32[n]
  input im_a: f32[n]
  input step: f32[n]
  state h[n]: ${kind}
  der(h) = ${kind === "real" ? "re_a" : "complex(re_a, im_a)"}*h + x  by zoh(step)
  output re_h[b, t, n] = re(${kind === "real" ? "complex(h, 0)" : "h"})
  output im_h[b, t, n] = im(${kind === "real" ? "complex(h, im_a*0)" : "h"})
}`;

describe("zero-order hold", () => {
  for (const kind of ["real", "complex"] as const) {
    const points = POINTS.map((point) => (kind === "real" ? { ...point, im: 0 } : point));
    const shape = [1, STEPS, points.length];
    const expected = Array.from({ length: STEPS }, (_, t) =>
      points.map(({ re, im, step, u }) => {
        const h = held({ re, im }, (t + 1) * step);
        return { re: u * h.re, im: u * h.im };
      }),
    ).flat();
    const given = {
      x: Array.from({ length: STEPS }, () => points.map(({ u }) => u)).flat(),
      re_a: points.map(({ re }) => re),
      im_a: points.map(({ im }) => im),
      step: points.map(({ step }) => step),
    };

    it(`is what the oracle computes, ${kind}`, () => {
      const { outputs } = interpret(graphOf(source(kind)), {
        inputs: Object.fromEntries(
          Object.entries(given).map(([name, data]) => [
            name,
            { shape: name === "x" ? shape : [points.length], data },
          ]),
        ),
      });
      for (const part of ["re", "im"] as const) {
        const got = outputs[`${part}_h`];
        assert.ok(got);
        const want = { shape, data: expected.map((h) => h[part]) };
        expectClose(got, want, { tolerance: "f64", what: `${part} of h` });
      }
    });

    it(`is what the GPU computes, each value, ${kind}`, async () => {
      const model = await modelOf(bundleOf(source(kind)));
      const inputs = Object.fromEntries(Object.entries(given).map(([name, data]) => [name, f32(data)]));
      const whole = await model.session();
      const { re_h, im_h } = await whole.prefill(inputs, { outputs: "all" });
      const stepped = await model.session();
      const first = await stepped.step({ ...inputs, x: f32(given.x.slice(0, points.length)) });
      model.destroy();
      assert.ok(re_h && im_h && first["re_h"] && first["im_h"]);
      const check = (re: ArrayLike<number>, im: ArrayLike<number>, steps: number): void => {
        for (let i = 0; i < steps * points.length; i++) {
          const { re: x = NaN, im: y = NaN } = expected[i] ?? {};
          const k = Math.floor(i / points.length) + 1;
          const error = Math.hypot((re[i] ?? NaN) - x, (im[i] ?? NaN) - y);
          const at = JSON.stringify(points[i % points.length]);
          // One step is as good as φ (2e-6); each more rounds e^z and the sum once.
          const allowed = (2e-6 + k * 2e-7) * Math.hypot(x, y) + cancelled(points[i % points.length], k);
          assert.ok(
            error <= allowed,
            `after ${String(k)} steps of ${at}: off by ${String(error)}, allowed ${String(allowed)}`,
          );
        }
      };
      check(re_h.data, im_h.data, STEPS);
      check(first["re_h"].data, first["im_h"].data, 1);
    });
  }
});

/** What turning sums lose: they may end near 0 after having been as large as u/a. */
function cancelled(point: Point | undefined, k: number): number {
  if (point === undefined || k === 1) return 0;
  const { re, im, step, u } = point;
  const largest = Math.min(k * step, 2 / Math.hypot(re, im)) * Math.abs(u);
  return Math.abs(im * step) > 0.1 ? k * 2e-7 * largest : 0;
}
