/** Inputs and weights: numbers without meaning, the same in every run. */
import { f16round, setFloat16 } from "@petamoriken/float16";
import type { Bundle, Checkpoint, InputEntry, ParamEntry, RandomAccess } from "../../runtime/index.js";

export type Range = readonly [low: number, high: number];

/** Uniform numbers repeat after so many: making more would take longer than computing with them. */
const PERIOD = 1 << 20;

/** The i-th number of every tensor lies at this place between 0 and 1 (a 32-bit hash of i). */
const UNIT = Float32Array.from({ length: PERIOD }, (_, i) => hash(i) / 2 ** 32);

function hash(i: number): number {
  let bits = Math.imul(i ^ (i >>> 16), 0x45d9f3b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** `count` uniform numbers between the ends of `range`. `seed` shifts them. */
export function uniform(count: number, [low, high]: Range, seed: number): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = low + (high - low) * (UNIT[(i + seed * 8191) % PERIOD] ?? 0);
  return numbers;
}

/** Values of an input of `count` elements: within its bound, or between the ends of `range`; of 16 bits those. */
export function inputValues(
  { scalar, bound = 1 }: InputEntry,
  count: number,
  range: Range,
  seed: number,
): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (scalar === "f32") return uniform(count, range, seed);
  if (scalar !== "index") {
    const block = new Uint16Array(STORED[scalar].of(uniform(Math.min(count, PERIOD), range, seed)).buffer);
    const halves = new Uint16Array(count);
    for (let at = 0; at < count; at += PERIOD) halves.set(block.subarray(0, count - at), at);
    return halves;
  }
  return Uint32Array.from({ length: count }, (_, i) => hash(i + seed) % bound);
}

/** Between which numbers a parameter lies: small enough that signals keep their size through many layers. */
export function paramRange({ shape }: ParamEntry): Range {
  const scale = shape.length > 1 ? 1 / Math.sqrt(shape.at(-1) ?? 1) : 0.5;
  return [-scale, scale];
}

/** Weights for every parameter of the bundle, made as they are read: the host never holds a model. */
export function syntheticWeights(bundle: Bundle, ranges: Readonly<Record<string, Range>>): Checkpoint {
  const files = new Map<string, RandomAccess>();
  const tensors = bundle.manifest.params.map((param) => {
    const [name = param.name] = param.sources;
    const type = STORED[param.storage];
    const bytes = type.bytes * param.shape.reduce((product, extent) => product * extent, 1);
    const range = ranges[param.name] ?? paramRange(param);
    const key = `${type.dtype} ${range.join()}`;
    const file = files.get(key) ?? periodic(type.of(uniform(PERIOD, range, 0)));
    files.set(key, file);
    return [name, { name, dtype: type.dtype, shape: param.shape, file, offset: 0, bytes }] as const;
  });
  return { tensors: new Map(tensors) };
}

interface Stored {
  readonly dtype: string;
  /** Of an element. */
  readonly bytes: number;
  readonly of: (numbers: Float32Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

const F32: Stored = { dtype: "F32", bytes: 4, of: (numbers) => new Uint8Array(numbers.buffer) };

/** Numbers as a checkpoint has them: in the type that the device stores, which is never narrowed on the way, or to be quantized. */
const STORED: Readonly<Record<ParamEntry["storage"], Stored>> = {
  f32: F32,
  int8: F32,
  int4: F32,
  f16: {
    dtype: "F16",
    bytes: 2,
    of: (numbers) => {
      const bytes = new DataView(new ArrayBuffer(2 * numbers.length));
      numbers.forEach((value, i) => setFloat16(bytes, 2 * i, value, true));
      return new Uint8Array(bytes.buffer);
    },
  },
  bf16: {
    dtype: "BF16",
    bytes: 2,
    of: (numbers) => {
      const halves = new Uint16Array(numbers.length);
      new Uint32Array(numbers.buffer).forEach((bits, i) => (halves[i] = bits >>> 16));
      return new Uint8Array(halves.buffer);
    },
  },
};

/** A file in which the same bytes come again and again. */
function periodic(block: Uint8Array<ArrayBuffer>): RandomAccess {
  return {
    name: "synthetic weights",
    size: Number.MAX_SAFE_INTEGER,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length;) {
        const from = (offset + at) % block.length;
        const part = block.subarray(from, from + length - at);
        bytes.set(part, at);
        at += part.length;
      }
      return Promise.resolve(bytes);
    },
  };
}

/** The values that `syntheticWeights` gives a parameter, as the device stores them; of quantized ones before that. */
export function paramValues(param: ParamEntry, range: Range | undefined): Float32Array<ArrayBuffer> {
  const count = param.shape.reduce((product, extent) => product * extent, 1);
  const values = uniform(count, range ?? paramRange(param), 0);
  if (param.storage === "f16") return values.map(f16round);
  // As above: what bf16 has not is cut off.
  if (param.storage === "bf16")
    new Uint32Array(values.buffer).forEach((bits, i, all) => (all[i] = bits & 0xffff0000));
  return values;
}
