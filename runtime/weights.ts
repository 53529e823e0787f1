/** Matching a checkpoint to a model's parameters, and bringing it onto the GPU by pieces. */
import {
  GROUP_ELEMENTS,
  RANGE_ELEMENTS,
  STORAGE_BITS,
  type ConstantBufferEntry,
  type ConstantPlace,
  type ParamEntry,
  type Storage,
} from "./bundle-format.js";
import type { Checkpoint } from "./checkpoint.js";
import { KraitError } from "./errors.js";
import { isQuantized, quantize, type QuantizedPiece } from "./quantize.js";
import { readRange } from "./random-access.js";
import type { TensorEntry } from "./safetensors.js";
import { elements, shapeText } from "./tensor.js";
import { conversion, f32Of, type Conversion } from "./widen.js";

/** Read at once; also about what the host holds of a checkpoint at any time. */
const PIECE_BYTES = 4 << 20;
/** Written before waiting for the device: writes are copied to a staging buffer and stay there until it is done. */
const UNSETTLED_BYTES = 64 << 20;

export interface MatchedWeights {
  /** Parameter → its tensor. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Tensors of the checkpoint that no parameter names. */
  readonly unused: readonly string[];
}

/**
 * The checkpoint's tensor for every parameter.
 * @throws KraitError R0303 with everything that is missing or has the wrong shape; R0304 for types that are no floats of 16 or 32 bits.
 */
export function matchWeights(params: readonly ParamEntry[], checkpoint: Checkpoint): MatchedWeights {
  const tensors = new Map<string, TensorEntry>();
  const missing: string[] = [];
  const shapes: string[] = [];
  const types: string[] = [];
  for (const param of params) {
    const tensor = param.sources.map((name) => checkpoint.tensors.get(name)).find((found) => found);
    if (tensor === undefined) missing.push(param.sources.join(" or "));
    else if (!sameShape(tensor.shape, param.shape)) {
      shapes.push(`${tensor.name}: ${shapeText(tensor.shape)}, the model has ${shapeText(param.shape)}`);
    } else if (conversion(tensor.dtype, param.storage) === undefined) {
      types.push(`${tensor.name}: ${tensor.dtype}`);
    } else tensors.set(param.name, tensor);
  }
  const known = new Set(params.flatMap((param) => param.sources));
  const unused = [...checkpoint.tensors.keys()].filter((name) => !known.has(name));
  const isOther = missing.length + shapes.length > 0;
  if (!isOther && types.length === 0) return { tensors, unused };
  const parts = [
    ["Missing", missing],
    ["Of another shape", shapes],
    ["Of a type other than F32, F16 or BF16", types],
    ["In the checkpoint, but not in the model", isOther ? unused : []],
  ] as const;
  const text = parts
    .filter(([, lines]) => lines.length > 0)
    .map(([what, lines]) => `${what}:\n${list(lines)}`);
  throw new KraitError(
    isOther ? "R0303" : "R0304",
    `The checkpoint does not fit the model.\n${text.join("\n")}`,
    { hint: "Is this the checkpoint that the bundle was built for, with the same constants?" },
  );
}

function list(lines: readonly string[]): string {
  const shown = lines.slice(0, 12).map((line) => `  ${line}`);
  if (lines.length > shown.length) shown.push(`  and ${String(lines.length - shown.length)} more`);
  return shown.join("\n");
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Copies every parameter to its places in the constant buffers. Host memory stays within a few pieces. */
export async function uploadWeights(
  queue: GPUQueue,
  params: readonly ParamEntry[],
  matched: MatchedWeights,
  buffers: readonly { readonly entry: ConstantBufferEntry; readonly buffer: GPUBuffer }[],
): Promise<void> {
  const byName = new Map(params.map((param) => [param.name, param]));
  let unsettled = 0;
  for (const { entry, buffer } of buffers) {
    for (const place of entry.params) {
      const param = byName.get(place.param);
      const tensor = matched.tensors.get(place.param);
      // What cannot come to its storage, `matchWeights` has refused.
      const how = param && tensor && conversion(tensor.dtype, param.storage);
      if (param === undefined || tensor === undefined || how === undefined) {
        throw new KraitError(
          "R0105",
          `The manifest places a parameter "${place.param}" that it does not list.`,
        );
      }
      for await (const { offset, data } of writes(tensor, how, param.storage, place)) {
        queue.writeBuffer(buffer, offset, data);
        unsettled += data.length;
        if (unsettled < UNSETTLED_BYTES) continue;
        queue.submit([]);
        await queue.onSubmittedWorkDone();
        unsettled = 0;
      }
    }
  }
}

/** The elements of a tensor that belong in a place. Quantized ones are whole groups: what the last has beyond the place is read, too. */
function rangeOf(
  { param, begin = 0, count, scales }: ConstantPlace,
  { shape }: TensorEntry,
  quantized: boolean,
): ElementRange {
  const rest = elements(shape) - begin;
  const wanted = count ?? rest;
  if (wanted < 0 || wanted > rest || (quantized && (!scales || begin % RANGE_ELEMENTS > 0)))
    throw new KraitError("R0105", `The manifest places elements of "${param}" that it does not have.`);
  const filled = quantized ? Math.ceil(wanted / GROUP_ELEMENTS) * GROUP_ELEMENTS : wanted;
  return { begin, count: Math.min(filled, rest) };
}

interface ElementRange {
  readonly begin: number;
  readonly count: number;
}

/** What is written to a constant buffer, and where. */
interface Write {
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Elements of a tensor as stored on the GPU, a few MiB at a time; offsets and lengths are multiples of 4 bytes. */
async function* writes(
  tensor: TensorEntry,
  how: Conversion,
  storage: Storage,
  place: ConstantPlace,
): AsyncGenerator<Write, void, undefined> {
  const quantized = isQuantized(storage);
  const { offset, scales = 0 } = place;
  for await (const { begin, data } of pieces(tensor, how, rangeOf(place, tensor, quantized))) {
    const piece: Partial<QuantizedPiece> | undefined =
      data && (quantized ? quantize(f32Of(data), storage) : { codes: padded(data) });
    if (piece?.codes === undefined)
      throw new KraitError("R0306", `"${tensor.name}" has values that ${storage} does not hold.`);
    yield { offset: offset + (begin * STORAGE_BITS[storage]) / 8, data: piece.codes };
    if (piece.scales) yield { offset: scales + (begin / GROUP_ELEMENTS) * 2, data: piece.scales };
  }
}

/** A range of a tensor's elements, converted, a few MiB at a time. `begin` counts from the range's first element. */
async function* pieces(
  tensor: TensorEntry,
  how: Conversion,
  range: ElementRange,
): AsyncGenerator<{ begin: number; data: Uint8Array<ArrayBuffer> | undefined }, void, undefined> {
  const total = range.count * how.elementBytes;
  const start = tensor.offset + range.begin * how.elementBytes;
  const read = (begin: number): Promise<Uint8Array> =>
    readRange(tensor.file, start + begin, Math.min(PIECE_BYTES, total - begin));
  let next = total > 0 ? read(0) : undefined;
  for (let begin = 0; next !== undefined; begin += PIECE_BYTES) {
    const bytes = await next;
    const after = begin + PIECE_BYTES;
    next = after < total ? read(after) : undefined; // read while this one is converted and written
    next?.catch(() => undefined); // reported when it is awaited, which may never come
    yield { begin: begin / how.elementBytes, data: how.convert(bytes as Uint8Array<ArrayBuffer>) };
  }
}

/** Writes to a buffer come in multiples of 4 bytes; an odd number of 16-bit elements is filled up. */
function padded(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array((bytes.length + 3) & ~3);
  whole.set(bytes);
  return whole;
}
