/** How much memory runs take, what a device's limits allow, and what would fit in the place of what does not. */
import { evaluateDim } from "./dim.js";
import { sizeText } from "./memory.js";
import type { ModelParts } from "./model-parts.js";
import type { RunNumbers } from "./numbers.js";
import type { BufferNeed, PreparedProgram } from "./program.js";

/** Scratch for a piece of a sequence is kept within this, unless the caller chooses maxChunk. */
const PIECE_BUDGET = 288 << 20;
const LARGEST_DEFAULT_CHUNK = 2048;
/** What the outputs of one window (and the tail's scratch for it) may take beyond those of a single position. */
const WINDOW_BUDGET = 64 << 20;

/** Something that takes more than a limit of the device. */
export interface Excess {
  readonly label: string;
  readonly bytes: number;
  readonly limit: "maxStorageBufferBindingSize" | "maxBufferSize";
}

/** What of a run no device with these limits can hold. */
export function excess(
  program: PreparedProgram,
  run: RunNumbers,
  limits: GPUSupportedLimits,
): Excess | undefined {
  const { buffers, largestBinding } = program.needs(run);
  if (largestBinding.bytes > limits.maxStorageBufferBindingSize) {
    return { ...largestBinding, limit: "maxStorageBufferBindingSize" };
  }
  const buffer = buffers.find((need) => isOwn(need) && need.bytes > limits.maxBufferSize);
  return (
    buffer && { label: `${buffer.in} "${buffer.id}"`, bytes: buffer.bytes, limit: "maxBufferSize" as const }
  );
}

/** Whether a session has a buffer of its own for this. */
export function isOwn(need: BufferNeed): boolean {
  return need.in === "scratch" || need.in === "input" || need.in === "output";
}

/** Bytes that a session holds for a run; undefined where a limit of the device forbids it. */
function footprint(
  program: PreparedProgram,
  run: RunNumbers,
  limits: GPUSupportedLimits,
): number | undefined {
  if (excess(program, run, limits) !== undefined) return undefined;
  return program
    .needs(run)
    .buffers.filter(isOwn)
    .reduce((sum, { bytes }) => sum + bytes, 0);
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

/** All that a session of `batch` sequences with pieces of `steps` takes; undefined where a limit forbids it. */
export function sessionBytes(parts: ModelParts, batch: number, steps: number): number | undefined {
  const { limits } = parts.device;
  const states = evaluateDim(parts.target.states.bytes, { [parts.names.batch]: batch });
  const prefill = footprint(parts.prefill, piece(batch, steps, 1), limits);
  const step = parts.step === undefined ? 0 : footprint(parts.step, piece(batch, 1, 1), limits);
  if (states > limits.maxBufferSize || prefill === undefined || step === undefined) return undefined;
  return 2 * states + prefill + step;
}

/**
 * What to ask for in the place of a session that a device cannot hold: the longest pieces and the largest batch that keep
 * to its limits and to `budget` bytes.
 */
export function whatFits(parts: ModelParts, batch: number, steps: number, budget: number): string {
  const bytesOf = (b: number, s: number): number | undefined => {
    const bytes = sessionBytes(parts, b, s);
    return bytes !== undefined && bytes <= budget ? bytes : undefined;
  };
  const choices: string[] = [];
  const choice = (what: string, most: number, bytes: (n: number) => number | undefined): void => {
    const n = largest(most, (count) => bytes(count) !== undefined);
    if (n > 0) choices.push(`${what} of ${String(n)} takes ${sizeText(bytes(n) ?? 0)}`);
  };
  choice("a maxChunk", steps - 1, (n) => bytesOf(batch, n));
  choice("a batch", batch - 1, (n) => bytesOf(n, steps));
  if (choices.length === 0) {
    return "Not even a step of one sequence would fit: use a device with larger limits, or a smaller model.";
  }
  const text = choices.join(", ");
  return `What would fit: ${text}. Or ask the adapter for larger limits, as requiredDevice(bundle, adapter) does.`;
}

/** The largest n from 1 to `most` that fits, where what is less than one that fits does too; 0 if none. */
function largest(most: number, fits: (n: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
