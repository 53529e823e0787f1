/**
 * A device that records what is done with it: the dispatches that a call encodes, so that they can be run again between
 * timestamps; the memory that buffers take; the time that pipelines need. Whatever is measured this way goes through the
 * runtime's public interface, as an application would use it.
 */

/** One dispatch with all that it needs; may be encoded again as long as its buffers live. */
export interface RecordedDispatch {
  /** The label of its pipeline: the kernel's name. */
  readonly label: string;
  encode(pass: GPUComputePassEncoder): void;
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
  #current: { dispatches: RecordedDispatch[]; passes: string[] } | undefined;
  /** From the first pipeline that was asked for to the last that came. */
  #pipelineSpan: { begin: number; end: number } | undefined;
  readonly #labels = new WeakMap<GPUComputePipeline, string>();

  /** `real`: the device to record, which stays the caller's. */
  constructor(readonly real: GPUDevice) {
    this.device = overridden(real, {
      createBuffer: (descriptor: GPUBufferDescriptor) => this.#buffer(descriptor),
      createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => this.#pipeline(descriptor),
      createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) => this.#encoder(descriptor),
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
    const buffer = this.real.createBuffer(descriptor);
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

  async #pipeline(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const span = (this.#pipelineSpan ??= { begin: performance.now(), end: performance.now() });
    const pipeline = await this.real.createComputePipelineAsync(descriptor);
    span.end = performance.now();
    this.pipelines++;
    this.#labels.set(pipeline, descriptor.label ?? "");
    return pipeline;
  }

  #encoder(descriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder {
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
        set(pass);
      },
      dispatchWorkgroups: (x: number, y = 1, z = 1) => {
        const [bound, used] = [[...groups.values()], pipeline];
        if (used !== undefined) {
          this.#current?.dispatches.push({
            label: this.#labels.get(used) ?? "",
            encode(again) {
              again.setPipeline(used);
              for (const set of bound) set(again);
              again.dispatchWorkgroups(x, y, z);
            },
          });
        }
        pass.dispatchWorkgroups(x, y, z);
      },
    });
  }
}

/** `object` with some methods replaced. The rest are called on the object itself: Dawn's take no other `this`. */
function overridden<T extends object>(object: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(object, {
    get(target, key) {
      if (typeof key === "string" && Object.hasOwn(methods, key)) return methods[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...args: never[]) => unknown).bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}
