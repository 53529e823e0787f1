/** How far the host runs ahead of the GPU: far enough that it never waits, not so far that submitted work piles up. */
import type { DeviceHealth } from "./health.js";

/** Submissions between two marks. */
const STRIDE = 4;
/**
 * Milliseconds of work to have submitted. Now and then the host is away: collecting what a few hundred submissions leave
 * behind takes V8 and Dawn 50 to 70 ms (on the machine of an H100, where a piece of 2048 steps takes 1.1 ms).
 */
const AHEAD = 100;
/** Marks under way at a time: at least, and, however short the work, at most. */
const FEWEST = 2;
const MOST = 32;

export class Pace {
  readonly #queue: GPUQueue;
  readonly #health: DeviceHealth;
  #submissions = 0;
  /** Each is done when everything up to a multiple of STRIDE is; oldest first. */
  readonly #marks = new Set<Promise<void>>();
  /** Milliseconds between two marks, lately. */
  #spacing = Infinity;
  #reached: number | undefined;

  constructor(queue: GPUQueue, health: DeviceHealth) {
    this.#queue = queue;
    this.#health = health;
  }

  /** To be awaited before a submission. Work is left for the GPU to do while the host goes on. */
  async turn(): Promise<void> {
    this.#submissions++;
    if (this.#submissions % STRIDE !== 0) return;
    const most = Math.min(MOST, Math.max(FEWEST, Math.ceil(AHEAD / this.#spacing)));
    while (this.#marks.size >= most) await [...this.#marks][0];
    const mark = this.#health.translate(this.#queue.onSubmittedWorkDone().then(() => undefined));
    this.#marks.add(mark);
    // A failure is reported when the mark is awaited, or by whatever comes next.
    mark.then(
      () => this.#reach(mark),
      () => this.#marks.delete(mark),
    );
  }

  #reach(mark: Promise<void>): void {
    this.#marks.delete(mark);
    const now = performance.now();
    const passed = this.#reached === undefined ? Infinity : now - this.#reached;
    this.#spacing = Number.isFinite(this.#spacing) ? (this.#spacing + passed) / 2 : passed;
    // What comes after a pause says nothing about the work.
    this.#reached = this.#marks.size === 0 ? undefined : now;
  }
}
