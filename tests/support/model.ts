/** Models for tests: compiled from source or template, opened on the shared devices. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { compile, type CompileOptions } from "../../compiler/compile.js";
import {
  open,
  tensorCheckpoint,
  type Bundle,
  type HostTensor,
  type Model,
  type Storage,
} from "../../runtime/index.js";
import { baselineDevice, testDevice } from "./adapter.js";
import type { Checkpoint } from "./fixtures.js";
import type { StoredTensor } from "./safetensors.js";

const TEMPLATES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "templates", "models");

/** The bundle of a source without mistakes, every stage verified. */
export function bundleOf(text: string, options: CompileOptions = {}, path = "test.krait"): Bundle {
  const { bundle, diagnostics } = compile({ path, text }, { verify: true, ...options });
  assert.deepEqual(
    diagnostics.map(({ code, message }) => `${code} ${message}`),
    [],
  );
  assert.ok(bundle !== undefined);
  return bundle;
}

/** The bundle with its program for documents alone: what a test does not run, software Vulkan need not compile. */
export function packedAlone(bundle: Bundle): Bundle {
  const none = { numbers: [], scratch: [], body: [], tail: [] };
  const targets = bundle.manifest.targets.map((target) => {
    const { load, step, packed } = target;
    assert.ok(packed !== undefined, "the bundle has no program for documents");
    const used = new Set(
      [load, packed].flatMap(({ body, tail }) => [...body, ...tail]).map(({ shader }) => shader),
    );
    const shaders = target.shaders.filter(({ id }) => used.has(id));
    return { ...target, shaders, prefill: none, ...(step && { step: none }) };
  });
  return { ...bundle, manifest: { ...bundle.manifest, targets } };
}

/** A model with parameters from memory. */
export async function modelOf(
  bundle: Bundle,
  tensors: Readonly<Record<string, HostTensor>> = {},
): Promise<Model> {
  return open(bundle, { device: await deviceFor(bundle), weights: tensorCheckpoint(tensors) });
}

/** WebGPU's default limits, unless the bundle says that it needs more. */
async function deviceFor(bundle: Bundle): Promise<GPUDevice> {
  const needed = bundle.manifest.targets[0]?.requires.limits["maxStorageBuffersPerShaderStage"] ?? 0;
  return needed > 8 ? testDevice() : baselineDevice();
}

/** The bundle of a family's template. */
export function templateBundle(family: string, options: CompileOptions = {}): Bundle {
  return bundleOf(readFileSync(join(TEMPLATES, `${family}.krait`), "utf8"), options, `${family}.krait`);
}

/** The family's template with a checkpoint's config, as `krait import` builds it. */
export function checkpointBundle(checkpoint: Checkpoint, options: CompileOptions = {}): Bundle {
  const family = String(checkpoint.config["model_type"]);
  const storage: Record<string, Storage> = {};
  const names = { F32: "f32", F16: "f16", BF16: "bf16" } as const;
  for (const [name, { dtype }] of Object.entries(checkpoint.params))
    if (dtype === "F16" || dtype === "BF16") storage[name] = names[dtype];
  return templateBundle(family, { config: checkpoint.config, storage, ...options });
}

export function hostTensor({ shape, data }: StoredTensor): HostTensor {
  return { shape, data: Float32Array.from(data) };
}

export function f32(values: ArrayLike<number>): Float32Array<ArrayBuffer> {
  return Float32Array.from(values);
}

export function u32(values: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(values);
}
