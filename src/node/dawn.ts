/** Loading Dawn, the WebGPU implementation in the package `webgpu`. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface Dawn {
  create(options: string[]): GPU;
}

/** What Dawn is created with. `toggles` are Dawn's own; browsers don't have them. */
export interface DawnOptions {
  readonly backend?: "null";
  readonly enable: readonly string[];
  readonly disable: readonly string[];
}

/** Dawn as the package loads it, with the system's Vulkan, Metal or Direct3D. */
export async function loadDawn(): Promise<Dawn> {
  return import("webgpu");
}

/** Dawn from another copy of dawn.node. */
export function loadDawnFrom(path: string): Dawn {
  let dawn = copies.get(path);
  if (dawn === undefined) {
    const module: { exports: Partial<Dawn> } = { exports: {} };
    process.dlopen(module, path);
    const { create } = module.exports;
    if (create === undefined) throw new Error(`${path} is not dawn.node`);
    dawn = { create };
    copies.set(path, dawn);
  }
  return dawn;
}
const copies = new Map<string, Dawn>();

/**
 * The GPU object for these options; `driver` names the one that it will look for. Made once and kept as long as the
 * process, as a browser's `navigator.gpu` is: Dawn frees everything that came from it, devices in use too, when it is
 * collected. It does not keep Node.js from ending.
 */
export function gpuOf(dawn: Dawn, { backend, enable, disable }: DawnOptions, driver = ""): GPU {
  const options: string[] = [];
  if (backend !== undefined) options.push(`backend=${backend}`);
  if (enable.length > 0) options.push(`enable-dawn-features=${enable.join(",")}`);
  if (disable.length > 0) options.push(`disable-dawn-features=${disable.join(",")}`);
  const key = [driver, ...options].join(" ");
  const kept = gpus.get(dawn) ?? new Map<string, GPU>();
  gpus.set(dawn, kept);
  const gpu = kept.get(key) ?? dawn.create(options);
  kept.set(key, gpu);
  return gpu;
}
const gpus = new Map<Dawn, Map<string, GPU>>();

/** The package's dawn.node for this platform. */
export function dawnFile(): { path: string; version: string } | undefined {
  const root = dirname(createRequire(import.meta.url).resolve("webgpu"));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const platform = `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`;
  const path = join(root, "dist", platform, "dawn.node");
  return existsSync(path) ? { path, version } : undefined;
}

/**
 * Whether a Vulkan loader can be opened, asked before Dawn is: Dawn writes a warning of its own where there is none.
 * The answer of the first call is kept, since a loader that Dawn opened later for a software driver would be found too.
 */
export function findsSystemVulkan(): boolean {
  systemVulkan ??= process.platform !== "linux" || canOpenVulkan();
  return systemVulkan;
}
let systemVulkan: boolean | undefined;

/**
 * The only way to use the dynamic linker's search from JavaScript is to open the library as if it were an addon: a
 * library that is there fails in another way (it registers no module) than one that is not.
 */
function canOpenVulkan(): boolean {
  const dawn = dawnFile();
  if (dawn !== undefined && existsSync(join(dirname(dawn.path), "libvulkan.so.1"))) return true;
  try {
    process.dlopen({ exports: {} }, "libvulkan.so.1");
    return true;
  } catch (error) {
    return !String(error).includes("cannot open shared object file");
  }
}
