/**
 * A device that records what is done with it: the dispatches that a call encodes, so that they can be run again between
 * timestamps; the memory that buffers take; the time that pipelines need. Whatever is measured this way goes through the
 * runtime's public interface, as an application would use it.
 */
import { BufferUsage } from "../../runtime/gpu-constants.js";
import { overridden } from "./overridden.js";

/** One dispatch with all that it needs; may be encoded again as long as its buffers live. */
export interface RecordedDispatch {
  /** The label of its pipeline: the shader's id. */
  readonly label: string;
  /** What is bound in group 0, in the order of the bindings. */
  readonly bound: readonly GPUBufferBinding[];
  /** By its own pipeline, or by another with the same bindings, in so many workgroups. */
  encode(pass: GPUComputePassEncoder, other?: OtherPipeline): void;
}

export interface OtherPipeline {
  readonly pipeline: GPUComputePipeline;
  readonly workgroups: readonly [number, number, number];
}

export interface Recording {
  readonly dispatches: readonly RecordedDispatch[];
  /** The labels of the compute passes, in their order. */
  readonly passes: readonly string[];
}

export class Recorder {
  /** What is to be given to the runtime. */
  readonly device: GPUDevice;
  pipelines = 0;
  /** Buffers that live now, and the most that ever lived at once. */
  bytes = 0;
  peakBytes = 0;
  /** Milliseconds of the host's from making an encoder to the end of submitting what it encoded, all together. */
  encodingMs = 0;
  #encodingSince = 0;
  #current: { dispatches: RecordedDispatch[]; passes: string[] } | undefined;
  /** From the first pipeline that was asked for to the last that came. */
  #pipelineSpan: { begin: number; end: number } | undefined;
  readonly #labels = new WeakMap<GPUComputePipeline, string>();
  readonly #bound = new WeakMap<object, readonly GPUBufferBinding[]>();

  /** `real`: the device to record, which stays the caller's. */
  constructor(readonly real: GPUDevice) {
    this.device = overridden(real, {
      createBindGroup: (descriptor: GPUBindGroupDescriptor) => this.#bindGroup(descriptor),
      createBuffer: (descriptor: GPUBufferDescriptor) => this.#buffer(descriptor),
      createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => this.#pipeline(descriptor),
      createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) => this.#encoder(descriptor),
      queue: overridden(real.queue, {
        submit: (commands: Iterable<GPUCommandBuffer>) => {
          real.queue.submit(commands);
          this.encodingMs += performance.now() - this.#encodingSince;
        },
      }),
    });
  }

  /** Milliseconds that the pipelines took, made side by side. */
  get pipelineMs(): number {
    return this.#pipelineSpan === undefined ? 0 : this.#pipelineSpan.end - this.#pipelineSpan.begin;
  }

  /** What `call` encodes. */
  async record(call: () => Promise<unknown>): Promise<Recording> {
    const recording = (this.#current = { dispatches: [], passes: [] });
    try {
      await call();
    } finally {
      this.#current = undefined;
    }
    return recording;
  }

  #buffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    // What kernels read and write can be looked at.
    const copied = descriptor.usage & BufferUsage.STORAGE ? BufferUsage.COPY_SRC | BufferUsage.COPY_DST : 0;
    const buffer = this.real.createBuffer({ ...descriptor, usage: descriptor.usage | copied });
    this.bytes += descriptor.size;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    let lives = true;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      if (lives) this.bytes -= descriptor.size;
      lives = false;
      destroy();
    };
    return buffer;
  }

  #bindGroup(descriptor: GPUBindGroupDescriptor): GPUBindGroup {
    const group = this.real.createBindGroup(descriptor);
    const entries = [...descriptor.entries].sort((p, q) => p.binding - q.binding);
    this.#bound.set(
      group,
      entries.map(({ resource }) => resource as GPUBufferBinding),
    );
    return group;
  }

  async #pipeline(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const span = (this.#pipelineSpan ??= { begin: performance.now(), end: performance.now() });
    const pipeline = await this.real.createComputePipelineAsync(descriptor);
    span.end = performance.now();
    this.pipelines++;
    this.#labels.set(pipeline, descriptor.label ?? "");
    return pipeline;
  }

  #encoder(descriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder {
    this.#encodingSince = performance.now();
    const encoder = this.real.createCommandEncoder(descriptor);
    // What is timed by the host's clock is not recorded, and costs nothing.
    if (this.#current === undefined) return encoder;
    return overridden(encoder, {
      beginComputePass: (pass?: GPUComputePassDescriptor) => {
        this.#current?.passes.push(pass?.label ?? "");
        return this.#pass(encoder.beginComputePass(pass));
      },
    });
  }

  #pass(pass: GPUComputePassEncoder): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | undefined;
    const groups = new Map<unknown, (again: GPUComputePassEncoder) => void>();
    let first: unknown;
    return overridden(pass, {
      setPipeline: (next: GPUComputePipeline) => {
        pipeline = next;
        pass.setPipeline(next);
      },
      setBindGroup: (...given: unknown[]) => {
        // Dynamic offsets may be views of memory that changes.
        const args = given.map((arg) => (ArrayBuffer.isView(arg) ? (arg as Uint32Array).slice() : arg));
        const set = (again: GPUComputePassEncoder): void => {
          (again as unknown as { setBindGroup(...all: readonly unknown[]): void }).setBindGroup(...args);
        };
        groups.set(args[0], set);
        if (args[0] === 0) first = args[1];
        set(pass);
      },
      dispatchWorkgroups: (x: number, y = 1, z = 1) => {
        const [bound, used] = [[...groups.values()], pipeline];
        if (used !== undefined) {
          this.#current?.dispatches.push({
            label: this.#labels.get(used) ?? "",
            bound: (typeof first === "object" && first !== null && this.#bound.get(first)) || [],
            encode(again, other) {
              again.setPipeline(other?.pipeline ?? used);
              for (const set of bound) set(again);
              again.dispatchWorkgroups(...(other?.workgroups ?? [x, y, z]));
            },
          });
        }
        pass.dispatchWorkgroups(x, y, z);
      },
    });
  }
}
