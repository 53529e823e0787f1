/** Timestamps of launches: query sets, and the buffers that they are read through. */
import { BufferUsage, MAP_READ } from "../../runtime/gpu-constants.js";

/** What a pair of timestamps is for; nanoseconds of the GPU's clock are put there. */
export interface Stamped {
  begin: number;
  end: number;
}

/** Pairs in one query set: WebGPU's limit is 4096 queries. */
const PAIRS = 2048;
const BYTES = 16 * PAIRS;

/** One query set. Filled while an encoder is encoded, resolved at its end, read when it was submitted. */
export class Stamps {
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;
  readonly #targets: Stamped[] = [];

  constructor(
    device: GPUDevice,
    private readonly pool: {
      readonly giveBack: (stamps: Stamps) => void;
      readonly sinceFirst: (stamp: bigint) => number;
    },
  ) {
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 * PAIRS });
    this.#resolved = device.createBuffer({
      size: BYTES,
      usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC,
    });
    this.#staging = device.createBuffer({ size: BYTES, usage: BufferUsage.COPY_DST | BufferUsage.MAP_READ });
  }

  get isFull(): boolean {
    return this.#targets.length === PAIRS;
  }

  /** Where a pass writes its timestamps, which `target` will have. */
  next(target: Stamped): GPUComputePassTimestampWrites {
    const at = 2 * this.#targets.length;
    this.#targets.push(target);
    return { querySet: this.#querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
  }

  resolve(encoder: GPUCommandEncoder): void {
    const count = this.#targets.length;
    encoder.resolveQuerySet(this.#querySet, 0, 2 * count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16 * count);
  }

  /** After submitting. */
  async read(): Promise<void> {
    const targets = this.#targets.splice(0);
    await this.#staging.mapAsync(MAP_READ, 0, 16 * targets.length);
    const stamps = new BigUint64Array(this.#staging.getMappedRange(0, 16 * targets.length));
    for (const [i, target] of targets.entries()) {
      target.begin = this.pool.sinceFirst(stamps[2 * i] ?? 0n);
      target.end = Math.max(target.begin, this.pool.sinceFirst(stamps[2 * i + 1] ?? 0n));
    }
    this.#staging.unmap();
    this.pool.giveBack(this);
  }

  destroy(): void {
    for (const made of [this.#querySet, this.#resolved, this.#staging]) made.destroy();
  }
}

/** A loop over steps has a few submissions under way at a time: their query sets are used again. */
export class StampPool {
  readonly #all: Stamps[] = [];
  readonly #free: Stamps[] = [];
  #first: bigint | undefined;

  constructor(private readonly device: GPUDevice) {}

  take(): Stamps {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = new Stamps(this.device, {
      giveBack: (stamps) => this.#free.push(stamps),
      // Nanoseconds since a machine started may be more than a number holds exactly.
      sinceFirst: (stamp) => Number(stamp - (this.#first ??= stamp)),
    });
    this.#all.push(made);
    return made;
  }

  destroy(): void {
    for (const each of this.#all) each.destroy();
  }
}
