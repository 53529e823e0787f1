/**
 * `krait/runtime`: opens bundles and runs them, in a browser or in Node.js. Mistakes are `KraitError`s with a code.
 *
 * @example
 * const model = await open(bundle, { device, weights });
 * const session = await model.session({ batch: 1 });
 * const { logits } = await session.prefill({ token: Uint32Array.of(1, 2, 3) });
 * @module krait/runtime
 */
export * from "./bundle-format.js";
export { loadBundle, verifyBundle, sha256, MANIFEST_FILE } from "./bundle.js";
export { openCheckpoint, openShardedCheckpoint, tensorCheckpoint, type Checkpoint } from "./checkpoint.js";
export { requestDevice, type DeviceOptions } from "./device.js";
export { dimNames, evaluateDim } from "./dim.js";
export { ERROR_CODES, KraitError, type ErrorCode } from "./errors.js";
export type { GenerateOptions } from "./generation.js";
export { modelIdentity } from "./identity.js";
export type { InputData, Inputs } from "./inputs.js";
export { open, type Model, type OpenOptions } from "./model.js";
export type { Outputs } from "./outputs.js";
export { blobFile, bytesFile, urlFile, type RandomAccess } from "./random-access.js";
export { readSafetensors, type TensorEntry } from "./safetensors.js";
export { parseManifest } from "./schema.js";
export type { Session } from "./session.js";
export type { ForkOptions, PrefillOptions, SessionOptions, StepOptions } from "./session-options.js";
export type { HeldTensor, Snapshot } from "./snapshot.js";
export { parseSnapshot, serializeSnapshot } from "./snapshot-format.js";
export { chooseTarget, requiredDevice, type DeviceLike, type RequiredDevice } from "./target.js";
export type { HostTensor } from "./tensor.js";
export {
  openTyped,
  type Interface,
  type Signature,
  type Tensor,
  type TypedChunk,
  type TypedModel,
  type TypedSession,
  type TypedSnapshot,
} from "./typed.js";
export type { OutputChunk } from "./windows.js";
