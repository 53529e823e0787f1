/** Calls whose inputs hold documents of different lengths: what is checked, and what comes back. */
import type { InputEntry, Manifest, OutputEntry } from "./bundle-format.js";
import { evaluateDim } from "./dim.js";
import { KraitError } from "./errors.js";
import type { CheckedInputs, InputData } from "./inputs.js";
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

/** Inputs of one step of every sequence as documents of one step: the sequences take the place of time. */
export function stepsAsDocuments(
  { inputs: entries }: Manifest,
  names: AxisNames,
  batch: number,
  { inputs }: CheckedInputs,
): CheckedInputs {
  const moved = inputs.map((input) => {
    const axes = entries.find(({ name }) => name === input.name)?.axes ?? [];
    const [b, t] = [names.batch, names.steps].map((name) => axes.findIndex(({ size }) => size === name));
    if (b === undefined || t === undefined || b < 0 || t < 0 || Math.abs(b - t) === 1) return input;
    const numbers = { [names.batch]: batch, [names.steps]: 1 };
    const between = elements(
      axes.slice(Math.min(b, t) + 1, Math.max(b, t)).map(({ size }) => evaluateDim(size, numbers)),
    );
    return {
      ...input,
      data: swapped(
        input.data,
        b < t ? [batch, between] : [between, batch],
        axes.slice(Math.max(b, t) + 1).map(({ size }) => evaluateDim(size, numbers)),
      ),
    };
  });
  return { steps: batch, inputs: moved };
}

/** [outer…, p, q, inner…] as [outer…, q, p, inner…]. */
function swapped(data: InputData, [p, q]: readonly [number, number], inner: readonly number[]): InputData {
  const each = elements(inner);
  const out = data.slice();
  for (let from = 0; from < data.length; from += p * q * each)
    for (let i = 0; i < p; i++)
      for (let j = 0; j < q; j++) {
        const at = from + (i * q + j) * each;
        out.set(data.subarray(at, at + each), from + (j * p + i) * each);
      }
  return out;
}

/** An input or output as a packed program has it: what has time has no batch. */
export function packedEntry<E extends InputEntry | OutputEntry>(entry: E, names: AxisNames): E {
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
