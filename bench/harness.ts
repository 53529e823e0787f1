/**
 * Timing kernels on a GPU. Idle cards lower their clock, so a kernel is first run for `WARM_UP` ms; then RUNS runs in one
 * submission, each between its own timestamps, give a median.
 */
import { create, globals } from "webgpu";
import type { Expr, Kernel } from "../compiler/5-kernel/types.js";
import { printWgsl, type PrintedKernel } from "../compiler/5-kernel/print-wgsl.js";
import { ExprBuilder } from "../compiler/5-kernel/expr.js";
import { evaluateDim } from "../runtime/dim.js";

Object.assign(globalThis, globals);

const RUNS = 24;
const WARM_UP = 150;

/** What an application may switch off and a browser may not. */
const WITHOUT_ROBUSTNESS = [
  "disable_robustness",
  "disable_workgroup_init",
  "disable_polyfills_on_integer_div_and_mod",
  "vulkan_use_cooperative_matrix_robust_access",
];

/** What kernels here may use, where the adapter has it. */
const FEATURES: readonly string[] = [
  "timestamp-query",
  "shader-f16",
  "subgroups",
  "subgroup-size-control",
  "chromium-experimental-subgroup-matrix",
];

export interface Bench {
  readonly device: GPUDevice;
  readonly description: string;
  readonly robust: boolean;
  /** Held, because Dawn's devices do not outlive it. */
  readonly gpu: GPU;
}

export async function openBench(robust: boolean): Promise<Bench> {
  const enabled = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", ...(robust ? [] : WITHOUT_ROBUSTNESS)];
  const gpu = create([
    `enable-dawn-features=${enabled.join(",")}`,
    "disable-dawn-features=timestamp_quantization",
  ]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("no adapter");
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[],
    requiredLimits: {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  device.onuncapturederror = ({ error }) => console.error(error.message.slice(0, 1000));
  return {
    gpu,
    device,
    robust,
    description: `${adapter.info.description} (${adapter.info.vendor} ${adapter.info.architecture})`,
  };
}

/** Ready to run: a kernel with its buffers bound. */
export class Prepared {
  private constructor(
    private readonly bench: Bench,
    private readonly pipeline: GPUComputePipeline,
    private readonly group: GPUBindGroup,
    private readonly groups: readonly [number, number, number],
    readonly printed: PrintedKernel,
  ) {}

  static async make(
    bench: Bench,
    kernel: Kernel,
    numbers: Readonly<Record<string, number>>,
    buffers: ReadonlyMap<string, GPUBuffer>,
    edit: (code: string) => string = (code) => code,
  ): Promise<Prepared> {
    const { device } = bench;
    const printed = printWgsl(kernel, Object.keys(numbers));
    const layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } },
        ...kernel.bindings.map(({ access }, i) => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === "read" ? ("read-only-storage" as const) : ("storage" as const) },
        })),
      ],
    });
    const pipeline = await device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ code: edit(printed.code) }), entryPoint: "main" },
    });
    const uniform = device.createBuffer({
      size: 256,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(uniform, 0, Uint32Array.from(Object.values(numbers)));
    const entries = kernel.bindings.map(({ name }, i) => {
      const buffer = buffers.get(name);
      if (buffer === undefined) throw new Error(`no buffer ${name}`);
      return { binding: i + 1, resource: { buffer } };
    });
    const group = device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer: uniform } }, ...entries],
    });
    const [x = 1, y = 1, z = 1] = printed.dispatch.map((dim) => evaluateDim(dim, numbers));
    return new Prepared(bench, pipeline, group, [x, y, z], printed);
  }

  encode(pass: GPUComputePassEncoder): void {
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.group);
    pass.dispatchWorkgroups(...this.groups);
  }

  /** Median milliseconds of one dispatch, the clock warm. */
  async time(): Promise<number> {
    const { device } = this.bench;
    for (const start = performance.now(); performance.now() - start < WARM_UP;) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < 16; i++) this.encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
    }
    const querySet = device.createQuerySet({ type: "timestamp", count: 2 * RUNS });
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < RUNS; i++) {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      this.encode(pass);
      pass.end();
    }
    const resolved = device.createBuffer({
      size: 16 * RUNS,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    encoder.resolveQuerySet(querySet, 0, 2 * RUNS, resolved, 0);
    const bytes = device.createBuffer({
      size: 16 * RUNS,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    encoder.copyBufferToBuffer(resolved, 0, bytes, 0, 16 * RUNS);
    device.queue.submit([encoder.finish()]);
    await bytes.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(bytes.getMappedRange());
    const times = Array.from(
      { length: RUNS },
      (_, i) => Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n)) / 1e6,
    );
    for (const made of [resolved, bytes, querySet]) made.destroy();
    return times.sort((a, b) => a - b)[RUNS / 2] ?? NaN;
  }
}

/** A buffer of `count` f32 from `low` to `high`, made on the device: the clock falls while JavaScript makes numbers. */
export function filled(bench: Bench, count: number, low = -1, high = 1): Promise<GPUBuffer> {
  return fill(bench, count, "f32", (e, i) => {
    const unit = e.div(e.op("f32", e.mod(e.add(e.mul(i, 40503), 12345), 65521)), 65521);
    return e.add(e.mul(unit, high - low), low);
  });
}

/** A buffer of `count` f16, an even number, from -1 to 1. */
export function filledHalves(bench: Bench, count: number): Promise<GPUBuffer> {
  return fill(bench, count / 2, "u32", (e, i) => {
    // From 1/16 to 1: four exponents, and either sign.
    const half = (k: Expr): Expr => {
      const random = e.mod(e.add(e.mul(k, 40503), 12345), 65521);
      return e.add(e.add(e.mod(random, 4096), 11 * 1024), e.mul(e.mod(e.div(random, 4096), 2), 32768));
    };
    return e.add(half(e.mul(i, 2)), e.mul(half(e.add(e.mul(i, 2), 1)), 65536));
  });
}

async function fill(
  bench: Bench,
  count: number,
  element: "f32" | "u32",
  value: (e: ExprBuilder, i: Expr) => Expr,
): Promise<GPUBuffer> {
  const { device } = bench;
  const buffer = device.createBuffer({
    size: 4 * count,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const e = new ExprBuilder();
  const i = e.variable("i", "u32", "count");
  const prepared = await Prepared.make(
    bench,
    {
      name: "fill",
      skeleton: "map",
      notes: [],
      bindings: [{ name: "out", access: "read_write", element }],
      domain: [{ var: "i", extent: "count" }],
      stores: [{ binding: "out", index: i, value: value(e, i) }],
      schedule: { workgroup: 256 },
    },
    { count },
    new Map([["out", buffer]]),
  );
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  prepared.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
  return buffer;
}

export async function readBack(bench: Bench, buffer: GPUBuffer, count: number): Promise<Float32Array> {
  const { device } = bench;
  const read = device.createBuffer({
    size: 4 * count,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, read, 0, 4 * count);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(read.getMappedRange().slice(0));
  read.destroy();
  return values;
}
