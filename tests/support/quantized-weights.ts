/** What quantized weights are worth, computed anew: SPEC.md § Quantized weights, in float64 and one element at a time. */
import type { Manifest } from "../../runtime/index.js";
import type { Numbers } from "./expect-close.js";

const MOST = { int8: 127, int4: 7 } as const;

export type Quantized = keyof typeof MOST;

/** The next number of eight significant bits that is not below; of what is above 1e-30. */
function roundedUp(value: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(value)) - 7);
  return Math.ceil(value / unit) * unit;
}

function nearestEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export interface Dequantized {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  /** Of each element the scale of its group. */
  readonly steps: Float64Array;
}

/** Every 32 elements in a row share a scale. */
export function dequantized({ shape, data }: Numbers, storage: Quantized): Dequantized {
  const values = Array.from(data);
  const steps = Float64Array.from(values, (_, i) => {
    const group = values.slice(i - (i % 32), i - (i % 32) + 32);
    return roundedUp(Math.max(...group.map(Math.abs)) / MOST[storage]);
  });
  const worth = values.map((value, i) => {
    const step = steps[i] ?? 0;
    return step === 0 ? 0 : nearestEven(value / step) * step;
  });
  return { shape, data: Float64Array.from(worth), steps };
}

/** A checkpoint's parameters as a bundle's devices have them. */
export function dequantizedParams<T extends Numbers>(
  { params }: Manifest,
  tensors: Readonly<Record<string, T>>,
): Readonly<Record<string, T | Dequantized>> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]): [string, T | Dequantized] => {
      const storage = params.find(({ sources }) => sources.includes(name))?.storage;
      return [name, storage === "int8" || storage === "int4" ? dequantized(tensor, storage) : tensor];
    }),
  );
}
