/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes, back to back.
 * The header is not trusted: nothing is allocated or read on its word before it is checked.
 */
import { KraitError } from "./errors.js";
import { JsonReader } from "./json-reader.js";
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

/** Bytes of an element: types are named by their bits. Undefined for names that are unknown. */
function bytesOf(dtype: string): number | undefined {
  const [, bits] = /^(?:[CFIU]|BF)(8|16|32|64)(?:_|$)/.exec(dtype === "BOOL" ? "U8" : dtype) ?? [];
  return bits === undefined ? undefined : Number(bits) / 8;
}

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
  const data = { offset: 8 + length, bytes: file.size - 8 - length };
  const header = parseHeader(await readRange(file, 8, length), damaged);
  const entries = header.tensors.map((tensor) => tensorEntry(tensor, file, data, damaged));
  checkCover(entries, data, damaged);
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata: header.metadata };
}

type Damaged = (what: string) => never;

/** As a double: exact where it matters, since anything near 2^53 is refused. */
function headerLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
}

/** More than any checkpoint has in one file. */
const MOST_TENSORS = 100_000;
const MOST_METADATA = 10_000;
/** Axes of a tensor, and what else its entry may say. */
const MOST_AXES = 64;
const MOST_FIELDS = 16;

/** A tensor as the header has it. */
interface HeaderEntry {
  readonly name: string;
  readonly dtype?: string;
  /** With `undefined` for what is no size. */
  readonly shape?: readonly (number | undefined)[];
  readonly offsets?: readonly (number | undefined)[];
}

interface Header {
  readonly tensors: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

function parseHeader(bytes: Uint8Array, damaged: Damaged): Header {
  const header = (what: string): never => damaged(what.replace(/^it /, "its header "));
  const reader = new JsonReader(decoded(bytes, header), header);
  const tensors: HeaderEntry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  if (reader.peek() !== "{") return damaged("its header is not an object");
  reader.object(MOST_TENSORS, (name) => {
    if (name === "__metadata__") metadata = readMetadata(reader, damaged);
    else if (reader.peek() === "{") tensors.push(readEntry(reader, name));
    else damaged(`"${name}" is not an object`);
  });
  reader.end();
  return { tensors, metadata };
}

function decoded(bytes: Uint8Array, header: Damaged): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return header("it is not JSON: it is not UTF-8");
  }
}

function readMetadata(reader: JsonReader, damaged: Damaged): Readonly<Record<string, string>> {
  const wrong = (): never => damaged("its metadata are not texts by name");
  const texts = new Map<string, string>();
  if (reader.peek() !== "{") return wrong();
  reader.object(MOST_METADATA, (key) => {
    texts.set(key, reader.peek() === '"' ? reader.string(Infinity) : wrong());
  });
  return Object.fromEntries(texts);
}

function readEntry(reader: JsonReader, name: string): HeaderEntry {
  const numbers = (): (number | undefined)[] => {
    const list: (number | undefined)[] = [];
    reader.list(MOST_AXES, () => list.push(reader.whole()));
    return list;
  };
  const entry: { -readonly [K in keyof HeaderEntry]: HeaderEntry[K] } = { name };
  reader.object(MOST_FIELDS, (field) => {
    const next = reader.peek();
    if (field === "dtype" && next === '"') entry.dtype = reader.string();
    else if (field === "shape" && next === "[") entry.shape = numbers();
    else if (field === "data_offsets" && next === "[") entry.offsets = numbers();
    else reader.skip();
  });
  return entry;
}

function tensorEntry(
  { name, dtype, shape, offsets }: HeaderEntry,
  file: RandomAccess,
  data: { offset: number; bytes: number },
  damaged: Damaged,
): TensorEntry {
  if (dtype === undefined) return damaged(`"${name}" has no dtype`);
  if (!areCounts(shape)) return damaged(`the shape of "${name}" is not a list of sizes`);
  if (!areCounts(offsets) || offsets.length !== 2) return damaged(`"${name}" has no data_offsets`);
  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > data.bytes) {
    return damaged(`"${name}" lies at ${String(begin)}…${String(end)} of ${String(data.bytes)} bytes`);
  }
  const size = bytesOf(dtype);
  const expected = shape.reduce((product, extent) => product * extent, size ?? Number.NaN);
  if (size !== undefined && expected !== end - begin) {
    const stated = `${dtype}[${shape.join(", ")}]`;
    return damaged(`"${name}" is ${stated}, ${String(expected)} bytes, but takes ${String(end - begin)}`);
  }
  return { name, dtype, shape, file, offset: data.offset + begin, bytes: end - begin };
}

function areCounts(list: readonly (number | undefined)[] | undefined): list is readonly number[] {
  return list?.every((item) => item !== undefined) === true;
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
