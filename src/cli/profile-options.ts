/** What `krait run --profile` takes, apart from what it does: a run without it loads none of that. */
import { InvalidArgumentError } from "commander";
import type { DeviceBounds } from "../measure/bounds.js";

/** Of the bounds those that need not be measured. */
export type GivenBounds = Partial<DeviceBounds>;

/** Without this, Dawn rounds timestamps to a tenth of a millisecond. */
export const EXACT_TIMES = { disable: ["timestamp_quantization"] };

/** What a device needs for timestamps, where the adapter has it. */
export function timeFeatures({ features }: GPUAdapter): readonly GPUFeatureName[] {
  return features.has("timestamp-query") ? ["timestamp-query"] : [];
}

/** `copy=3000,product=300000`: in GB/s and GFLOP/s. */
export function parseBounds(text: string): GivenBounds {
  const bounds: Partial<Record<keyof DeviceBounds, number>> = {};
  for (const part of text.split(",")) {
    const [, name, value] = /^\s*(copy|lanes|product)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (name === undefined || !(Number(value) > 0))
      throw new InvalidArgumentError(
        "expected copy=GB/s, lanes=GFLOP/s or product=GFLOP/s with commas between, for example copy=3000,lanes=40000.",
      );
    bounds[name as keyof DeviceBounds] = 1e9 * Number(value);
  }
  return bounds;
}
