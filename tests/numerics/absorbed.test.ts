/**
 * Kernels that products of few rows compute as they go, or that run before them: whatever the batch and whichever it is, a
 * step is what prefill makes of the same tokens, and states go on alike.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";

const STEPS = 5;
const SET = { vocab: 31, width: 24, layers: 2, state_size: 4, taps: 4 };
/** Nothing again, little enough that two rows are few, and what is taken for a launch. */
const LAUNCH_BYTES = [0, 4000, undefined] as const;

for (const family of ["mamba", "falcon_mamba", "mamba2", "rwkv"] as const) {
  describe(`steps of ${family} in which products compute what they are made of`, () => {
    const text = readFileSync(`templates/models/${family}.krait`, "utf8");
    const set =
      family === "mamba2"
        ? { ...SET, heads: 6, head_dim: 8 }
        : family === "rwkv"
          ? { vocab: 31, width: 24, layers: 2 }
          : SET;
    const graph = graphOf(text, { set });
    const random = seeded(11);
    const weights = Object.fromEntries(
      graph.params.map((param) => {
        const shape = param.shape ?? param.layout.map(({ size }) => size);
        const scale = 1 / Math.sqrt(shape.length > 1 ? (shape.at(-1) ?? 1) : 1);
        const { data } = random.tensor(shape, (r) => scale * r.normal());
        return [param.sources[0] ?? param.name, { shape, data: f32(data) }];
      }),
    );
    const params = Object.fromEntries(
      Object.entries(weights).map(([name, { shape, data }]) => [
        name,
        { shape, data: Float64Array.from(data) },
      ]),
    );

    for (const launchBytes of LAUNCH_BYTES)
      for (const batch of [1, 2, 3, 9])
        it(`batch ${batch}, ${launchBytes ?? "the default of"} bytes for a launch`, async () => {
          const schedule = launchBytes === undefined ? {} : { launchBytes };
          const model = await modelOf(bundleOf(text, { set, schedule }), weights);
          const session = await model.session({ batch });
          const tokens = Array.from({ length: batch * STEPS }, () => random.integer(0, 31));
          const { outputs } = interpret(graph, {
            inputs: { token: { shape: [batch, STEPS], data: Float64Array.from(tokens) } },
            params,
          });
          const want = outputs["logits"];
          assert.ok(want);
          for (let t = 0; t < STEPS; t++) {
            const token = u32(Array.from({ length: batch }, (_, b) => tokens[b * STEPS + t] ?? 0));
            const { logits } = await session.step({ token });
            assert.ok(logits);
            const at = Float64Array.from({ length: batch * 31 }, (_, i) => {
              const b = Math.floor(i / 31);
              return want.data[(b * STEPS + t) * 31 + (i % 31)] ?? NaN;
            });
            const shape = [batch, 1, 31];
            expectClose(
              { shape, data: logits.data },
              { shape, data: at },
              { tolerance: "f32", what: `step ${t}` },
            );
          }
          session.destroy();
          model.destroy();
        });
  });
}
