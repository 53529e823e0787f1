/** Outputs whose values lack run-time axes that they are declared with: the same at all their coordinates, however they are run. */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf } from "../support/model.js";
import { seeded } from "../support/random.js";

const modelWith = (outputs: readonly string[]): string => `
axis b: batch, t: time, m = 3
model wide {
  input x: f32[b, t, m]
  input u: f32[m]
  input each: f32[b, m]
  param w[m]
${outputs.map((value, n) => `  output y${String(n)}${value}`).join("\n")}
}
`;

const OUTPUTS = [
  "[b, t, m] = 2*u",
  "[b, t, m] = u",
  "[t, m, b] = u",
  "[b, t] = sum(u, over m)",
  "[b, t, m] = each",
  "[t, b] = sum(each, over m)",
  "[b, t, m] = w",
  "[b, t] = 3",
  "[b, t, m] = pos(t) * u",
  "[m, b, t] = x * pos(b)",
];
const AHEAD = ["[b, t, m] = sum(x, over t)", "[t, b] = sum(sum(x, over t) * u, over m)"];

describe("outputs of values without batch or time", () => {
  const [batch, steps, random] = [2, 5, seeded(5)];
  const normal = (...shape: number[]): { shape: number[]; data: Float64Array } => ({
    shape,
    data: Float64Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => Math.fround(random.normal())),
  });
  const inputs = { x: normal(batch, steps, 3), u: normal(3), each: normal(batch, 3) };
  const w = normal(3);
  const given = { x: f32(inputs.x.data), u: f32(inputs.u.data), each: f32(inputs.each.data) };
  const weights = { w: { shape: [3], data: f32(w.data) } };

  for (const [what, outputs, options] of [
    ["a prefill", OUTPUTS, {}],
    ["a prefill of a model that looks ahead", AHEAD, {}],
  ] as const)
    it(`are whole in ${what}`, async () => {
      const source = modelWith(outputs);
      const { outputs: expected } = interpret(graphOf(source), { inputs, params: { w } });
      const model = await modelOf(bundleOf(source, options), weights);
      const session = await model.session({ batch });
      const got = await session.prefill(given, { outputs: "all" });
      outputs.forEach((what, n) => {
        const [own, oracle] = [got[`y${String(n)}`], expected[`y${String(n)}`]];
        assert.ok(own !== undefined && oracle !== undefined);
        expectClose(own, oracle, { tolerance: "f32", what });
      });
      model.destroy();
    });

  it("are whole step by step", async () => {
    const source = modelWith(OUTPUTS);
    const { outputs: expected } = interpret(graphOf(source), { inputs, params: { w } });
    const model = await modelOf(bundleOf(source), weights);
    const session = await model.session({ batch });
    for (let t = 0; t < steps; t++) {
      const rows = Array.from({ length: batch * 3 }, (_, i) => (Math.floor(i / 3) * steps + t) * 3 + (i % 3));
      const x = f32(rows.map((row) => inputs.x.data[row] ?? NaN));
      const got = await session.step({ ...given, x });
      for (const n of [0, 1, 4, 6]) {
        // [b, t, m]: row t of each sequence.
        const oracle = expected[`y${String(n)}`] ?? assert.fail();
        const data = Float64Array.from(rows, (row) => oracle.data[row] ?? NaN);
        expectClose(got[`y${String(n)}`] ?? assert.fail(), { shape: [batch, 1, 3], data }, { tolerance: "f32", what: OUTPUTS[n] ?? "" }); // prettier-ignore
      }
    }
    model.destroy();
  });

  it("are whole for sequences of different lengths", async () => {
    const outputs = ["[b, t, m] = 2*u + 0*each", "[b, t, m] = each", "[b, t, m] = u + 0*pos(b)"];
    const model = await modelOf(bundleOf(modelWith(outputs), { packed: true }), weights);
    const lengths = [4, 1];
    const session = await model.session({ batch: lengths.length });
    const got = await session.prefill({ ...given, x: given.x.slice(0, 15) }, { lengths, outputs: "all" });
    const each = lengths.flatMap((length, b) =>
      Array.from({ length }, () => inputs.each.data.slice(3 * b, 3 * b + 3)),
    );
    const rows = (row: (own: Float64Array) => ArrayLike<number>): Float64Array =>
      Float64Array.from(each.flatMap((own) => [...f32(row(own))]));
    const expected = [
      rows(() => inputs.u.data.map((u) => 2 * u)),
      rows((own) => own),
      rows(() => inputs.u.data),
    ];
    expected.forEach((data, n) =>
      expectClose(got[`y${String(n)}`] ?? assert.fail(), { shape: [5, 3], data }, { tolerance: "f32", what: outputs[n] ?? "" }),
    ); // prettier-ignore
    model.destroy();
  });
});
