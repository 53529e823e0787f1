/** The buffers of one session: made when a call first needs them, grown only where a later call needs more. */
import type { Arenas } from "./arenas.js";
import type { BufferRange } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { BufferUsage } from "./gpu-constants.js";
import { allocate, sizeText } from "./memory.js";
import { excess, isOwn } from "./memory-plan.js";
import type { RunNumbers } from "./numbers.js";
import type { BufferNeed, PreparedProgram } from "./program.js";
import type { Parity } from "./runner.js";

const USAGE: Readonly<Record<"scratch" | "input" | "output", number>> = {
  scratch: BufferUsage.STORAGE,
  input: BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC,
  output: BufferUsage.STORAGE | BufferUsage.COPY_SRC,
};

/** What to do about a run that there is no room for, and which should take at most `budget` bytes. */
export type Advise = (run: RunNumbers, budget: number) => string;

export class SessionMemory {
  readonly #device: GPUDevice;
  readonly #constants: ReadonlyMap<string, GPUBuffer>;
  readonly #arenas: Arenas | undefined;
  readonly #advise: Advise;
  readonly #buffers = new Map<string, { buffer: GPUBuffer; bytes: number }>();
  #destroyed = false;

  /** `arenas`: none for the load program. They are not this memory's to free. */
  constructor(
    device: GPUDevice,
    constants: ReadonlyMap<string, GPUBuffer>,
    arenas: Arenas | undefined,
    advise: Advise,
  ) {
    this.#device = device;
    this.#constants = constants;
    this.#arenas = arenas;
    this.#advise = advise;
  }

  /**
   * Room for a run of `program`. Returns whether a buffer was replaced: what it held is lost, and so are bind groups.
   * @throws KraitError R0204 with what would have been needed for what, R0407 if it was destroyed meanwhile.
   */
  async ensure(program: PreparedProgram, run: RunNumbers): Promise<boolean> {
    const steps = run.steps === 1 ? "1 step" : `${String(run.steps)} steps`;
    const purpose = `${program.name}, ${steps} of a batch of ${String(run.batch)}`;
    this.#checkLimits(program, run, purpose);
    const lacking = program
      .needs(run)
      .buffers.filter((need) => isOwn(need) && (this.#at(program, need)?.bytes ?? -1) < need.bytes);
    const made = await allocate(
      this.#device,
      lacking.map((need) => ({
        label: `${need.in} "${need.id}" of ${purpose}`,
        bytes: need.bytes,
        usage: USAGE[need.in as keyof typeof USAGE],
      })),
      (budget) => this.#advise(run, budget),
    );
    if (this.#destroyed) {
      for (const buffer of made) buffer.destroy();
      throw destroyedError();
    }
    for (const [i, need] of lacking.entries()) {
      this.#at(program, need)?.buffer.destroy();
      this.#buffers.set(keyOf(program, need), { buffer: made[i] as GPUBuffer, bytes: need.bytes });
    }
    return lacking.length > 0;
  }

  #checkLimits(program: PreparedProgram, run: RunNumbers, purpose: string): void {
    const { limits } = this.#device;
    const over = excess(program, run, limits);
    if (over === undefined) return;
    const holder = over.limit === "maxBufferSize" ? "a buffer" : "a binding";
    throw new KraitError(
      "R0204",
      `${over.label} takes ${sizeText(over.bytes)} (${purpose}); ${holder} of this device holds ${sizeText(limits[over.limit])} (${over.limit}).`,
      { hint: this.#advise(run, Infinity) },
    );
  }

  #at(program: PreparedProgram, need: BufferNeed): { buffer: GPUBuffer; bytes: number } | undefined {
    return this.#buffers.get(keyOf(program, need));
  }

  /** The buffer of an input or output; undefined for one that no kernel reads or writes. */
  find(place: "input" | "output", id: string): GPUBuffer | undefined {
    return this.#buffers.get(`${place} ${id}`)?.buffer;
  }

  resolve(program: PreparedProgram, range: BufferRange, parity: Parity): GPUBuffer {
    const buffer = this.#find(program, range, parity);
    if (buffer !== undefined) return buffer;
    const name = "id" in range ? ` "${range.id}"` : "";
    throw new KraitError("R0105", `The program ${program.name} has no ${range.in} buffer${name}.`);
  }

  #find(program: PreparedProgram, range: BufferRange, parity: Parity): GPUBuffer | undefined {
    switch (range.in) {
      case "state":
        return this.#arenas?.at(parity);
      case "next_state":
        return this.#arenas?.at(parity === 0 ? 1 : 0);
      case "constant":
        return this.#constants.get(range.id);
      default:
        return this.#buffers.get(keyOf(program, range))?.buffer;
    }
  }

  destroy(): void {
    this.#destroyed = true;
    for (const { buffer } of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}

/** What the calls of a session meet that was destroyed before they were made, or while they waited for the GPU. */
export function destroyedError(): KraitError {
  return new KraitError("R0407", "The session was destroyed.");
}

/** Inputs and outputs are shared by programs, scratch is not: its slots mean another thing in each. */
function keyOf(program: PreparedProgram, { in: place, id }: Pick<BufferNeed, "in" | "id">): string {
  return place === "scratch" ? `${program.name} scratch ${id}` : `${place} ${id}`;
}
