/** Calls whose inputs hold documents of different lengths: what is checked, and what comes back. */
import type { OutputEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import type { CheckedInputs } from "./inputs.js";
import type { ModelParts } from "./model-parts.js";
import type { AxisNames } from "./numbers.js";
import { outputShape, timeIndex, type Outputs } from "./outputs.js";
import { elements, type HostTensor } from "./tensor.js";

/** @throws KraitError R0407 for a bundle without the program. */
export function checkPacked({ packed }: ModelParts, what: string): void {
  if (packed !== undefined) return;
  throw new KraitError("R0407", `The bundle has no packed program, so it cannot ${what}.`, {
    hint: "Build it with `krait build --packed`.",
  });
}

/** @throws KraitError R0402 where the lengths are not those of the batch's documents in these inputs. */
export function checkLengths(lengths: readonly number[], batch: number, { steps }: CheckedInputs): void {
  const wrong = lengths.find((length) => !Number.isInteger(length) || length < 0);
  if (wrong !== undefined) {
    throw new KraitError("R0402", `A document's length is ${String(wrong)}; it has to be a whole number.`);
  }
  if (lengths.length !== batch) {
    const counts = `${String(lengths.length)} lengths for a batch of ${String(batch)}`;
    throw new KraitError("R0402", `There are ${counts}.`, {
      hint: "Each sequence of the session has one; 0 leaves it as it is.",
    });
  }
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total === steps) return;
  throw new KraitError(
    "R0402",
    `The lengths add up to ${String(total)} steps, and the inputs cover ${String(steps)}.`,
    { hint: "The inputs hold the documents one after the other along time, and have no batch axis." },
  );
}

/** An output as a packed program gives it: what has time has no batch. */
export function packedEntry(entry: OutputEntry, names: AxisNames): OutputEntry {
  if (timeIndex(entry) < 0) return entry;
  return { ...entry, axes: entry.axes.filter(({ size }) => size !== names.batch) };
}

/** The outputs at the last position of each document, which come in whatever pieces the documents end. */
export class LastPositions {
  readonly #rows: ReadonlyMap<string, LastRows>;

  constructor(entries: readonly OutputEntry[], names: AxisNames, batch: number) {
    this.#rows = new Map(entries.map((entry) => [entry.name, new LastRows(entry, names, batch)]));
  }

  /** @param documents whose positions the outputs have, in order. */
  add(documents: readonly number[], outputs: Outputs): void {
    for (const [name, tensor] of Object.entries(outputs)) this.#rows.get(name)?.add(documents, tensor);
  }

  get outputs(): Outputs {
    return Object.fromEntries([...this.#rows].map(([name, { tensor }]) => [name, tensor]));
  }
}

class LastRows {
  tensor: HostTensor;
  readonly #batch: number;
  /** Elements from one sequence to the next, where no others lie between. */
  readonly #inner: number;
  readonly #time: number;

  constructor(entry: OutputEntry, names: AxisNames, batch: number) {
    const shape = outputShape(entry, names, batch, 1);
    const at = entry.axes.findIndex(({ size }) => size === names.batch);
    this.#batch = batch;
    this.#inner = elements(shape.slice(at + 1));
    this.#time = timeIndex(packedEntry(entry, names));
    // A document without steps has no last position here.
    this.tensor = { data: new Float32Array(elements(shape)).fill(NaN), shape };
  }

  add(documents: readonly number[], { data, shape }: HostTensor): void {
    if (this.#time < 0) {
      this.tensor = { data, shape };
      return;
    }
    const count = shape[this.#time] ?? 0;
    const within = elements(shape.slice(this.#time + 1));
    const outer = elements(shape.slice(0, this.#time));
    for (let o = 0; o < outer; o++)
      for (const [p, document] of documents.entries())
        for (let i = 0; i < within; i++) {
          const rest = o * within + i;
          const row = Math.floor(rest / this.#inner) * this.#batch + document;
          this.tensor.data[row * this.#inner + (rest % this.#inner)] =
            data[(o * count + p) * within + i] ?? NaN;
        }
  }
}
