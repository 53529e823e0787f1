/** Prints a kernel, compiles it on the tests' device, runs it, and reads its buffers back. */
import { Float16Array } from "@petamoriken/float16";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import type { Kernel } from "../../compiler/5-kernel/types.js";
import { validateKernel } from "../../compiler/5-kernel/validate.js";
import { evaluateDim } from "../../runtime/dim.js";
import { testDevice } from "./adapter.js";
import { emulateMatrices, usesMatrices } from "./emulate-matrices.js";

export type Buffers = Readonly<Record<string, Float32Array | Uint32Array>>;

/** f32 values as 16-bit ones, two to a word. */
export function pack(storage: "f16" | "bf16", values: Float32Array): Uint32Array {
  const halves = new Uint16Array(values.length + (values.length % 2));
  if (storage === "f16") halves.set(new Uint16Array(new Float16Array(values).buffer));
  else {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    bits.forEach((word, i) => (halves[i] = word >>> 16));
  }
  return new Uint32Array(halves.buffer);
}

/** Pipelines of this run by their text: software compiles slowly. */
const pipelines = new Map<string, Promise<Compiled>>();

interface Compiled {
  readonly layout: GPUBindGroupLayout;
  readonly pipeline: GPUComputePipeline;
}

async function compile(device: GPUDevice, kernel: Kernel, code: string): Promise<Compiled> {
  const module = device.createShaderModule({ code });
  const info = await module.getCompilationInfo();
  const messages = info.messages
    .filter((message) => message.type === "error")
    .map((message) => `${message.lineNum}: ${message.message}`);
  if (messages.length > 0)
    throw new Error(`${kernel.name} does not compile:\n${messages.join("\n")}\n${code}`);
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: GPUShaderStageBit.COMPUTE, buffer: { type: "uniform" } },
      ...kernel.bindings.map(({ access }, i) => ({
        binding: i + 1,
        visibility: GPUShaderStageBit.COMPUTE,
        buffer: { type: access === "read" ? ("read-only-storage" as const) : ("storage" as const) },
      })),
    ],
  });
  const pipeline = await device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  return { layout, pipeline };
}

const canRun = (device: GPUDevice, code: string): boolean =>
  !usesMatrices(code) || device.features.has("chromium-experimental-subgroup-matrix");

/** The buffers that the kernel writes, after one run. `buffers` are left as they are. */
export async function runKernel(
  kernel: Kernel,
  numbers: Readonly<Record<string, number>>,
  buffers: Buffers,
): Promise<Readonly<Record<string, Float32Array>>> {
  validateKernel(kernel, Object.keys(numbers));
  const device = await testDevice();
  const printed = printWgsl(kernel, Object.keys(numbers));
  const code = canRun(device, printed.code) ? printed.code : emulateMatrices(printed.code);
  device.pushErrorScope("validation");
  const compiling = pipelines.get(code) ?? compile(device, kernel, code);
  pipelines.set(code, compiling);
  const { layout, pipeline } = await compiling;
  const uniform = device.createBuffer({
    size: Math.max(16, 4 * Object.keys(numbers).length),
    usage: BufferUse.UNIFORM | BufferUse.COPY_DST,
  });
  device.queue.writeBuffer(uniform, 0, Uint32Array.from(Object.values(numbers)));
  const storage = kernel.bindings.map(({ name }) => {
    const data = buffers[name];
    if (data === undefined) throw new Error(`no buffer ${name}`);
    const buffer = device.createBuffer({
      size: Math.max(4, data.byteLength),
      usage: BufferUse.STORAGE | BufferUse.COPY_DST | BufferUse.COPY_SRC,
    });
    device.queue.writeBuffer(buffer, 0, data);
    return { name, buffer, size: data.byteLength };
  });
  const group = device.createBindGroup({
    layout,
    entries: [
      { binding: 0, resource: { buffer: uniform } },
      ...storage.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
    ],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  const [x, y, z] = printed.dispatch.map((dim) => evaluateDim(dim, numbers));
  pass.dispatchWorkgroups(x ?? 1, y ?? 1, z ?? 1);
  pass.end();
  const written = storage.filter((_, i) => kernel.bindings[i]?.access === "read_write");
  const reads = written.map(({ name, buffer, size }) => {
    const read = device.createBuffer({ size, usage: BufferUse.MAP_READ | BufferUse.COPY_DST });
    encoder.copyBufferToBuffer(buffer, 0, read, 0, size);
    return { name, read };
  });
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(`${kernel.name}: ${error.message}\n${printed.code}`);
  const results: Record<string, Float32Array> = {};
  for (const { name, read } of reads) {
    await read.mapAsync(1);
    results[name] = new Float32Array(read.getMappedRange().slice(0));
    read.destroy();
  }
  for (const { buffer } of storage) buffer.destroy();
  uniform.destroy();
  return results;
}

// WebGPU's flags are globals of browsers alone.
const GPUShaderStageBit = { COMPUTE: 4 } as const;
const BufferUse = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 } as const;
