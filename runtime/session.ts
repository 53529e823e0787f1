/** One batch of sequences on its way through a model: what it has seen lies in its states. */
import type { OutputEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { Execution, type Submitted } from "./execution.js";
import { checkInputs, type CheckedInputs, type Inputs } from "./inputs.js";
import type { ModelParts } from "./model-parts.js";
import { Collector, outputShape, selectOutputs, type Outputs } from "./outputs.js";
import { defaultMaxChunk } from "./session-memory.js";
import { checkSnapshot, findState, type Snapshot } from "./states.js";
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

/**
 * Calls may overlap: they take effect in the order in which they were made. One that fails leaves the states after the
 * last piece that was submitted, which `pos` counts.
 */
export class Session {
  readonly batch: number;
  /** Infinite for a model that looks ahead in time, unless it was given. */
  readonly maxChunk: number;
  readonly #parts: ModelParts;
  readonly #execution: Execution;
  /** Inputs without time that were given. */
  readonly #held = new Set<string>();
  #order: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** For `Model.session`. @throws KraitError R0405 for options that cannot be met, R0204 for memory. */
  static async create(parts: ModelParts, { batch = 1, maxChunk }: SessionOptions): Promise<Session> {
    checkOptions(parts, batch, maxChunk);
    const chosen = isCut(parts) ? defaultMaxChunk(parts.prefill, batch, parts.device.limits) : Infinity;
    const chunk = maxChunk ?? chosen;
    return new Session(parts, await Execution.create(parts, batch, chunk), batch, chunk);
  }

  private constructor(parts: ModelParts, execution: Execution, batch: number, maxChunk: number) {
    this.#parts = parts;
    this.#execution = execution;
    this.batch = batch;
    this.maxChunk = maxChunk;
  }

  /** Steps seen since the start or the last reset. */
  get pos(): number {
    return this.#execution.pos;
  }

  /**
   * Runs the sequences on, over all the steps that the inputs cover. Inputs are row-major as declared; the number of
   * steps follows from their lengths. An input without time may be left out once given. Outputs keep their axes:
   * "last" gives a time axis of size 1.
   * @throws KraitError R0401…R0404 for inputs, R0204 for memory, R0205 and R0206 for the GPU; R0407 where a model that
   * looks ahead in time is to continue a sequence.
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
      this.#fromTheStart();
      if (outputs === "all") return this.#all(checked, entries);
      let result: Outputs = {};
      const deliver =
        typeof outputs === "function" ? outputs : (chunk: OutputChunk) => void (result = chunk.outputs);
      const where = typeof outputs === "function" ? "all" : outputs;
      await deliverEach(this.#execution.pieces(checked, entries, where), deliver);
      return result;
    });
  }

  /** A model that looks ahead needs the whole sequence at once: what came before is not carried. */
  #fromTheStart(): void {
    if (isCut(this.#parts) || this.pos === 0) return;
    throw new KraitError(
      "R0407",
      `The model looks across the whole sequence, and this session has seen ${String(this.pos)} steps of one already.`,
      { hint: "Call reset() before another sequence, and prefill each sequence whole." },
    );
  }

  async #all(checked: CheckedInputs, entries: readonly OutputEntry[]): Promise<Outputs> {
    const { names } = this.#parts;
    const collectors = entries.map((entry): [string, Collector] => [
      entry.name,
      new Collector(entry, outputShape(entry, names, this.batch, checked.steps)),
    ]);
    await deliverEach(this.#execution.pieces(checked, entries, "all"), ({ outputs }) => {
      for (const [name, collector] of collectors) {
        const window = outputs[name];
        if (window !== undefined) collector.add(window);
      }
    });
    return Object.fromEntries(collectors.map(([name, { tensor }]) => [name, tensor]));
  }

  /**
   * One step: inputs cover one position. Later calls need not wait for this one's outputs.
   * @throws KraitError R0407 for a model that looks ahead in time; else as `prefill`.
   */
  async step(inputs: Inputs, { outputs = "last", names }: StepOptions = {}): Promise<Outputs> {
    if (this.#parts.step === undefined) {
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
    const submitted = await this.#inOrder(() => this.#execution.step(checked, entries, outputs !== "none"));
    return submitted.finish();
  }

  /** A copy of all that the session carries, for `restore`. */
  async save(): Promise<Snapshot> {
    const { places } = this.#execution.layout;
    const { pos, reading } = await this.#inOrder(async () => ({
      pos: this.#execution.pos,
      reading: await this.#execution.readStates(places),
    }));
    const values = await this.#parts.health.translate(reading.finish());
    const tensors = places.map(({ name, shape }, i): [string, HostTensor] => [
      name,
      { data: values[i] as Float32Array, shape },
    ]);
    return { pos, states: Object.fromEntries(tensors) };
  }

  /** Continues from a snapshot as if nothing had happened since. @throws KraitError R0406 where it does not fit. */
  async restore(snapshot: Snapshot): Promise<void> {
    checkSnapshot(this.#execution.layout, snapshot);
    await this.#inOrder(() => {
      this.#execution.restore(snapshot);
    });
  }

  /** Back to the start of a document: initial states, `pos` 0. */
  async reset(): Promise<void> {
    await this.#inOrder(() => {
      this.#execution.reset();
    });
  }

  /** One state, by its call path. @throws KraitError R0406 for a name that is none. */
  async readState(name: string): Promise<HostTensor> {
    const place = findState(this.#execution.layout, name);
    const reading = await this.#inOrder(() => this.#execution.readStates([place]));
    const [data] = await this.#parts.health.translate(reading.finish());
    return { data: data as Float32Array, shape: place.shape };
  }

  /** Frees the session's memory. Calls that were made before may fail. */
  destroy(): void {
    this.#destroyed = true;
    this.#execution.destroy();
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
}

/** Gives each window's outputs to `deliver`, in order, while the GPU works on the next. */
async function deliverEach(
  windows: AsyncIterable<Submitted>,
  deliver: (chunk: OutputChunk) => void | Promise<void>,
): Promise<void> {
  let before: Submitted | undefined;
  const finish = async (window: Submitted | undefined): Promise<void> => {
    if (window === undefined) return;
    const { begin, count } = window;
    await deliver({ begin, count, outputs: await window.finish() });
  };
  for await (const window of windows) {
    const previous = before;
    before = window;
    await finish(previous);
  }
  await finish(before);
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
