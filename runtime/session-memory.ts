/** The buffers of one session: made when it is made, grown only where a later call needs more. */
import type { BufferRange } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { BufferUsage } from "./gpu-constants.js";
import { allocate, sizeText, type BufferRequest } from "./memory.js";
import type { RunNumbers } from "./numbers.js";
import type { BufferNeed, PreparedProgram } from "./program.js";
import type { Parity } from "./runner.js";

const USAGE: Readonly<Record<BufferRange["in"], number>> = {
  constant: 0, // the model's
  scratch: BufferUsage.STORAGE,
  input: BufferUsage.STORAGE | BufferUsage.COPY_DST,
  output: BufferUsage.STORAGE | BufferUsage.COPY_SRC,
  state: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
  next_state: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
};

/** Scratch for a piece of a sequence is kept within this, unless the caller chooses maxChunk. */
const PIECE_BUDGET = 256 << 20;
const LARGEST_DEFAULT_CHUNK = 2048;
/** What the outputs of one window (and the tail's scratch for it) may take beyond those of a single position. */
const WINDOW_BUDGET = 64 << 20;

export class SessionMemory {
  readonly #device: GPUDevice;
  readonly #constants: ReadonlyMap<string, GPUBuffer>;
  readonly #buffers = new Map<string, { buffer: GPUBuffer; bytes: number }>();
  #arenas: readonly [GPUBuffer, GPUBuffer] | undefined;

  constructor(device: GPUDevice, constants: ReadonlyMap<string, GPUBuffer>) {
    this.#device = device;
    this.#constants = constants;
  }

  async makeArenas(bytes: number): Promise<void> {
    const request = (label: string): BufferRequest => ({ label, bytes, usage: USAGE.state });
    const arenas = await allocate(this.#device, [request("states (read)"), request("states (written)")]);
    this.#arenas = arenas as [GPUBuffer, GPUBuffer];
  }

  arena(parity: Parity): GPUBuffer {
    if (this.#arenas === undefined) throw new KraitError("R0407", "This program has no states.");
    return this.#arenas[parity];
  }

  /**
   * Room for a run of `program`. Returns whether a buffer was replaced: what it held is lost, and so are bind groups.
   * @throws KraitError R0204 with what would have been needed for what.
   */
  async ensure(program: PreparedProgram, run: RunNumbers): Promise<boolean> {
    const { buffers, largestBinding } = program.needs(run);
    const purpose = `${program.name}, ${String(run.steps)} steps of a batch of ${String(run.batch)}`;
    const limit = this.#device.limits.maxStorageBufferBindingSize;
    if (largestBinding.bytes > limit) {
      throw new KraitError(
        "R0204",
        `${largestBinding.label} takes ${sizeText(largestBinding.bytes)} (${purpose}); a binding holds ${sizeText(limit)}.`,
        {
          hint: "Use a smaller batch or maxChunk, or ask the adapter for a larger maxStorageBufferBindingSize.",
        },
      );
    }
    const lacking = buffers.filter(
      (need) => isOwn(need) && (this.#at(program, need)?.bytes ?? -1) < need.bytes,
    );
    const made = await allocate(
      this.#device,
      lacking.map((need) => ({
        label: `${need.in} "${need.id}" of ${purpose}`,
        bytes: need.bytes,
        usage: USAGE[need.in],
      })),
    );
    for (const [i, need] of lacking.entries()) {
      this.#at(program, need)?.buffer.destroy();
      this.#buffers.set(keyOf(program, need), { buffer: made[i] as GPUBuffer, bytes: need.bytes });
    }
    return lacking.length > 0;
  }

  #at(program: PreparedProgram, need: BufferNeed): { buffer: GPUBuffer; bytes: number } | undefined {
    return this.#buffers.get(keyOf(program, need));
  }

  /** The buffer of an input or output; undefined for one that no kernel reads or writes. */
  find(place: "input" | "output", id: string): GPUBuffer | undefined {
    return this.#buffers.get(`${place} ${id}`)?.buffer;
  }

  resolve(program: PreparedProgram, range: BufferRange, parity: Parity): GPUBuffer {
    if (range.in === "state") return this.arena(parity);
    if (range.in === "next_state") return this.arena(parity === 0 ? 1 : 0);
    const buffer =
      range.in === "constant"
        ? this.#constants.get(range.id)
        : this.#buffers.get(keyOf(program, { in: range.in, id: range.id }))?.buffer;
    if (buffer === undefined) {
      throw new KraitError("R0105", `The program ${program.name} has no ${range.in} buffer "${range.id}".`);
    }
    return buffer;
  }

  destroy(): void {
    for (const { buffer } of this.#buffers.values()) buffer.destroy();
    for (const arena of this.#arenas ?? []) arena.destroy();
    this.#buffers.clear();
  }
}

function isOwn(need: BufferNeed): boolean {
  return need.in === "scratch" || need.in === "input" || need.in === "output";
}

/** Inputs and outputs are shared by programs, scratch is not: its slots mean another thing in each. */
function keyOf(program: PreparedProgram, { in: place, id }: Pick<BufferNeed, "in" | "id">): string {
  return place === "scratch" ? `${program.name} scratch ${id}` : `${place} ${id}`;
}

/** Bytes that a session holds for a run; undefined where a limit of the device forbids it. */
function footprint(
  program: PreparedProgram,
  run: RunNumbers,
  limits: GPUSupportedLimits,
): number | undefined {
  const { buffers, largestBinding } = program.needs(run);
  const own = buffers.filter(isOwn);
  const fits =
    largestBinding.bytes <= limits.maxStorageBufferBindingSize &&
    own.every(({ bytes }) => bytes <= limits.maxBufferSize);
  return fits ? own.reduce((sum, { bytes }) => sum + bytes, 0) : undefined;
}

const piece = (batch: number, steps: number, tailCount: number): RunNumbers => ({
  batch,
  steps,
  pos: 0,
  tailBegin: 0,
  tailCount,
});

/** The longest piece (a power of two, at most 2048) whose memory stays within the budget and the device's limits. */
export function defaultMaxChunk(program: PreparedProgram, batch: number, limits: GPUSupportedLimits): number {
  for (let steps = LARGEST_DEFAULT_CHUNK; steps > 1; steps /= 2) {
    const bytes = footprint(program, piece(batch, steps, 1), limits);
    if (bytes !== undefined && bytes <= PIECE_BUDGET) return steps;
  }
  return 1;
}

/** How many positions of a piece the tail computes at a time when all are wanted. */
export function windowSize(
  program: PreparedProgram,
  batch: number,
  steps: number,
  limits: GPUSupportedLimits,
): number {
  const least = footprint(program, piece(batch, steps, 1), limits) ?? 0;
  for (let count = steps; count > 1; count = Math.ceil(count / 2)) {
    const bytes = footprint(program, piece(batch, steps, count), limits);
    if (bytes !== undefined && bytes - least <= WINDOW_BUDGET) return count;
  }
  return 1;
}
