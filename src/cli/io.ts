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
 * Runs a long task that Ctrl-C and SIGTERM bring to an early end, with what it has: the first signal tells it, and takes effect
 * when it is done; the second one takes effect at once.
 */
export async function endedBySignals<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  let pending: NodeJS.Signals | undefined;
  const others = SIGNALS.map((signal) => [signal, process.listeners(signal)] as const);
  const end = (signal: NodeJS.Signals): void => {
    pending = signal;
    ending.abort();
    restore();
  };
  const restore = (): void => {
    for (const [signal, listeners] of others) {
      process.off(signal, end);
      for (const listener of listeners)
        if (!process.listeners(signal).includes(listener)) process.on(signal, listener);
    }
  };
  for (const signal of SIGNALS) process.removeAllListeners(signal).on(signal, end);
  try {
    return await task(ending.signal);
  } finally {
    restore();
    if (pending !== undefined && !process.emit(pending, pending)) process.kill(process.pid, pending);
  }
}

/**
 * Runs a short task that must not be cut in half: Ctrl-C and SIGTERM wait for its end. Outside of it they end the process at
 * once, which leaves nothing behind, since nothing is being written. Node.js tells of a signal between turns of the event loop
 * only, and forgets it with its listeners: whatever came while the compiler worked is heard before they change.
 */
export async function uninterrupted<T>(task: () => Promise<T>): Promise<T> {
  await eventsHandled();
  let pending: NodeJS.Signals | undefined;
  const hold = (signal: NodeJS.Signals): void => void (pending = signal);
  const others = SIGNALS.map((signal) => [signal, process.listeners(signal)] as const);
  for (const signal of SIGNALS) process.removeAllListeners(signal).on(signal, hold);
  try {
    return await task();
  } finally {
    await eventsHandled();
    for (const [signal, listeners] of others) {
      process.off(signal, hold);
      for (const listener of listeners) process.on(signal, listener);
    }
    if (pending !== undefined && !process.emit(pending, pending)) process.kill(process.pid, pending);
  }
}
