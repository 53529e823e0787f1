/** Windows of outputs on their way to the caller. */
import type { OutputEntry } from "./bundle-format.js";
import type { Submitted } from "./execution.js";
import type { AxisNames } from "./numbers.js";
import { Collector, outputShape, type Outputs } from "./outputs.js";

/** Outputs at `count` positions from `begin`, counted from the start of the call's inputs. */
export interface OutputChunk {
  readonly begin: number;
  readonly count: number;
  readonly outputs: Outputs;
}

/** Gives each window's outputs to `deliver`, in order, while the GPU works on the next. */
export async function deliverEach<S extends Submitted>(
  windows: AsyncIterable<S>,
  deliver: (chunk: OutputChunk, window: S) => void | Promise<void>,
): Promise<void> {
  let pending: S | undefined;
  const finish = async (window: S | undefined): Promise<void> => {
    if (window === undefined) return;
    const { begin, count } = window;
    await deliver({ begin, count, outputs: await window.finish() }, window);
  };
  try {
    for await (const window of windows) {
      const previous = pending;
      pending = window;
      await finish(previous);
    }
    const last = pending;
    pending = undefined;
    await finish(last);
  } catch (error) {
    pending?.finish().catch(ignore); // nobody asks for it any more; what it is read through goes back to its pool
    throw error;
  }
}

/** All windows put together: outputs at `steps` positions. */
export async function collectAll(
  windows: AsyncIterable<Submitted>,
  entries: readonly OutputEntry[],
  names: AxisNames,
  batch: number,
  steps: number,
): Promise<Outputs> {
  const collectors = entries.map((entry): [string, Collector] => [
    entry.name,
    new Collector(entry, outputShape(entry, names, batch, steps)),
  ]);
  await deliverEach(windows, ({ outputs }) => {
    for (const [name, collector] of collectors) {
      const window = outputs[name];
      if (window !== undefined) collector.add(window);
    }
  });
  return Object.fromEntries(collectors.map(([name, { tensor }]) => [name, tensor]));
}

function ignore(): void {
  // Nothing to do.
}
