/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes, back to back.
 * The header is not trusted: nothing is allocated or read on its word before it is checked.
 */
import { KraitError } from "./errors.js";
import { readRange, type RandomAccess } from "./random-access.js";

/** One tensor of a checkpoint and where its bytes lie. */
export interface TensorEntry {
  readonly name: string;
  /** As the file says: `F32`, `F16`, `BF16`, … */
  readonly dtype: string;
  /** Row-major. */
  readonly shape: readonly number[];
  readonly file: RandomAccess;
  /** Of the first byte in `file`. */
  readonly offset: number;
  readonly bytes: number;
}

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;

// prettier-ignore
const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1,
  U16: 2, I16: 2, F16: 2, BF16: 2,
  U32: 4, I32: 4, F32: 4,
  U64: 8, I64: 8, F64: 8, C64: 8,
};

/** The tensors of a file, by name. @throws KraitError R0301 where the file is damaged or hostile. */
export async function readSafetensors(file: RandomAccess): Promise<ReadonlyMap<string, TensorEntry>> {
  return (await readSafetensorsFile(file)).tensors;
}

/** The same, with what the file says of itself. */
export async function readSafetensorsFile(file: RandomAccess): Promise<{
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Partial<Record<string, string>>>;
}> {
  const damaged = (what: string): never => {
    throw new KraitError("R0301", `${file.name} is not a sound safetensors file: ${what}.`, {
      hint: "Was it downloaded whole? A file that git-lfs left as a pointer looks like this too.",
    });
  };
  if (file.size < 8) return damaged(`it has ${String(file.size)} bytes, less than a header`);
  const length = headerLength(await readRange(file, 0, 8));
  if (length > MAX_HEADER_BYTES) return damaged(`its header claims ${String(length)} bytes`);
  if (length > file.size - 8) {
    return damaged(`its header claims ${String(length)} bytes of a file of ${String(file.size)}`);
  }
  const header = parseHeader(await readRange(file, 8, length), damaged);
  const data = { offset: 8 + length, bytes: file.size - 8 - length };
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => tensorEntry(name, value, file, data, damaged));
  checkCover(entries, data, damaged);
  const tensors = new Map(entries.map((entry) => [entry.name, entry]));
  return { tensors, metadata: metadataOf(header["__metadata__"], damaged) };
}

type Damaged = (what: string) => never;

/** As a double: exact where it matters, since anything near 2^53 is refused. */
function headerLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
}

function parseHeader(bytes: Uint8Array, damaged: Damaged): Record<string, unknown> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const header: unknown = JSON.parse(text);
    if (!isRecord(header)) return damaged("its header is not an object");
    const twice = repeatedKey(text);
    if (twice !== undefined) return damaged(`its header has "${twice}" twice`);
    return header;
  } catch (error) {
    if (error instanceof KraitError) throw error;
    return damaged(`its header is not JSON (${String(error)})`);
  }
}

function metadataOf(value: unknown, damaged: Damaged): Readonly<Record<string, string>> {
  const metadata = value ?? {};
  const sound = isRecord(metadata) && Object.values(metadata).every((text) => typeof text === "string");
  return sound
    ? (metadata as Readonly<Record<string, string>>)
    : damaged("its metadata are not texts by name");
}

function tensorEntry(
  name: string,
  value: unknown,
  file: RandomAccess,
  data: { offset: number; bytes: number },
  damaged: Damaged,
): TensorEntry {
  if (!isRecord(value)) return damaged(`"${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") return damaged(`"${name}" has no dtype`);
  if (!isCounts(shape)) return damaged(`the shape of "${name}" is not a list of sizes`);
  if (!isCounts(offsets) || offsets.length !== 2) return damaged(`"${name}" has no data_offsets`);
  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > data.bytes) {
    return damaged(`"${name}" lies at ${String(begin)}…${String(end)} of ${String(data.bytes)} bytes`);
  }
  const size = DTYPE_BYTES[dtype];
  const expected = shape.reduce((product, extent) => product * extent, size ?? Number.NaN);
  if (size !== undefined && expected !== end - begin) {
    const stated = `${dtype}[${shape.join(", ")}]`;
    return damaged(`"${name}" is ${stated}, ${String(expected)} bytes, but takes ${String(end - begin)}`);
  }
  return { name, dtype, shape, file, offset: data.offset + begin, bytes: end - begin };
}

/** Tensors must cover the data exactly: no overlap, no hole, no rest. */
function checkCover(
  entries: readonly TensorEntry[],
  data: { offset: number; bytes: number },
  damaged: Damaged,
): void {
  let end = data.offset;
  let before = "the header";
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (entry.offset < end) damaged(`"${entry.name}" overlaps ${before}`);
    if (entry.offset > end) damaged(`there is a hole between ${before} and "${entry.name}"`);
    end += entry.bytes;
    before = `"${entry.name}"`;
  }
  const rest = data.offset + data.bytes - end;
  if (rest > 0) damaged(`${String(rest)} bytes at its end belong to no tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

/**
 * A key that some object of a JSON text has twice. JSON.parse keeps the last one in silence, and two readers of such a
 * file could see two different checkpoints.
 */
export function repeatedKey(json: string): string | undefined {
  const objects: (Set<string> | undefined)[] = []; // undefined: an array
  // Strings (with the colon that makes one a key) and brackets; the text is known to be JSON.
  for (const [token, colon] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:?)|[{}[\]]/g)) {
    if (token === "{") objects.push(new Set());
    else if (token === "[") objects.push(undefined);
    else if (token === "}" || token === "]") objects.pop();
    else if (colon === ":") {
      const key = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string;
      const keys = objects.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
