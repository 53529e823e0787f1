/** What can be measured, as data: a model in Krait, and runs of it. */
import type { ScheduleOptions } from "../compiler/4-passes/schedule.js";
import type { Activations } from "../runtime/bundle-format.js";
import type { Storage } from "../runtime/index.js";
import type { Range } from "../src/measure/noise.js";

export interface BenchCase {
  /** `scan`, `product`, …, `model`. */
  readonly group: string;
  readonly name: string;
  /** Krait source, or the name of a family. */
  readonly source: { readonly text: string } | { readonly family: string };
  readonly set: Readonly<Record<string, number | boolean>>;
  /** Between what the values of inputs and parameters lie, by name, where that matters. Default: −1 to 1, and weights by their depth. */
  readonly ranges?: Readonly<Record<string, Range>>;
  /** How weights are stored. Default: f32. */
  readonly weights?: Storage;
  /** How inputs, outputs and values between kernels are stored. Default: f32. */
  readonly activations?: Activations;
  /** How kernels are scheduled, where that is what is compared. */
  readonly schedule?: ScheduleOptions;
  /**
   * How outputs are checked: constants that make the model small enough for the float64 oracle, which then computes a
   * part of the axes, spread over all of each; or, without it, another way through the model's programs.
   */
  readonly sample?: Readonly<Record<string, number>>;
  readonly runs: readonly BenchRun[];
}

export interface BenchRun {
  /**
   * `stream`: a prefill in pieces, timed by the host's clock from call to last output. `generate`: steps that feed
   * themselves, so many of them in a call, timed by the host's clock; what is reported is one of them.
   */
  readonly kind: "prefill" | "step" | "stream" | "generate";
  readonly batch: number;
  /** Of a model without time: 1. */
  readonly steps: number;
  /** A sequence whose inputs no binding holds: as many equal pieces, of which one is made and timed so often. */
  readonly pieces?: number;
  /** At which positions outputs are computed while timing. Default: the last. */
  readonly outputs?: "last" | "all";
  /** Whether the host's time matters too: it does for whole models. */
  readonly wall?: boolean;
  /** What no program could do without. */
  readonly flops?: number;
  readonly leastBytes?: number;
  /** Another implementation's milliseconds on an H100. */
  readonly reference?: { readonly name: string; readonly ms: number };
}

export function runId({ group, name }: BenchCase, { kind, batch, steps }: BenchRun): string {
  const size = kind === "step" ? String(batch) : `${String(batch)}×${String(steps)}`;
  return `${group}/${name} ${kind} ${size}`;
}

/** Whether a case is asked for: its name contains a text, or ends with one that ends with `$`. */
export function isAsked(id: string, only: readonly string[]): boolean {
  if (only.length === 0) return true;
  return only.some((text) => (text.endsWith("$") ? id.endsWith(text.slice(0, -1)) : id.includes(text)));
}
