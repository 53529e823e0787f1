/** Encoding a program's dispatches on the buffers of one session (or of the load program). */
import type { BufferRange } from "./bundle-format.js";
import type { RunNumbers } from "./numbers.js";
import type { Part, PreparedDispatch, PreparedProgram } from "./program.js";

/** Which of two state arenas is read; the other one is written. */
export type Parity = 0 | 1;

/** Finds the buffer of a range. */
export type Resolve = (range: BufferRange, parity: Parity) => GPUBuffer;

/** Bind groups are kept for this many different sizes of pieces at a time: a full one, a last one, a few others. */
const KEPT_SETS = 8;

export class Runner {
  readonly #device: GPUDevice;
  readonly #program: PreparedProgram;
  readonly #resolve: Resolve;
  readonly #uniforms: Readonly<Record<Part, GPUBuffer>>;
  readonly #bindGroups = new Map<string, readonly (GPUBindGroup | undefined)[]>();

  constructor(
    device: GPUDevice,
    program: PreparedProgram,
    uniforms: Readonly<Record<Part, GPUBuffer>>,
    resolve: Resolve,
  ) {
    this.#device = device;
    this.#program = program;
    this.#uniforms = uniforms;
    this.#resolve = resolve;
  }

  /** To be called when buffers were replaced. */
  forgetBuffers(): void {
    this.#bindGroups.clear();
  }

  /** Writes the part's numbers and encodes its dispatches; they run when the encoder's commands are submitted. */
  encode(encoder: GPUCommandEncoder, part: Part, run: RunNumbers, parity: Parity): void {
    const { numbers } = this.#program;
    const { dispatches } = this.#program[part];
    if (dispatches.length === 0) return;
    const values = numbers.values(run);
    this.#device.queue.writeBuffer(this.#uniforms[part], 0, numbers.uniform(values));
    const groups = this.#groups(part, values, parity);
    const pass = encoder.beginComputePass({ label: `${this.#program.name} ${part}` });
    let current: GPUComputePipeline | undefined;
    for (const [i, { pipeline, workgroups }] of dispatches.entries()) {
      const group = groups[i];
      if (group === undefined) continue;
      const [x, y, z] = [workgroups[0](values), workgroups[1](values), workgroups[2](values)];
      if (x * y * z === 0) continue;
      if (pipeline.pipeline !== current) pass.setPipeline((current = pipeline.pipeline));
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
  }

  /** One bind group a dispatch, undefined where `when` leaves it out. Made once for each parity and sizes. */
  #groups(part: Part, values: Float64Array, parity: Parity): readonly (GPUBindGroup | undefined)[] {
    const { dispatches, keyNumbers } = this.#program[part];
    const key = `${part} ${String(parity)} ${keyNumbers.map((slot) => values[slot]).join()}`;
    let groups = this.#bindGroups.get(key);
    if (groups === undefined) {
      groups = dispatches.map((dispatch) =>
        dispatch.when?.(values) === 0 ? undefined : this.#group(part, dispatch, values, parity),
      );
      const [oldest] = this.#bindGroups.keys();
      if (this.#bindGroups.size >= KEPT_SETS && oldest !== undefined) this.#bindGroups.delete(oldest);
      this.#bindGroups.set(key, groups);
    }
    return groups;
  }

  #group(
    part: Part,
    { pipeline, bindings }: PreparedDispatch,
    values: Float64Array,
    parity: Parity,
  ): GPUBindGroup {
    return this.#device.createBindGroup({
      label: pipeline.shader.label,
      layout: pipeline.layout,
      entries: [
        { binding: 0, resource: { buffer: this.#uniforms[part] } },
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
