/** Tensors in safetensors files: what `krait run` reads as inputs and writes as outputs. */
import { open, rename, rm } from "node:fs/promises";
import { KraitError } from "../../runtime/errors.js";
import { readRange } from "../../runtime/random-access.js";
import { safetensorsParts, type WritableTensor } from "../../runtime/safetensors-writer.js";
import { widenToF32 } from "../../runtime/widen.js";
import { fileWeights, reason } from "./files.js";

/** A tensor of a file: whole numbers as Int32Array, all else widened exactly to Float32Array. */
export interface FileTensor {
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  readonly shape: readonly number[];
}

/**
 * The tensor `name` of a safetensors file. F32, F16, BF16; I64, I32, U8 … of whole numbers that fit 32 bits.
 * @throws KraitError R0305 for a name that is not there, R0304 for a type or value that does not fit.
 */
export async function readTensor(path: string, name: string): Promise<FileTensor> {
  const checkpoint = await fileWeights(path);
  try {
    const entry = checkpoint.tensors.get(name);
    if (entry === undefined) {
      const names = [...checkpoint.tensors.keys()];
      const shown = names.slice(0, 12).join(", ") + (names.length > 12 ? ", …" : "");
      throw new KraitError("R0305", `${path} has no tensor "${name}".`, { hint: `It has: ${shown}.` });
    }
    const bytes = (await readRange(entry.file, entry.offset, entry.bytes)).slice();
    const data = widenToF32(entry.dtype, bytes) ?? wholeNumbers(entry.dtype, bytes, `"${name}" of ${path}`);
    return { data, shape: entry.shape };
  } finally {
    await checkpoint.close();
  }
}

function wholeNumbers(
  dtype: string,
  { buffer }: Uint8Array<ArrayBuffer>,
  what: string,
): Int32Array<ArrayBuffer> {
  const read: Readonly<Record<string, () => ArrayLike<number | bigint>>> = {
    BOOL: () => new Uint8Array(buffer),
    U8: () => new Uint8Array(buffer),
    I8: () => new Int8Array(buffer),
    U16: () => new Uint16Array(buffer),
    I16: () => new Int16Array(buffer),
    I32: () => new Int32Array(buffer),
    U32: () => new Uint32Array(buffer),
    I64: () => new BigInt64Array(buffer),
    U64: () => new BigUint64Array(buffer),
  };
  const values = read[dtype]?.();
  if (values === undefined) {
    throw new KraitError("R0304", `${what} is ${dtype}, which would lose precision.`, {
      hint: "Store it as F32, F16, BF16, or as whole numbers.",
    });
  }
  return Int32Array.from({ length: values.length }, (_, i) => {
    const value = Number(values[i]);
    if (value !== (value | 0))
      throw new KraitError("R0304", `${what} has ${String(values[i])}, more than 32 bits.`);
    return value;
  });
}

/**
 * Writes tensors to a safetensors file, in the order of their names. The file is written beside and then renamed: it is
 * whole or not there.
 * @throws KraitError R0501.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeWhole(path, safetensorsParts(new Map(Object.entries(tensors)), metadata));
}

/** Writes bytes to a file, whole or not at all. @throws KraitError R0501. */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  await writeWhole(path, [bytes]);
}

async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${String(process.pid)}.part`;
  try {
    const handle = await open(temporary, "w");
    try {
      for (const part of parts) await handle.writeFile(part);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new KraitError("R0501", `${path} cannot be written: ${reason(cause)}.`, { cause });
  }
}
