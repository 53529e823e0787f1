/**
 * Real sizes within WebGPU's default limits: embeddings that lie in several buffers give what they do in whole ones. On a
 * GPU the model is two layers of Mamba-2.8B's width; in software it is one that shrank with its limits.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  open,
  type Bundle,
  type Checkpoint,
  type HostTensor,
  type RandomAccess,
} from "../../runtime/index.js";
import { elements } from "../../runtime/tensor.js";
import { baselineDevice, testAdapter, testDevice } from "../support/adapter.js";
import { expectClose } from "../support/expect-close.js";
import { assertWithin, banksOf } from "../support/limits.js";
import { bundleOf, u32 } from "../support/model.js";

interface Shape {
  readonly vocab: number;
  readonly width: number;
  readonly layers: number;
  readonly bindingBytes: number;
}
const SHAPES: Readonly<Record<"gpu" | "software", Shape>> = {
  gpu: { vocab: 50280, width: 2560, layers: 2, bindingBytes: 128 * 2 ** 20 },
  software: { vocab: 503, width: 64, layers: 1, bindingBytes: 34_000 },
};

/** A number between -1 and 1 for each whole number, in no order. */
function noise(n: number): number {
  const mixed = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) / 2 ** 31;
}

/** An element of a parameter, of a scale that keeps a model's values near one. */
const value = (param: string, depth: number, element: number): number =>
  Math.sqrt(3 / depth) * noise(element + 7919 * param.length);

/** A file of f32 that is made as it is read: the whole would take too much memory. */
function madeFile(name: string, shape: readonly number[]): RandomAccess {
  return {
    name,
    size: 4 * elements(shape),
    read: (offset, length) => {
      const values = new Float32Array(length / 4);
      for (let i = 0; i < values.length; i++) values[i] = value(name, shape[1] ?? 3, offset / 4 + i);
      return Promise.resolve(new Uint8Array(values.buffer));
    },
  };
}

function checkpointFor({ manifest: { params } }: Bundle): Checkpoint {
  const tensors = params.map(({ sources: [name = ""], shape }) => {
    const file = madeFile(name, shape);
    return [name, { name, dtype: "F32", shape, file, offset: 0, bytes: file.size }] as const;
  });
  return { tensors: new Map(tensors) };
}

async function outputOf(bundle: Bundle, device: GPUDevice, tokens: readonly number[]): Promise<HostTensor> {
  const model = await open(bundle, { device, weights: checkpointFor(bundle) });
  const session = await model.session();
  const [output] = Object.values(await session.prefill({ token: u32(tokens) }, { outputs: "all" }));
  model.destroy();
  assert.ok(output);
  return output;
}

describe("real sizes", () => {
  it("rows of 147 MiB of embeddings are gathered from two buffers", async () => {
    const width = 768;
    const bundle = bundleOf(`
axis b: batch, t: time
axis v = 50280, m = ${width}
model gathered {
  input token: index(v)[b, t]
  param embedding[v, m]
  output x[b, t, m] = embedding[v: token]
}`);
    assertWithin(bundle, 128 * 2 ** 20);
    const [first] = banksOf(bundle, "embedding");
    const edge = (first?.bytes ?? 0) / (4 * width);
    const tokens = [0, edge - 1, edge, edge + 1, 50279];
    const { data } = await outputOf(bundle, await baselineDevice(), tokens);
    const expected = tokens.flatMap((token) =>
      Array.from({ length: width }, (_, i) => Math.fround(value("embedding", width, token * width + i))),
    );
    assert.deepEqual([...data], expected);
  });

  it("a model within the default limits computes what it does in larger ones", async () => {
    const { name } = await testAdapter();
    const { bindingBytes, ...set } = SHAPES[name === "gpu" ? "gpu" : "software"];
    const text = readFileSync("templates/models/mamba.krait", "utf8");
    const cut = bundleOf(text, { set, schedule: { bindingBytes }, verify: false });
    assertWithin(cut, bindingBytes);
    assert.equal(banksOf(cut, "backbone.embeddings.weight").length, 4);
    const whole = bundleOf(text, { set, targets: ["large"], verify: false });
    const tokens = [0, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76, 1].map((at) => Math.floor(at * (set.vocab - 1)));
    const got = await outputOf(cut, await baselineDevice(), tokens);
    const expected = await outputOf(whole, await testDevice(), tokens);
    assert.ok(got.data.every(Number.isFinite) && got.data.some((score) => Math.abs(score) > 0.1));
    expectClose(got, expected, { tolerance: "f32", what: `scores of ${JSON.stringify(set)}` });
  });
});
