import { constants } from "node:os";
import { setImmediate } from "node:timers/promises";

/** Where a command writes. Results go to `out`, all else to `err`, so that a program may read the one and a person the other. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Whether `err` shows colours. */
  readonly color: boolean;
}

/** The process's own streams. Colours as https://no-color.org and FORCE_COLOR say, else when a terminal shows them. */
export function processIo(): Io {
  const { NO_COLOR: no, FORCE_COLOR: force } = process.env;
  const color =
    no !== undefined && no !== "" ? false : force !== undefined ? force !== "0" : process.stderr.isTTY;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    color,
  };
}

/** One JSON document, as `--json` promises, readable by people too. */
export function writeJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value, undefined, 2)}\n`);
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Ctrl-C and SIGTERM end the process with a line, and the exit code that shells give a process which such a signal ends. */
export function leaveOnSignals(io: Io): void {
  for (const signal of SIGNALS)
    process.on(signal, () => {
      io.err(signal === "SIGINT" ? "interrupted\n" : "terminated\n");
      process.exit(128 + constants.signals[signal]);
    });
}

/** A whole turn of the event loop: what follows the first immediate may still be the turn in which this was called. */
async function eventsHandled(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/**
 * Lets one listener alone hear of signals, until what this gives is called. Node.js forgets a signal that it has not told of
 * yet with the last listener, so at every moment there is one.
 */
function listenAlone(listener: (signal: NodeJS.Signals) => void): () => void {
  const others = SIGNALS.map((signal) => [signal, process.listeners(signal)] as const);
  for (const [signal, listeners] of others) {
    process.on(signal, listener);
    for (const other of listeners) process.off(signal, other);
  }
  return () => {
    for (const [signal, listeners] of others) {
      if (!process.listeners(signal).includes(listener)) continue;
      for (const other of listeners) process.on(signal, other);
      process.off(signal, listener);
    }
  };
}

/** A signal takes effect that was held back. */
function pass(signal: NodeJS.Signals): void {
  if (!process.emit(signal, signal)) process.kill(process.pid, signal);
}

/**
 * Runs a long task that Ctrl-C and SIGTERM bring to an early end, with what it has: the first signal tells it, and takes effect
 * when it is done; the second one takes effect at once. What came before the task ends the process before it begins.
 */
export async function endedBySignals<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  await eventsHandled();
  const ending = new AbortController();
  let pending: NodeJS.Signals | undefined;
  const restore = listenAlone((signal) => {
    pending = signal;
    ending.abort();
    restore();
  });
  try {
    return await task(ending.signal);
  } finally {
    await eventsHandled();
    restore();
    if (pending !== undefined) pass(pending);
  }
}

/**
 * Runs a short task that must not be cut in half: Ctrl-C and SIGTERM wait for its end. Outside of it they end the process at
 * once, which leaves nothing behind, since nothing is being written. Node.js tells of a signal between turns of the event loop
 * only: whatever came while the compiler worked is heard before the listeners change.
 */
export async function uninterrupted<T>(task: () => Promise<T>): Promise<T> {
  await eventsHandled();
  let pending: NodeJS.Signals | undefined;
  const restore = listenAlone((signal) => void (pending = signal));
  try {
    return await task();
  } finally {
    await eventsHandled();
    restore();
    if (pending !== undefined) pass(pending);
  }
}
