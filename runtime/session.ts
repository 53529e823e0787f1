/** One batch of sequences on its way through a model: what it has seen lies in its states. */
import { KraitError } from "./errors.js";
import type { OutputEntry } from "./bundle-format.js";
import { Execution, type SubmittedDocuments } from "./execution.js";
import { checkFeed, generate, type GenerateOptions } from "./generation.js";
import {
  checkHeld,
  checkInputs,
  holdInputs,
  selectHeld,
  type CheckedInputs,
  type HeldInputs,
  type Inputs,
} from "./inputs.js";
import type { ModelParts } from "./model-parts.js";
import { checkLengths, checkPacked, LastPositions, packedEntry, stepsAsDocuments } from "./packed.js";
import { selectOutputs, type Outputs } from "./outputs.js";
import {
  checkMembers,
  checkOptions,
  chunkFor,
  isCut,
  membersOf,
  packedChunk,
  type ForkOptions,
  type PrefillOptions,
  type SessionOptions,
  type StepOptions,
} from "./session-options.js";
import { destroyedError } from "./session-memory.js";
import { checkSnapshot, heldData, heldTensors, stateTensors, type Snapshot } from "./snapshot.js";
import { findState } from "./states.js";
import type { HostTensor } from "./tensor.js";
import { collectAll, deliverEach, type OutputChunk } from "./windows.js";

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
  /** The caller's maxChunk, if there was one. */
  readonly #chosenChunk: number | undefined;
  /** As the calls made so far leave them, done or not. */
  #held: HeldInputs;
  #order: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  /** For `Model.session`. @throws KraitError R0405 for options that cannot be met, R0204 for memory. */
  static async create(parts: ModelParts, { batch = 1, maxChunk }: SessionOptions): Promise<Session> {
    checkOptions(parts, batch, maxChunk);
    const chunk = maxChunk ?? chunkFor(parts, batch);
    const execution = await Execution.create(parts, batch, chunk);
    try {
      await execution.makeRoom();
    } catch (error) {
      execution.destroy();
      throw error;
    }
    return new Session(parts, execution, batch, chunk, new Map(), maxChunk);
  }

  private constructor(
    parts: ModelParts,
    execution: Execution,
    batch: number,
    maxChunk: number,
    held: HeldInputs,
    chosenChunk: number | undefined,
  ) {
    this.#chosenChunk = chosenChunk;
    this.#parts = parts;
    this.#execution = execution;
    this.batch = batch;
    this.maxChunk = maxChunk;
    this.#held = held;
    parts.sessions.add(this);
  }

  /** Steps seen since the start or the last reset, by the sequence that has seen most. */
  get pos(): number {
    return this.#execution.positions.most;
  }

  /** The same of each sequence: `pos`, unless calls with `lengths` set them apart. */
  get positions(): readonly number[] {
    return this.#execution.positions.each;
  }

  /**
   * Runs the sequences on, over all the steps that the inputs cover. Inputs are row-major as declared; the number of
   * steps follows from their lengths. An input without time may be left out once given. Outputs keep their axes:
   * "last" gives a time axis of size 1.
   * @throws KraitError R0401…R0404 for inputs, R0204 for memory, R0205 and R0206 for the GPU; R0407 where a model that
   * looks ahead in time is to continue a sequence.
   */
  async prefill(inputs: Inputs, options: PrefillOptions = {}): Promise<Outputs> {
    const { outputs = "last", names, lengths } = options;
    const checked = this.#check(inputs, lengths);
    const entries = outputs === "none" ? [] : selectOutputs(this.#parts.manifest, names);
    if (!isCut(this.#parts) && checked.steps > this.maxChunk) {
      throw new KraitError(
        "R0405",
        `The model looks ahead in time, so its ${String(checked.steps)} steps cannot be cut into pieces of ${String(this.maxChunk)}.`,
        { hint: "Make the session with a larger maxChunk." },
      );
    }
    this.#held = holdInputs(this.#held, checked);
    return this.#inOrder(async () => {
      this.#fromTheStart();
      if (lengths !== undefined) return this.#packed(checked, entries, outputs, lengths);
      this.#alike();
      if (outputs === "all") {
        const windows = this.#execution.pieces(checked, entries, "all");
        return collectAll(windows, entries, this.#parts.names, this.batch, checked.steps);
      }
      let result: Outputs = {};
      const deliver =
        typeof outputs === "function" ? outputs : (chunk: OutputChunk) => void (result = chunk.outputs);
      const where = typeof outputs === "function" ? "all" : outputs;
      await deliverEach(this.#execution.pieces(checked, entries, where), deliver);
      return result;
    });
  }

  /** Sequences that go on by different numbers of steps. */
  async #packed(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    outputs: NonNullable<PrefillOptions["outputs"]>,
    lengths: readonly number[],
  ): Promise<Outputs> {
    const { names } = this.#parts;
    const most = packedChunk(this.#parts, this.batch, this.#chosenChunk);
    const windows = (where: "none" | "last" | "all"): AsyncIterable<SubmittedDocuments> =>
      this.#execution.documents(checked, entries, where, lengths, most);
    if (outputs === "all") {
      const packed = entries.map((entry) => packedEntry(entry, names));
      return collectAll(windows("all"), packed, names, this.batch, checked.steps);
    }
    if (typeof outputs === "function") {
      await deliverEach(windows("all"), (chunk) => outputs(chunk));
      return {};
    }
    const last = new LastPositions(entries, names, this.batch);
    await deliverEach(windows(outputs), (chunk, { documents }) => {
      last.add(documents, chunk.outputs);
    });
    return last.outputs;
  }

  /** A program that is told one position for all sequences cannot go on where they stand at different ones. */
  #alike(): void {
    if (this.#execution.positions.areEqual || !this.#parts.prefill.isPositional) return;
    throw new KraitError(
      "R0407",
      "The model reads positions, and the session's sequences have seen different numbers of steps.",
      { hint: "Say by `lengths` how far each goes on, or call step." },
    );
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

  /**
   * One step: inputs cover one position. Later calls need not wait for this one's outputs.
   * @throws KraitError R0407 for a model that looks ahead in time; else as `prefill`.
   */
  async step(inputs: Inputs, { outputs = "last", names }: StepOptions = {}): Promise<Outputs> {
    const checked = this.#checkStep(inputs);
    const entries = outputs === "none" ? [] : selectOutputs(this.#parts.manifest, names);
    this.#held = holdInputs(this.#held, checked);
    const finish = await this.#inOrder(async () => {
      if (this.#parts.step?.isPositional === true && !this.#execution.positions.areEqual)
        return this.#stepApart(checked, entries, outputs);
      const submitted = await this.#execution.step(checked, entries, outputs !== "none");
      return () => submitted.finish();
    });
    return finish();
  }

  /**
   * Steps that feed themselves: `inputs` are the first one's; inputs of the others are outputs of the step before, and never
   * leave the GPU. The host reads the outputs of some steps while the GPU makes the next ones. However it ends, the session
   * is as after calls of `step` with the same inputs, one for each delivery. Returns how many there were.
   * @throws KraitError as `step`; R0401 and R0402 for outputs that don't fit the inputs; the signal's reason.
   */
  async generate(inputs: Inputs, options: GenerateOptions): Promise<number> {
    const checked = this.#checkStep(inputs);
    const { feed, names = [...new Set(Object.values(feed))] } = options;
    const fed = checkFeed(this.#parts, this.batch, feed);
    const entries = selectOutputs(this.#parts.manifest, names);
    this.#held = holdInputs(this.#held, checked);
    return this.#inOrder(async () => {
      this.#alike();
      return generate(await this.#execution.machine(checked, entries, fed), options);
    });
  }

  #checkStep(inputs: Inputs): CheckedInputs {
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
    return checked;
  }

  /** A step of sequences at different positions, where the model reads them: one step of each, packed. */
  async #stepApart(
    checked: CheckedInputs,
    entries: readonly OutputEntry[],
    where: "last" | "none",
  ): Promise<() => Promise<Outputs>> {
    checkPacked(this.#parts, "go on with sequences at different positions");
    const lengths = new Array<number>(this.batch).fill(1);
    const { manifest, names } = this.#parts;
    const documents = stepsAsDocuments(manifest, names, this.batch, checked);
    const outputs = await this.#packed(documents, entries, where, lengths);
    return () => Promise.resolve(outputs);
  }

  /**
   * Another session that goes on from here, while this one may go on too: its states are copied on the GPU. It takes
   * memory for its states, and for its calls when they are made.
   * @throws KraitError R0405 for members that are not there, R0204 for memory.
   */
  async fork(options: ForkOptions = {}): Promise<Session> {
    this.#usable();
    const chosen = membersOf(this.#parts, this.batch, options);
    const held = this.#select(chosen);
    const sameSize = chosen.length === this.batch;
    const maxChunk = sameSize ? this.maxChunk : Math.min(this.maxChunk, chunkFor(this.#parts, chosen.length));
    const execution = await this.#inOrder(() => this.#execution.fork(chosen, maxChunk));
    return new Session(this.#parts, execution, chosen.length, maxChunk, held, this.#chosenChunk);
  }

  /**
   * Sequence i becomes what sequence `members[i]` is, as a beam search wants it: as many as the session has, the same one
   * several times or not at all. No memory is made.
   * @throws KraitError R0405 for members that are not there, or too few or many.
   */
  async reorder(members: readonly number[]): Promise<void> {
    this.#usable();
    const chosen = checkMembers(this.#parts, this.batch, members);
    if (chosen.length !== this.batch) {
      throw new KraitError(
        "R0405",
        `The session has ${String(this.batch)} sequences, and ${String(chosen.length)} members are named.`,
        { hint: "Use fork for a batch of another size." },
      );
    }
    const held = this.#select(chosen);
    const done = this.#inOrder(() => {
      this.#execution.reorder(chosen);
    });
    this.#held = held;
    await done;
  }

  #select(members: readonly number[]): HeldInputs {
    const { manifest, names } = this.#parts;
    return selectHeld(manifest, names, this.#held, this.batch, members);
  }

  /** A copy of all that the session carries, for `restore`. */
  async save(): Promise<Snapshot> {
    const { manifest, names, identity, health } = this.#parts;
    const { places } = this.#execution.layout;
    const inputs = heldTensors(manifest, names, this.batch, this.#held);
    const { positions, reading } = await this.#inOrder(async () => ({
      positions: this.#execution.positions,
      reading: await this.#execution.readStates(places),
    }));
    const values = await health.translate(reading.finish());
    const tensors = places.flatMap((place, i) => stateTensors(place, values[i] as Float32Array));
    const seen = { pos: positions.most, ...(!positions.areEqual && { positions: positions.each }) };
    return { model: identity, ...seen, states: Object.fromEntries(tensors), inputs };
  }

  /**
   * Continues from a snapshot as if nothing had happened since.
   * @throws KraitError R0406 where it does not fit, R0401…R0403 where an input that it holds does not.
   */
  async restore(snapshot: Snapshot): Promise<void> {
    const { manifest, names, identity } = this.#parts;
    checkSnapshot(this.#execution.layout, identity, snapshot, this.batch);
    const held = snapshot.inputs && checkHeld(manifest, names, this.batch, heldData(snapshot.inputs));
    const done = this.#inOrder(() => {
      this.#execution.restore(snapshot);
    });
    if (held !== undefined) this.#held = held;
    await done;
  }

  /** Back to the start of a document: initial states, `pos` 0. */
  async reset(): Promise<void> {
    await this.#inOrder(() => {
      this.#execution.reset();
    });
  }

  /** One state, by its call path; angles in radians, between −π and π. @throws KraitError R0406 for a name that is none. */
  async readState(name: string): Promise<HostTensor> {
    const place = findState(this.#execution.layout, name);
    const reading = await this.#inOrder(() => this.#execution.readStates([place]));
    const [data] = await this.#parts.health.translate(reading.finish());
    const [[, tensor]] = stateTensors(place, data as Float32Array);
    return tensor;
  }

  /** Frees the session's memory. Calls that were not answered yet fail, or are answered if the GPU had their work. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#execution.destroy();
    this.#parts.sessions.delete(this);
  }

  #usable(): void {
    if (this.#destroyed) throw destroyedError();
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

  #check(inputs: Inputs, lengths?: readonly number[]): CheckedInputs {
    this.#usable();
    const { manifest, names } = this.#parts;
    if (lengths === undefined) return checkInputs(manifest, names, this.batch, inputs, this.#held);
    checkPacked(this.#parts, "take sequences of different lengths");
    const checked = checkInputs(manifest, names, this.batch, inputs, this.#held, true);
    checkLengths(lengths, this.batch, checked);
    return checked;
  }
}

function ignore(): void {
  // Nothing to do.
}
