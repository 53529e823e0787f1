/**
 * What a device can do at most, measured: bytes a second of a copy, and operations a second of a matrix product by the
 * compiler's own schedule for a target. What a kernel reaches is set beside these.
 */
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import { schedulesFor, TARGETS, type Target } from "../../compiler/4-passes/schedule.js";
import { BufferUsage, STAGE_COMPUTE } from "../../runtime/gpu-constants.js";
import { evaluateDim } from "../../runtime/dim.js";
import { product } from "./product.js";
import { spreadOf } from "./spread.js";
import { timeGroups, warmUp, type TimingOptions, type Work } from "./timing.js";

export interface DeviceBounds {
  /** Bytes a second, those read and those written together. */
  readonly copy: number;
  /** Operations a second of a product in f32 on plain lanes, a multiplication and a sum each one. */
  readonly lanes: number;
  /** The same by the target's own kernels: on matrix units where it has them, else `lanes`. */
  readonly product: number;
}

/** Larger and larger, until one run takes this long: caches and launches count for little then, and slow devices stop early. */
const LONG_ENOUGH_MS = 0.25;
const COPIED_MIB = [8, 128, 512];
const PRODUCT_EXTENTS = [256, 1024, 4096];
const MIB = 2 ** 20;

/** `target`: a target profile's name, or that of a tuned target (`matrix@nvidia-hopper`). */
export async function measureBounds(
  device: GPUDevice,
  target: string,
  timing: TimingOptions,
): Promise<DeviceBounds> {
  const profile = profileOf(target);
  const copy = await copyRate(device, timing);
  const lanes = await productRate(device, { ...profile, matrixUnits: false }, timing);
  const product = profile.matrixUnits === true ? await productRate(device, profile, timing) : lanes;
  return { copy, lanes, product };
}

function profileOf(name: string): Target {
  const profile = TARGETS.find((each) => each.name === name.replace(/@.*/, ""));
  if (profile === undefined) throw new Error(`there is no target profile ${name}`);
  return profile;
}

async function copyRate(device: GPUDevice, timing: TimingOptions): Promise<number> {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
  return largest(
    device,
    timing,
    COPIED_MIB.filter((mib) => mib * MIB <= most),
    async (mib) => {
      const bytes = mib * MIB;
      const [from, to] = [noise(device, bytes, "f32"), emptyBuffer(device, bytes)];
      const work = await prepare(device, COPY, [bytes / 16 / (COPY_EACH * WORKGROUP), 1, 1], [from, to]);
      return { work, amount: 2 * bytes, buffers: [from, to] };
    },
  );
}

/** Operands as the target multiplies them best: f16 on matrix units, f32 elsewhere. */
async function productRate(device: GPUDevice, target: Target, timing: TimingOptions): Promise<number> {
  const operands = target.matrixUnits === true ? "f16" : "f32";
  const elementBytes = operands === "f16" ? 2 : 4;
  return largest(device, timing, PRODUCT_EXTENTS, async (extent) => {
    const sizes = { rows: "rows", cols: extent, depth: extent };
    const schedule = schedulesFor(target).tiles(sizes);
    const { code, dispatch } = printWgsl(product(sizes, schedule, operands, operands), ["rows"]);
    const [x, y, z] = dispatch.map((dim) => evaluateDim(dim, { rows: extent })) as [number, number, number];
    const operandBytes = elementBytes * extent * extent;
    const buffers = [
      noise(device, operandBytes, operands),
      noise(device, operandBytes, operands),
      emptyBuffer(device, 4 * extent * extent),
    ];
    const work = await prepare(device, code, [x, y, z], buffers, Uint32Array.of(extent, 0, 0, 0));
    return { work, amount: 2 * extent ** 3, buffers };
  });
}

interface Measurable {
  readonly work: Work;
  readonly amount: number;
  readonly buffers: readonly GPUBuffer[];
}

/** Of the largest that the device does in a moment: how much a second. */
async function largest(
  device: GPUDevice,
  timing: TimingOptions,
  sizes: readonly number[],
  make: (size: number) => Promise<Measurable>,
): Promise<number> {
  for (const [i, size] of sizes.entries()) {
    const { work, amount, buffers } = await make(size);
    try {
      // Warm before it is judged: at the clock of an idle device the smallest takes long.
      await warmUp(device, [work], timing.warmUpMs);
      const [, once = Infinity] = await timeGroups(device, [[work], [work]]);
      if (i < sizes.length - 1 && once < LONG_ENOUGH_MS) continue;
      const runs = Array.from({ length: timing.runs }, () => [work]);
      return (1000 * amount) / spreadOf(await timeGroups(device, runs)).median;
    } finally {
      for (const buffer of buffers) buffer.destroy();
    }
  }
  return 0;
}

const WORKGROUP = 256;
/** Vectors that an invocation copies: enough loads on their way at once. */
const COPY_EACH = 4;

const COPY = `@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4f>;
@compute @workgroup_size(${String(WORKGROUP)})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ${String(COPY_EACH * WORKGROUP)}u + lane;
${Array.from({ length: COPY_EACH }, (_, i) => `  let value${String(i)} = source[first + ${String(i * WORKGROUP)}u];`).join("\n")}
${Array.from({ length: COPY_EACH }, (_, i) => `  copied[first + ${String(i * WORKGROUP)}u] = value${String(i)};`).join("\n")}
}
`;

/** Words of a hash: as f32 between -1 and 1, or pairs of f16 between -1 and 1. Zeros would be multiplied at a higher clock. */
const NOISE = (word: string): string => `@group(0) @binding(0) var<storage, read_write> noise: array<u32>;
@compute @workgroup_size(${String(WORKGROUP)})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * ${String(WORKGROUP)}u + id.x;
  if (i >= arrayLength(&noise)) { return; }
  var bits = (i ^ (i >> 16u)) * 0x45d9f3bu;
  bits = (bits ^ (bits >> 16u)) * 0x45d9f3bu;
  bits ^= bits >> 16u;
  noise[i] = ${word};
}
`;
const NOISE_WORD = {
  f32: "bitcast<u32>(f32(bits) / 2147483648.0 - 1.0)",
  f16: "pack2x16float(vec2f(f32(bits & 0xffffu), f32(bits >> 16u)) / 32768.0 - 1.0)",
};

function emptyBuffer(device: GPUDevice, size: number): GPUBuffer {
  return device.createBuffer({ size, usage: BufferUsage.STORAGE });
}

/** Made on the device: its clock falls while JavaScript makes numbers. */
function noise(device: GPUDevice, size: number, type: keyof typeof NOISE_WORD): GPUBuffer {
  const buffer = emptyBuffer(device, size);
  const module = device.createShaderModule({ code: NOISE(NOISE_WORD[type]) });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  const groups = Math.ceil(size / 4 / WORKGROUP);
  const columns = Math.min(groups, device.limits.maxComputeWorkgroupsPerDimension);
  pass.dispatchWorkgroups(columns, Math.ceil(groups / columns));
  pass.end();
  device.queue.submit([encoder.finish()]);
  return buffer;
}

/** The last buffer is written; `numbers`: what binding 0 holds, where the code has a uniform block. */
async function prepare(
  device: GPUDevice,
  code: string,
  workgroups: readonly [number, number, number],
  buffers: readonly GPUBuffer[],
  numbers?: Uint32Array<ArrayBuffer>,
): Promise<Work> {
  const bound = buffers.map((buffer, i) => ({
    buffer,
    type: i === buffers.length - 1 ? ("storage" as const) : ("read-only-storage" as const),
  }));
  const uniforms =
    numbers === undefined ? [] : [{ buffer: uniform(device, numbers), type: "uniform" as const }];
  const all = [...uniforms, ...bound];
  const layout = device.createBindGroupLayout({
    entries: all.map(({ type }, binding) => ({ binding, visibility: STAGE_COMPUTE, buffer: { type } })),
  });
  const pipeline = await device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const group = device.createBindGroup({
    layout,
    entries: all.map(({ buffer }, binding) => ({ binding, resource: { buffer } })),
  });
  return {
    encode(pass) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    },
  };
}

function uniform(device: GPUDevice, numbers: Uint32Array<ArrayBuffer>): GPUBuffer {
  const usage = BufferUsage.UNIFORM | BufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: numbers.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, numbers);
  return buffer;
}
