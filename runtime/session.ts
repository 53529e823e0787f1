/** One batch of sequences on its way through a model: what it has seen lies in its states. */
import type { OutputEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { BufferUsage } from "./gpu-constants.js";
import { checkInputs, pieceOf, type CheckedInputs, type Inputs } from "./inputs.js";
import { allocate } from "./memory.js";
import type { ModelParts } from "./model.js";
import type { RunNumbers } from "./numbers.js";
import { Collector, outputShape, selectOutputs, timeIndex, type Outputs } from "./outputs.js";
import type { PreparedProgram } from "./program.js";
import { Readback, type Reading, type Region } from "./readback.js";
import { Runner, type Parity } from "./runner.js";
import { defaultMaxChunk, SessionMemory, windowSize } from "./session-memory.js";
import {
  checkSnapshot,
  findState,
  stateLayout,
  writeInitialStates,
  writeSnapshot,
  type Snapshot,
  type StateLayout,
} from "./states.js";
import type { HostTensor } from "./tensor.js";

export interface SessionOptions {
  /** Sequences that run together; 1 by default. */
  readonly batch?: number;
  /**
   * Steps computed at a time; longer sequences are cut. By default as many as keep scratch memory within 256 MiB, at
   * most 2048. A model that looks ahead in time is never cut, and refuses longer sequences than an explicit maxChunk.
   */
  readonly maxChunk?: number;
}

/** Outputs at `count` positions from `begin`, counted from the start of the call's inputs. */
export interface OutputChunk {
  readonly begin: number;
  readonly count: number;
  readonly outputs: Outputs;
}

export interface PrefillOptions {
  /**
   * Where outputs are wanted: at the last position (the default; nothing is computed for the others), at all of them,
   * nowhere, or at all, given to a function piece by piece and not kept. The next piece waits for the function's promise.
   */
  readonly outputs?: "last" | "all" | "none" | ((chunk: OutputChunk) => void | Promise<void>);
  /** Which outputs are read back; all without it. */
  readonly names?: readonly string[];
}

export interface StepOptions {
  readonly outputs?: "last" | "none";
  readonly names?: readonly string[];
}

/** A run of positions within a piece, whose outputs are computed together. */
interface Window {
  readonly begin: number;
  readonly count: number;
}

interface Prepared {
  readonly program: PreparedProgram;
  readonly runner: Runner;
}

/** Pieces given to the GPU before waiting for it, so that staged inputs don't pile up. */
const PIECES_AHEAD = 8;

/**
 * Calls may overlap: they take effect in the order in which they were made. One that fails leaves the states after the
 * last piece that was submitted, which `pos` counts.
 */
export class Session {
  readonly batch: number;
  readonly maxChunk: number;
  readonly #parts: ModelParts;
  readonly #memory: SessionMemory;
  readonly #readback: Readback;
  readonly #layout: StateLayout;
  readonly #uniforms: readonly GPUBuffer[];
  readonly #prefill: Prepared;
  readonly #step: Prepared | undefined;
  /** Inputs without time that were given. */
  readonly #held = new Set<string>();
  #parity: Parity = 0;
  #pos = 0;
  #order: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** For `Model.session`. @throws KraitError R0405 for options that cannot be met, R0204 for memory. */
  static async create(parts: ModelParts, { batch = 1, maxChunk }: SessionOptions): Promise<Session> {
    const { device, names } = parts;
    checkOptions(parts, batch, maxChunk);
    const layout = stateLayout(parts.manifest, parts.target, names, batch);
    const memory = new SessionMemory(device, parts.constants);
    const programs = [parts.prefill, ...(parts.step === undefined ? [] : [parts.step])];
    const uniforms = await allocate(
      device,
      programs.flatMap(({ name, numbers }) =>
        ["body", "tail"].map((part) => ({
          label: `numbers of ${name} ${part}`,
          bytes: numbers.uniformBytes,
          usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
        })),
      ),
    );
    const chunk =
      maxChunk ?? (isCut(parts) ? defaultMaxChunk(parts.prefill, batch, device.limits) : Infinity);
    const session = new Session(parts, memory, layout, uniforms, batch, chunk);
    try {
      await session.#allocate();
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  private constructor(
    parts: ModelParts,
    memory: SessionMemory,
    layout: StateLayout,
    uniforms: readonly GPUBuffer[],
    batch: number,
    maxChunk: number,
  ) {
    this.#parts = parts;
    this.#memory = memory;
    this.#layout = layout;
    this.#uniforms = uniforms;
    this.#readback = new Readback(parts.device);
    this.batch = batch;
    this.maxChunk = maxChunk;
    const prepared = (program: PreparedProgram, first: number): Prepared => {
      const [body, tail] = uniforms.slice(first, first + 2) as [GPUBuffer, GPUBuffer];
      const runner = new Runner(parts.device, program, { body, tail }, (range, parity) =>
        memory.resolve(program, range, parity),
      );
      return { program, runner };
    };
    this.#prefill = prepared(parts.prefill, 0);
    this.#step = parts.step === undefined ? undefined : prepared(parts.step, 2);
  }

  async #allocate(): Promise<void> {
    const { names } = this.#parts;
    await this.#memory.makeArenas(this.#layout.bytes);
    writeInitialStates(this.#parts.device, this.#memory.arena(0), this.#layout);
    const steps = names.hasTime && Number.isFinite(this.maxChunk) ? this.maxChunk : 1;
    await this.#ensure(this.#prefill, this.#numbers(steps, { begin: 0, count: 1 }));
    if (this.#step !== undefined) await this.#ensure(this.#step, this.#numbers(1, { begin: 0, count: 1 }));
  }

  /** Steps seen since the start or the last reset. */
  get pos(): number {
    return this.#pos;
  }

  /**
   * Runs the sequences on, over all the steps that the inputs cover. Inputs are row-major as declared; the number of
   * steps follows from their lengths. An input without time may be left out once given. Outputs keep their axes:
   * "last" gives a time axis of size 1.
   * @throws KraitError R0401…R0404 for inputs, R0204 for memory, R0205 and R0206 for the GPU.
   */
  async prefill(inputs: Inputs, { outputs = "last", names }: PrefillOptions = {}): Promise<Outputs> {
    const checked = this.#check(inputs);
    const entries = outputs === "none" ? [] : selectOutputs(this.#parts.manifest, names);
    if (!isCut(this.#parts) && checked.steps > this.maxChunk) {
      throw new KraitError(
        "R0405",
        `The model looks ahead in time, so its ${String(checked.steps)} steps cannot be cut into pieces of ${String(this.maxChunk)}.`,
        { hint: "Make the session with a larger maxChunk." },
      );
    }
    return this.#inOrder(async () => {
      if (outputs === "none") await this.#pieces(checked, [], () => [], ignore);
      else if (outputs === "last") return this.#last(checked, entries);
      else if (outputs === "all") return this.#all(checked, entries);
      else await this.#pieces(checked, entries, (count) => this.#windows(checked.steps, count), outputs);
      return {};
    });
  }

  /**
   * One step: inputs cover one position. Later calls need not wait for this one's outputs.
   * @throws KraitError R0407 for a model that looks ahead in time; else as `prefill`.
   */
  async step(inputs: Inputs, { outputs = "last", names }: StepOptions = {}): Promise<Outputs> {
    const step = this.#step;
    if (step === undefined) {
      throw new KraitError("R0407", "The model looks ahead in time, so it cannot run step by step.", {
        hint: "Use prefill with the whole sequence.",
      });
    }
    const checked = this.#check(inputs);
    if (checked.steps !== 1) {
      throw new KraitError(
        "R0402",
        `A step takes inputs of one position; these cover ${String(checked.steps)}.`,
        {
          hint: "Use prefill for several.",
        },
      );
    }
    const entries = outputs === "none" ? [] : selectOutputs(this.#parts.manifest, names);
    const window: Window = { begin: 0, count: 1 };
    const [finish] = await this.#inOrder(async () => {
      const staging = await this.#staging(entries, window);
      const run = this.#numbers(1, window);
      this.#writeInputs(checked, 0, 1);
      return [this.#submit(step, run, { body: true, tail: outputs !== "none" }, entries, window, staging)];
    });
    return finish();
  }

  /** A copy of all that the session carries, for `restore`. */
  async save(): Promise<Snapshot> {
    const [pos, reading] = await this.#inOrder(async () => [
      this.#pos,
      await this.#readStates(this.#layout.places),
    ]);
    const values = await this.#parts.health.translate(reading.finish());
    const tensors = this.#layout.places.map(({ name, shape }, i): [string, HostTensor] => [
      name,
      { data: values[i] as Float32Array, shape },
    ]);
    return { pos, states: Object.fromEntries(tensors) };
  }

  /** Continues from a snapshot as if nothing had happened since. @throws KraitError R0406 where it does not fit. */
  async restore(snapshot: Snapshot): Promise<void> {
    checkSnapshot(this.#layout, snapshot);
    await this.#inOrder(() => {
      writeSnapshot(this.#parts.device.queue, this.#memory.arena(this.#parity), this.#layout, snapshot);
      this.#pos = snapshot.pos;
    });
  }

  /** Back to the start of a document: initial states, `pos` 0. */
  async reset(): Promise<void> {
    await this.#inOrder(() => {
      writeInitialStates(this.#parts.device, this.#memory.arena(this.#parity), this.#layout);
      this.#pos = 0;
    });
  }

  /** One state, by its call path. @throws KraitError R0406 for a name that is none. */
  async readState(name: string): Promise<HostTensor> {
    const place = findState(this.#layout, name);
    const [reading] = await this.#inOrder(async () => [await this.#readStates([place])]);
    const [data] = await this.#parts.health.translate(reading.finish());
    return { data: data as Float32Array, shape: place.shape };
  }

  /** Frees the session's memory. Calls that were made before may fail. */
  destroy(): void {
    this.#destroyed = true;
    this.#memory.destroy();
    this.#readback.destroy();
    for (const uniform of this.#uniforms) uniform.destroy();
    this.#parts.sessions.delete(this);
  }

  #usable(): void {
    if (this.#destroyed) throw new KraitError("R0407", "The session was destroyed.");
    this.#parts.health.check();
  }

  /** Runs `work` after all work before it, whether that failed or not. */
  async #inOrder<T>(work: () => T | Promise<T>): Promise<T> {
    this.#usable();
    const before = this.#order;
    const mine = (async () => {
      await before;
      this.#usable();
      return this.#parts.health.translate(Promise.resolve(work()));
    })();
    this.#order = mine.catch(ignore);
    return mine;
  }

  #check(inputs: Inputs): CheckedInputs {
    this.#usable();
    const { manifest, names } = this.#parts;
    const checked = checkInputs(manifest, names, this.batch, inputs, this.#held);
    for (const { name, layout } of checked.inputs) if (layout === undefined) this.#held.add(name);
    return checked;
  }

  async #last(checked: CheckedInputs, entries: readonly OutputEntry[]): Promise<Outputs> {
    let result: Outputs = {};
    const windows = (count: number, isLast: boolean): Window[] =>
      isLast ? [{ begin: count - 1, count: 1 }] : [];
    await this.#pieces(checked, entries, windows, ({ outputs }) => (result = outputs));
    return result;
  }

  async #all(checked: CheckedInputs, entries: readonly OutputEntry[]): Promise<Outputs> {
    const { names } = this.#parts;
    const collectors = new Map(
      entries.map((entry) => [
        entry.name,
        new Collector(entry, outputShape(entry, names, this.batch, checked.steps)),
      ]),
    );
    await this.#pieces(
      checked,
      entries,
      (count) => this.#windows(checked.steps, count),
      ({ outputs }) => {
        for (const [name, collector] of collectors) {
          const window = outputs[name];
          if (window !== undefined) collector.add(window);
        }
      },
    );
    return Object.fromEntries([...collectors].map(([name, { tensor }]) => [name, tensor]));
  }

  /** A piece's positions in windows whose outputs fit the budget. Sized for a whole piece, so that all are alike. */
  #windows(steps: number, count: number): Window[] {
    const { prefill, device } = this.#parts;
    const size = windowSize(prefill, this.batch, Math.min(steps, this.maxChunk), device.limits);
    const windows: Window[] = [];
    for (let begin = 0; begin < count; begin += size) {
      windows.push({ begin, count: Math.min(size, count - begin) });
    }
    return windows;
  }

  /** Runs the pieces of a prefill and delivers the outputs of their windows, in order, while the next one runs. */
  async #pieces(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    windowsOf: (count: number, isLast: boolean) => readonly Window[],
    deliver: (chunk: OutputChunk) => unknown,
  ): Promise<void> {
    const { device } = this.#parts;
    let undelivered = (): Promise<unknown> => Promise.resolve();
    for (let begin = 0, i = 1; begin < checked.steps; i++) {
      const count = Math.min(this.maxChunk, checked.steps - begin);
      const isLast = begin + count === checked.steps;
      const windows = windowsOf(count, isLast);
      // An output without time is whole only after the last piece.
      const timed = isLast ? entries : entries.filter((entry) => timeIndex(entry) >= 0);
      for await (const { window, finish } of this.#piece(checked, begin, count, windows, timed)) {
        await undelivered();
        const at = begin + window.begin;
        undelivered = async () => deliver({ begin: at, count: window.count, outputs: await finish() });
      }
      if (i % PIECES_AHEAD === 0) await device.queue.onSubmittedWorkDone();
      begin += count;
    }
    await undelivered();
  }

  /** Submits one piece: its body with the first window, then the other windows. */
  async *#piece(
    checked: CheckedInputs,
    begin: number,
    count: number,
    windows: readonly Window[],
    entries: readonly OutputEntry[],
  ): AsyncGenerator<{ window: Window; finish: () => Promise<Outputs> }> {
    const [first = { begin: 0, count: 1 }, ...others] = windows;
    const numbers = this.#numbers(count, first);
    await this.#ensure(this.#prefill, numbers);
    const staging = await this.#staging(windows.length === 0 ? [] : entries, first);
    this.#writeInputs(checked, begin, count);
    const parity = this.#parity;
    const parts = { body: true, tail: windows.length > 0 };
    const finish = this.#submit(
      this.#prefill,
      numbers,
      parts,
      windows.length === 0 ? [] : entries,
      first,
      staging,
    );
    if (windows.length > 0) yield { window: first, finish };
    for (const window of others) {
      const again = await this.#staging(entries, window);
      const run = { ...numbers, tailBegin: window.begin, tailCount: window.count };
      const only = { body: false, tail: true };
      yield { window, finish: this.#submit(this.#prefill, run, only, entries, window, again, parity) };
    }
  }

  #numbers(steps: number, window: Window): RunNumbers {
    return { batch: this.batch, steps, pos: this.#pos, tailBegin: window.begin, tailCount: window.count };
  }

  async #ensure({ program, runner }: Prepared, run: RunNumbers): Promise<void> {
    if (await this.#memory.ensure(program, run)) {
      this.#prefill.runner.forgetBuffers(); // inputs and outputs are shared by the programs
      this.#step?.runner.forgetBuffers();
      runner.forgetBuffers();
    }
  }

  #writeInputs(checked: CheckedInputs, begin: number, count: number): void {
    const { queue } = this.#parts.device;
    for (const input of checked.inputs) {
      const buffer = this.#memory.find("input", input.name);
      if (buffer === undefined || (input.layout === undefined && begin > 0)) continue;
      queue.writeBuffer(buffer, 0, pieceOf(input, checked.steps, begin, count));
    }
  }

  async #staging(entries: readonly OutputEntry[], window: Window): Promise<GPUBuffer | undefined> {
    if (entries.length === 0) return undefined;
    return this.#readback.take(Readback.bytes(this.#regions(entries, window)));
  }

  #regions(entries: readonly OutputEntry[], window: Window): Region[] {
    return entries.map((entry) => {
      const buffer = this.#memory.find("output", entry.name);
      if (buffer === undefined) {
        throw new KraitError("R0105", `No kernel of the bundle writes the output "${entry.name}".`);
      }
      const shape = outputShape(entry, this.#parts.names, this.batch, window.count);
      return { buffer, offset: 0, count: shape.reduce((product, extent) => product * extent, 1) };
    });
  }

  /** Encodes and submits; once the body is on its way, the states are the new ones. */
  #submit(
    { program, runner }: Prepared,
    run: RunNumbers,
    parts: { readonly body: boolean; readonly tail: boolean },
    entries: readonly OutputEntry[],
    window: Window,
    staging: GPUBuffer | undefined,
    parity = this.#parity,
  ): () => Promise<Outputs> {
    const { device, health, names } = this.#parts;
    let reading: Reading | undefined;
    const accepted = health.watch(() => {
      const encoder = device.createCommandEncoder({ label: program.name });
      if (parts.body) runner.encode(encoder, "body", run, parity);
      if (parts.tail) runner.encode(encoder, "tail", run, parity);
      if (staging !== undefined)
        reading = this.#readback.encode(encoder, staging, this.#regions(entries, window));
      device.queue.submit([encoder.finish()]);
    });
    if (parts.body) {
      this.#parity = parity === 0 ? 1 : 0;
      this.#pos += run.steps;
    }
    return async () => {
      const values = await health.translate(Promise.all([reading?.finish() ?? [], accepted]));
      const tensors = entries.map((entry, i): [string, HostTensor] => [
        entry.name,
        { data: values[0][i] as Float32Array, shape: outputShape(entry, names, this.batch, window.count) },
      ]);
      return Object.fromEntries(tensors);
    };
  }

  async #readStates(places: StateLayout["places"]): Promise<Reading> {
    const { device } = this.#parts;
    const buffer = this.#memory.arena(this.#parity);
    const regions = places.map(({ offset, count }) => ({ buffer, offset, count }));
    const staging = await this.#readback.take(Readback.bytes(regions));
    const encoder = device.createCommandEncoder({ label: "reading states" });
    const reading = this.#readback.encode(encoder, staging, regions);
    device.queue.submit([encoder.finish()]);
    return reading;
  }
}

/** Whether sequences may be cut into pieces: not for a model that looks ahead in time, which has no step. */
function isCut({ step, names }: ModelParts): boolean {
  return step !== undefined || !names.hasTime;
}

function checkOptions({ names }: ModelParts, batch: number, maxChunk: number | undefined): void {
  for (const [name, value] of Object.entries({ batch, maxChunk })) {
    if (value === undefined || (Number.isInteger(value) && value > 0)) continue;
    throw new KraitError(
      "R0405",
      `The session's ${name} is ${String(value)}; it has to be a whole number from 1.`,
    );
  }
  if (!names.hasBatch && batch !== 1) {
    throw new KraitError(
      "R0405",
      `The model has no batch axis, so a batch of ${String(batch)} is not possible.`,
    );
  }
}

function ignore(): void {
  // Nothing to do.
}
