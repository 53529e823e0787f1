/** What the GPU does for one session: its buffers, its states, and the pieces that sequences are cut into. */
import { Arenas } from "./arenas.js";
import { PACKED_INPUTS, type OutputEntry } from "./bundle-format.js";
import { documentPieces, type DocumentPiece } from "./documents.js";
import { KraitError } from "./errors.js";
import type { Feed, Machine } from "./generation.js";
import { BufferUsage } from "./gpu-constants.js";
import { pieceOf, type CheckedInputs, type InputData } from "./inputs.js";
import { allocate, type BufferRequest } from "./memory.js";
import { whatFits, windowSize } from "./memory-plan.js";
import type { ModelParts } from "./model-parts.js";
import type { RunNumbers } from "./numbers.js";
import { outputShape, timeIndex, type Outputs } from "./outputs.js";
import { Pace } from "./pace.js";
import { packedEntry } from "./packed.js";
import { Positions } from "./positions.js";
import type { Part, PreparedProgram } from "./program.js";
import { Readback, type Reading, type Region } from "./readback.js";
import { Runner, type Parity } from "./runner.js";
import { destroyedError, SessionMemory } from "./session-memory.js";
import type { Snapshot } from "./snapshot.js";
import { stateLayout, type StateLayout, type StatePlace } from "./states.js";
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

/** A window of documents. */
export interface SubmittedDocuments extends Submitted {
  /** Where the last positions of documents are wanted: whose they are. */
  readonly documents: readonly number[];
}

/** Steps of a piece of documents whose outputs are computed together, and the documents whose last they are. */
interface Wanted {
  readonly at: readonly number[];
  readonly documents: readonly number[];
}

/** A program with its runner on this session's buffers. */
interface Prepared {
  readonly program: PreparedProgram;
  readonly runner: Runner;
}

/** One position: all that a step has. */
const ONE: Window = { begin: 0, count: 1 };
const BODY: readonly Part[] = ["body"];
const ALL: readonly Part[] = ["body", "tail"];

/**
 * Methods are called one after the other: `Session` orders them. States change when a piece's body is submitted, and
 * only then.
 */
export class Execution {
  readonly #parts: ModelParts;
  readonly #batch: number;
  /** Infinite for a model that is never cut. */
  readonly #maxChunk: number;
  readonly #arenas: Arenas;
  readonly #uniforms: readonly GPUBuffer[];
  readonly #memory: SessionMemory;
  readonly #readback: Readback;
  readonly #pace: Pace;
  readonly #prefill: Prepared;
  readonly #step: Prepared | undefined;
  readonly #packed: Prepared | undefined;
  /** Sizes of runs that there is room for: buffers only grow. */
  readonly #ensured = new Set<string>();
  /** Which values the buffers of inputs without time hold. */
  readonly #held = new Map<string, InputData>();
  #positions: Positions;
  /** Made by the first generation. */
  #starts: readonly GPUBuffer[] = [];
  #destroyed = false;

  /** With initial states, and memory for nothing else: calls make what they need. @throws KraitError R0204. */
  static async create(parts: ModelParts, batch: number, maxChunk: number): Promise<Execution> {
    const layout = stateLayout(parts.manifest, parts.target, parts.names, batch);
    const programs = [parts.prefill, parts.step, parts.packed].filter((program) => program !== undefined);
    const uniforms = programs.map(({ name, numbers }): BufferRequest => ({
      label: `the numbers of ${name}`,
      bytes: numbers.uniformBytes,
      usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
    }));
    const steps = Number.isFinite(maxChunk) ? maxChunk : 1;
    const buffers = await allocate(parts.device, [...Arenas.requests(layout, batch), ...uniforms], (budget) =>
      whatFits(parts, batch, steps, budget),
    );
    const [read, written, ...others] = buffers as [GPUBuffer, GPUBuffer, ...GPUBuffer[]];
    const arenas = new Arenas(parts.device, layout, [read, written]);
    arenas.reset();
    return new Execution(parts, batch, maxChunk, arenas, others);
  }

  private constructor(
    parts: ModelParts,
    batch: number,
    maxChunk: number,
    arenas: Arenas,
    uniforms: readonly GPUBuffer[],
  ) {
    const { device, constants, health } = parts;
    this.#parts = parts;
    this.#batch = batch;
    this.#maxChunk = maxChunk;
    this.#arenas = arenas;
    this.#uniforms = uniforms;
    this.#memory = new SessionMemory(device, constants, arenas, (run, budget) =>
      whatFits(parts, run.batch, run.steps, budget),
    );
    this.#readback = new Readback(device);
    this.#pace = new Pace(device.queue, health);
    const free = [...uniforms];
    const next = (program: PreparedProgram): Prepared => this.#prepared(program, free.shift() as GPUBuffer); // one each, in this order
    this.#prefill = next(parts.prefill);
    this.#step = parts.step && next(parts.step);
    this.#packed = parts.packed && next(parts.packed);
    this.#positions = Positions.start(batch);
  }

  #prepared(program: PreparedProgram, numbers: GPUBuffer): Prepared {
    const runner = new Runner(this.#parts.device, program, numbers, (range, parity) =>
      this.#memory.resolve(program, range, parity),
    );
    return { program, runner };
  }

  /** Makes all the memory that pieces of maxChunk steps and single steps take. @throws KraitError R0204. */
  async makeRoom(): Promise<void> {
    const steps = this.#parts.names.hasTime && Number.isFinite(this.#maxChunk) ? this.#maxChunk : 1;
    await this.#ensure(this.#prefill, this.#numbers(steps, ONE));
    if (this.#step !== undefined) await this.#ensure(this.#step, this.#numbers(1, ONE));
  }

  get layout(): StateLayout {
    return this.#arenas.layout;
  }

  /** Steps seen, by each sequence. */
  get positions(): Positions {
    return this.#positions;
  }

  reset(): void {
    this.#arenas.reset();
    this.#positions = Positions.start(this.#batch);
  }

  restore({ pos, positions, states }: Snapshot): void {
    this.#arenas.write(states);
    this.#positions =
      positions === undefined ? Positions.start(this.#batch).after(pos) : new Positions(positions);
  }

  /** Another execution that goes on from here, with some of the sequences. @throws KraitError R0204. */
  async fork(members: readonly number[], maxChunk: number): Promise<Execution> {
    const fork = await Execution.create(this.#parts, members.length, maxChunk);
    try {
      this.#checkAlive(); // meanwhile
      fork.#arenas.copyFrom(this.#arenas, members);
      fork.#positions = this.#positions.of(members);
      return fork;
    } catch (error) {
      fork.destroy();
      throw error;
    }
  }

  reorder(members: readonly number[]): void {
    this.#arenas.reorder(members);
    this.#positions = this.#positions.of(members);
  }

  /** Starts to copy states as they are now. */
  async readStates(places: readonly StatePlace[]): Promise<Reading> {
    const { device } = this.#parts;
    const regions = this.#arenas.regions(places);
    const staging = await this.#readback.take(Readback.bytes(regions));
    this.#checkAlive(staging);
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
    const run = this.#numbers(1, ONE);
    await this.#ensure(this.#step, run);
    const staging = await this.#staging(entries, ONE);
    this.#writeInputs(checked, 0, 1);
    const parts = withOutputs ? ALL : BODY;
    const submitted = this.#submit(this.#step, run, parts, entries, 0, staging, this.#arenas.parity);
    this.#positions = this.#positions.after(1);
    return submitted;
  }

  /** What takes steps that feed themselves, from `checked` on. @throws KraitError R0204. */
  async machine(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    feed: readonly Feed[],
  ): Promise<Machine> {
    const { device, health } = this.#parts;
    const prepared = this.#step as Prepared; // as the session has checked
    const run = this.#numbers(1, ONE);
    await this.#ensure(prepared, run);
    const fed = feed.flatMap(({ input, output }): [Region, Region][] => {
      const buffer = this.#memory.find("input", input); // none for what no kernel reads
      const [from] = this.#regions([output], 1) as [Region];
      return buffer === undefined ? [] : [[from, { ...from, buffer }]];
    });
    const carried = (): Region[] => [this.#arenas.whole, ...fed.map(([, to]) => to)];
    await this.#makeStarts(Readback.bytes(carried()));
    this.#writeInputs(checked, 0, 1);
    const positions = this.#positions;
    const { isPositional } = prepared.program;
    return {
      outputs: this.#regions(entries, 1),
      fed,
      starts: this.#starts,
      carried,
      staging: async (bytes) => {
        const staging = await this.#readback.take(bytes);
        this.#checkAlive(staging);
        return staging;
      },
      copy: (encode) => {
        if (this.#destroyed) return; // of no account any more
        const encoder = device.createCommandEncoder({ label: "copying states" });
        encode(encoder);
        device.queue.submit([encoder.finish()]);
      },
      steps: (begin, count, copies) => {
        if (this.#destroyed) return undefined;
        if (!isPositional) return this.#launch(prepared, run, ALL, this.#arenas.parity, copies, count);
        // Numbers are written between submissions.
        const all = Array.from({ length: count }, (_, i) => {
          const numbers = { ...run, pos: run.pos + begin + i };
          return this.#launch(prepared, numbers, ALL, this.#arenas.parity, (encoder) => {
            copies(encoder, i);
          });
        });
        return Promise.all(all.filter((accepted) => accepted !== undefined));
      },
      read: (staging, regions) => health.translate(this.#readback.finish(staging, regions)),
      tensors: (values) => this.#tensors(entries, values, 1),
      seen: (steps) => {
        this.#positions = positions.after(steps);
      },
    };
  }

  async #makeStarts(bytes: number): Promise<void> {
    if (this.#starts.length > 0) return;
    const request = {
      label: `the states of a batch of ${String(this.#batch)}, to go back to`,
      bytes,
      usage: BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
    };
    const { device } = this.#parts;
    const made = await allocate(device, [request, request], () => "Make a session with a smaller batch.");
    this.#starts = made;
    if (this.#destroyed) this.destroy(); // meanwhile
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
    for (let begin = 0; begin < checked.steps;) {
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
    const { parity } = this.#arenas;
    await this.#ensure(this.#prefill, numbers, this.#maxChunk);
    const staging = await this.#staging(entries, first ?? ONE);
    this.#writeInputs(checked, begin, count);
    const parts = first === undefined ? BODY : ALL;
    const submitted = this.#submit(this.#prefill, numbers, parts, entries, begin, staging, parity);
    this.#positions = this.#positions.after(count);
    if (first !== undefined) yield submitted;
    for (const window of others) {
      const again = await this.#staging(entries, window);
      const run = { ...numbers, tailBegin: window.begin, tailCount: window.count };
      yield this.#submit(this.#prefill, run, ["tail"], entries, begin, again, parity);
    }
  }

  /**
   * Submits the pieces, of at most `most` steps, of documents of those lengths, and yields each window of outputs: of all
   * steps, or of each document's last one.
   */
  async *documents(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    where: "none" | "last" | "all",
    lengths: readonly number[],
    most: number,
  ): AsyncGenerator<SubmittedDocuments> {
    const packed = this.#packed;
    if (packed === undefined) throw new KraitError("R0407", "The bundle has no packed program.");
    const { limits } = this.#parts.device;
    const size = windowSize(packed.program, this.#batch, Math.min(checked.steps, most), limits);
    const own = entries.map((entry) => packedEntry(entry, this.#parts.names));
    for (const piece of documentPieces(lengths, this.#positions.each, most, packed.program.chunk)) {
      const isLast = piece.begin + piece.count === checked.steps;
      const timed = isLast ? own : own.filter((entry) => timeIndex(entry) >= 0);
      yield* this.#packedPiece(packed, checked, piece, wantedOf(piece, where, size), timed, most);
    }
  }

  /** Submits a piece of documents: its body with the first window, then the other windows. */
  async *#packedPiece(
    packed: Prepared,
    checked: CheckedInputs,
    piece: DocumentPiece,
    [first, ...others]: readonly Wanted[],
    entries: readonly OutputEntry[],
    most: number,
  ): AsyncGenerator<SubmittedDocuments> {
    const { begin, count, longest, documents, tables, taken } = piece;
    const numbers = (window: Wanted | undefined): RunNumbers => {
      const tailCount = window?.at.length ?? 1;
      const window_ = { tailBegin: 0, tailCount };
      return { batch: this.#batch, steps: count, pos: 0, ...window_, longest, documents };
    };
    const { parity } = this.#arenas;
    const run = numbers(first);
    await this.#ensure(packed, run, most);
    const read = first === undefined ? [] : entries;
    const staging = await this.#staging(read, { begin: 0, count: run.tailCount });
    this.#writeInputs(checked, begin, count);
    for (const [name, table] of tables) this.#writeTable(name, table);
    if (first !== undefined) this.#writeTable(PACKED_INPUTS.wanted, Uint32Array.from(first.at));
    const parts = first === undefined ? BODY : ALL;
    const submitted = this.#submit(packed, run, parts, read, begin, staging, parity);
    this.#positions = this.#positions.afterEach(taken);
    if (first !== undefined) yield { ...submitted, ...placeOf(first, begin) };
    for (const window of others) {
      const again = await this.#staging(entries, { begin: 0, count: window.at.length });
      this.#writeTable(PACKED_INPUTS.wanted, Uint32Array.from(window.at));
      const more = this.#submit(packed, numbers(window), ["tail"], entries, begin, again, parity);
      yield { ...more, ...placeOf(window, begin) };
    }
  }

  #writeTable(name: string, table: Uint32Array<ArrayBuffer>): void {
    const buffer = this.#memory.find("input", name);
    // What is too small for the table is of an earlier run: the variant that this one takes reads no such table.
    if (buffer !== undefined && table.byteLength <= buffer.size)
      this.#parts.device.queue.writeBuffer(buffer, 0, table);
  }

  /** How many positions' outputs are computed at a time. The same for all pieces, so that their buffers are too. */
  #windowSize(steps: number): number {
    const { prefill, device } = this.#parts;
    return windowSize(prefill, this.#batch, Math.min(steps, this.#maxChunk), device.limits);
  }

  #numbers(steps: number, window: Window): RunNumbers {
    const { begin, count } = window;
    return { batch: this.#batch, steps, pos: this.#positions.most, tailBegin: begin, tailCount: count };
  }

  /** Makes room for a run; where pieces are cut, up to `most` steps, so that each a little longer does not replace it all. */
  async #ensure({ program }: Prepared, run: RunNumbers, most = run.steps): Promise<void> {
    const key = `${program.name} ${program.sizeKey(run)}`;
    if (this.#ensured.has(key)) return;
    const rounded = 2 ** Math.ceil(Math.log2(run.steps));
    const steps = Number.isFinite(most) ? Math.min(most, rounded) : run.steps;
    const replaced = await this.#memory.ensure(program, { ...run, steps });
    this.#ensured.add(key);
    if (!replaced) return;
    this.#held.clear();
    this.#prefill.runner.forgetBuffers(); // all: programs share inputs and outputs
    this.#step?.runner.forgetBuffers();
    this.#packed?.runner.forgetBuffers();
  }

  #writeInputs(checked: CheckedInputs, begin: number, count: number): void {
    this.#checkAlive();
    const { queue } = this.#parts.device;
    for (const input of checked.inputs) {
      const buffer = this.#memory.find("input", input.name);
      if (buffer === undefined || this.#held.get(input.name) === input.data) continue;
      queue.writeBuffer(buffer, 0, inWords(pieceOf(input, checked.steps, begin, count)));
      if (input.layout === undefined) this.#held.set(input.name, input.data);
    }
  }

  /** What the outputs are to be read through, once it is this submission's turn. */
  async #staging(entries: readonly OutputEntry[], window: Window): Promise<GPUBuffer | undefined> {
    await this.#pace.turn();
    this.#checkAlive();
    if (entries.length === 0) return undefined;
    const staging = await this.#readback.take(Readback.bytes(this.#regions(entries, window.count)));
    this.#checkAlive(staging);
    return staging;
  }

  /** A session may be destroyed while its calls wait for the GPU. */
  #checkAlive(staging?: GPUBuffer): void {
    if (!this.#destroyed) return;
    staging?.destroy();
    throw destroyedError();
  }

  #regions(entries: readonly OutputEntry[], positions: number): Region[] {
    return entries.map((entry) => {
      const buffer = this.#memory.find("output", entry.name);
      if (buffer === undefined) {
        throw new KraitError("R0105", `No kernel of the bundle writes the output "${entry.name}".`);
      }
      const count = elements(this.#shape(entry, positions));
      return { buffer, offset: 0, count, scalar: entry.scalar };
    });
  }

  #shape(entry: OutputEntry, positions: number): number[] {
    return outputShape(entry, this.#parts.names, this.#batch, positions);
  }

  /** Encodes and submits; once the body is on its way, the states are the new ones. */
  #submit(
    prepared: Prepared,
    run: RunNumbers,
    parts: readonly Part[],
    entries: readonly OutputEntry[],
    pieceBegin: number,
    staging: GPUBuffer | undefined,
    parity: Parity,
  ): Submitted {
    let reading: Reading | undefined;
    const accepted = this.#launch(prepared, run, parts, parity, (encoder) => {
      if (staging !== undefined)
        reading = this.#readback.encode(encoder, staging, this.#regions(entries, run.tailCount));
    });
    const finish = async (): Promise<Outputs> => {
      const both = Promise.all([reading?.finish() ?? [], accepted]);
      const [values] = await this.#parts.health.translate(both);
      return this.#tensors(entries, values, run.tailCount);
    };
    return { begin: pieceBegin + run.tailBegin, count: run.tailCount, finish };
  }

  /** Submits parts of a program, `times` times, and copies after each. What WebGPU finds wrong comes by the promise. */
  #launch(
    { program, runner }: Prepared,
    run: RunNumbers,
    parts: readonly Part[],
    parity: Parity,
    copies: (encoder: GPUCommandEncoder, time: number) => void,
    times = 1,
  ): Promise<void> | undefined {
    const { device, health } = this.#parts;
    const parities = Array.from({ length: times }, (_, time) => ((parity + time) % 2) as Parity);
    const submit = (): void => {
      const encoder = device.createCommandEncoder({ label: program.name });
      for (const [time, its] of parities.entries()) {
        runner.encode(encoder, parts, run, its);
        copies(encoder, time);
      }
      device.queue.submit([encoder.finish()]);
    };
    let accepted: Promise<void> | undefined;
    if (parities.every((its) => runner.knows(parts, run, its))) submit();
    else accepted = health.watch(submit);
    if (parts.includes("body")) for (const _ of parities) this.#arenas.swap();
    return accepted;
  }

  #tensors(entries: readonly OutputEntry[], values: readonly Float32Array[], positions: number): Outputs {
    const tensors = entries.map((entry, i): [string, HostTensor] => [
      entry.name,
      { data: values[i] as Float32Array, shape: this.#shape(entry, positions) },
    ]);
    return Object.fromEntries(tensors);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#arenas.destroy();
    this.#memory.destroy();
    this.#readback.destroy();
    for (const buffer of [...this.#uniforms, ...this.#starts]) buffer.destroy();
  }
}

/** Buffers are written by whole words. */
function inWords(data: InputData): InputData {
  if (data.byteLength % 4 === 0) return data;
  const whole = new Uint16Array(data.length + 1);
  whole.set(data);
  return whole;
}

function wantedOf(piece: DocumentPiece, where: "none" | "last" | "all", size: number): readonly Wanted[] {
  if (where === "none") return [];
  const steps = Array.from({ length: piece.count }, (_, at) => ({ at, document: -1 }));
  const all = where === "all" ? steps : piece.ended;
  return windowsOf(all.length, size).map(({ begin, count }) => {
    const window = all.slice(begin, begin + count);
    return {
      at: window.map(({ at }) => at),
      documents: where === "all" ? [] : window.map(({ document }) => document),
    };
  });
}

const placeOf = (
  { at, documents }: Wanted,
  begin: number,
): Pick<SubmittedDocuments, "begin" | "documents"> => ({
  begin: begin + (at[0] ?? 0),
  documents,
});

function windowsOf(count: number, size: number): Window[] {
  const windows: Window[] = [];
  for (let begin = 0; begin < count; begin += size)
    windows.push({ begin, count: Math.min(size, count - begin) });
  return windows;
}
