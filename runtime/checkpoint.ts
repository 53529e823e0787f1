/** A checkpoint: named tensors in one or several files, or in memory. */
import { KraitError } from "./errors.js";
import { bytesFile, type RandomAccess } from "./random-access.js";
import { readSafetensors, type TensorEntry } from "./safetensors.js";
import type { HostTensor } from "./tensor.js";

/**
 * Tensors by name: what `open` takes as weights. Made by `openCheckpoint`, `openShardedCheckpoint`,
 * `tensorCheckpoint`.
 */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** A checkpoint of one safetensors file. @throws KraitError R0301. */
export async function openCheckpoint(file: RandomAccess): Promise<Checkpoint> {
  return { tensors: await readSafetensors(file) };
}

/**
 * A checkpoint in shards. `index` is the text of `model.safetensors.index.json`; `open` gives the file of a name in it,
 * which stands beside the index.
 * @throws KraitError R0302 for a damaged index or one that its files contradict, R0301 for a damaged file.
 */
export async function openShardedCheckpoint(
  index: string,
  open: (name: string) => Promise<RandomAccess>,
): Promise<Checkpoint> {
  const places = parseIndex(index);
  const tensors = new Map<string, TensorEntry>();
  const names = [...new Set(places.values())].sort();
  const shards = new Map(
    await Promise.all(names.map(async (name) => [name, await readSafetensors(await open(name))] as const)),
  );
  for (const [tensor, shard] of places) {
    const entry = shards.get(shard)?.get(tensor);
    if (entry === undefined) {
      throw new KraitError("R0302", `The index says that "${tensor}" is in ${shard}, but it is not there.`, {
        hint: "Are the shards and the index of the same download?",
      });
    }
    tensors.set(tensor, entry);
  }
  return { tensors };
}

/** Tensors in memory, as f32: for parameters that a program makes itself. */
export function tensorCheckpoint(tensors: Readonly<Record<string, HostTensor>>): Checkpoint {
  const entries = Object.entries(tensors).map(([name, { data, shape }]): [string, TensorEntry] => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (size !== data.length) {
      throw new KraitError(
        "R0303",
        `The tensor "${name}" has ${String(data.length)} values; its shape [${shape.join(", ")}] has ${String(size)}.`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [
      name,
      { name, dtype: "F32", shape, file: bytesFile(name, bytes), offset: 0, bytes: bytes.length },
    ];
  });
  return { tensors: new Map(entries) };
}

/** Tensor → file. A file is a plain name: what an index says must not lead out of its folder. */
function parseIndex(text: string): ReadonlyMap<string, string> {
  const damaged = (what: string, cause?: unknown): never => {
    throw new KraitError("R0302", `The checkpoint's index is damaged: ${what}.`, { cause });
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return damaged(`it is not JSON (${String(cause)})`, cause);
  }
  const map = typeof json === "object" && json !== null && "weight_map" in json ? json.weight_map : undefined;
  if (typeof map !== "object" || map === null) return damaged('it has no "weight_map"');
  const places = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\:\0]+$/.test(file) || file === "." || file === "..") {
      return damaged(
        `"${tensor}" is said to be in ${JSON.stringify(file)}, which is not the name of a file beside it`,
      );
    }
    places.set(tensor, file);
  }
  return places;
}
