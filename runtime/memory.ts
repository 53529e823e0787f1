/** GPU buffers, with errors that say what was asked for and why. */
import { KraitError } from "./errors.js";

export interface BufferRequest {
  /** What for: `scratch "s3" of prefill, 2048 steps of a batch of 4`. Also the buffer's label. */
  readonly label: string;
  readonly bytes: number;
  readonly usage: number;
}

/** What to do about requests that the device has no room for; what is proposed should take at most `budget` bytes. */
export type Advice = (budget: number) => string;

/**
 * Buffers for all requests, zeroed. All or none.
 * @throws KraitError R0204 for one that the device cannot hold.
 */
export async function allocate(
  device: GPUDevice,
  requests: readonly BufferRequest[],
  advise: Advice,
): Promise<GPUBuffer[]> {
  for (const request of requests) checkSize(device, request, advise);
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
  const outcomes = await Promise.allSettled(made.flatMap(({ errors }) => errors));
  const failures = made.flatMap(({ request }, i) => {
    const errors = outcomes.slice(2 * i, 2 * i + 2).flatMap((outcome) => messageOf(outcome) ?? []);
    return errors.map((message) => `${sizeText(request.bytes)} for ${request.label}: ${message}`);
  });
  if (failures.length === 0) return made.map(({ buffer }) => buffer);
  for (const { buffer } of made) buffer.destroy();
  const broken = outcomes.find((outcome) => outcome.status === "rejected");
  if (broken !== undefined) throw broken.reason; // the device is lost, not full
  const total = requests.reduce((sum, { bytes }) => sum + bytes, 0);
  throw new KraitError(
    "R0204",
    `The device has no room for ${sizeText(total)} in ${String(requests.length)} buffers:\n  ${failures.join("\n  ")}`,
    // There is no asking how much is left, so what is proposed is half of what was refused.
    { hint: advise(total / 2) },
  );
}

function messageOf(outcome: PromiseSettledResult<GPUError | null>): string | undefined {
  return outcome.status === "rejected" ? String(outcome.reason) : outcome.value?.message;
}

function checkSize(device: GPUDevice, { label, bytes }: BufferRequest, advise: Advice): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new KraitError("R0105", `The manifest asks for ${String(bytes)} bytes for ${label}.`);
  }
  const { maxBufferSize } = device.limits;
  if (bufferBytes(bytes) <= maxBufferSize) return;
  throw new KraitError(
    "R0204",
    `${sizeText(bytes)} for ${label}: a buffer of this device holds ${sizeText(maxBufferSize)} (maxBufferSize).`,
    { hint: advise(Infinity) },
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
