/** What bundles bind against the limits that they are built for, and what they say that they require. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { Bundle } from "../../runtime/index.js";
import { axisNames } from "../../runtime/numbers.js";
import type { Pipeline } from "../../runtime/pipelines.js";
import { PreparedProgram } from "../../runtime/program.js";
import { defaultMaxChunk, windowSize } from "../../runtime/memory-plan.js";
import { assertWithin, banksOf, targetOf } from "../support/limits.js";
import { bundleOf } from "../support/model.js";

const MIB = 2 ** 20;
/** WebGPU's defaults. */
const BINDING = 128 * MIB;
const DEFAULTS = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
};

const template = (family: string, set: Readonly<Record<string, number>>, more = {}): Bundle =>
  bundleOf(readFileSync(`templates/models/${family}.krait`, "utf8"), { set, verify: false, ...more });

/** A program's sizes, without a device. */
function prefillOf({ manifest, ...bundle }: Bundle): PreparedProgram {
  const { shaders, prefill } = targetOf({ manifest, ...bundle });
  const pipelines = new Map(shaders.map((shader) => [shader.id, { shader } as Pipeline]));
  return new PreparedProgram("prefill", prefill, axisNames(manifest), pipelines);
}

describe("limits", () => {
  // 50280 × 2560 embeddings of f32 are 491 MiB.
  const wide = template("mamba", { vocab: 50280, width: 2560, layers: 64 });

  it("Mamba-2.8B requires nothing but WebGPU's default limits", () => {
    assert.deepEqual(targetOf(wide).requires, { features: [], limits: DEFAULTS });
    assertWithin(wide, BINDING);
    const banks = banksOf(wide, "backbone.embeddings.weight");
    assert.deepEqual(
      banks.flatMap(({ params }) => params.map(({ begin = 0, count = 0 }) => [begin, count / 2560])),
      [0, 1, 2, 3].map((k) => [k * 12608 * 2560, k < 3 ? 12608 : 50280 - 3 * 12608]),
    );
    assert.ok(targetOf(wide).shaders.every(({ bindings }) => bindings.length <= 8));
  });

  it("nor do embeddings in more banks than there are bindings: Falcon-Mamba-7B's", () => {
    const bundle = template("falcon_mamba", { vocab: 65024, width: 4096, layers: 1 });
    assert.deepEqual(targetOf(bundle).requires, { features: [], limits: DEFAULTS });
    assertWithin(bundle, BINDING);
    assert.equal(banksOf(bundle, "backbone.embeddings.weight").length, 8);
  });

  it("a target of larger bindings keeps constants whole, and requires what they take", () => {
    const set = { vocab: 50280, width: 1536, layers: 1 };
    const bundle = template("mamba", set, { targets: ["large"] });
    const bytes = 50280 * 1536 * 4;
    assert.equal(banksOf(bundle, "backbone.embeddings.weight").length, 0);
    const { maxStorageBufferBindingSize, maxBufferSize } = targetOf(bundle).requires.limits;
    assert.deepEqual([maxStorageBufferBindingSize, maxBufferSize], [bytes, bytes]);
  });

  for (const file of readdirSync("tests/families/sources"))
    it(`${file} binds no more constants than fit in 64 bytes`, () => {
      const text = readFileSync(`tests/families/sources/${file}`, "utf8");
      assertWithin(bundleOf(text, { schedule: { bindingBytes: 64 } }), 64, "constants");
    });

  it("pieces and windows are as long as bindings and buffers allow", () => {
    const prefill = prefillOf(wide);
    const within = (binding: number, buffer: number): GPUSupportedLimits =>
      ({ maxStorageBufferBindingSize: binding, maxBufferSize: buffer }) as GPUSupportedLimits;
    const largest = (steps: number, tailCount: number): { binding: number; buffer: number } => {
      const { buffers, largestBinding } = prefill.needs({ batch: 1, steps, pos: 0, tailBegin: 0, tailCount });
      const own = buffers.filter((need) => need.in === "scratch").map(({ bytes }) => bytes);
      return { binding: largestBinding.bytes, buffer: Math.max(...own) };
    };
    const chunk = defaultMaxChunk(prefill, 1, within(BINDING, 256 * MIB));
    assert.ok(chunk === 2048 && largest(chunk, 1).binding <= BINDING);
    // The widest value of a step takes 40 KiB: buffers of 8 MiB hold 204 of them.
    const short = defaultMaxChunk(prefill, 1, within(BINDING, 8 * MIB));
    assert.equal(short, 128);
    assert.ok(largest(short, 1).buffer <= 8 * MIB && largest(2 * short, 1).buffer > 8 * MIB);
    // And the scores of 41 positions.
    const window = windowSize(prefill, 1, short, within(BINDING, 8 * MIB));
    assert.ok(window <= 41 && window > 20, `${window} positions`);
  });
});
