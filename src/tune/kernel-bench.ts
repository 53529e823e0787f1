/**
 * One kernel of a recorded run, by other schedules: on the buffers of the run, with what lay in them when it was its turn. It is
 * timed by all its launches of the run, one after the other, so that weights of many layers come from memory as they do in a run.
 */
import { STAGE_COMPUTE } from "../../runtime/gpu-constants.js";
import { loadedBindings } from "../../compiler/5-kernel/traverse.js";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import { withSchedule, type Schedule } from "../../compiler/5-kernel/schedules/space.js";
import type { Expr, Kernel } from "../../compiler/5-kernel/types.js";
import type { Dim } from "../../runtime/bundle-format.js";
import type { OtherPipeline, RecordedDispatch, Recording } from "../measure/recorder.js";
import { spreadOf } from "../measure/spread.js";
import { timeGroups, warmUp, type TimingOptions } from "../measure/timing.js";
import { copyOf, differenceOf, type Written } from "./outputs.js";

/** Which kernel, and what of the run it needs. */
export interface KernelOfRun {
  readonly kernel: Kernel;
  /** The shader's id, which is its dispatches' label. */
  readonly id: string;
  /** The program's numbers, and sizes over them. */
  readonly numbers: readonly string[];
  readonly dim: (dim: Dim) => number;
}

/** A run that is timed takes at least so long: shorter ones are repeated. Timestamps may be no finer than 0.1 ms. */
const LEAST_MS = 4;
const MOST_REPEATS = 2000;
/** Between two that are timed the card does not cool down. */
const SHORT = 8;
/** What is slower than the best by more is not timed again. */
const HOPELESS = 1.4;

export class KernelBench {
  readonly #launches: readonly RecordedDispatch[];
  readonly #before: readonly RecordedDispatch[];
  readonly #first: RecordedDispatch;
  #reference: readonly Written[] | undefined;

  constructor(
    private readonly device: GPUDevice,
    { dispatches }: Recording,
    private readonly of: KernelOfRun,
    private readonly timing: TimingOptions,
  ) {
    this.#launches = dispatches.filter(({ label }) => label === of.id);
    const [first] = this.#launches;
    if (first === undefined) throw new Error(`${of.id} is not in the run`);
    this.#first = first;
    this.#before = dispatches.slice(0, dispatches.indexOf(first));
  }

  /** @throws what the device says of a shader that it does not take. */
  async compiled(schedule: Schedule): Promise<OtherPipeline> {
    const { device } = this;
    const kernel = withSchedule(this.of.kernel, schedule);
    const { code, dispatch } = printWgsl(kernel, this.of.numbers);
    const layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: STAGE_COMPUTE, buffer: { type: "uniform" } },
        ...kernel.bindings.map(({ access }, i): GPUBindGroupLayoutEntry => ({
          binding: i + 1,
          visibility: STAGE_COMPUTE,
          buffer: { type: access === "read" ? "read-only-storage" : "storage" },
        })),
      ],
    });
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const scope = device.popErrorScope();
    const compiling = device.createComputePipelineAsync({
      label: kernel.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    const [pipeline] = await Promise.all([compiling, scope]);
    const [x, y, z] = dispatch.map((dim) => this.of.dim(dim)) as [number, number, number];
    return { pipeline, workgroups: [x, y, z] };
  }

  /** Runs the kernel until something is there, and as long at least as it takes an idle card to raise its clock. */
  async warmUntil<T>(coming: Promise<T>): Promise<T> {
    const { warmUpMs } = this.timing;
    let isThere = warmUpMs === 0;
    const arrival = coming.finally(() => (isThere = true));
    do await warmUp(this.device, this.#launches, warmUpMs);
    while (!isThere);
    return arrival;
  }

  /** Brings the kernel's inputs to what they are in the run: other launches have written there since. */
  restore(): void {
    this.#submit((pass) => this.#before.forEach((dispatch) => dispatch.encode(pass)));
  }

  /**
   * How far what a variant writes is from what the default does, relative to its size; after `restore`.
   * @throws what the device says of a launch that it does not take.
   */
  async difference(variant: OtherPipeline): Promise<number> {
    const reference = (this.#reference ??= await this.#written());
    this.device.pushErrorScope("validation");
    const written = await this.#written(variant);
    const error = await this.device.popErrorScope();
    if (error !== null) throw new Error(error.message);
    return differenceOf(written, reference);
  }

  /**
   * Milliseconds of a launch; `best`: of the fastest so far, beyond which nobody wants to know it exactly.
   * @throws what the device says of a launch that it does not take.
   */
  async time(variant: OtherPipeline | undefined, best = Infinity): Promise<number> {
    this.device.pushErrorScope("validation");
    const ms = await this.#time(variant, best);
    const error = await this.device.popErrorScope();
    if (error !== null) throw new Error(error.message);
    return ms;
  }

  async #time(variant: OtherPipeline | undefined, best: number): Promise<number> {
    const launches = this.#launches.map((launch) => ({
      encode: (pass: GPUComputePassEncoder) => launch.encode(pass, variant),
    }));
    await warmUp(this.device, launches, this.timing.warmUpMs / SHORT);
    const once = Math.min(...(await timeGroups(this.device, [launches, launches])));
    if (once > HOPELESS * best * launches.length && once > LEAST_MS / 2) return once / launches.length;
    const most = Math.max(1, Math.floor(MOST_REPEATS / launches.length));
    const repeats = Math.max(1, Math.min(most, Math.ceil(LEAST_MS / Math.max(once, 1e-3))));
    const run = Array.from({ length: repeats }, () => launches).flat();
    const times = await timeGroups(
      this.device,
      Array.from({ length: this.timing.runs }, () => run),
    );
    return spreadOf(times).median / run.length;
  }

  async #written(variant?: OtherPipeline): Promise<readonly Written[]> {
    const { kernel } = this.of;
    const read = loadedBindings(expressionsOf(kernel));
    const written = kernel.bindings.flatMap(({ name, access, element }, i) => {
      const bound = this.#first.bound[i + 1];
      return access === "read_write" && bound !== undefined ? [{ name, element, bound }] : [];
    });
    // What it adds to is as the run left it; all else must come from this launch.
    const encoder = this.device.createCommandEncoder();
    for (const { name, bound } of written) {
      if (read.has(name)) continue;
      const { buffer, offset = 0, size = buffer.size - offset } = bound;
      encoder.clearBuffer(buffer, offset, size);
    }
    this.device.queue.submit([encoder.finish()]);
    if (written.some(({ name }) => read.has(name))) this.restore();
    this.#submit((pass) => this.#first.encode(pass, variant));
    return Promise.all(written.map(({ bound, element }) => copyOf(this.device, bound, element)));
  }

  #submit(encode: (pass: GPUComputePassEncoder) => void): void {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }
}

/** All expressions of a kernel, whatever its skeleton. */
function expressionsOf(kernel: Kernel): readonly Expr[] {
  const found: Expr[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) value.forEach(look);
    else if ("kind" in value && "type" in value) found.push(value as Expr);
    else Object.values(value).forEach(look);
  };
  look({ ...kernel, bindings: [], notes: [], schedule: {} });
  return found;
}
