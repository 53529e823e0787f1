/** GPU buffers, with errors that say what was asked for and why. */
import { KraitError } from "./errors.js";

export interface BufferRequest {
  /** What for: `scratch "s3" of prefill, 2048 steps of a batch of 4`. Also the buffer's label. */
  readonly label: string;
  readonly bytes: number;
  readonly usage: number;
}

/**
 * Buffers for all requests, zeroed. All or none.
 * @throws KraitError R0204 for one that the device cannot hold.
 */
export async function allocate(device: GPUDevice, requests: readonly BufferRequest[]): Promise<GPUBuffer[]> {
  for (const request of requests) checkSize(device, request);
  const made = requests.map((request) => {
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const buffer = device.createBuffer({
      label: request.label,
      size: bufferBytes(request.bytes),
      usage: request.usage,
    });
    return { request, buffer, errors: [device.popErrorScope(), device.popErrorScope()] };
  });
  const failures: string[] = [];
  for (const { request, errors } of made) {
    for (const error of await Promise.all(errors)) {
      if (error !== null) failures.push(`${sizeText(request.bytes)} for ${request.label}: ${error.message}`);
    }
  }
  if (failures.length > 0) {
    for (const { buffer } of made) buffer.destroy();
    const total = requests.reduce((sum, { bytes }) => sum + bytes, 0);
    throw new KraitError(
      "R0204",
      `The device has no room for ${String(requests.length)} buffers, ${sizeText(total)} in all.\n  ${failures.join("\n  ")}`,
      { hint: "A smaller batch or maxChunk takes less; so does a bundle with weights in f16 or bf16." },
    );
  }
  return made.map(({ buffer }) => buffer);
}

function checkSize(device: GPUDevice, { label, bytes }: BufferRequest): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new KraitError("R0105", `The manifest asks for ${String(bytes)} bytes for ${label}.`);
  }
  const { maxBufferSize } = device.limits;
  if (bufferBytes(bytes) <= maxBufferSize) return;
  throw new KraitError(
    "R0204",
    `${label} takes ${sizeText(bytes)}, and this device's buffers hold ${sizeText(maxBufferSize)}.`,
    {
      hint: "Ask the adapter for a larger maxBufferSize (`requiredDevice` does), or use a smaller batch or maxChunk.",
    },
  );
}

/** Buffers are whole 16-byte blocks, and never empty: empty ones cannot be bound. */
export function bufferBytes(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

export function sizeText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? String(size) : size.toFixed(1)} ${units[unit] ?? ""}`;
}
