/** Bringing bytes from the GPU to the host through a pool of staging buffers. */
import { BufferUsage, MAP_READ } from "./gpu-constants.js";
import { widenToF32 } from "./widen.js";
import { allocate, bufferBytes, type BufferRequest } from "./memory.js";

export interface Region {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  /** Elements, of 4 bytes, or of 2 in whole words. */
  readonly count: number;
  /** As a manifest says it; f32 without it. */
  readonly scalar?: string | undefined;
}

const isWide = ({ scalar = "f32" }: Region): boolean => scalar === "f32" || scalar === "index";

const bytesOf = (region: Region): number =>
  isWide(region) ? region.count * 4 : Math.ceil(region.count / 2) * 4;

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
    return regions.reduce((sum, region) => sum + bytesOf(region), 0);
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
    const values = regions.map((region) => {
      const { count, scalar = "f32" } = region;
      const begin = at;
      at += bytesOf(region);
      const wide = widenToF32(scalar, new Uint8Array(mapped, begin, count * (isWide(region) ? 4 : 2)));
      return wide ?? new Float32Array(new Uint32Array(mapped, begin, count)); // a copy: the buffer is unmapped
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
  for (const region of regions) {
    const bytes = bytesOf(region);
    if (bytes > 0) encoder.copyBufferToBuffer(region.buffer, region.offset, target, at, bytes);
    at += bytes;
  }
}

/** Copies back what was gathered. */
export function scatter(encoder: GPUCommandEncoder, source: GPUBuffer, regions: readonly Region[]): void {
  let at = 0;
  for (const region of regions) {
    const bytes = bytesOf(region);
    if (bytes > 0) encoder.copyBufferToBuffer(source, at, region.buffer, region.offset, bytes);
    at += bytes;
  }
}
