/** A checkpoint: named tensors in one or several files, or in memory. */
import { KraitError } from "./errors.js";
import { JsonReader } from "./json-reader.js";
import { bytesFile, type RandomAccess } from "./random-access.js";
import { readSafetensors, type TensorEntry } from "./safetensors.js";
import { elements, type HostTensor } from "./tensor.js";

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
  const shards = new Map<string, ReadonlyMap<string, TensorEntry>>();
  for (let begin = 0; begin < names.length; begin += AT_ONCE) {
    const some = names.slice(begin, begin + AT_ONCE);
    const read = await Promise.all(some.map(async (name) => readSafetensors(await open(name))));
    for (const [i, name] of some.entries()) shards.set(name, read[i] ?? new Map());
  }
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
    const size = elements(shape);
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

/** Characters of an index: that of 384 experts in each of 60 layers has a quarter of them. */
export const LONGEST_INDEX = 64_000_000;
const MOST_TENSORS = 500_000;
const MOST_FILES = 10_000;
/** Headers that are read at the same time. */
const AT_ONCE = 16;

/** Tensor → file. A file is a plain name: what an index says must not lead out of its folder. */
function parseIndex(text: string): ReadonlyMap<string, string> {
  const damaged = (what: string): never => {
    throw new KraitError("R0302", `The checkpoint's index is damaged: ${what}.`);
  };
  if (text.length > LONGEST_INDEX) return damaged(`it has ${String(text.length)} characters`);
  const reader = new JsonReader(text, damaged);
  const files = new Set<string>();
  const places = new Map<string, string>();
  const readPlaces = (): void => {
    reader.object(MOST_TENSORS, (tensor) => {
      const file = reader.peek() === '"' ? reader.string() : "";
      if (!/^[^/\\:\0]+$/.test(file) || file === "." || file === "..") {
        damaged(
          `"${tensor}" is said to be in ${JSON.stringify(file)}, which is not the name of a file beside it`,
        );
      }
      places.set(tensor, file);
      if (files.add(file).size > MOST_FILES) damaged(`it names more than ${String(MOST_FILES)} files`);
    });
  };
  let found = 0;
  const readMember = (key: string): void => {
    if (key !== "weight_map" || reader.peek() !== "{") return reader.skip();
    found++;
    readPlaces();
  };
  if (reader.peek() === "{") reader.object(MOST_TENSORS, readMember);
  else reader.skip();
  reader.end();
  return found > 0 ? places : damaged('it has no "weight_map"');
}
