/**
 * `krait/node`: WebGPU adapters, bundles and checkpoints for Node.js.
 *
 * @example
 * const bundle = await readBundle("model.bundle");
 * const device = await requestDevice({ bundle });
 * const model = await open(bundle, { device, weights: await fileWeights("checkpoint") });
 * @module krait/node
 */
export {
  ADAPTER_NAMES,
  deviceOf,
  listAdapters,
  requestAdapter,
  requestDevice,
  type AdapterName,
  type AdapterOptions,
  type DeviceOptions,
  type FoundAdapter,
} from "./adapters.js";
export { fileWeights, manifestText, readBundle, writeBundle, type FileCheckpoint } from "./files.js";
export { readTensor, writeBytes, writeSafetensors, type FileTensor } from "./safetensors-files.js";
export type { WritableTensor } from "../../runtime/safetensors-writer.js";
