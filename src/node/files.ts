/** Bundles and checkpoints on disk. */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Bundle } from "../../runtime/bundle-format.js";
import { loadBundle, MANIFEST_FILE } from "../../runtime/bundle.js";
import {
  LONGEST_INDEX,
  openCheckpoint,
  openShardedCheckpoint,
  type Checkpoint,
} from "../../runtime/checkpoint.js";
import { KraitError } from "../../runtime/errors.js";
import type { RandomAccess } from "../../runtime/random-access.js";

/**
 * The bundle in a folder.
 * @throws KraitError R0501 where a file cannot be read, R0101 or R0102 where the manifest is none.
 */
export async function readBundle(folder: string): Promise<Bundle> {
  return loadBundle(async (path) => {
    const file = join(folder, path);
    try {
      return await readFile(file, "utf8");
    } catch (cause) {
      const hint =
        path === MANIFEST_FILE
          ? `Is ${folder} a bundle? \`krait build\` and \`krait import\` write them.`
          : "";
      throw new KraitError("R0501", `${file} cannot be read: ${reason(cause)}.`, {
        cause,
        ...(hint && { hint }),
      });
    }
  });
}

/** The text of `model.json`: the same bytes for the same manifest, and as the compiler writes it. */
export function manifestText({ manifest }: Bundle): string {
  const plain = JSON.stringify(manifest, undefined, 1);
  // JSON has no infinity, but a number too large to be another. `null` stands for it until then: where there is none, nothing
  // need be looked at value by value.
  if (!plain.includes("null")) return `${plain}\n`;
  const marked = (_key: string, value: unknown): unknown =>
    value === Infinity ? "\u0000inf" : value === -Infinity ? "\u0000-inf" : value;
  return `${JSON.stringify(manifest, marked, 1).replace(/"\\u0000(-?)inf"/g, "$1" + "1e999")}\n`;
}

/**
 * Writes a bundle into `folder`, which may exist only if it is empty or holds a bundle: that one is replaced. The
 * folder is written beside and then renamed, so that there is never half a bundle.
 * @throws KraitError R0501.
 */
export async function writeBundle(bundle: Bundle, folder: string): Promise<void> {
  const target = resolve(folder);
  await checkReplaceable(target);
  try {
    await mkdir(dirname(target), { recursive: true });
    const unique = `${String(process.pid)}-${Math.random().toString(36).slice(2)}`;
    const temporary = join(dirname(target), `.${basename(target)}-${unique}`);
    await mkdir(temporary);
    try {
      await writeFiles(temporary, new Map([...bundle.files, [MANIFEST_FILE, manifestText(bundle)]]));
      await replaceFolder(target, temporary);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  } catch (cause) {
    throw new KraitError("R0501", `The bundle cannot be written to ${folder}: ${reason(cause)}.`, { cause });
  }
}

/** Writes texts by their paths in a folder; all have been written, or have failed, when it is done. */
async function writeFiles(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const folders = new Set([...files.keys()].map((path) => dirname(join(folder, path))));
  for (const each of folders) await mkdir(each, { recursive: true });
  const written = [...files].map(([path, text]) => writeFile(join(folder, path), text));
  for (const result of await Promise.allSettled(written))
    if (result.status === "rejected") throw result.reason;
}

/** A folder of something else must not be lost to a slip in a command. */
async function checkReplaceable(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if (isMissing(cause)) return;
    throw new KraitError("R0501", `${folder} cannot be written: ${reason(cause)}.`, { cause });
  }
  if (names.length === 0 || names.includes(MANIFEST_FILE)) return;
  throw new KraitError("R0501", `${folder} holds other files than a bundle's, and is left alone.`, {
    hint: "Name a folder that does not exist yet, is empty, or holds a bundle.",
  });
}

async function replaceFolder(target: string, made: string): Promise<void> {
  const old = `${made}-old`;
  let moved = false;
  try {
    await rename(target, old);
    moved = true;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    await rename(made, target);
  } catch (error) {
    if (moved) await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** A checkpoint whose files are open. */
export interface FileCheckpoint extends Checkpoint {
  /** Closes the files. To be called once `open` has read the weights. */
  close(): Promise<void>;
}

/**
 * The checkpoint in a safetensors file, or in a folder: `model.safetensors`, a sharded `model.safetensors.index.json`,
 * or the only safetensors file there. Files stay open for as long as the checkpoint is used and are read by ranges.
 * @throws KraitError R0305 with what was found instead, R0301 and R0302 for damaged files.
 */
export async function fileWeights(path: string): Promise<FileCheckpoint> {
  const files: OpenFile[] = [];
  const openHere = async (file: string): Promise<RandomAccess> => {
    const opened = await openFile(file);
    files.push(opened);
    return opened.access;
  };
  const close = async (): Promise<void> => {
    for (const file of files.splice(0)) await file.close();
  };
  try {
    const { tensors } = await findCheckpoint(path, openHere);
    return { tensors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

async function findCheckpoint(
  path: string,
  openHere: (file: string) => Promise<RandomAccess>,
): Promise<Checkpoint> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    (cause: unknown) => {
      throw new KraitError("R0305", `${path} cannot be read: ${reason(cause)}.`, { cause });
    },
  );
  if (!isFolder) return path.endsWith(".index.json") ? sharded(path, openHere) : single(path, openHere);
  const names = await readdir(path);
  if (names.includes(SINGLE)) return single(join(path, SINGLE), openHere);
  if (names.includes(INDEX)) return sharded(join(path, INDEX), openHere);
  const [only, another] = names.filter((name) => name.endsWith(".safetensors"));
  if (only !== undefined && another === undefined) return single(join(path, only), openHere);
  throw noCheckpoint(path, names);
}

async function single(file: string, openHere: (file: string) => Promise<RandomAccess>): Promise<Checkpoint> {
  if (/\.(bin|pt|pth|ckpt)$/.test(file)) throw noCheckpoint(dirname(file), [basename(file)]);
  return openCheckpoint(await openHere(file));
}

async function sharded(
  index: string,
  openHere: (file: string) => Promise<RandomAccess>,
): Promise<Checkpoint> {
  const { size } = await stat(index);
  if (size > LONGEST_INDEX) {
    throw new KraitError(
      "R0302",
      `The checkpoint's index ${index} is damaged: it has ${String(size)} bytes.`,
    );
  }
  return openShardedCheckpoint(await readFile(index, "utf8"), (name) => openHere(join(dirname(index), name)));
}

/** Pickles run code when they are read, so they are never opened: the owner converts them. */
function noCheckpoint(folder: string, names: readonly string[]): KraitError {
  const pickle = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (pickle === undefined) {
    return new KraitError("R0305", `There is no checkpoint in ${folder}: neither ${SINGLE} nor ${INDEX}.`);
  }
  const [from, to] = [join(folder, pickle), join(folder, SINGLE)].map((file) => JSON.stringify(file));
  return new KraitError(
    "R0305",
    `${folder} has its weights only as a pickle (${pickle}), which Krait does not read.`,
    {
      hint:
        "If you trust where it comes from, convert it with Python (pip install torch safetensors):\n" +
        `  python -c 'import torch; from safetensors.torch import save_file; w = torch.load(${String(from)}, map_location="cpu", weights_only=True); ` +
        `save_file({k: v.clone().contiguous() for k, v in w.items()}, ${String(to)})'`,
    },
  );
}

interface OpenFile {
  readonly access: RandomAccess;
  close(): Promise<void>;
}

async function openFile(path: string): Promise<OpenFile> {
  try {
    const handle = await open(path, "r");
    const { size } = await handle.stat();
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const buffer = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) break; // shorter than it was; the caller sees by the length
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    };
    return { access: { name: path, size, read }, close: () => handle.close() };
  } catch (cause) {
    throw new KraitError("R0305", `${path} cannot be read: ${reason(cause)}.`, { cause });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** What the system says, without its call and path. */
export function reason(error: unknown): string {
  if (isMissing(error)) return "it does not exist";
  return error instanceof Error ? error.message : String(error);
}
