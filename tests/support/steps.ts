/** A model of tokens on the device, step by step, against the float64 oracle; with random weights. */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { interpret } from "../../compiler/interpret/index.js";
import { open } from "../../runtime/index.js";
import { baselineDevice } from "./adapter.js";
import { graphOf } from "./elaborated.js";
import { expectClose } from "./expect-close.js";
import { bundleOf, f32, u32 } from "./model.js";
import { seeded } from "./random.js";
import { storedCheckpoint } from "./stored-weights.js";

const SEED = 11;
const STEPS = 4;

/** @param options `set` has the sizes, `vocab` among them; weights are exact in f32, f16 and bf16. */
export async function stepsAgree(text: string, options: CompileOptions, batch: number): Promise<void> {
  const { set = {} } = options;
  const vocab = Number(set["vocab"]);
  const graph = graphOf(text, { set });
  const random = seeded(SEED);
  const weights = Object.fromEntries(
    graph.params.map((param) => {
      const shape = param.shape ?? param.layout.map(({ size }) => size);
      const scale = 1 / Math.sqrt(shape.length > 1 ? (shape.at(-1) ?? 1) : 1);
      const { data } = random.tensor(shape, (r) => Math.round(32 * scale * r.normal()) / 32);
      return [param.sources[0] ?? param.name, { shape, data: f32(data) }];
    }),
  );
  const params = Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [
      name,
      { shape, data: Float64Array.from(data) },
    ]),
  );
  const tokens = Array.from({ length: batch * STEPS }, () => random.integer(0, vocab));
  const { outputs } = interpret(graph, {
    inputs: { token: { shape: [batch, STEPS], data: Float64Array.from(tokens) } },
    params,
  });
  const want = outputs["logits"];
  assert.ok(want);
  const bundle = bundleOf(text, options);
  const model = await open(bundle, {
    device: await baselineDevice(),
    weights: storedCheckpoint(bundle.manifest, weights),
  });
  const session = await model.session({ batch });
  const shape = [batch, 1, vocab];
  for (let t = 0; t < STEPS; t++) {
    const { logits } = await session.step({
      token: u32(Array.from({ length: batch }, (_, b) => tokens[b * STEPS + t] ?? 0)),
    });
    assert.ok(logits);
    const data = Float64Array.from({ length: batch * vocab }, (_, i) => {
      const b = Math.floor(i / vocab);
      return want.data[(b * STEPS + t) * vocab + (i % vocab)] ?? NaN;
    });
    expectClose({ shape, data: logits.data }, { shape, data }, { tolerance: "f32", what: `step ${t}` });
  }
  session.destroy();
  model.destroy();
}
