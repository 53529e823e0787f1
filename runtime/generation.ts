/** Steps that feed themselves: the host reads what some gave while the GPU makes the next, and goes back if it was too far ahead. */
import type { OutputEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { inputShape } from "./inputs.js";
import type { ModelParts } from "./model-parts.js";
import { outputShape, selectOutputs, type Outputs } from "./outputs.js";
import { gather, Readback, scatter, type Region } from "./readback.js";

/** What is generated, and who gets it. */
export interface GenerateOptions {
  /** At most so many steps; Infinity: until `deliver` says that it is enough. */
  readonly steps: number;
  /** Which input is which output of the step before, as `{ token: "next" }`: all inputs with time. */
  readonly feed: Readonly<Record<string, string>>;
  /**
   * Called with each step's outputs, in order; what it returns is waited for, while the GPU goes on. `false` ends it: a
   * stop token, say. It must not wait for other calls of the session.
   */
  readonly deliver: (outputs: Outputs) => unknown;
  /** Which outputs it is called with; those that are fed without it. */
  readonly names?: readonly string[];
  /** Ends it before the next delivery, and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** An output of a step that the next one has as an input. */
export interface Feed {
  readonly input: string;
  readonly output: OutputEntry;
}

/** Outputs and the inputs that they become. @throws KraitError R0401, R0402 where they don't fit, or an input is left out. */
export function checkFeed(
  { manifest, names }: ModelParts,
  batch: number,
  feed: GenerateOptions["feed"],
): readonly Feed[] {
  const [left] = manifest.inputs.filter(({ name, time }) => time !== undefined && feed[name] === undefined);
  if (left !== undefined)
    throw new KraitError("R0401", `No output is fed to the input "${left.name}", which every step needs.`);
  return Object.entries(feed).map(([input, name]) => {
    const to = manifest.inputs.find((entry) => entry.name === input);
    const [output] = selectOutputs(manifest, [name]) as [OutputEntry];
    const { scalar = "f32", bound = Infinity } = output;
    const fits =
      to?.time !== undefined &&
      scalar === to.scalar &&
      (to.bound === undefined || bound <= to.bound) &&
      String(inputShape(to, names, batch)) === String(outputShape(output, names, batch, 1));
    if (fits) return { input, output };
    throw new KraitError("R0402", `The output "${name}" cannot be fed to the input "${input}".`, {
      hint: "An input with time takes an output of its shape and type: `output next: index(v)[b, t] = …` for `input token: index(v)[b, t]`.",
    });
  });
}

/** The session's side of it. */
export interface Machine {
  /** What is read of a step. */
  readonly outputs: readonly Region[];
  /** What of a step becomes an input of the next: pairs of from and to. */
  readonly fed: readonly (readonly [Region, Region])[];
  /** Two buffers for what is carried, so that a batch can be taken back while the next is under way. */
  readonly starts: readonly GPUBuffer[];
  /** What the next step begins with: states, and inputs that are fed. */
  carried(): readonly Region[];
  /** A buffer to read so many bytes through. */
  staging(bytes: number): Promise<GPUBuffer>;
  /** Submits copies. */
  copy(encode: (encoder: GPUCommandEncoder) => void): void;
  /** Submits steps of the generation, `begin` and those after it, and copies after each. What WebGPU finds wrong comes by the promise. */
  steps(
    begin: number,
    count: number,
    copies: (encoder: GPUCommandEncoder, step: number) => void,
  ): Promise<unknown> | undefined;
  /** What was gathered in `staging`, of each region. */
  read(staging: GPUBuffer, regions: readonly Region[]): Promise<readonly Float32Array[]>;
  /** A step's outputs, from the values of `outputs`. */
  tensors(values: readonly Float32Array[]): Outputs;
  /** Says how many steps the states have seen. */
  seen(steps: number): void;
}

/** Steps that were submitted together, and are read together. */
interface Batch {
  readonly begin: number;
  readonly end: number;
  /** What it began with. */
  readonly start: GPUBuffer;
  /** Of each step. */
  readonly outputs: Promise<readonly Outputs[]>;
}

/** Milliseconds that a batch should take: long beside what it costs to read one, short for whoever waits for a token. */
const PERIOD = 8;
/** Steps of a batch, and bytes of their outputs, at most. */
const MOST_STEPS = 16;
const MOST_BYTES = 2 ** 24;

/** Takes the steps, and leaves the session as after those that were delivered, however it ends. Returns their number. */
export async function generate(
  machine: Machine,
  { steps, deliver, signal }: GenerateOptions,
): Promise<number> {
  const { starts } = machine;
  const bytes = Readback.bytes(machine.outputs);
  const most = Math.max(1, Math.min(MOST_STEPS, Math.floor(MOST_BYTES / (bytes + 1))));
  const batches: Batch[] = []; // under way, oldest first
  let [submitted, delivered, size] = [0, 0, 1];
  let before = performance.now();
  try {
    while (delivered < steps) {
      while (batches.length < starts.length && submitted < steps) {
        const staging = await machine.staging(bytes * most);
        const start = starts.find((buffer) => buffer !== batches[0]?.start) as GPUBuffer;
        const batch = submit(machine, submitted, Math.min(size, steps - submitted), start, staging);
        batches.push(batch);
        submitted = batch.end;
      }
      const [batch] = batches as [Batch];
      for (const outputs of await batch.outputs) {
        signal?.throwIfAborted();
        delivered++;
        if ((await deliver(outputs)) === false) return delivered;
      }
      batches.shift();
      const now = performance.now();
      size = Math.max(1, Math.min(most, 2 * size, Math.round((size * PERIOD) / (now - before))));
      before = now;
    }
    return delivered;
  } finally {
    const batch = batches.find(({ end }) => delivered < end);
    if (batch !== undefined) goBack(machine, batch, delivered);
  }
}

function submit(machine: Machine, begin: number, count: number, start: GPUBuffer, staging: GPUBuffer): Batch {
  const { outputs, fed } = machine;
  machine.copy((encoder) => {
    gather(encoder, machine.carried(), start);
  });
  const bytes = Readback.bytes(outputs);
  const accepted = machine.steps(begin, count, (encoder, i) => {
    feed(encoder, fed);
    gather(encoder, outputs, staging, i * bytes);
  });
  const end = begin + count;
  machine.seen(end);
  const regions = Array.from({ length: count }, () => outputs).flat();
  const read = async (): Promise<Outputs[]> => {
    const [values] = await Promise.all([machine.read(staging, regions), accepted]);
    return Array.from({ length: count }, (_, i) => machine.tensors(values.slice(i * outputs.length)));
  };
  const reading = read();
  reading.catch(() => undefined); // reported when it is awaited, if it ever is
  return { begin, end, start, outputs: reading };
}

/** What the next step has of the one before. */
function feed(encoder: GPUCommandEncoder, fed: Machine["fed"]): void {
  for (const [from, { buffer }] of fed) gather(encoder, [from], buffer);
}

/** Begins a batch again, and takes the steps of it that were delivered: the same ones, to the bit. */
function goBack(machine: Machine, { begin, start }: Batch, delivered: number): void {
  machine.copy((encoder) => {
    scatter(encoder, start, machine.carried());
  });
  if (delivered > begin)
    void machine.steps(begin, delivered - begin, (encoder) => {
      feed(encoder, machine.fed);
    });
  machine.seen(delivered);
}
