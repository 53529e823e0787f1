/** How far the host runs ahead of the GPU: far enough that it never waits, not so far that submitted work piles up. */
import type { DeviceHealth } from "./health.js";

/** Between STRIDE and 2 · STRIDE submissions are under way while more are to come. */
const STRIDE = 4;

export class Pace {
  readonly #queue: GPUQueue;
  readonly #health: DeviceHealth;
  #submissions = 0;
  /** When everything up to the last multiple of STRIDE is done. */
  #mark: Promise<void> = Promise.resolve();

  constructor(queue: GPUQueue, health: DeviceHealth) {
    this.#queue = queue;
    this.#health = health;
  }

  /** To be awaited before a submission. Waiting for the one before last, not the last, leaves the GPU something to do. */
  async turn(): Promise<void> {
    this.#submissions++;
    if (this.#submissions % STRIDE !== 0) return;
    const before = this.#mark;
    this.#mark = this.#health.translate(this.#queue.onSubmittedWorkDone().then(() => undefined));
    this.#mark.catch(() => undefined); // reported when it is awaited, or by whatever comes next
    await before;
  }
}
