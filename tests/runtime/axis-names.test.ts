/** Batch and time under names that run-time numbers have too, against plain loops. */
import assert from "node:assert/strict";
import { NUMBERS } from "../../compiler/3-graph/numbers.js";
import { bundleOf, f32, modelOf } from "../support/model.js";

const SIZES = [
  [5, 2],
  [2, 5],
] as const;

const others = Object.values(NUMBERS);

describe("axes called like other run-time numbers", () => {
  for (const [batchName, timeName] of [
    ...others.map((name) => [name, "t"] as const),
    ...others.map((name) => ["b", name] as const),
    ["t", "b"] as const,
  ])
    it(`${batchName} for the batch, ${timeName} for time`, async () => {
      const text = `axis ${batchName}: batch, ${timeName}: time, d = 1
model sums {
  input x: f32[${batchName}, ${timeName}, d]
  state h[d]
  h = prev(h) + x + pos(${timeName})
  output y[${batchName}, ${timeName}, d] = h
}
`;
      const model = await modelOf(bundleOf(text, { packed: true }));
      for (const [batch, steps] of SIZES) {
        const x = Array.from({ length: batch * steps }, (_, i) => i + 1);
        const y: number[] = [];
        for (let sequence = 0; sequence < batch; sequence++)
          for (let t = 0, sum = 0; t < steps; t++) y.push((sum += (x[sequence * steps + t] ?? NaN) + t));
        const got = async (lengths?: readonly number[]): Promise<readonly number[]> => {
          const session = await model.session({ batch });
          const options = lengths === undefined ? {} : { lengths };
          const outputs = await session.prefill({ x: f32(x) }, { outputs: "all", ...options });
          session.destroy();
          return [...(outputs["y"]?.data ?? [])];
        };
        assert.deepEqual(await got(), y);
        assert.deepEqual(await got(new Array<number>(batch).fill(steps)), y, "packed");
      }
      model.destroy();
    });

  it("a batch called t, and no time", async () => {
    const text = "axis t: batch\nmodel twice {\n  input x: f32[t]\n  output y[t] = 2*x\n}\n";
    const model = await modelOf(bundleOf(text));
    const session = await model.session({ batch: 3 });
    assert.deepEqual([...((await session.prefill({ x: f32([1, 2, 3]) }))["y"]?.data ?? [])], [2, 4, 6]);
    model.destroy();
  });

  it("time called b, and no batch", async () => {
    const text = "axis b: time\nmodel twice {\n  input x: f32[b]\n  output y[b] = 2*x\n}\n";
    const model = await modelOf(bundleOf(text));
    const session = await model.session();
    const { y } = await session.prefill({ x: f32([1, 2, 3]) }, { outputs: "all" });
    assert.deepEqual([...(y?.data ?? [])], [2, 4, 6]);
    model.destroy();
  });
});
