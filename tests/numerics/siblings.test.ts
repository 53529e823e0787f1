/**
 * Checkpoints that nobody has: the templates at other widths, state sizes, taps, options and lengths, with random
 * weights, on the device against the float64 oracle.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { interpret } from "../../compiler/interpret/index.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { HostTensor } from "../../runtime/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded, type Random } from "../support/random.js";

type Settings = Readonly<Record<string, ConstantValue>>;

const DRAWS = Number(process.env["KRAIT_DRAWS"] ?? 3);
const SEED = Number(process.env["KRAIT_SEED"] ?? 20231201);

/** Sizes around and off every tile. */
const drawCommon = (
  random: Random,
): { readonly width: number; readonly inner: number; readonly set: Settings } => {
  const width = random.pick([3, 16, 33, 48, 80]);
  const inner = random.pick([width, 2 * width, 2 * width + 1, 37]);
  const set = {
    vocab: random.pick([5, 64, 131]),
    layers: random.integer(1, 3),
    tie_embeddings: random.pick([true, false]),
  };
  return { width, inner, set };
};

/** What mamba, falcon_mamba and mamba2 have in common. */
const drawMixer = (random: Random): Settings => ({
  state_size: random.pick([1, 2, 5, 8, 16, 24]),
  taps: random.pick([2, 3, 4, 5]),
  use_bias: random.pick([true, false]),
  use_conv_bias: random.pick([true, false]),
});

/** `inner` need not be twice the width. */
const drawMamba = (random: Random): Settings => {
  const { width, inner, set } = drawCommon(random);
  return { ...set, width, inner, dt_rank: random.pick([1, 3, 8]), ...drawMixer(random) };
};

const drawMamba2 = (random: Random): Settings => {
  const { width, set } = drawCommon(random);
  const [groups, perGroup] = [random.pick([1, 2, 4]), random.integer(1, 4)];
  return {
    ...set,
    width,
    groups,
    heads: groups * perGroup,
    head_dim: random.pick([1, 3, 8, 16]),
    norm_groups: random.pick([1, groups]),
    ...drawMixer(random),
  };
};

const drawRwkv = (random: Random): Settings => {
  const { width, inner, set } = drawCommon(random);
  return { ...set, width, inner, ff_inner: random.pick([4 * width, 7]), rescale_every: random.integer(0, 3) };
};

const drawRecurrentGemma = (random: Random): Settings => {
  const { set } = drawCommon(random);
  const [keyHeads, shared, headDim] = [random.integer(1, 3), random.integer(1, 4), random.pick([4, 12, 16])];
  const heads = keyHeads * shared;
  return {
    ...set,
    width: heads * headDim,
    heads,
    key_heads: keyHeads,
    head_dim: headDim,
    inner: heads * random.pick([1, 5, headDim]),
    ff_inner: random.pick([10, 64, 75]),
    taps: random.pick([2, 3, 4]),
    window: random.pick([1, 5, 100]),
    blocks: random.pick([["recurrent"], ["attention", "recurrent"], ["recurrent", "attention"]]),
    attention_bias: random.pick([true, false]),
    activation: random.pick(["gelu_pytorch_tanh", "gelu", "silu"]),
    cap: random.pick([2, 30]),
  };
};

const TEMPLATES: Readonly<Record<string, (random: Random) => Settings>> = {
  mamba: drawMamba,
  falcon_mamba: drawMamba,
  mamba2: drawMamba2,
  rwkv: drawRwkv,
  recurrent_gemma: drawRecurrentGemma,
};

/** Where weights are centred, by name. */
const SHIFTS: readonly (readonly [RegExp, number])[] = [
  [/norm/, 1],
  [/dt_proj\.bias|dt_bias|time_decay/, -1],
  [/recurrent_param/, -3],
];

/** Weights at which steps are neither tiny nor saturated, and signals keep their size from layer to layer. */
function drawWeights(graph: Graph, random: Random): Record<string, HostTensor> {
  return Object.fromEntries(
    graph.params.map((param): [string, HostTensor] => {
      const shape = param.shape ?? param.layout.map(({ size }) => size);
      const depth = shape.length > 1 ? (shape.at(-1) ?? 1) : 1;
      const scale = param.name.includes("A_log") ? 0.5 : 1 / Math.sqrt(depth);
      const [, shift = 0] = SHIFTS.find(([names]) => names.test(param.name)) ?? [];
      const { data } = random.tensor(shape, (r) => shift + scale * r.normal());
      return [param.sources[0] ?? param.name, { shape, data: f32(data) }];
    }),
  );
}

describe(`sibling checkpoints agree with the oracle (${DRAWS} draws a template, seed ${SEED})`, () => {
  for (const [index, [template, drawSettings]] of Object.entries(TEMPLATES).entries()) {
    for (let draw = 0; draw < DRAWS; draw++) {
      const random = seeded(SEED + 1000 * index + draw);
      const set = drawSettings(random);
      const batch = random.integer(1, 6);
      const steps = random.pick([1, 2, 7, 16, 33, 65]);
      it(`${template}, ${batch} × ${steps} steps, ${JSON.stringify(set)}`, async () => {
        const text = readFileSync(`templates/models/${template}.krait`, "utf8");
        const graph = graphOf(text, { set });
        const weights = drawWeights(graph, random);
        const tokens = Array.from({ length: batch * steps }, () => random.integer(0, Number(set["vocab"])));
        const params = Object.fromEntries(
          Object.entries(weights).map(([name, { shape, data }]) => [
            name,
            { shape, data: Float64Array.from(data) },
          ]),
        );
        const expected = interpret(graph, {
          inputs: { token: { shape: [batch, steps], data: Float64Array.from(tokens) } },
          params,
        });
        const want = expected.outputs["logits"];
        assert.ok(want);
        const schedule = random.pick([{}, { chunkBelow: 1e9, chunkFrom: 1 }]);
        const bundle = bundleOf(text, { set, schedule });
        const model = await modelOf(bundle, weights);
        const session = await model.session({ batch });
        // What looks ahead is not cut.
        const cuts = bundle.manifest.targets.every(({ step }) => step !== undefined);
        const cut = cuts ? random.integer(0, steps + 1) : steps;
        const columns = (begin: number, end: number): { token: Uint32Array<ArrayBuffer> } => ({
          token: u32(
            Array.from({ length: batch }, (_, b) => tokens.slice(b * steps + begin, b * steps + end)).flat(),
          ),
        });
        const parts: { data: Float32Array; count: number }[] = [];
        if (cut > 0) {
          const { logits } = await session.prefill(columns(0, cut), { outputs: "all" });
          assert.ok(logits);
          parts.push({ data: logits.data, count: cut });
        }
        for (let t = cut; t < Math.min(steps, cut + 5); t++) {
          const { logits } = await session.step(columns(t, t + 1));
          assert.ok(logits);
          parts.push({ data: logits.data, count: 1 });
        }
        const done = Math.min(steps, cut + 5);
        const vocab = want.shape[2] ?? 0;
        const got = new Float32Array(batch * done * vocab);
        const wanted = new Float64Array(batch * done * vocab);
        for (let b = 0; b < batch; b++) {
          let begin = 0;
          for (const { data, count } of parts) {
            const row = data.subarray(b * count * vocab, (b + 1) * count * vocab);
            got.set(row, (b * done + begin) * vocab);
            begin += count;
          }
          wanted.set(want.data.subarray(b * steps * vocab, (b * steps + done) * vocab), b * done * vocab);
        }
        const shape = [batch, done, vocab];
        expectClose({ shape, data: got }, { shape, data: wanted }, { tolerance: "f32", what: "logits" });
        session.destroy();
        model.destroy();
      });
    }
  }
});
