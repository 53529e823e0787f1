/** `krait/node`: WebGPU adapters, bundles and checkpoints for Node.js. */
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
export { fileWeights, manifestText, readBundle, writeBundle } from "./files.js";
export { readTensor, writeSafetensors, type FileTensor, type WritableTensor } from "./safetensors-files.js";
