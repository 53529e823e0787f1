/** What callers pass in: checked, measured, and cut into pieces along time. */
import type { InputEntry, Manifest } from "./bundle-format.js";
import { evaluateDim } from "./dim.js";
import { KraitError } from "./errors.js";
import type { AxisNames } from "./numbers.js";
import { elements } from "./tensor.js";
import { narrowTo } from "./widen.js";

/**
 * Row-major, as the model declares the input; `index` inputs are Uint32Array or Int32Array, others Float32Array. Those that lie in 16
 * bits on the GPU are rounded to the nearest, halves to even, or are a Uint16Array of their bits.
 */
export type InputData =
  Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
/**
 * Inputs by the names of the model. Each has the size of its axes, times the batch, times the steps where it has
 * time.
 */
export type Inputs = Readonly<Record<string, InputData>>;

/** Inputs that passed every check. */
export interface CheckedInputs {
  /** Steps that they cover. */
  readonly steps: number;
  readonly inputs: readonly CheckedInput[];
}

export interface CheckedInput {
  readonly name: string;
  readonly data: InputData;
  /** [outer, steps, inner] for an input with time: `data` is that shape. Absent for one without, which is held. */
  readonly layout?: { readonly outer: number; readonly inner: number };
}

/** Inputs without time that a session was given, in copies of its own: they hold until they are given again. */
export type HeldInputs = ReadonlyMap<string, InputData>;

/**
 * Checks names, types, lengths and ranges, and finds the number of steps. All inputs of the model come back: those of
 * `held` that are not given again stand for themselves. `packed`: the sequences follow each other along time.
 * @throws KraitError R0401…R0404.
 */
export function checkInputs(
  manifest: Manifest,
  names: AxisNames,
  batch: number,
  given: Inputs,
  held: HeldInputs,
  packed = false,
): CheckedInputs {
  checkNames(manifest, given, held);
  const measured = manifest.inputs.flatMap((entry) => {
    const { name } = entry;
    const data = given[name];
    // Packed documents have no batch: they lie one after the other along time.
    const sequences = packed && entry.time !== undefined ? 1 : batch;
    if (data !== undefined) return [measure(entry, data, names, sequences)];
    const before = held.get(name);
    return before === undefined ? [] : [{ input: { name, data: before }, steps: 1 }];
  });
  const timed = measured.filter(({ input }) => input.layout !== undefined);
  const steps = timed[0]?.steps ?? 1;
  const other = timed.find((input) => input.steps !== steps);
  if (timed[0] !== undefined && other !== undefined) {
    const [a, b] = [timed[0].input.name, other.input.name];
    throw new KraitError(
      "R0402",
      `The inputs disagree about time: "${a}" covers ${String(steps)} steps, "${b}" ${String(other.steps)}.`,
    );
  }
  if (steps === 0) {
    throw new KraitError("R0404", "The inputs cover no time: a prefill needs at least one step.", {
      hint: "Leave the call out for an empty sequence.",
    });
  }
  return { steps, inputs: measured.map(({ input }) => input) };
}

/** What is held from now on. */
export function holdInputs(held: HeldInputs, { inputs }: CheckedInputs): HeldInputs {
  const untimed = inputs.filter(({ layout }) => layout === undefined);
  return new Map([...held, ...untimed.map(({ name, data }) => [name, data] as const)]);
}

/** Checks inputs that are to be held, all of them without time. @throws KraitError R0401…R0403. */
export function checkHeld(manifest: Manifest, names: AxisNames, batch: number, given: Inputs): HeldInputs {
  const untimed = manifest.inputs.filter(({ time }) => time === undefined);
  checkKnown(untimed, given);
  return new Map(
    untimed.flatMap((entry): [string, InputData][] => {
      const data = given[entry.name];
      return data === undefined ? [] : [[entry.name, measure(entry, data, names, batch).input.data]];
    }),
  );
}

/** The shape of an input at one position. */
export function inputShape({ axes }: InputEntry, names: AxisNames, batch: number): readonly number[] {
  const numbers = { [names.batch]: batch, [names.steps]: 1 };
  return axes.map(({ size }) => evaluateDim(size, numbers));
}

/** Held inputs for a batch made of `members` of another, of `batch` sequences. */
export function selectHeld(
  manifest: Manifest,
  names: AxisNames,
  held: HeldInputs,
  batch: number,
  members: readonly number[],
): HeldInputs {
  const selected = new Map(held);
  for (const entry of manifest.inputs) {
    const data = held.get(entry.name);
    const at = entry.axes.findIndex(({ size }) => size === names.batch);
    if (data === undefined || at < 0) continue;
    const shape = inputShape(entry, names, batch);
    const [outer, inner] = [elements(shape.slice(0, at)), elements(shape.slice(at + 1))];
    const Data = data.constructor as new (length: number) => InputData;
    const chosen = new Data(outer * members.length * inner);
    for (let row = 0; row < outer; row++) {
      for (const [i, member] of members.entries()) {
        const from = (row * batch + member) * inner;
        chosen.set(data.subarray(from, from + inner), (row * members.length + i) * inner);
      }
    }
    selected.set(entry.name, chosen);
  }
  return selected;
}

function checkNames(manifest: Manifest, given: Inputs, held: HeldInputs): void {
  checkKnown(manifest.inputs, given);
  const missing = manifest.inputs.filter(({ name }) => given[name] === undefined && !held.has(name));
  if (missing.length > 0) {
    throw new KraitError("R0401", `Missing: the input ${quoted(missing.map(({ name }) => name))}.`, {
      hint: `The model's inputs are ${manifest.inputs.map(describe).join(", ")}.`,
    });
  }
}

function checkKnown(entries: readonly InputEntry[], given: Inputs): void {
  const known = new Set(entries.map(({ name }) => name));
  const unknown = Object.keys(given).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new KraitError("R0401", `The model has no input ${quoted(unknown)}.`, {
    hint: entries.length === 0 ? "It has none." : `Its inputs are ${entries.map(describe).join(", ")}.`,
  });
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

/** `token[b, t]`. */
function describe({ name, axes }: InputEntry): string {
  return `${name}[${axes.map((axis) => axis.name).join(", ")}]`;
}

function measure(
  entry: InputEntry,
  given: InputData,
  names: AxisNames,
  batch: number,
): { readonly input: CheckedInput; readonly steps: number } {
  checkType(entry, given);
  const data = asStored(entry, given);
  const sizes = inputShape(entry, names, batch);
  const time = entry.axes.findIndex(({ name }) => name === entry.time);
  const perStep = elements(sizes);
  const steps = time < 0 ? 1 : data.length / perStep;
  if (time < 0 ? data.length !== perStep : !Number.isInteger(steps)) {
    const shape = sizes.map((size, i) => (i === time ? entry.axes[i]?.name : String(size))).join(", ");
    const due = time < 0 ? String(perStep) : `a multiple of ${String(perStep)}`;
    throw new KraitError(
      "R0402",
      `The input "${entry.name}" has ${String(data.length)} values; its shape is [${shape}], so it needs ${due}.`,
      { hint: `The session's batch is ${String(batch)}.` },
    );
  }
  checkRange(entry, data);
  if (time < 0) return { input: { name: entry.name, data: data.slice() }, steps }; // kept: it may change outside
  const layout = { outer: elements(sizes.slice(0, time)), inner: elements(sizes.slice(time + 1)) };
  return { input: { name: entry.name, data, layout }, steps };
}

function checkType(entry: InputEntry, data: unknown): void {
  const { scalar } = entry;
  const right =
    scalar === "index"
      ? data instanceof Uint32Array || data instanceof Int32Array
      : data instanceof Float32Array || (scalar !== "f32" && data instanceof Uint16Array);
  if (right) return;
  const found = typeof data === "object" && data !== null ? data.constructor.name : typeof data;
  const more = scalar === "f32" ? "" : ` or a Uint16Array of ${scalar}`;
  const due = scalar === "index" ? "a Uint32Array or Int32Array" : `a Float32Array${more}`;
  throw new KraitError("R0402", `The input "${entry.name}" is ${found}, and has to be ${due}.`);
}

/** Numbers in the type that the GPU has them in. */
function asStored({ name, scalar }: InputEntry, data: InputData): InputData {
  if (!(data instanceof Float32Array) || scalar === "f32") return data;
  const halves = narrowTo(scalar, data);
  if (halves) return halves;
  throw new KraitError("R0403", `The input "${name}" has values that ${scalar} does not hold.`);
}

/** Reads out of range are the model's to clamp; a wrong id is a mistake that deserves to be heard of. */
function checkRange({ name, scalar, bound }: InputEntry, data: InputData): void {
  if (scalar !== "index") return;
  const limit = bound ?? 2 ** 32;
  let at = 0;
  while (at < data.length && (data[at] as number) >= 0 && (data[at] as number) < limit) at++; // a million tokens: no calls
  if (at === data.length) return;
  throw new KraitError(
    "R0403",
    `The input "${name}" has ${String(data[at])} at ${String(at)}; its values are 0 … ${String(limit - 1)}.`,
  );
}

/** Steps begin ≤ t < begin + count of an input: a view where they lie together, else a copy. */
export function pieceOf(input: CheckedInput, steps: number, begin: number, count: number): InputData {
  const { data, layout } = input;
  if (layout === undefined || count === steps) return data;
  const { outer, inner } = layout;
  if (outer === 1) return data.subarray(begin * inner, (begin + count) * inner);
  const piece = data.slice(0, outer * count * inner);
  for (let row = 0; row < outer; row++) {
    const from = (row * steps + begin) * inner;
    piece.set(data.subarray(from, from + count * inner), row * count * inner);
  }
  return piece;
}
