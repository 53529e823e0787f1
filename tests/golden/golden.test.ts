/**
 * Small models through every stage, as text: what changed in a graph, a kernel or a shader is read as a diff of these
 * files. Written anew by UPDATE_GOLDENS=1, and by nothing else. Every shader is also compiled by Dawn, on a device with
 * WebGPU's default limits.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, type CompileOptions } from "../../compiler/compile.js";
import { inspectStage, STAGES } from "../../compiler/inspect.js";
import type { Compilation } from "../../compiler/compilation.js";
import { requestDevice } from "../../src/node/index.js";
import { RECURRENCES } from "../support/recurrences.js";
import { SCAN } from "../support/scan.js";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "models");
const UPDATE = process.env["UPDATE_GOLDENS"] === "1";
/** The syntax tree is large and has tests of its own. */
const SHOWN = STAGES.filter((stage) => stage !== "ast");

interface Golden {
  readonly name: string;
  readonly text: string;
  readonly options?: CompileOptions;
}

const template = (family: string): string => readFileSync(`templates/models/${family}.krait`, "utf8");
const TINY = { vocab: 11, width: 8, layers: 1, state_size: 4, taps: 3, inner: 16, dt_rank: 2 };
const TINY_2 = { vocab: 11, width: 8, layers: 1, state_size: 4, taps: 3, head_dim: 4, heads: 4, groups: 2 };

const TINY_RWKV = { vocab: 11, width: 8, inner: 8, layers: 1, rescale_every: 1 };
const TINY_GRIFFIN = { vocab: 11, width: 8, layers: 2, blocks: ["recurrent", "attention"], heads: 2, key_heads: 1, ff_inner: 16, window: 4 };

const MODELS: readonly Golden[] = [
  ...RECURRENCES.map(({ name, text }) => ({ name: name.replace(/[^a-z0-9]+/g, "-"), text })),
  { name: "mamba", text: template("mamba"), options: { set: TINY } },
  { name: "mamba-bias", text: template("mamba"), options: { set: { ...TINY, use_bias: true, tie_embeddings: false } } },
  { name: "mamba-two-layers", text: template("mamba"), options: { set: { ...TINY, layers: 2 } } },
  { name: "mamba-large-target", text: template("mamba"), options: { set: TINY, targets: ["large"] } },
  { name: "mamba-bf16", text: template("mamba"), options: { set: { ...TINY, width: 64, inner: 128, vocab: 300 }, weights: "bf16" } },
  { name: "falcon-mamba", text: template("falcon_mamba"), options: { set: TINY } },
  { name: "mamba2", text: template("mamba2"), options: { set: TINY_2 } },
  { name: "mamba2-by-products", text: template("mamba2"), options: { set: TINY_2, schedule: { matrixChunk: 8, matrixWhen: ["<=", 16, "t"] } } },
  { name: "rwkv", text: template("rwkv"), options: { set: TINY_RWKV } },
  { name: "recurrent-gemma", text: template("recurrent_gemma"), options: { set: TINY_GRIFFIN } },
  { name: "scan", text: SCAN, options: { set: { channels: 8, states: 4 } } },
  { name: "scan-grouped", text: SCAN, options: { set: { channels: 8, states: 4, groups: 2 } } },
  { name: "scan-plain", text: SCAN, options: { set: { channels: 8, states: 4, has_bias: false, has_skip: false, has_gate: false } } },
  { name: "smoothing", text: readFileSync("examples/smoothing/smoothing.krait", "utf8") },
];

function compilation({ name, text, options }: Golden): Compilation {
  const { stages, bundle, diagnostics } = compile({ path: `${name}.krait`, text }, { verify: true, ...options });
  assert.ok(bundle !== undefined, diagnostics.map(({ message }) => message).join("\n"));
  return stages as Compilation;
}

describe("goldens", () => {
  let device: GPUDevice;
  before(async () => {
    device = await requestDevice({ adapter: "null" });
  });
  after(() => device.destroy());

  for (const golden of MODELS) {
    it(golden.name, async () => {
      const made = compilation(golden);
      const folder = join(FOLDER, golden.name);
      if (UPDATE) rmSync(folder, { recursive: true, force: true });
      for (const stage of SHOWN) {
        const text = inspectStage(made, stage);
        const file = join(folder, `${stage}.txt`);
        if (UPDATE && text !== undefined) {
          mkdirSync(folder, { recursive: true });
          writeFileSync(file, text);
        }
        const expected = existsSync(file) ? readFileSync(file, "utf8") : undefined;
        assert.equal(text, expected, `${golden.name}: ${stage} differs; if it should, UPDATE_GOLDENS=1`);
      }
      for (const { entry, files } of made.targets)
        for (const shader of entry.shaders) {
          if (entry.name === "baseline") assert.ok(shader.workgroupBytes <= 16384, shader.label);
          const module = device.createShaderModule({ code: files.get(shader.file) ?? "" });
          const { messages } = await module.getCompilationInfo();
          assert.deepEqual(
            messages.map(({ message }) => message),
            [],
            `${golden.name}: ${shader.label}`,
          );
        }
    });
  }
});
