/** Bringing bytes from the GPU to the host through a pool of staging buffers. */
import { BufferUsage, MAP_READ } from "./gpu-constants.js";
import { allocate, bufferBytes, type BufferRequest } from "./memory.js";

export interface Region {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  /** Elements of 4 bytes. */
  readonly count: number;
  /** Whether they are u32; else f32. */
  readonly whole?: boolean;
}

/** A copy that is under way. */
export interface Reading {
  /** The regions' values, once the GPU has them. The staging buffer goes back to the pool. */
  finish(): Promise<Float32Array[]>;
}

/** Free buffers kept for the next readings: two, so that one may be read while the next is filled. */
const KEPT = 2;

export class Readback {
  readonly #device: GPUDevice;
  readonly #free: GPUBuffer[] = [];
  #destroyed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A staging buffer for `bytes`. Take it before encoding starts: it may have to be made. */
  async take(bytes: number): Promise<GPUBuffer> {
    const fit = this.#free.findIndex((buffer) => buffer.size >= bytes);
    const [buffer] = fit < 0 ? [] : this.#free.splice(fit, 1);
    if (buffer !== undefined) return buffer;
    const request: BufferRequest = {
      label: "reading results back",
      bytes,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    };
    const [made] = await allocate(
      this.#device,
      [request],
      () => "Read fewer outputs at a time: name those that you need, or give prefill a function.",
    );
    return made as GPUBuffer;
  }

  static bytes(regions: readonly Region[]): number {
    return regions.reduce((sum, { count }) => sum + count * 4, 0);
  }

  /** Encodes the copies into `staging`, which must hold them. */
  encode(encoder: GPUCommandEncoder, staging: GPUBuffer, regions: readonly Region[]): Reading {
    gather(encoder, regions, staging);
    return { finish: () => this.finish(staging, regions) };
  }

  /** Regions that were gathered in `staging`, once that was submitted. The buffer goes back to the pool. */
  async finish(staging: GPUBuffer, regions: readonly Region[]): Promise<Float32Array[]> {
    const bytes = Readback.bytes(regions);
    try {
      await staging.mapAsync(MAP_READ, 0, bufferBytes(bytes));
    } catch (error) {
      staging.destroy();
      throw error;
    }
    const mapped = staging.getMappedRange(0, bufferBytes(bytes));
    let at = 0;
    const values = regions.map(({ count, whole }) => {
      const each = new (whole ? Uint32Array : Float32Array)(mapped, at, count);
      at += count * 4;
      return new Float32Array(each); // a copy: the buffer is unmapped
    });
    staging.unmap();
    this.#giveBack(staging);
    return values;
  }

  /** The largest are kept: they serve for anything. */
  #giveBack(staging: GPUBuffer): void {
    this.#free.push(staging);
    this.#free.sort((a, b) => b.size - a.size);
    for (const extra of this.#free.splice(this.#destroyed ? 0 : KEPT)) extra.destroy();
  }

  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#free.splice(0)) buffer.destroy();
  }
}

/** Copies regions to one buffer, one behind the other. */
export function gather(
  encoder: GPUCommandEncoder,
  regions: readonly Region[],
  target: GPUBuffer,
  begin = 0,
): void {
  let at = begin;
  for (const { buffer, offset, count } of regions) {
    if (count > 0) encoder.copyBufferToBuffer(buffer, offset, target, at, count * 4);
    at += count * 4;
  }
}

/** Copies back what was gathered. */
export function scatter(encoder: GPUCommandEncoder, source: GPUBuffer, regions: readonly Region[]): void {
  let at = 0;
  for (const { buffer, offset, count } of regions) {
    if (count > 0) encoder.copyBufferToBuffer(source, at, buffer, offset, count * 4);
    at += count * 4;
  }
}
