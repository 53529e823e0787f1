/**
 * Constants over the binding limit lie in several buffers. Limits of a few bytes cut everything that there is: what comes
 * out is the same, and nothing binds more.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { interpret } from "../../compiler/interpret/index.js";
import { open, type Bundle, type HostTensor, type InputData, type Outputs } from "../../runtime/index.js";
import { fileWeights } from "../../src/node/files.js";
import { baselineDevice } from "../support/adapter.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture, fixturePath, tensorOf } from "../support/fixtures.js";
import { assertWithin, banksOf, targetOf } from "../support/limits.js";
import { bundleOf, checkpointBundle, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";

const BATCH = 2;
const STEPS = 5;

/** Each way to use a large constant: where no kernel's coordinate decides the bank, and where one does. */
const USES = `
axis b: batch, t: time
axis v = 40, m = 6, d = 9, e = 6
model uses {
  input token: index(v)[b, t]
  param embedding[v, m], turned[m, d], gain[d, m], shift[e, m], spin[d, m]: complex
  x = embedding[v: token]
  z = dot(spin, complex(x, 1), over m)
  output gathered[b, t, m] = x
  output along_rows[b, t, v] = dot(x, embedding, over m)
  output along_columns[b, t, d] = dot(x, turned, over m)
  output loaded[b, t, d] = dot(x, sigmoid(gain), over m)
  output loaded_turned[b, t, d] = dot(x, tanh(turned) + exp(gain), over m)
  output elementwise[b, t, e, m] = x*shift
  output real[b, t, d] = re(z)
  output imaginary[b, t, d] = im(z)
}`;

describe("constants over the binding limit", () => {
  it("whatever reads them, in bindings of 128 bytes, agrees with the oracle", async () => {
    const bundle = bundleOf(USES, { schedule: { bindingBytes: 128 } });
    assertWithin(bundle, 128, "constants");
    assert.equal(banksOf(bundle, "embedding").length, 8);
    assert.equal(targetOf(bundle).requires.limits["maxStorageBuffersPerShaderStage"], 8);
    const { params, inputs } = drawn(bundle);
    const token = present(inputs["token"]);
    const expected = interpret(graphOf(USES), {
      inputs: { token: { shape: [BATCH, STEPS], data: [...token] } },
      params: Object.fromEntries(params),
    });
    const got = await outputsOf(bundle);
    for (const [name, tensor] of Object.entries(expected.outputs))
      expectClose(present(got[name]), tensor, { tolerance: "f32", what: name });
  });

  for (const [name, bindingBytes] of [
    ["mamba", 20000],
    ["falcon-mamba", 20000],
    ["mamba-bf16-sharded", 20000],
  ] as const)
    it(`the checkpoint ${name}, in bindings of ${bindingBytes} bytes, gives PyTorch's logits`, async () => {
      const checkpoint = checkpointFixture(name);
      const bundle = checkpointBundle(checkpoint, { schedule: { bindingBytes } });
      assertWithin(bundle, bindingBytes);
      assert.ok(banksOf(bundle, "backbone.embeddings.weight").length > 1);
      assert.equal(targetOf(bundle).requires.limits["maxStorageBuffersPerShaderStage"], 8);
      const { shape, data } = tensorOf(checkpoint.expected, "input_ids");
      const [batch = 0, steps = 0] = shape;
      const logits = tensorOf(checkpoint.expected, "logits");
      const weights = await fileWeights(fixturePath(name));
      const model = await open(bundle, { device: await baselineDevice(), weights });
      await weights.close();
      const session = await model.session({ batch });
      const whole = await session.prefill({ token: u32(data) }, { outputs: "all" });
      expectClose(present(whole["logits"]), logits, { tolerance: "f32", what: "prefill" });
      await session.reset();
      const [vocab = 0] = logits.shape.slice(-1);
      for (let t = 0; t < 3; t++) {
        const token = u32(Array.from({ length: batch }, (_, b) => data[b * steps + t] ?? 0));
        const step = present((await session.step({ token }))["logits"]);
        const expected = Array.from({ length: batch }, (_, b) => [
          ...logits.data.slice((b * steps + t) * vocab, (b * steps + t + 1) * vocab),
        ]).flat();
        expectClose(step, { shape: step.shape, data: expected }, { tolerance: "f32", what: `step ${t}` });
      }
      model.destroy();
    });

  // Experts in pieces, gathered by products; complex values in a scan; stacked parameters.
  for (const name of ["moe", "rglru", "s4d"])
    it(`the family ${name}, in bindings of 64 bytes, computes what it does in whole ones`, async () => {
      const text = readFileSync(`tests/families/sources/${name}.krait`, "utf8");
      const cut = bundleOf(text, { schedule: { bindingBytes: 64 } });
      assertWithin(cut, 64, "constants");
      assert.ok(
        targetOf(cut).constants.some(({ id }) => id.includes("#")),
        "nothing was cut",
      );
      const whole = await outputsOf(bundleOf(text));
      for (const [output, got] of Object.entries(await outputsOf(cut)))
        expectClose(got, present(whole[output]), { tolerance: "f32", what: `${name}: ${output}` });
    });
});

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

/** Parameters and inputs that depend on the manifest's alone, which the banks do not change. */
function drawn({ manifest }: Bundle) {
  const random = seeded(11);
  const sizes: Readonly<Record<string, number>> = { b: BATCH, t: STEPS };
  const params = manifest.params.map(({ name, shape }): [string, HostTensor] => {
    const data = f32(random.tensor(shape, (r) => 0.7 * r.normal()).data);
    return [name, { shape, data }];
  });
  const inputs = manifest.inputs.map(({ name, axes, bound }): [string, InputData] => {
    const shape = axes.map(({ size }) => (typeof size === "number" ? size : (sizes[String(size)] ?? NaN)));
    const { data } = random.tensor(shape, (r) =>
      bound === undefined ? r.uniform(0.1, 1) : r.integer(0, bound),
    );
    return [name, bound === undefined ? f32(data) : u32(data)];
  });
  return { params, inputs: Object.fromEntries(inputs) };
}

async function outputsOf(bundle: Bundle): Promise<Outputs> {
  const { params, inputs } = drawn(bundle);
  const model = await modelOf(bundle, Object.fromEntries(params));
  const session = await model.session({ batch: BATCH });
  const outputs = await session.prefill(inputs, { outputs: "all" });
  model.destroy();
  return outputs;
}
