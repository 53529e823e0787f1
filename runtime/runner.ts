/** Encoding a program's dispatches on the buffers of one session (or of the load program). */
import type { BufferRange } from "./bundle-format.js";
import type { RunNumbers } from "./numbers.js";
import type { Part, PreparedDispatch, PreparedProgram } from "./program.js";

/** Which of two state arenas is read; the other one is written. */
export type Parity = 0 | 1;

/** Finds the buffer of a range. */
export type Resolve = (range: BufferRange, parity: Parity) => GPUBuffer;

/** One dispatch, ready to be encoded. */
interface Launch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Launches are kept for this many different sizes of pieces at a time: a full one, a last one, a few others. */
const KEPT_SETS = 8;

/**
 * Encoding a step costs more than the GPU takes for it in small models, nearly all of it in calls of WebGPU. So what can
 * be known before is: sizes, counts and bind groups are made once for each size of run, and the numbers are written when
 * they change.
 */
export class Runner {
  readonly #device: GPUDevice;
  readonly #program: PreparedProgram;
  readonly #resolve: Resolve;
  readonly #uniform: GPUBuffer;
  readonly #launches = new Map<string, readonly Launch[]>();
  /** What was encoded last by each parity: the next step may be the same. */
  readonly #latest: {
    readonly parts: readonly Part[];
    readonly run: RunNumbers;
    readonly launches: readonly Launch[];
  }[] = [];
  /** What the uniform buffer holds, and for which run. */
  #written: Uint32Array | undefined;
  #writtenFor: RunNumbers | undefined;

  constructor(device: GPUDevice, program: PreparedProgram, uniform: GPUBuffer, resolve: Resolve) {
    this.#device = device;
    this.#program = program;
    this.#uniform = uniform;
    this.#resolve = resolve;
  }

  /** To be called when buffers were replaced. */
  forgetBuffers(): void {
    this.#launches.clear();
    this.#latest.length = 0;
  }

  /** Whether such a run was encoded on these buffers before: WebGPU would find nothing in it that it has not seen. */
  knows(parts: readonly Part[], run: RunNumbers, parity: Parity): boolean {
    const latest = this.#latest[parity];
    if (latest?.run === run && latest.parts === parts) return true;
    return parts.every((part) => this.#launches.has(this.#key(part, run, parity)));
  }

  /**
   * Writes the program's numbers and encodes the parts' dispatches, which run when the encoder's commands are submitted:
   * before anything else is written.
   */
  encode(encoder: GPUCommandEncoder, parts: readonly Part[], run: RunNumbers, parity: Parity): void {
    this.#writeNumbers(run);
    const pass = encoder.beginComputePass({ label: this.#program.name });
    let current: GPUComputePipeline | undefined;
    for (const { pipeline, group, workgroups } of this.#allOf(parts, run, parity)) {
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    pass.end();
  }

  #allOf(parts: readonly Part[], run: RunNumbers, parity: Parity): readonly Launch[] {
    const latest = this.#latest[parity];
    if (latest?.run === run && latest.parts === parts) return latest.launches;
    const launches = parts.flatMap((part) => this.#launchesOf(part, run, parity));
    this.#latest[parity] = { parts, run, launches };
    return launches;
  }

  #writeNumbers(run: RunNumbers): void {
    if (run === this.#writtenFor) return;
    this.#writtenFor = run;
    const { numbers } = this.#program;
    const block = numbers.uniform(numbers.values(run));
    const before = this.#written;
    if (before !== undefined && block.every((value, i) => value === before[i])) return;
    this.#device.queue.writeBuffer(this.#uniform, 0, block);
    this.#written = block;
  }

  #key(part: Part, run: RunNumbers, parity: Parity): string {
    return `${part} ${String(parity)} ${this.#program.keyOf(this.#program[part].keyNumbers, run)}`;
  }

  /** The dispatches that `when` and their counts leave, in order. */
  #launchesOf(part: Part, run: RunNumbers, parity: Parity): readonly Launch[] {
    const key = this.#key(part, run, parity);
    const known = this.#launches.get(key);
    if (known !== undefined) return known;
    const values = this.#program.numbers.values(run);
    const launches = this.#program[part].dispatches.flatMap((dispatch): Launch[] => {
      if (dispatch.when?.(values) === 0) return [];
      const [x, y, z] = dispatch.workgroups;
      const workgroups = [x(values), y(values), z(values)] as const;
      if (workgroups.includes(0)) return [];
      const group = this.#group(dispatch, values, parity);
      return [{ pipeline: dispatch.pipeline.pipeline, group, workgroups }];
    });
    const [oldest] = this.#launches.keys();
    if (this.#launches.size >= KEPT_SETS && oldest !== undefined) this.#launches.delete(oldest);
    this.#launches.set(key, launches);
    return launches;
  }

  #group({ pipeline, bindings }: PreparedDispatch, values: Float64Array, parity: Parity): GPUBindGroup {
    return this.#device.createBindGroup({
      label: pipeline.shader.label,
      layout: pipeline.layout,
      entries: [
        { binding: 0, resource: { buffer: this.#uniform } },
        ...bindings.map(({ range, offset, bytes }, i) => ({
          binding: i + 1,
          resource: {
            buffer: this.#resolve(range, parity),
            offset: offset(values),
            size: bindingBytes(bytes(values)),
          },
        })),
      ],
    });
  }
}

/** Bindings are whole words, and never empty. */
function bindingBytes(bytes: number): number {
  return Math.max(4, Math.ceil(bytes / 4) * 4);
}
