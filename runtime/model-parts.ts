/** An opened model's parts, for its sessions. */
import type { Manifest, TargetEntry } from "./bundle-format.js";
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
  readonly constants: ReadonlyMap<string, GPUBuffer>;
  readonly prefill: PreparedProgram;
  readonly step: PreparedProgram | undefined;
  /** Closes the sessions that are still open. */
  readonly sessions: Set<{ destroy(): void }>;
}
