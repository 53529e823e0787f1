/** Tensors as the bytes of a safetensors file. */

/** A tensor to be written; the type follows from the array. */
export interface WritableTensor {
  readonly data: Float32Array | Int32Array | Uint32Array;
  readonly shape: readonly number[];
}

/** The parts of a file, one after the other: its header, then the tensors' own bytes, in the order of their names. */
export function safetensorsParts(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { data, shape }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const dtype = data instanceof Float32Array ? "F32" : data instanceof Int32Array ? "I32" : "U32";
    header[name] = { dtype, shape, data_offsets: [at, (at += data.byteLength)] };
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20); // padded with spaces: tensors lie aligned
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true);
  start.set(text, 8);
  return [start, ...parts];
}
