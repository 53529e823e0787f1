/** What the GPU does for one session: its buffers, its states, and the pieces that sequences are cut into. */
import type { OutputEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { BufferUsage } from "./gpu-constants.js";
import { pieceOf, type CheckedInputs } from "./inputs.js";
import { allocate } from "./memory.js";
import type { ModelParts } from "./model-parts.js";
import type { RunNumbers } from "./numbers.js";
import { outputShape, timeIndex, type Outputs } from "./outputs.js";
import type { PreparedProgram } from "./program.js";
import { Readback, type Reading, type Region } from "./readback.js";
import { Runner, type Parity } from "./runner.js";
import { SessionMemory, windowSize } from "./session-memory.js";
import { stateLayout, writeInitialStates, writeSnapshot, type Snapshot, type StateLayout } from "./states.js";
import { elements, type HostTensor } from "./tensor.js";

/** A run of positions within a piece, whose outputs are computed together. */
export interface Window {
  readonly begin: number;
  readonly count: number;
}

/** A window's outputs, on their way; `begin` counts from the start of the call's inputs. */
export interface Submitted {
  readonly begin: number;
  readonly count: number;
  /** Waits for the GPU and reads them back. */
  finish(): Promise<Outputs>;
}

/** A program with its runner on this session's buffers. */
interface Prepared {
  readonly program: PreparedProgram;
  readonly runner: Runner;
}

/** Pieces given to the GPU before waiting for it, so that staged inputs don't pile up. */
const PIECES_AHEAD = 8;

/** One position: all that a step has. */
const ONE: Window = { begin: 0, count: 1 };

/**
 * Methods are called one after the other: `Session` orders them. States change when a piece's body is submitted, and
 * only then.
 */
export class Execution {
  readonly layout: StateLayout;
  readonly #parts: ModelParts;
  readonly #batch: number;
  /** Infinite for a model that is never cut. */
  readonly #maxChunk: number;
  readonly #memory: SessionMemory;
  readonly #readback: Readback;
  readonly #uniforms: readonly GPUBuffer[];
  readonly #prefill: Prepared;
  readonly #step: Prepared | undefined;
  /** Sizes of runs that there is room for: buffers only grow. */
  readonly #ensured = new Set<string>();
  #parity: Parity = 0;
  #pos = 0;

  /** @throws KraitError R0204 where the device has no room. */
  static async create(parts: ModelParts, batch: number, maxChunk: number): Promise<Execution> {
    const programs = [parts.prefill, ...(parts.step === undefined ? [] : [parts.step])];
    const uniforms = await allocate(
      parts.device,
      programs.flatMap(({ name, numbers }) =>
        ["body", "tail"].map((part) => ({
          label: `numbers of ${name} ${part}`,
          bytes: numbers.uniformBytes,
          usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
        })),
      ),
    );
    const execution = new Execution(parts, batch, maxChunk, uniforms);
    try {
      await execution.#allocate();
    } catch (error) {
      execution.destroy();
      throw error;
    }
    return execution;
  }

  private constructor(parts: ModelParts, batch: number, maxChunk: number, uniforms: readonly GPUBuffer[]) {
    this.#parts = parts;
    this.#batch = batch;
    this.#maxChunk = maxChunk;
    this.#uniforms = uniforms;
    this.layout = stateLayout(parts.manifest, parts.target, parts.names, batch);
    this.#memory = new SessionMemory(parts.device, parts.constants);
    this.#readback = new Readback(parts.device);
    const [prefillBody, prefillTail, stepBody, stepTail] = uniforms as [
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
    ];
    this.#prefill = this.#prepared(parts.prefill, prefillBody, prefillTail);
    this.#step = parts.step && this.#prepared(parts.step, stepBody, stepTail);
  }

  #prepared(program: PreparedProgram, body: GPUBuffer, tail: GPUBuffer): Prepared {
    const runner = new Runner(this.#parts.device, program, { body, tail }, (range, parity) =>
      this.#memory.resolve(program, range, parity),
    );
    return { program, runner };
  }

  async #allocate(): Promise<void> {
    await this.#memory.makeArenas(this.layout.bytes);
    this.reset();
    const steps = this.#parts.names.hasTime && Number.isFinite(this.#maxChunk) ? this.#maxChunk : 1;
    await this.#ensure(this.#prefill, this.#numbers(steps, ONE));
    if (this.#step !== undefined) await this.#ensure(this.#step, this.#numbers(1, ONE));
  }

  /** Steps seen. */
  get pos(): number {
    return this.#pos;
  }

  reset(): void {
    writeInitialStates(this.#parts.device, this.#memory.arena(this.#parity), this.layout);
    this.#pos = 0;
  }

  restore(snapshot: Snapshot): void {
    writeSnapshot(this.#parts.device.queue, this.#memory.arena(this.#parity), this.layout, snapshot);
    this.#pos = snapshot.pos;
  }

  /** Starts to copy states as they are now. */
  async readStates(places: StateLayout["places"]): Promise<Reading> {
    const { device } = this.#parts;
    const buffer = this.#memory.arena(this.#parity);
    const regions = places.map(({ offset, count }) => ({ buffer, offset, count }));
    const staging = await this.#readback.take(Readback.bytes(regions));
    const encoder = device.createCommandEncoder({ label: "reading states" });
    const reading = this.#readback.encode(encoder, staging, regions);
    device.queue.submit([encoder.finish()]);
    return reading;
  }

  /** Submits one step. */
  async step(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    withOutputs: boolean,
  ): Promise<Submitted> {
    if (this.#step === undefined) throw new KraitError("R0407", "The model has no step.");
    const staging = await this.#staging(entries, ONE);
    this.#writeInputs(checked, 0, 1);
    const parts = { body: true, tail: withOutputs };
    return this.#submit(this.#step, this.#numbers(1, ONE), parts, entries, 0, staging, this.#parity);
  }

  /**
   * Submits the pieces of a prefill, and yields each window of outputs once the work that follows it may be submitted.
   * `where`: at which positions outputs are wanted.
   */
  async *pieces(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    where: "none" | "last" | "all",
  ): AsyncGenerator<Submitted> {
    const size = where === "all" ? this.#windowSize(checked.steps) : 1;
    for (let begin = 0, i = 1; begin < checked.steps; i++) {
      const count = Math.min(this.#maxChunk, checked.steps - begin);
      const isLast = begin + count === checked.steps;
      const windows =
        where === "all"
          ? windowsOf(count, size)
          : where === "last" && isLast
            ? [{ begin: count - 1, count: 1 }]
            : [];
      // An output without time is whole only after the last piece.
      const timed = isLast ? entries : entries.filter((entry) => timeIndex(entry) >= 0);
      yield* this.#piece(checked, begin, count, windows, windows.length === 0 ? [] : timed);
      if (i % PIECES_AHEAD === 0) await this.#parts.device.queue.onSubmittedWorkDone();
      begin += count;
    }
  }

  /** Submits one piece: its body with the first window, then the other windows. */
  async *#piece(
    checked: CheckedInputs,
    begin: number,
    count: number,
    [first, ...others]: readonly Window[],
    entries: readonly OutputEntry[],
  ): AsyncGenerator<Submitted> {
    const numbers = this.#numbers(count, first ?? ONE);
    const parity = this.#parity;
    await this.#ensure(this.#prefill, numbers);
    const staging = await this.#staging(entries, first ?? ONE);
    this.#writeInputs(checked, begin, count);
    const parts = { body: true, tail: first !== undefined };
    const submitted = this.#submit(this.#prefill, numbers, parts, entries, begin, staging, parity);
    if (first !== undefined) yield submitted;
    for (const window of others) {
      const again = await this.#staging(entries, window);
      const run = { ...numbers, tailBegin: window.begin, tailCount: window.count };
      yield this.#submit(this.#prefill, run, { body: false, tail: true }, entries, begin, again, parity);
    }
  }

  /** How many positions' outputs are computed at a time. The same for all pieces, so that their buffers are too. */
  #windowSize(steps: number): number {
    const { prefill, device } = this.#parts;
    return windowSize(prefill, this.#batch, Math.min(steps, this.#maxChunk), device.limits);
  }

  #numbers(steps: number, window: Window): RunNumbers {
    return { batch: this.#batch, steps, pos: this.#pos, tailBegin: window.begin, tailCount: window.count };
  }

  async #ensure({ program }: Prepared, run: RunNumbers): Promise<void> {
    const key = `${program.name} ${program.sizeKey(run)}`;
    if (this.#ensured.has(key)) return;
    const replaced = await this.#memory.ensure(program, run);
    this.#ensured.add(key);
    if (!replaced) return;
    this.#prefill.runner.forgetBuffers(); // both: programs share inputs and outputs
    this.#step?.runner.forgetBuffers();
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
    return this.#readback.take(Readback.bytes(this.#regions(entries, window.count)));
  }

  #regions(entries: readonly OutputEntry[], positions: number): Region[] {
    return entries.map((entry) => {
      const buffer = this.#memory.find("output", entry.name);
      if (buffer === undefined) {
        throw new KraitError("R0105", `No kernel of the bundle writes the output "${entry.name}".`);
      }
      return { buffer, offset: 0, count: elements(this.#shape(entry, positions)) };
    });
  }

  #shape(entry: OutputEntry, positions: number): number[] {
    return outputShape(entry, this.#parts.names, this.#batch, positions);
  }

  /** Encodes and submits; once the body is on its way, the states are the new ones. */
  #submit(
    { program, runner }: Prepared,
    run: RunNumbers,
    parts: { readonly body: boolean; readonly tail: boolean },
    entries: readonly OutputEntry[],
    pieceBegin: number,
    staging: GPUBuffer | undefined,
    parity: Parity,
  ): Submitted {
    const { device, health } = this.#parts;
    let reading: Reading | undefined;
    const accepted = health.watch(() => {
      const encoder = device.createCommandEncoder({ label: program.name });
      if (parts.body) runner.encode(encoder, "body", run, parity);
      if (parts.tail) runner.encode(encoder, "tail", run, parity);
      if (staging !== undefined) {
        reading = this.#readback.encode(encoder, staging, this.#regions(entries, run.tailCount));
      }
      device.queue.submit([encoder.finish()]);
    });
    if (parts.body) {
      this.#parity = parity === 0 ? 1 : 0;
      this.#pos += run.steps;
    }
    const finish = async (): Promise<Outputs> => {
      const [values] = await health.translate(Promise.all([reading?.finish() ?? [], accepted]));
      const tensors = entries.map((entry, i): [string, HostTensor] => [
        entry.name,
        { data: values[i] as Float32Array, shape: this.#shape(entry, run.tailCount) },
      ]);
      return Object.fromEntries(tensors);
    };
    return { begin: pieceBegin + run.tailBegin, count: run.tailCount, finish };
  }

  destroy(): void {
    this.#memory.destroy();
    this.#readback.destroy();
    for (const uniform of this.#uniforms) uniform.destroy();
  }
}

function windowsOf(count: number, size: number): Window[] {
  const windows: Window[] = [];
  for (let begin = 0; begin < count; begin += size)
    windows.push({ begin, count: Math.min(size, count - begin) });
  return windows;
}
