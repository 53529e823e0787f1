/** An opened model's parts, for its sessions. */
import type { Manifest, TargetEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import type { DeviceHealth } from "./health.js";
import type { AxisNames } from "./numbers.js";
import type { PreparedProgram } from "./program.js";

/** What a model's sessions share. */
export interface ModelParts {
  readonly device: GPUDevice;
  readonly health: DeviceHealth;
  readonly manifest: Manifest;
  readonly target: TargetEntry;
  readonly names: AxisNames;
  /** What snapshots of its sessions are marked with. */
  readonly identity: string;
  readonly constants: ReadonlyMap<string, GPUBuffer>;
  readonly prefill: PreparedProgram;
  readonly step: PreparedProgram | undefined;
  readonly packed: PreparedProgram | undefined;
  readonly sessions: OpenSessions;
}

/** The sessions of a model, which end with it. */
export class OpenSessions {
  readonly #open = new Set<{ destroy(): void }>();
  #closed = false;

  /** @throws KraitError R0407 once the model is destroyed. */
  check(): void {
    if (this.#closed) throw new KraitError("R0407", "The model was destroyed.");
  }

  /** A session that was still being made when its model was destroyed is destroyed too. @throws KraitError R0407. */
  add(session: { destroy(): void }): void {
    if (this.#closed) session.destroy();
    this.check();
    this.#open.add(session);
  }

  delete(session: { destroy(): void }): void {
    this.#open.delete(session);
  }

  close(): void {
    this.#closed = true;
    for (const session of [...this.#open]) session.destroy();
  }
}
