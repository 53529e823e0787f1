/**
 * Vulkan in software, for machines without a GPU: SwiftShader as Debian's chromium installs it, or the copy inside the
 * optional package @sparticuz/chromium, which needs nothing from the system.
 */
import { constants } from "node:fs";
import { access, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { cachedFolder } from "./cache.js";
import { packagedArchive } from "./chromium-package.js";
import { dawnFile, findsSystemVulkan } from "./dawn.js";
import { tarFiles } from "./tar.js";

export interface SoftwareVulkan {
  /** Where it comes from, for people. */
  readonly origin: string;
  /** The driver's manifest for the Vulkan loader. */
  readonly icd: string;
  /** A copy of dawn.node that finds a Vulkan loader beside it; absent where the system has a loader. */
  readonly dawn?: string;
}

/** The first software driver that is installed, or undefined. Unpacks the package's one on first use (about a second). */
export async function findSoftwareVulkan(): Promise<SoftwareVulkan | undefined> {
  if (process.platform !== "linux") return undefined;
  return (await chromiumDriver()) ?? (await packagedDriver());
}

async function chromiumDriver(): Promise<SoftwareVulkan | undefined> {
  const icd = "/usr/lib/chromium/vk_swiftshader_icd.json";
  if (!findsSystemVulkan() || !(await exists(icd))) return undefined;
  return { origin: "SwiftShader of the system's chromium", icd };
}

async function packagedDriver(): Promise<SoftwareVulkan | undefined> {
  const source = await packagedArchive("swiftshader.tar.br");
  const dawn = dawnFile();
  if (source === undefined || dawn === undefined) return undefined;
  // Dawn opens libvulkan.so.1 from its own folder first. The copy of dawn.node puts it beside the loader without
  // touching node_modules and without LD_LIBRARY_PATH, which would have to be set before the process starts. It has to
  // be a copy: through a link, the dynamic linker recognizes the file and gives the one already loaded.
  const folder = await cachedFolder(`swiftshader-${source.version}-dawn-${dawn.version}`, async (into) => {
    const archive = await promisify(brotliDecompress)(await readFile(source.path));
    for (const file of tarFiles(archive)) {
      if (driverFiles.has(file.name)) await writeFile(join(into, file.name), file.data, { mode: 0o755 });
    }
    await copyFile(dawn.path, join(into, "dawn.node"), constants.COPYFILE_FICLONE);
  });
  return {
    origin: "SwiftShader of the package @sparticuz/chromium",
    icd: join(folder, "vk_swiftshader_icd.json"),
    dawn: join(folder, "dawn.node"),
  };
}

const driverFiles: ReadonlySet<string> = new Set([
  "libvk_swiftshader.so",
  "libvulkan.so.1",
  "vk_swiftshader_icd.json",
]);

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
