/** The tensors that a run reads: found by name, checked against the model, their run-time sizes brought together. */
import type { AxisEntry, InputEntry, Manifest } from "../../runtime/bundle-format.js";
import type { InputData } from "../../runtime/inputs.js";
import { dimNames, evaluateDim } from "../../runtime/dim.js";
import { axisNames } from "../../runtime/numbers.js";
import { packedEntry } from "../../runtime/packed.js";
import { closest } from "../../compiler/diagnostics/suggest.js";
import type { TensorReference } from "./arguments.js";
import { InputError } from "./errors.js";
import { type InputTensor, sliceAxis } from "./tensors.js";

export interface RunInputs {
  readonly tensors: ReadonlyMap<string, InputTensor>;
  /** Values of the run-time names in the inputs' axes: `b`, `t`. */
  readonly sizes: Readonly<Record<string, number>>;
}

export interface InputOptions {
  /** The input of whole numbers that a language model has. */
  readonly tokens?: readonly number[];
  /** The steps of several sequences, which inputs with time hold one after the other. */
  readonly lengths?: readonly number[];
}

/** Reads `--input` tensors. */
export async function loadInputs(
  manifest: Manifest,
  references: readonly TensorReference[],
  { tokens, lengths }: InputOptions,
): Promise<RunInputs> {
  const names = axisNames(manifest);
  const entries =
    lengths === undefined ? manifest.inputs : manifest.inputs.map((entry) => packedEntry(entry, names));
  const given = new Map<string, { tensor: InputTensor; from: string }>();
  if (tokens !== undefined) {
    const { name } = tokenInput(manifest);
    const axes = entries.find((entry) => entry.name === name)?.axes ?? [];
    const shape = axes.map((_axis, i) => (i === axes.length - 1 ? tokens.length : 1));
    given.set(name, { tensor: { shape, data: Uint32Array.from(tokens) }, from: "--tokens" });
  }
  for (const reference of references) {
    const entry = entries.find(({ name }) => name === reference.name);
    if (entry === undefined) throw unknownName("input", reference.name, entries);
    if (given.has(entry.name)) throw new InputError(`the input '${entry.name}' is given twice`);
    const from = `${reference.file}:${reference.tensor}`;
    given.set(entry.name, { tensor: await readInput(entry, reference), from });
  }
  const missing = entries.filter(({ name }) => !given.has(name));
  if (missing.length > 0) {
    const options = missing.map(
      (entry) => `  --input ${entry.name}=FILE.safetensors:TENSOR    ${signature(entry)}`,
    );
    const what = missing.length === 1 ? "this input" : "these inputs";
    throw new InputError(`the model needs ${what} too:`, options.join("\n"));
  }
  const sizes = new Map<string, { value: number; from: string }>();
  if (lengths !== undefined) sizes.set(names.batch, { value: lengths.length, from: "--lengths" });
  for (const entry of entries) {
    const { tensor, from } = given.get(entry.name) ?? unreachable(entry.name);
    bindSizes(entry, tensor.shape, from, sizes);
  }
  if (lengths !== undefined) checkLengths(lengths, sizes.get(names.steps));
  return {
    tensors: new Map([...given].map(([name, { tensor }]) => [name, tensor])),
    sizes: Object.fromEntries([...sizes].map(([name, { value }]) => [name, value])),
  };
}

function checkLengths(lengths: readonly number[], steps: { value: number; from: string } | undefined): void {
  if (steps === undefined) throw new InputError("--lengths is for models with an input over time");
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total === steps.value) return;
  throw new InputError(
    `the lengths ${lengths.join(",")} add up to ${total} steps, and ${steps.from} has ${steps.value}`,
    "The inputs hold the sequences one after the other along time, without a batch axis.",
  );
}

/** The input that `--tokens` fills: the only one of whole numbers over time. */
export function tokenInput(manifest: Manifest): InputEntry {
  const [entry, ...others] = manifest.inputs.filter(
    ({ scalar, time }) => scalar === "index" && time !== undefined,
  );
  const last = entry?.axes.at(-1)?.name;
  if (entry === undefined || others.length > 0 || last !== entry.time) {
    throw new InputError(
      "--tokens is for language models: a model with one input of tokens such as token: index(v)[b, t]",
      `This model has ${manifest.inputs.map(signature).join(", ") || "no inputs"}; use --input.`,
    );
  }
  return entry;
}

/** Position of the time axis, or undefined for what is fixed or has none. */
export function timeAxis(entry: {
  readonly axes: readonly AxisEntry[];
  readonly time?: string;
}): number | undefined {
  const at = entry.axes.findIndex(({ name }) => name === entry.time);
  return at < 0 ? undefined : at;
}

/** The steps begin ≤ t < end of every input that has time. */
export function inputsAt(
  manifest: Manifest,
  tensors: ReadonlyMap<string, InputTensor>,
  begin: number,
  end: number,
): Record<string, InputData> {
  return Object.fromEntries(
    manifest.inputs.map((entry) => {
      const tensor = tensors.get(entry.name) ?? unreachable(entry.name);
      const axis = timeAxis(entry);
      return [entry.name, (axis === undefined ? tensor : sliceAxis(tensor, axis, begin, end)).data];
    }),
  );
}

async function readInput(entry: InputEntry, { file, tensor }: TensorReference): Promise<InputTensor> {
  const { readTensor } = await import("../node/index.js");
  const { data, shape } = await readTensor(file, tensor);
  const place = `${file}:${tensor}`;
  const whole = !(data instanceof Float32Array);
  if (entry.scalar === "index" && !whole) {
    throw new InputError(`${place} holds fractions (f32); the input '${entry.name}' takes whole numbers`);
  }
  if (entry.scalar !== "index" && whole) return { shape, data: Float32Array.from(data) };
  return { shape, data };
}

function bindSizes(
  entry: InputEntry,
  shape: readonly number[],
  from: string,
  sizes: Map<string, { value: number; from: string }>,
): void {
  const wrong = (why: string): InputError =>
    new InputError(`${from} has shape [${shape.join(", ")}]; the input is ${signature(entry)}: ${why}`);
  if (shape.length !== entry.axes.length) {
    throw wrong(`it has ${shape.length} axes instead of ${entry.axes.length}`);
  }
  entry.axes.forEach(({ name, size }, i) => {
    const got = shape[i] ?? 0;
    if (typeof size === "string") {
      const bound = sizes.get(size) ?? { value: got, from };
      sizes.set(size, bound);
      if (bound.value !== got) throw wrong(`${name} is ${got} here and ${bound.value} in ${bound.from}`);
      return;
    }
    if (![...dimNames(size)].every((free) => sizes.has(free))) return;
    const wanted = evaluateDim(size, Object.fromEntries([...sizes].map(([key, { value }]) => [key, value])));
    if (wanted !== got) throw wrong(`${name} must be ${wanted}, and is ${got}`);
  });
}

/** `u[b, t, d = 64]`. */
export function signature({
  name,
  axes,
}: {
  readonly name: string;
  readonly axes: readonly AxisEntry[];
}): string {
  const text = axes.map((axis) =>
    typeof axis.size === "number" ? `${axis.name} = ${axis.size}` : axis.name,
  );
  return `${name}[${text.join(", ")}]`;
}

export function unknownName(
  kind: "input" | "state",
  name: string,
  entries: readonly { readonly name: string }[],
): InputError {
  const names = entries.map((entry) => entry.name);
  const guess = closest(name, names);
  const known = names.length === 0 ? "none" : names.slice(0, 20).join(", ");
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return new InputError(
    `the model has no ${kind} '${name}'${guess === undefined ? "" : ` (did you mean '${guess}'?)`}`,
    `Its ${kind}s: ${known}${more}.`,
  );
}

function unreachable(name: string): never {
  throw new Error(`no tensor for input ${name}`);
}
