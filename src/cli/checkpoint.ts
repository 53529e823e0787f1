/** A checkpoint in Hugging Face's layout: `config.json` beside safetensors files. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import JSON5 from "json5";
import { isStackOverflow } from "../../compiler/diagnostics/internal-error.js";
import type { Storage } from "../../runtime/bundle-format.js";
import { InputError } from "./errors.js";

/** A checkpoint's config.json as the `from` keys of constants read it. */
export type Config = Readonly<Record<string, unknown>>;

export function readConfig(folder: string): Config {
  if (!statSync(folder).isDirectory()) {
    throw new InputError(`${folder} is not a folder`, "Name the checkpoint's folder, with its config.json.");
  }
  const path = join(folder, "config.json");
  if (!existsSync(path)) {
    throw new InputError(
      `${folder} has no config.json`,
      "A checkpoint is a folder in Hugging Face's layout: config.json beside model.safetensors.",
    );
  }
  const { size } = statSync(path);
  if (size > LARGEST_CONFIG) {
    throw new InputError(
      `${path} has ${size} bytes, too many for a configuration`,
      `Of at most ${LARGEST_CONFIG} bytes, it holds the model's sizes and options; nothing else is read from it.`,
    );
  }
  return parseConfig(readFileSync(path, "utf8"), path);
}

/** The largest of released checkpoints have some ten thousand bytes, with a label for each class some million. */
const LARGEST_CONFIG = 4_000_000;

/**
 * Config files are JSON as Python writes it: JSON5 reads its bare `Infinity` and `NaN`, and newer versions of transformers
 * write `{"__float__": "Infinity"}` for them.
 */
export function parseConfig(text: string, path: string): Config {
  let config: unknown;
  try {
    config = JSON5.parse(text, (_key, value: unknown) => reviveFloat(value));
  } catch (error) {
    const why = isStackOverflow(error) ? "it is nested too deep" : reasonOf(error);
    throw new InputError(`${path} is not JSON: ${why}`, "Was it downloaded whole?");
  }
  if (!isRecord(config)) throw new InputError(`${path} does not hold an object`);
  return config;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function reviveFloat(value: unknown): unknown {
  if (!isRecord(value) || typeof value["__float__"] !== "string") return value;
  return Number(value["__float__"]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const STORAGE_OF_DTYPE: Readonly<Record<string, Storage>> = { F32: "f32", F16: "f16", BF16: "bf16" };

export interface StorageChoice {
  /** What most of the checkpoint is stored as. */
  readonly weights: Storage;
  /** Tensors stored otherwise. */
  readonly storage?: Readonly<Record<string, Storage>>;
}

/** The storage of each parameter that keeps a checkpoint's tensors as they are. Other types are left to the runtime, which says what it can't read. */
export function chooseStorage(
  tensors: Iterable<{ readonly name: string; readonly dtype: string }>,
): StorageChoice {
  const storages = new Map<string, Storage>();
  for (const { name, dtype } of tensors) {
    const storage = STORAGE_OF_DTYPE[dtype];
    if (storage !== undefined) storages.set(name, storage);
  }
  const votes = (wanted: Storage): number => [...storages.values()].filter((one) => one === wanted).length;
  const weights = (["f32", "f16", "bf16"] as const).reduce((a, b) => (votes(b) > votes(a) ? b : a));
  const others = [...storages]
    .filter(([, storage]) => storage !== weights)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { weights, ...(others.length > 0 && { storage: Object.fromEntries(others) }) };
}
