/** Every function of a complex number on the GPU against the oracle, for numbers of all sizes and next to where it vanishes. */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf } from "../support/model.js";

const FUNCTIONS = [
  "abs",
  "sqrt",
  "rsqrt",
  "exp",
  "expm1",
  "log",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "phi",
  "recip",
  "pow",
];
const written = (fn: string): string => (fn === "recip" ? "1/z" : fn === "pow" ? "z^w" : `${fn}(z)`);

const SOURCE = `
axis b: batch, t: time
model functions {
  input x: f32[b, t]
  input y: f32[b, t]
  input u: f32[b, t]
  z = complex(x, y)
  w = complex(u, 0.5)
${FUNCTIONS.map((fn) => `  ${fn}_z = ${written(fn)}\n  output re_${fn}[b, t] = re(${fn}_z)\n  output im_${fn}[b, t] = im(${fn}_z)`).join("\n")}
}`;

/** In all quadrants, on the axes but on no branch cut, next to 0 and to ±1. */
const POINTS: readonly (readonly [number, number])[] = [
  ...[0.1, 0.7, 1.3, 2.9].flatMap((x) =>
    [0.2, 0.9, 2.2].flatMap(
      (y) =>
        [
          [x, y],
          [-x, y],
          [x, -y],
          [-x, -y],
        ] as const,
    ),
  ),
  [1e-4, 2e-4],
  [-3e-5, 1e-6],
  [1.0001, 1e-3],
  [0.6, 0.8],
  [-0.999, 1e-3],
  [2, 0],
  [0, 3],
  [0, -0.25],
  [0.001, 5],
];

describe("functions of complex numbers", () => {
  it("agree with the oracle, each value within 2e-6 of its size", async () => {
    const shape = [1, POINTS.length];
    const x = Float64Array.from(f32(POINTS.map(([re]) => re)));
    const y = Float64Array.from(f32(POINTS.map(([, im]) => im)));
    const u = x.map((_, i) => Math.fround(0.3 * (i % 7) - 1));
    const { outputs: expected } = interpret(graphOf(SOURCE), {
      inputs: { x: { shape, data: x }, y: { shape, data: y }, u: { shape, data: u } },
    });
    const model = await modelOf(bundleOf(SOURCE));
    const session = await model.session();
    const got = await session.prefill({ x: f32(x), y: f32(y), u: f32(u) }, { outputs: "all" });
    model.destroy();
    for (const fn of FUNCTIONS) {
      const parts = ["re", "im"].map((part) => {
        const [own, oracle] = [got[`${part}_${fn}`], expected[`${part}_${fn}`]];
        assert.ok(own !== undefined && oracle !== undefined);
        expectClose(own, oracle, { tolerance: "f32", what: `${part} of ${written(fn)}` });
        return { own: own.data, oracle: oracle.data };
      });
      const [re, im] = parts;
      assert.ok(re !== undefined && im !== undefined);
      POINTS.forEach((point, i) => {
        const at = (of: ArrayLike<number>): number => of[i] ?? NaN;
        const error = Math.hypot(at(re.own) - at(re.oracle), at(im.own) - at(im.oracle));
        const size = Math.hypot(at(re.oracle), at(im.oracle));
        assert.ok(
          error <= 2e-6 * size,
          `${written(fn)} at ${point.join(" + i·")}: off by ${error / size} of its size`,
        );
      });
    }
  });

  it("of which exp(x*p) counts half turns of a parameter p, next to 0 and over many turns", async () => {
    const source = `
axis b: batch, t: time, d = 9
model powers {
  input x: f32[b, t]
  param size[d], angle[d]
  y = exp(x*complex(size, angle))
  output re_y[b, t, d] = re(y)
  output im_y[b, t, d] = im(y)
}`;
    const shape = [1, 40];
    const x = Float64Array.from(
      f32(Array.from({ length: 40 }, (_, i) => (i - 17) * (i % 3 === 0 ? 0.001 : 0.37))),
    );
    // Where sines and cosines vanish too, and beyond 2¹¹ half turns at the end.
    const angle = f32([0, 1e-6, 0.3, 1, Math.PI / 2, Math.PI, -2, 40, -900]);
    const size = f32([0, 0, 0.01, -0.3, 0.1, -0.1, -0.2, 0, 0.02]);
    const params = { size: { shape: [9], data: size }, angle: { shape: [9], data: angle } };
    const bundle = bundleOf(source);
    const { outputs: expected } = interpret(graphOf(source), { inputs: { x: { shape, data: x } }, params });
    assert.ok([...bundle.files.values()].some((text) => text.includes("fn polar_")));
    const model = await modelOf(bundle, params);
    const session = await model.session();
    const got = await session.prefill({ x: f32(x) }, { outputs: "all" });
    model.destroy();
    const [re, im, oracleRe, oracleIm] = [got["re_y"], got["im_y"], expected["re_y"], expected["im_y"]];
    assert.ok(re && im && oracleRe && oracleIm);
    for (const [i, p] of oracleRe.data.entries()) {
      const [q, turned] = [
        oracleIm.data[i] ?? 0,
        Math.abs((x[Math.floor(i / 9)] ?? 0) * (angle[i % 9] ?? 0)),
      ];
      const error = Math.hypot((re.data[i] ?? NaN) - p, (im.data[i] ?? NaN) - q) / Math.hypot(p, q);
      // A product in f32 is known to half a unit of its last place, and so is the factor that it is made of.
      const most = 1e-6 + 2 * 2 ** -24 * turned;
      assert.ok(error <= most, `${i}: ${error} of a number after ${turned} radians, ${most} allowed`);
    }
  });

  it("of which exp(x*p) is never greater than it should be, however many turns there are", async () => {
    const source = `
axis b: batch, t: time, d = 4
model powers {
  input x: f32[b, t]
  param angle[d]
  y = exp(x*complex(-0.01*angle/angle, angle))
  output size[b, t, d] = abs(y)
}`;
    const x = f32([1, 3e6, 1.7e7, 2.3e8, 1.1e12, 3e20].map((value) => value / 1e3));
    const angle = f32([Math.PI * 1e3, -1e3, 7e3, -1e9]);
    const model = await modelOf(bundleOf(source), { angle: { shape: [4], data: angle } });
    const { size } = await (await model.session()).prefill({ x }, { outputs: "all" });
    model.destroy();
    for (const [i, value] of size?.data.entries() ?? assert.fail()) {
      const most = Math.exp(-0.01 * (x[Math.floor(i / 4)] ?? 0));
      assert.ok(value <= most * (1 + 1e-5), `${i}: ${value}, at most ${most}`);
    }
  });
});
