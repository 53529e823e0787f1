/** What callers get back: shapes of outputs, and putting pieces together along time. */
import { RUN_NUMBERS, type Manifest, type OutputEntry } from "./bundle-format.js";
import { evaluateDim } from "./dim.js";
import { KraitError } from "./errors.js";
import type { AxisNames } from "./numbers.js";
import { elements, type HostTensor } from "./tensor.js";

/**
 * Outputs by the names of the model: f32, row-major, shaped as declared; at the last position alone, time has size 1.
 */
export type Outputs = Readonly<Record<string, HostTensor>>;

/** Where time stands in an output; -1 for an output without it. */
export function timeIndex({ axes, time }: OutputEntry): number {
  return axes.findIndex(({ name, size }) => name === time || size === RUN_NUMBERS.tailCount);
}

/** The shape of an output at `positions` positions. */
export function outputShape(
  entry: OutputEntry,
  names: AxisNames,
  batch: number,
  positions: number,
): number[] {
  const { pos, tailCount } = RUN_NUMBERS;
  const numbers = { [names.batch]: batch, [names.steps]: positions, [tailCount]: positions, [pos]: 0 };
  const time = timeIndex(entry);
  return entry.axes.map(({ size }, i) => (i === time ? positions : evaluateDim(size, numbers)));
}

/** The entries of the outputs asked for; all without a list. @throws KraitError R0401 for a name that is none. */
export function selectOutputs(
  manifest: Manifest,
  names: readonly string[] | undefined,
): readonly OutputEntry[] {
  if (names === undefined) return manifest.outputs;
  return names.map((name) => {
    const entry = manifest.outputs.find((output) => output.name === name);
    if (entry !== undefined) return entry;
    const known = manifest.outputs.map((output) => output.name).join(", ");
    throw new KraitError("R0401", `The model has no output "${name}".`, {
      hint: `Its outputs are ${known}.`,
    });
  });
}

/** Collects an output's windows, in order, into one tensor of all positions. */
export class Collector {
  readonly tensor: HostTensor;
  readonly #time: number;
  #begin = 0;

  constructor(entry: OutputEntry, shape: readonly number[]) {
    this.tensor = { data: new Float32Array(elements(shape)), shape };
    this.#time = timeIndex(entry);
  }

  add(window: HostTensor): void {
    const { data, shape } = this.tensor;
    if (this.#time < 0) {
      data.set(window.data);
      return;
    }
    const outer = elements(shape.slice(0, this.#time));
    const inner = elements(shape.slice(this.#time + 1));
    const total = shape[this.#time] ?? 0;
    const count = window.shape[this.#time] ?? 0;
    for (let row = 0; row < outer; row++) {
      const from = row * count * inner;
      data.set(window.data.subarray(from, from + count * inner), (row * total + this.#begin) * inner);
    }
    this.#begin += count;
  }
}
