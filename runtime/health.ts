/** Whether a device still works: losing it must be told apart from a mistake in a call, and must end every wait. */
import { KraitError } from "./errors.js";

export class DeviceHealth {
  #lost: GPUDeviceLostInfo | undefined;
  #failure: KraitError | undefined;
  readonly #device: GPUDevice;
  /** What ends the waits that are under way. `Promise.race` with `device.lost` would keep each for the device's life. */
  readonly #waiting = new Set<(error: KraitError) => void>();

  constructor(device: GPUDevice) {
    this.#device = device;
    void device.lost.then((info) => {
      this.#lost = info;
      const error = this.#lossError(info);
      for (const end of this.#waiting) end(error);
      this.#waiting.clear();
    });
  }

  /** @throws KraitError R0205 if the device is lost, R0206 if an earlier submission failed. */
  check(): void {
    if (this.#lost !== undefined) throw this.#lossError(this.#lost);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Runs `submit`, which gives work to the GPU, and reports what WebGPU finds wrong with it: by the promise, and by
   * `check` for callers that don't wait.
   */
  watch(submit: () => void): Promise<void> {
    this.#device.pushErrorScope("validation");
    let scope: Promise<GPUError | null>;
    try {
      submit();
    } finally {
      scope = this.#device.popErrorScope();
    }
    const outcome = scope.then((error) => {
      if (error === null) return;
      this.#failure ??= new KraitError("R0206", `WebGPU refused the work: ${error.message}`, {
        hint: "This is a mistake in the bundle or in Krait, not in the call; the model cannot be used on.",
      });
      throw this.#failure;
    });
    outcome.catch(() => undefined);
    return outcome;
  }

  /** `work`, with whatever goes wrong in it as a KraitError. Losing the device ends it, whatever becomes of `work`. */
  async translate<T>(work: Promise<T>): Promise<T> {
    if (this.#lost !== undefined) {
      work.catch(() => undefined);
      throw this.#lossError(this.#lost);
    }
    let end: (error: KraitError) => void = () => undefined;
    const loss = new Promise<never>((_, reject) => {
      end = reject;
      this.#waiting.add(end);
    });
    try {
      return await Promise.race([work, loss]);
    } catch (cause) {
      throw await this.#explained(cause);
    } finally {
      this.#waiting.delete(end);
    }
  }

  async #explained(cause: unknown): Promise<unknown> {
    if (cause instanceof KraitError || !isGpuError(cause)) return cause;
    // A lost device rejects what was pending before or after it says that it is lost: in a browser, whose GPU is in
    // another process, a message there and back later.
    const answered = this.#device.queue.onSubmittedWorkDone().then(turn, turn);
    const lost = this.#lost ?? (await Promise.race([this.#device.lost, answered]));
    if (lost !== undefined) return this.#lossError(lost, cause);
    return new KraitError("R0206", `The GPU reported an error: ${String(cause)}`, { cause });
  }

  #lossError({ reason, message }: GPUDeviceLostInfo, cause?: unknown): KraitError {
    const why = reason === "destroyed" ? "it was destroyed" : message;
    return new KraitError("R0205", `The GPU device was lost: ${why}`, {
      hint: "Ask for a new device, open the bundle on it, and restore each session from its last save().",
      cause,
    });
  }
}

/** What WebGPU rejects with. Anything else was thrown by the caller's own functions and is passed on. */
function isGpuError(error: unknown): boolean {
  return (
    error instanceof DOMException || (error instanceof Error && /^(Operation|Abort|GPU)/.test(error.name))
  );
}

function turn(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 0));
}
