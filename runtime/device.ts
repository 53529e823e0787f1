/** Asking a browser for a device. */
import type { Bundle } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { requiredDevice } from "./target.js";

/** For which bundle a device is wanted, and of which adapter. */
export interface DeviceOptions {
  /** The device gets what this bundle needs. */
  readonly bundle: Bundle;
  /** Where adapters come from; by default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
  readonly powerPreference?: GPUPowerPreference;
}

/**
 * A device that runs the bundle, in a page or a worker. `krait/node` has the same for Node.js. Call `device.destroy()`
 * when done.
 * @throws KraitError R0201 without WebGPU or an adapter, R0202 where the adapter cannot run the bundle.
 */
export async function requestDevice(options: DeviceOptions): Promise<GPUDevice> {
  const { bundle, gpu = pageGpu(), powerPreference = "high-performance" } = options;
  if (gpu === undefined)
    throw new KraitError("R0201", "There is no WebGPU here: navigator.gpu is missing.", { hint: NO_WEBGPU });
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter === null)
    throw new KraitError("R0201", "The browser has WebGPU, but no adapter for it.", { hint: NO_ADAPTER });
  try {
    return await adapter.requestDevice(requiredDevice(bundle, adapter));
  } catch (cause) {
    if (cause instanceof KraitError) throw cause;
    throw new KraitError("R0201", `The adapter gives no device: ${String(cause)}`, { cause });
  }
}

const NO_WEBGPU =
  "Pages have it in Chrome and Edge 113, Safari 26 and Firefox 141 or later, not on every system yet, and only where " +
  "they come over https or from localhost. In Node.js, take `requestDevice` of krait/node.";
const NO_ADAPTER =
  "Is hardware acceleration turned off, or the GPU's driver on the browser's blocklist? chrome://gpu and about:support say why.";

/** Undefined outside of browsers, too. */
function pageGpu(): GPU | undefined {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}
