/**
 * Finding a WebGPU adapter in Node.js: a real GPU where there is one, else Vulkan in software, which comes with
 * `npm ci` or with the system.
 */
import { tmpdir } from "node:os";
import type { Bundle } from "../../runtime/bundle-format.js";
import { KraitError } from "../../runtime/errors.js";
import { requiredDevice } from "../../runtime/target.js";
import { findsSystemVulkan, gpuOf, loadDawn, loadDawnFrom, type Dawn, type DawnOptions } from "./dawn.js";
import { findSoftwareVulkan } from "./software-vulkan.js";

/** `gpu`: hardware. `software`: Vulkan computed by the CPU. `null`: Dawn's backend that checks everything and runs nothing. */
export type AdapterName = "gpu" | "software" | "null";

/** Every `AdapterName`, best first. */
export const ADAPTER_NAMES: readonly AdapterName[] = ["gpu", "software", "null"];

/** Which adapter, and what Dawn is told that a browser would decide for itself. */
export interface AdapterOptions {
  /** Which one; by default the GPU, and software (said in one line on stderr) where there is none. */
  readonly adapter?: AdapterName;
  /** Dawn's toggles, by its own names. Browsers don't have them. */
  readonly toggles?: { readonly enable?: readonly string[]; readonly disable?: readonly string[] };
  /** False switches off bounds checks and their like: 10 to 40 % faster, and nothing that a browser would do. */
  readonly robustness?: boolean;
  /** True allows what WebGPU calls unsafe: exact timestamps and experimental features such as subgroup matrices. */
  readonly unsafeApis?: boolean;
}

/** Which device of which adapter. */
export interface DeviceOptions extends AdapterOptions {
  /** The device gets what this bundle needs; without a bundle, all features and limits that the adapter has. */
  readonly bundle?: Bundle;
  /** Features beyond the bundle's. */
  readonly features?: readonly GPUFeatureName[];
}

/** An adapter of this machine. It gives one device: `deviceOf`. */
export interface FoundAdapter {
  readonly name: AdapterName;
  readonly adapter: GPUAdapter;
  /** For people: `NVIDIA H100 80GB HBM3`, `SwiftShader driver 5.0.0 (SwiftShader of the package @sparticuz/chromium)`. */
  readonly description: string;
}

/** Every adapter of this machine, best first. The null backend is always there and comes last. */
export async function listAdapters(options: Omit<AdapterOptions, "adapter"> = {}): Promise<FoundAdapter[]> {
  const found: FoundAdapter[] = [];
  for (const name of ADAPTER_NAMES) {
    const adapter = await finders[name](dawnOptions(options));
    if (adapter !== undefined) found.push(adapter);
  }
  return found;
}

/** @throws KraitError R0201 with what could be installed, where there is no such adapter. */
export async function requestAdapter(options: AdapterOptions = {}): Promise<FoundAdapter> {
  const dawn = dawnOptions(options);
  if (options.adapter !== undefined) {
    const finder = finders[options.adapter] as (typeof finders)[AdapterName] | undefined;
    if (finder === undefined) {
      throw new KraitError("R0201", `There is no adapter called "${options.adapter}".`, {
        hint: `Adapters are called ${ADAPTER_NAMES.join(", ")}.`,
      });
    }
    return (await finder(dawn)) ?? noAdapter(options.adapter);
  }
  const gpu = await findGpu(dawn);
  if (gpu !== undefined) return gpu;
  const software = (await findSoftware(dawn)) ?? noAdapter(undefined);
  sayOnce(`krait: no GPU found, running in software (slow): ${software.description}`);
  return software;
}

/**
 * A device for WebGPU in Node.js. Call `device.destroy()` when done.
 * @throws KraitError R0201 without an adapter, R0202 where the adapter cannot run the bundle.
 */
export async function requestDevice(options: DeviceOptions = {}): Promise<GPUDevice> {
  const { adapter } = await requestAdapter(options);
  return deviceOf(adapter, options);
}

/** The device of an adapter that was found before. An adapter gives one device; find it anew for another. */
export async function deviceOf(
  adapter: GPUAdapter,
  { bundle, features = [] }: Pick<DeviceOptions, "bundle" | "features"> = {},
): Promise<GPUDevice> {
  const required = bundle === undefined ? everything(adapter) : requiredDevice(bundle, adapter);
  const missing = features.filter((feature) => !adapter.features.has(feature));
  if (missing.length > 0) {
    throw new KraitError(
      "R0201",
      `The adapter lacks ${missing.map((f) => `the feature "${f}"`).join(", ")}.`,
    );
  }
  try {
    return await adapter.requestDevice({
      requiredFeatures: [...new Set([...required.requiredFeatures, ...features])],
      requiredLimits: required.requiredLimits,
    });
  } catch (cause) {
    throw new KraitError("R0201", `The adapter gives no device: ${String(cause)}`, { cause });
  }
}

type Finder = (options: DawnOptions) => Promise<FoundAdapter | undefined>;

const finders: Readonly<Record<AdapterName, Finder>> = {
  gpu: findGpu,
  software: findSoftware,
  null: findNull,
};

async function findGpu(options: DawnOptions): Promise<FoundAdapter | undefined> {
  if (!findsSystemVulkan()) return undefined;
  const adapter = await open(await loadDawn(), options);
  return adapter === null || isSoftware(adapter.info) ? undefined : found("gpu", adapter);
}

/**
 * SwiftShader writes out the zeroing of workgroup memory as one store an element, and takes twenty times as long to
 * compile a kernel with tiles. Krait's kernels read no workgroup memory that they have not written.
 */
const QUICK_TO_COMPILE = "disable_workgroup_init";

async function findSoftware(given: DawnOptions): Promise<FoundAdapter | undefined> {
  const options = { ...given, enable: [...new Set([...given.enable, QUICK_TO_COMPILE])] };
  if (findsSystemVulkan()) {
    // The system's lavapipe is five times faster than SwiftShader, so it comes first.
    const adapter = await open(await loadDawn(), options, { fallback: true });
    if (adapter !== null && isSoftware(adapter.info)) return found("software", adapter);
  }
  const vulkan = await findSoftwareVulkan();
  if (vulkan === undefined) return undefined;
  const dawn = vulkan.dawn === undefined ? await loadDawn() : loadDawnFrom(vulkan.dawn);
  const adapter = await open(dawn, options, { driver: vulkan.icd });
  return adapter === null ? undefined : found("software", adapter, vulkan.origin);
}

async function findNull(options: DawnOptions): Promise<FoundAdapter | undefined> {
  const adapter = await open(await loadDawn(), { ...options, backend: "null" });
  return adapter === null ? undefined : found("null", adapter);
}

async function open(
  dawn: Dawn,
  options: DawnOptions,
  { driver, fallback = false }: { driver?: string; fallback?: boolean } = {},
): Promise<GPUAdapter | null> {
  const gpu = gpuOf(dawn, options, driver);
  const request = (): Promise<GPUAdapter | null> =>
    gpu.requestAdapter(fallback ? { forceFallbackAdapter: true } : { powerPreference: "high-performance" });
  return driver === undefined ? request() : withDriver(driver, request);
}

/** Runs `action`, which looks for drivers before it returns its promise, with only `driver` to be found. */
function withDriver<T>(driver: string, action: () => T): T {
  const variables = {
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver, // the older name, which older loaders know
    XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), // unset, some drivers warn
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return action();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}

function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter ||
    /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info.device} ${info.description}`)
  );
}

function found(name: AdapterName, adapter: GPUAdapter, origin?: string): FoundAdapter {
  const { info } = adapter;
  const title =
    [info.device, info.description].filter((text) => text !== "").join(", ") || "Dawn's null backend";
  return { name, adapter, description: origin === undefined ? title : `${info.description} (${origin})` };
}

function dawnOptions({ toggles = {}, robustness = true, unsafeApis = false }: AdapterOptions): DawnOptions {
  const enable = [...(toggles.enable ?? [])];
  const disable = [...(toggles.disable ?? [])];
  // NVIDIA's driver computes f16 well; Dawn leaves it off out of caution for old ones.
  if (process.platform === "linux") enable.push("vulkan_enable_f16_on_nvidia");
  if (!robustness) {
    enable.push(
      "disable_robustness",
      "disable_workgroup_init",
      "disable_polyfills_on_integer_div_and_mod",
      "vulkan_use_cooperative_matrix_robust_access",
    );
  }
  if (unsafeApis) {
    enable.push("allow_unsafe_apis");
    disable.push("timestamp_quantization");
  }
  return { enable, disable };
}

/** All that the adapter has and a kernel may use. */
function everything(adapter: GPUAdapter): {
  requiredFeatures: GPUFeatureName[];
  requiredLimits: Record<string, number>;
} {
  const features: readonly string[] = [
    "shader-f16",
    "subgroups",
    "subgroup-size-control",
    "timestamp-query",
    "chromium-experimental-subgroup-matrix",
  ];
  const limits: readonly (keyof GPUSupportedLimits)[] = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupSizeY",
    "maxComputeWorkgroupSizeZ",
    "maxComputeWorkgroupsPerDimension",
  ];
  return {
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name] as number])),
  };
}

function noAdapter(name: AdapterName | undefined): never {
  const what = name === undefined ? "no WebGPU adapter" : `no adapter "${name}"`;
  throw new KraitError("R0201", `This machine has ${what}.`, {
    hint:
      name === "gpu"
        ? 'Is the GPU\'s Vulkan driver installed (libvulkan.so.1 and a file in /usr/share/vulkan/icd.d)? The adapter "software" needs none.'
        : "Install the optional package @sparticuz/chromium (64-bit Intel or AMD Linux), Mesa's Vulkan drivers 25.0 or later " +
          "(mesa-vulkan-drivers), or Debian's chromium.",
  });
}

const said = new Set<string>();
function sayOnce(line: string): void {
  if (said.has(line)) return;
  said.add(line);
  process.stderr.write(`${line}\n`);
}
