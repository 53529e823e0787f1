/** Rules of one's own: what they do with a coefficient that has fewer axes than its state, or is not there. */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { bundleOf, f32, modelOf } from "../support/model.js";

const [WIDTH, STEPS] = [4, 3];

const source = (rhs: string): string => `
axis b: batch, t: time
axis i = ${WIDTH}
rule mixing(step): der(h) = a*h + b
  => h = prev(h) + sum(a, over i) + sum(step*a, over i) + max(a, over i) + b
model rules {
  input x: f32[b, t, i]
  state h[i]
  der(h) = ${rhs}  by mixing(x)
  output y[b, t, i] = h
}`;

/** The rule by hand, for der(h) = a·h + x. */
function expected(a: number, x: Float32Array): readonly number[] {
  const h = new Float64Array(WIDTH);
  return Array.from({ length: STEPS }, (_, t) => {
    const now = x.subarray(t * WIDTH, (t + 1) * WIDTH);
    const all = now.reduce((sum, step) => sum + step * a, WIDTH * a + a);
    now.forEach((each, i) => (h[i] = (h[i] ?? NaN) + all + each));
    return [...h];
  }).flat();
}

describe("rules", () => {
  for (const [a, rhs] of [
    [0, "x"],
    [-2, "-2*h + x"],
  ] as const)
    it(`reduce coefficients over axes of the state that they lack: der(h) = ${rhs}`, async () => {
      const x = f32(Array.from({ length: STEPS * WIDTH }, (_, k) => (k % 5) / 4 - 0.5));
      const want = expected(a, x);
      const { outputs } = interpret(graphOf(source(rhs)), {
        inputs: { x: { shape: [1, STEPS, WIDTH], data: x } },
      });
      assert.deepEqual([...(outputs["y"]?.data ?? [])], want);
      const model = await modelOf(bundleOf(source(rhs)));
      const session = await model.session();
      const { y } = await session.prefill({ x }, { outputs: "all" });
      assert.deepEqual([...(y?.data ?? [])], want); // quarters and halves, exact in f32
      model.destroy();
    });
});
