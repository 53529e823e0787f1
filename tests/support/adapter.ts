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
import { atEnd } from "./at-end.js";

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
  device ??= destroyAtEnd(ownAdapter().then(deviceOf));
  return device;
}

/** A device with WebGPU's default limits and no optional feature: what the target `baseline` must run on. */
export function baselineDevice(): Promise<GPUDevice> {
  smallDevice ??= destroyAtEnd(ownAdapter().then((found) => found.requestDevice()));
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

/** Asked for anew: an adapter gives one device. */
async function ownAdapter(): Promise<GPUAdapter> {
  const { name } = await testAdapter();
  return (await requestAdapter({ adapter: name })).adapter;
}

/** A device that lives keeps Node.js alive. */
function destroyAtEnd(made: Promise<GPUDevice>): Promise<GPUDevice> {
  atEnd(async () => {
    device = smallDevice = undefined;
    (await made).destroy();
  });
  return made;
}
