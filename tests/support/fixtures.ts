/** Reference data in tests/fixtures, made with PyTorch: small checkpoints with their logits, and single operations. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../../src/cli/checkpoint.js";
import { readSafetensors, type SafetensorsFile, type StoredTensor } from "./safetensors.js";

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), "..", "fixtures");

/** The path of a file or folder below tests/fixtures. */
export function fixturePath(...parts: readonly string[]): string {
  return join(FIXTURES, ...parts);
}

/** One operation's tensors: `opFixture("scan-plain")`. */
export function opFixture(name: string): SafetensorsFile {
  return readSafetensors(fixturePath("ops", `${name}.safetensors`));
}

/** A tensor of a fixture; fails with the names that are there. */
export function tensorOf(tensors: Readonly<Record<string, StoredTensor>>, name: string): StoredTensor {
  const tensor = tensors[name];
  if (tensor === undefined)
    throw new Error(`no tensor \`${name}\`; there are ${Object.keys(tensors).join(", ")}`);
  return tensor;
}

export interface Checkpoint {
  readonly directory: string;
  /** config.json, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Every parameter by its name in the checkpoint, all shards together. */
  readonly params: Readonly<Record<string, StoredTensor>>;
  /** `input_ids` [batch, time], `logits` [batch, time, vocab], `greedy_ids` [1, 24]; some have `loss` and `grad.*`. */
  readonly expected: Readonly<Record<string, StoredTensor>>;
}

/** A checkpoint in Hugging Face's layout, single or sharded: `checkpointFixture("mamba")`. */
export function checkpointFixture(name: string): Checkpoint {
  const directory = fixturePath(name);
  const path = join(directory, "config.json");
  const config = parseConfig(readFileSync(path, "utf8"), path);
  const params = shards(directory).map((file) => readSafetensors(join(directory, file)).tensors);
  return {
    directory,
    config,
    params: Object.assign({}, ...params) as Record<string, StoredTensor>,
    expected: readSafetensors(join(directory, "expected.safetensors")).tensors,
  };
}

function shards(directory: string): readonly string[] {
  const index = join(directory, "model.safetensors.index.json");
  if (!existsSync(index)) return ["model.safetensors"];
  const { weight_map: map } = JSON.parse(readFileSync(index, "utf8")) as {
    weight_map: Record<string, string>;
  };
  return [...new Set(Object.values(map))].sort();
}
