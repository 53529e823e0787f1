/** The comparison that every numeric test rests on must fail where it should. */
import assert from "node:assert/strict";
import { AssertionError } from "node:assert/strict";
import { expectClose, relativeError, TOLERANCE } from "./expect-close.js";
import { seeded } from "./random.js";

const one = { shape: [2, 2], data: [3, 0, 0, 4] };

function refuses(got: Parameters<typeof expectClose>[0], message: RegExp, expected = one): void {
  assert.throws(
    () => {
      expectClose(got, expected, { tolerance: "f32", what: "y" });
    },
    (error: unknown) => error instanceof AssertionError && message.test(error.message),
  );
}

describe("expectClose", () => {
  it("accepts what is within the tolerance of the whole tensor", () => {
    expectClose({ shape: [2, 2], data: [3, 4e-5, 0, 4] }, one, { tolerance: "f32", what: "y" });
    assert.equal(relativeError([3, 0, 0, 4.5], [3, 0, 0, 4]), 0.1);
  });

  it("names the error, what was allowed and the worst element", () => {
    refuses(
      { shape: [2, 2], data: [3, 1e-3, 0, 4.01] },
      /^y: relative error 2\.01e-3, allowed 1e-5 \(f32\); worst at \[1, 1\]: 4\.01, expected 4$/,
    );
  });

  it("checks shapes and element types before numbers", () => {
    refuses({ shape: [4], data: one.data }, /^y: shape \[4\], expected \[2, 2\]$/);
    refuses({ shape: [2, 2], data: [3, 0, 0] }, /^y: 3 numbers, expected 4$/);
    const typed = { ...one, scalar: "f32" };
    refuses({ ...one, scalar: "c64" }, /^y: element type c64, expected f32$/, typed);
  });

  it("takes no NaN, and infinities where they are expected alone", () => {
    refuses({ shape: [2, 2], data: [3, NaN, 0, 4] }, /worst at \[0, 1\]: NaN, expected 0/);
    refuses({ shape: [2, 2], data: [3, 0, Infinity, 4] }, /worst at \[1, 0\]: Infinity, expected 0/);
    const infinite = { shape: [2], data: [-Infinity, 1] };
    expectClose(infinite, infinite, { tolerance: "f64", what: "y" });
    refuses({ shape: [2], data: [Infinity, 1] }, /worst at \[0\]/, infinite);
    refuses({ shape: [2], data: [NaN, 1] }, /worst at \[0\]/, { shape: [2], data: [NaN, 1] });
  });

  it("compares with zero absolutely", () => {
    const zero = { shape: [2], data: [0, 0] };
    expectClose(zero, zero, { tolerance: "f64", what: "y" });
    refuses({ shape: [2], data: [0, 1e-4] }, /relative error 1\.00e-4/, zero);
  });

  it("holds weights of every storage type to what f32 arithmetic can do", () => {
    assert.deepEqual([TOLERANCE.f32, TOLERANCE.f16, TOLERANCE.bf16], [1e-5, 1e-5, 1e-5]);
  });
});

describe("seeded random numbers", () => {
  it("are the same for the same seed, others for another", () => {
    const draw = (seed: number): readonly number[] => [...seeded(seed).tensor([5]).data];
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
  });

  it("have the mean and deviation that they should", () => {
    const random = seeded(3);
    const n = 20_000;
    const normal = random.tensor([n]).data;
    const mean = normal.reduce((sum, x) => sum + x, 0) / n;
    const variance = normal.reduce((sum, x) => sum + x * x, 0) / n;
    assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05, `${mean}, ${variance}`);
    const whole = random.tensor([n], (r) => r.integer(-2, 3)).data;
    assert.deepEqual(
      [...new Set(whole)].sort((p, q) => p - q),
      [-2, -1, 0, 1, 2],
    );
  });
});
