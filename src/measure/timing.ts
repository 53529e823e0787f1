/**
 * Timing what was recorded. Idle cards lower their clock, so the same work is first run for `warmUpMs`; then `runs` runs in
 * one submission, each between its own timestamps.
 */
import { BufferUsage, MAP_READ } from "../../runtime/gpu-constants.js";
import type { RecordedDispatch, Recording } from "./recorder.js";
import { spreadOf, type Spread } from "./spread.js";

export interface TimingOptions {
  readonly runs: number;
  readonly warmUpMs: number;
}

/** All launches of one kernel. */
export interface KernelTime {
  readonly kernel: string;
  readonly launches: number;
  readonly ms: number;
}

/** What can be encoded again and again. */
export type Work = Pick<RecordedDispatch, "encode">;

/** WebGPU's limit on one query set. */
const MOST_STAMPS = 4096;

/** Milliseconds of the whole recording. */
export async function timeRuns(
  device: GPUDevice,
  { dispatches }: Recording,
  options: TimingOptions,
): Promise<Spread> {
  await warmUp(device, dispatches, options.warmUpMs);
  const runs = Array.from({ length: options.runs }, () => dispatches);
  return spreadOf(await timeGroups(device, runs));
}

/** Milliseconds of each kernel of the recording, all its launches together, the slowest first. */
export async function timeKernels(
  device: GPUDevice,
  { dispatches }: Recording,
  options: TimingOptions,
): Promise<KernelTime[]> {
  const runs = Math.min(options.runs, Math.floor(MOST_STAMPS / 2 / dispatches.length));
  if (!hasTimestamps(device) || runs < 1) return [];
  await warmUp(device, dispatches, options.warmUpMs);
  const repeated = Array.from({ length: runs }, () => dispatches).flat();
  const times = await timeGroups(
    device,
    repeated.map((dispatch) => [dispatch]),
  );
  const kernels = new Map<string, { launches: number; ms: number }>();
  for (const [i, { label }] of dispatches.entries()) {
    const kernel = kernels.get(label) ?? { launches: 0, ms: 0 };
    const mine = times.filter((_, k) => k % dispatches.length === i);
    kernels.set(label, { launches: kernel.launches + 1, ms: kernel.ms + spreadOf(mine).median });
  }
  return [...kernels].map(([kernel, time]) => ({ kernel, ...time })).sort((one, other) => other.ms - one.ms);
}

export function hasTimestamps(device: GPUDevice): boolean {
  return device.features.has("timestamp-query");
}

export async function warmUp(device: GPUDevice, dispatches: readonly Work[], atLeast: number): Promise<void> {
  for (const start = performance.now(); performance.now() - start < atLeast;) {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < 4; i++) encodePass(encoder, dispatches);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  }
}

/** Milliseconds of each group; by the host's clock, group after group, where the device has no timestamps. */
export async function timeGroups(device: GPUDevice, groups: readonly (readonly Work[])[]): Promise<number[]> {
  if (hasTimestamps(device)) return stamped(device, groups);
  const times: number[] = [];
  for (const group of groups) {
    const encoder = device.createCommandEncoder();
    encodePass(encoder, group);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  return times;
}

async function stamped(device: GPUDevice, groups: readonly (readonly Work[])[]): Promise<number[]> {
  const count = 2 * groups.length;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const size = 8 * count;
  const resolved = device.createBuffer({
    size,
    usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC,
  });
  const read = device.createBuffer({ size, usage: BufferUsage.COPY_DST | BufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  for (const [i, group] of groups.entries()) {
    encodePass(encoder, group, {
      querySet,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    });
  }
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, read, 0, size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(MAP_READ);
  const stamps = new BigUint64Array(read.getMappedRange());
  const times = groups.map((_, i) => Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n)) / 1e6);
  for (const made of [resolved, read, querySet]) made.destroy();
  return times;
}

function encodePass(
  encoder: GPUCommandEncoder,
  dispatches: readonly Work[],
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
  for (const dispatch of dispatches) dispatch.encode(pass);
  pass.end();
}
