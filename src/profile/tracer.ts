/**
 * A device that keeps a record of what is done with it, for `krait run --profile`: when each kernel ran on the GPU, and when
 * the host encoded, submitted and read back. The runtime is given it in place of the real one, and knows nothing of it.
 */
import { BufferUsage } from "../../runtime/gpu-constants.js";
import { overridden } from "../measure/overridden.js";
import { hasTimestamps } from "../measure/timing.js";
import { StampPool, type Stamps } from "./stamps.js";

/** One dispatch. Times are nanoseconds of the GPU's clock since its first timestamp; NaN without timestamps. */
export interface Launch {
  /** The shader's id. */
  readonly kernel: string;
  begin: number;
  end: number;
}

/** One compute pass: the runtime makes one for each piece of a sequence, for each step, and for each further window of outputs. */
export interface Run {
  /** `prefill`, `step`, `packed`, `load`. */
  readonly program: string;
  /** The program's numbers, as in its uniform block. */
  numbers: Uint32Array;
  readonly launches: Launch[];
  /** When the host submitted it, and when the GPU was seen to be done: milliseconds of the host's clock. */
  submitted: number;
  done: number;
}

export type HostWork = "encode" | "submit" | "read back";

/** Milliseconds of the host's clock (`performance.now()`). */
export interface HostSpan {
  readonly work: HostWork;
  readonly begin: number;
  readonly end: number;
}

export interface Trace {
  /** Whether launches have times. */
  readonly hasTimestamps: boolean;
  /** In the order in which they were submitted. */
  readonly runs: readonly Run[];
  readonly host: readonly HostSpan[];
}

/** What one encoder holds: its passes, and the timestamps that it takes. */
interface Encoded {
  readonly runs: Run[];
  readonly stamps: readonly Stamps[];
}

export class Tracer {
  /** What is to be given to the runtime. */
  readonly device: GPUDevice;
  readonly #runs: Run[] = [];
  readonly #host: HostSpan[] = [];
  readonly #pool: StampPool | undefined;
  /** Work that is not seen to be done yet. */
  readonly #pending = new Set<Promise<void>>();
  readonly #labels = new WeakMap<GPUComputePipeline, string>();
  /** The buffer of numbers that a bind group begins with, and what was last written to it. */
  readonly #uniforms = new WeakMap<GPUBindGroup, GPUBuffer>();
  readonly #numbers = new WeakMap<GPUBuffer, Uint32Array>();
  readonly #encoded = new WeakMap<GPUCommandBuffer, Encoded>();

  /** `real`: the device to trace, which stays the caller's. */
  constructor(private readonly real: GPUDevice) {
    this.#pool = hasTimestamps(real) ? new StampPool(real) : undefined;
    this.device = overridden(real, {
      createBindGroup: (descriptor: GPUBindGroupDescriptor) => this.#bindGroup(descriptor),
      createBuffer: (descriptor: GPUBufferDescriptor) => this.#buffer(descriptor),
      createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => this.#pipeline(descriptor),
      createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) => this.#encoder(descriptor),
      queue: overridden(real.queue, {
        submit: (commands: Iterable<GPUCommandBuffer>) => {
          this.#submit([...commands]);
        },
        writeBuffer: (...args: Parameters<GPUQueue["writeBuffer"]>) => {
          const [buffer, , data] = args;
          if (buffer.usage & BufferUsage.UNIFORM && data instanceof Uint32Array)
            this.#numbers.set(buffer, data.slice());
          real.queue.writeBuffer(...args);
        },
      }),
    });
  }

  /** Waits for all work that was submitted. */
  async finish(): Promise<Trace> {
    await Promise.all(this.#pending);
    this.#pool?.destroy();
    return { hasTimestamps: this.#pool !== undefined, runs: this.#runs, host: this.#host };
  }

  #span(work: HostWork, begin: number): void {
    this.#host.push({ work, begin, end: performance.now() });
  }

  #buffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    const buffer = this.real.createBuffer(descriptor);
    const mapAsync = buffer.mapAsync.bind(buffer);
    buffer.mapAsync = async (...args) => {
      const begin = performance.now();
      await mapAsync(...args);
      this.#span("read back", begin);
    };
    return buffer;
  }

  #bindGroup(descriptor: GPUBindGroupDescriptor): GPUBindGroup {
    const group = this.real.createBindGroup(descriptor);
    const first = [...descriptor.entries].find(({ binding }) => binding === 0)?.resource;
    if (first !== undefined && "buffer" in first) this.#uniforms.set(group, first.buffer);
    return group;
  }

  async #pipeline(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const pipeline = await this.real.createComputePipelineAsync(descriptor);
    this.#labels.set(pipeline, descriptor.label ?? "");
    return pipeline;
  }

  #encoder(descriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder {
    const begin = performance.now();
    const encoder = this.real.createCommandEncoder(descriptor);
    const runs: Run[] = [];
    const stamps: Stamps[] = [];
    return overridden(encoder, {
      beginComputePass: (pass?: GPUComputePassDescriptor) => {
        const run: Run = {
          program: pass?.label ?? "",
          numbers: new Uint32Array(),
          launches: [],
          submitted: NaN,
          done: NaN,
        };
        runs.push(run);
        return this.#pass(encoder, run, stamps);
      },
      finish: (commands?: GPUCommandBufferDescriptor) => {
        for (const each of stamps) each.resolve(encoder);
        const buffer = encoder.finish(commands);
        this.#encoded.set(buffer, { runs, stamps });
        this.#span("encode", begin);
        return buffer;
      },
    });
  }

  /** Stands for a pass, but begins one for each dispatch, between whose timestamps it runs. */
  #pass(encoder: GPUCommandEncoder, run: Run, stamps: Stamps[]): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | undefined;
    let group: GPUBindGroup | undefined;
    const pass: Pick<GPUComputePassEncoder, "setPipeline" | "dispatchWorkgroups" | "end"> & {
      setBindGroup(index: number, group: GPUBindGroup): void;
    } = {
      setPipeline: (next) => {
        pipeline = next;
      },
      setBindGroup: (_, next) => {
        group = next;
      },
      dispatchWorkgroups: (...workgroups) => {
        if (pipeline === undefined || group === undefined) throw new Error("a dispatch without its pipeline");
        const uniform = this.#uniforms.get(group);
        const numbers = uniform && this.#numbers.get(uniform);
        if (numbers !== undefined) run.numbers = numbers;
        const launch = { kernel: this.#labels.get(pipeline) ?? "", begin: NaN, end: NaN };
        run.launches.push(launch);
        const own = encoder.beginComputePass(this.#stamped(launch, stamps));
        own.setPipeline(pipeline);
        own.setBindGroup(0, group);
        own.dispatchWorkgroups(...workgroups);
        own.end();
      },
      end: () => undefined,
    };
    return pass as GPUComputePassEncoder;
  }

  #stamped(launch: Launch, stamps: Stamps[]): GPUComputePassDescriptor | undefined {
    if (this.#pool === undefined) return undefined;
    let last = stamps.at(-1);
    if (last === undefined || last.isFull) stamps.push((last = this.#pool.take()));
    return { timestampWrites: last.next(launch) };
  }

  #submit(commands: readonly GPUCommandBuffer[]): void {
    const begin = performance.now();
    this.real.queue.submit(commands);
    this.#span("submit", begin);
    const encoded = commands.flatMap((buffer) => this.#encoded.get(buffer) ?? []);
    const runs = encoded.flatMap((each) => each.runs).filter(({ launches }) => launches.length > 0);
    this.#runs.push(...runs);
    if (runs.length === 0) return;
    for (const run of runs) run.submitted = begin;
    const done = this.#done(
      runs,
      encoded.flatMap(({ stamps }) => stamps),
    ).catch(() => undefined); // Whose device is lost hears it from the runtime.
    this.#pending.add(done);
    void done.then(() => this.#pending.delete(done));
  }

  async #done(runs: readonly Run[], stamps: readonly Stamps[]): Promise<void> {
    const read = stamps.map((each) => each.read());
    await this.real.queue.onSubmittedWorkDone();
    for (const run of runs) run.done = performance.now();
    await Promise.all(read);
  }
}
