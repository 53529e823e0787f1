/** How far weights as a device stores them are from those of the checkpoint in f32: by the runtime's own conversions, on the host. */
import { GROUP_ELEMENTS, type ParamEntry, type Storage } from "../../runtime/bundle-format.js";
import type { Checkpoint } from "../../runtime/checkpoint.js";
import { KraitError } from "../../runtime/errors.js";
import { isQuantized, quantize, type Quantized, type QuantizedPiece } from "../../runtime/quantize.js";
import { readRange } from "../../runtime/random-access.js";
import type { TensorEntry } from "../../runtime/safetensors.js";
import { elements } from "../../runtime/tensor.js";
import { matchWeights } from "../../runtime/weights.js";
import { conversion, f32Of, widenToF32 } from "../../runtime/widen.js";
import { Distance, type Difference } from "./distance.js";

export interface WeightError extends Difference {
  /** As the checkpoint calls the tensor. */
  readonly tensor: string;
  readonly storage: Storage;
  readonly values: number;
}

export interface WeightErrors {
  /** Of what is not stored in f32, in the model's order. */
  readonly tensors: readonly WeightError[];
  readonly all: Difference;
}

/** Read at once: whole groups of any type. */
const PIECE_ELEMENTS = 1 << 20;

/** @throws KraitError R0303 to R0306 as `open` does, for what the checkpoint lacks or cannot be stored. */
export async function weightErrors(
  params: readonly ParamEntry[],
  checkpoint: Checkpoint,
): Promise<WeightErrors> {
  const matched = matchWeights(params, checkpoint);
  const all = new Distance();
  const tensors: WeightError[] = [];
  for (const { name, storage } of params) {
    const tensor = matched.tensors.get(name);
    if (tensor === undefined || storage === "f32") continue;
    const own = new Distance();
    for await (const [stored, exact] of pieces(tensor, storage)) {
      own.add(stored, exact);
      all.add(stored, exact);
    }
    tensors.push({ tensor: tensor.name, storage, values: elements(tensor.shape), ...own.difference() });
  }
  return { tensors, all: all.difference() };
}

async function* pieces(
  tensor: TensorEntry,
  storage: Storage,
): AsyncGenerator<readonly [stored: Float32Array, exact: Float32Array]> {
  const { name, dtype, file, offset, shape } = tensor;
  const how = conversion(dtype, storage);
  if (how === undefined) return; // `matchWeights` has refused it
  const total = elements(shape);
  for (let begin = 0; begin < total; begin += PIECE_ELEMENTS) {
    const count = Math.min(PIECE_ELEMENTS, total - begin);
    const bytes = await readRange(file, offset + begin * how.elementBytes, count * how.elementBytes);
    const exact = widenToF32(dtype, bytes.slice());
    const converted = how.convert(bytes.slice());
    const stored =
      converted &&
      (isQuantized(storage)
        ? dequantized(f32Of(converted), storage)
        : widenToF32(storage.toUpperCase(), converted));
    if (stored === undefined || exact === undefined)
      throw new KraitError("R0306", `"${name}" has values that ${storage} does not hold.`);
    yield [stored, exact];
  }
}

/** What a kernel computes with in the place of these values; undefined where one is not finite. */
function dequantized(values: Float32Array, storage: Quantized): Float32Array | undefined {
  const piece = quantize(values, storage);
  return piece && values.map((_value, i) => codeAt(piece, storage, i) * scaleAt(piece, i));
}

const codeAt = ({ codes }: QuantizedPiece, storage: Quantized, i: number): number =>
  storage === "int8" ? (codes[i] ?? 0) - 128 : (((codes[i >> 1] ?? 0) >> ((i & 1) * 4)) & 15) - 8;

const half = new Uint32Array(1);
const asFloat = new Float32Array(half.buffer);

function scaleAt({ scales }: QuantizedPiece, i: number): number {
  const at = 2 * Math.floor(i / GROUP_ELEMENTS);
  half[0] = ((scales[at] ?? 0) | ((scales[at + 1] ?? 0) << 8)) << 16;
  return asFloat[0] ?? 0;
}
