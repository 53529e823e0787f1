/** What callers may ask of a session, and whether it can be met. */
import { KraitError } from "./errors.js";
import { defaultMaxChunk } from "./memory-plan.js";
import type { ModelParts } from "./model-parts.js";
import type { OutputChunk } from "./windows.js";

/** The sizes of a session, in sequences and steps. */
export interface SessionOptions {
  /** Sequences that run together; 1 by default. */
  readonly batch?: number;
  /**
   * Steps computed at a time; longer sequences are cut. By default as many as keep scratch memory within 288 MiB, at
   * most 2048. A model that looks ahead in time is never cut, and refuses longer sequences than an explicit maxChunk.
   */
  readonly maxChunk?: number;
}

/** Which sequences a fork has. */
export interface ForkOptions {
  /**
   * Which sequences of the session the fork has, counted from 0, in its order; the same one may stand several times.
   * All of them without it.
   */
  readonly members?: readonly number[];
  /** For a session of one sequence: how often the fork has it. */
  readonly batch?: number;
}

/** What a prefill gives back. */
export interface PrefillOptions {
  /**
   * Where outputs are wanted: at the last position (the default; nothing is computed for the others), at all of them,
   * nowhere, or at all, given to a function piece by piece and not kept. The next piece waits for the function's promise.
   */
  readonly outputs?: "last" | "all" | "none" | ((chunk: OutputChunk) => void | Promise<void>);
  /** Which outputs are read back; all without it. */
  readonly names?: readonly string[];
  /**
   * How many steps each sequence goes on by, 0 or more. The inputs then hold the sequences one after the other along time,
   * and have no batch axis; "last" gives each sequence its own last position (NaN without steps), and outputs at all
   * positions have one long time axis. Needs a bundle built with `packed`.
   */
  readonly lengths?: readonly number[];
}

/** What a step gives back. */
export interface StepOptions {
  readonly outputs?: "last" | "none";
  readonly names?: readonly string[];
}

/** Whether sequences may be cut into pieces: not for a model that looks ahead in time, which has no step. */
export function isCut({ step, names }: ModelParts): boolean {
  return step !== undefined || !names.hasTime;
}

/** How long pieces are, unless the caller says so; infinite where sequences may not be cut. */
export function chunkFor(parts: ModelParts, batch: number): number {
  return isCut(parts) ? defaultMaxChunk(parts.prefill, batch, parts.device.limits) : Infinity;
}

/** How many steps of all sequences together a piece has at most; infinite where sequences may not be cut. */
export function packedChunk(parts: ModelParts, batch: number, chosen: number | undefined): number {
  if (!isCut(parts)) return Infinity;
  return chosen ?? defaultMaxChunk(parts.packed ?? parts.prefill, batch, parts.device.limits);
}

/** @throws KraitError R0405. */
export function checkOptions({ names }: ModelParts, batch: number, maxChunk: number | undefined): void {
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

/** The members that a fork of a session of `batch` sequences is to have. @throws KraitError R0405. */
export function membersOf(parts: ModelParts, batch: number, options: ForkOptions): readonly number[] {
  const { members, batch: copies } = options;
  if (members !== undefined) return checkMembers(parts, batch, members);
  if (copies === undefined) return Array.from({ length: batch }, (_, member) => member);
  checkOptions(parts, copies, undefined);
  if (batch === 1) return Array.from({ length: copies }, () => 0);
  throw new KraitError(
    "R0405",
    `The session has ${String(batch)} sequences, so a batch does not say which of them the fork is to have.`,
    { hint: "Name them as `members`." },
  );
}

/** A copy of a list of members that are there. @throws KraitError R0405. */
export function checkMembers(
  parts: ModelParts,
  batch: number,
  members: readonly number[],
): readonly number[] {
  checkOptions(parts, members.length, undefined);
  const wrong = members.find((member) => !Number.isInteger(member) || member < 0 || member >= batch);
  if (wrong === undefined) return [...members];
  throw new KraitError(
    "R0405",
    `There is no sequence ${String(wrong)}: the session's are 0 … ${String(batch - 1)}.`,
  );
}
