/**
 * A reader of safetensors files for tests: whole files, every element type as float64. Shares nothing with the
 * runtime's reader, so that the two check each other.
 */
import { readFileSync } from "node:fs";

export interface StoredTensor {
  /** As the file says: `F32`, `BF16`, `I32` … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Row-major, widened exactly (I64 beyond 2^53 is refused). */
  readonly data: Float64Array;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, StoredTensor>>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Reads one element at a byte offset; all little-endian. */
const ELEMENTS: Readonly<
  Record<string, { readonly bytes: number; readonly read: (view: DataView, at: number) => number }>
> = {
  F64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  F32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view, at) => half(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => bfloat(view.getUint16(at, true)) },
  I64: { bytes: 8, read: (view, at) => whole(view.getBigInt64(at, true)) },
  I32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  U32: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  I16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  U16: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  I8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  U8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  BOOL: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

export function readSafetensors(path: string): SafetensorsFile {
  const bytes = readFileSync(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString("utf8")) as Record<string, unknown>;
  const tensors: Record<string, StoredTensor> = {};
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = value as Record<string, string>;
    else tensors[name] = readTensor(view, 8 + headerBytes, name, value as Entry);
  }
  return { metadata, tensors };
}

function readTensor(view: DataView, start: number, name: string, entry: Entry): StoredTensor {
  const element = ELEMENTS[entry.dtype];
  if (element === undefined) throw new Error(`tensor \`${name}\` is ${entry.dtype}, which tests do not read`);
  const count = entry.shape.reduce((product, size) => product * size, 1);
  const [from, to] = entry.data_offsets;
  if (to - from !== count * element.bytes)
    throw new Error(`tensor \`${name}\`: offsets do not fit its shape`);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = element.read(view, start + from + i * element.bytes);
  return { dtype: entry.dtype, shape: entry.shape, data };
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a binary32. */
function bfloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 7) & 0xff;
  const fraction = bits & 0x7f;
  if (exponent === 0) return sign * fraction * 2 ** -133;
  if (exponent === 0xff) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 128) * 2 ** (exponent - 127);
}

function whole(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`the integer ${value} does not fit a float64`);
  return number;
}
