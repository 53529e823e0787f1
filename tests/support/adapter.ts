/**
 * The device that tests share: one for a whole mocha run. Which one is printed once; there is no run without one.
 * KRAIT_ADAPTER=gpu|software|null picks it.
 */
import {
  ADAPTER_NAMES,
  deviceOf,
  requestAdapter,
  type AdapterName,
  type FoundAdapter,
} from "../../src/node/adapters.js";

let adapter: Promise<FoundAdapter> | undefined;
let device: Promise<GPUDevice> | undefined;
let smallDevice: Promise<GPUDevice> | undefined;

/** The adapter of this run. Fails where there is none: a test that cannot compute has not passed. */
export function testAdapter(): Promise<FoundAdapter> {
  adapter ??= findAdapter();
  return adapter;
}

/** A device with everything that the adapter has. */
export function testDevice(): Promise<GPUDevice> {
  device ??= testAdapter().then(({ adapter }) => deviceOf(adapter));
  return device;
}

/** A device with WebGPU's default limits and no optional feature: what the target `baseline` must run on. */
export function baselineDevice(): Promise<GPUDevice> {
  // Asked for anew: an adapter gives one device.
  smallDevice ??= testAdapter()
    .then(({ name }) => requestAdapter({ adapter: name }))
    .then(({ adapter }) => adapter.requestDevice());
  return smallDevice;
}

async function findAdapter(): Promise<FoundAdapter> {
  const wanted = process.env["KRAIT_ADAPTER"];
  if (wanted !== undefined && !isAdapterName(wanted)) {
    throw new Error(`KRAIT_ADAPTER is "${wanted}"; it can be ${ADAPTER_NAMES.join(", ")}`);
  }
  const found = await requestAdapter(wanted === undefined ? {} : { adapter: wanted });
  console.log(`Tests run on the adapter "${found.name}": ${found.description}`);
  return found;
}

function isAdapterName(name: string): name is AdapterName {
  return (ADAPTER_NAMES as readonly string[]).includes(name);
}

// Registered with the root suite of the run that first imports this file: a device that lives keeps Node.js alive.
if (typeof after === "function") {
  after(async () => {
    for (const made of [device, smallDevice]) {
      if (made !== undefined) (await made).destroy();
    }
  });
}
