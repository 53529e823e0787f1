/**
 * A headless Chromium with WebGPU in software, for tests that run in a page. It is the one of the optional package
 * @sparticuz/chromium, with the libraries it needs; where that has no binary, the Chrome that is installed.
 * KRAIT_CHROMIUM=PATH takes another.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { brotliDecompress, createBrotliDecompress } from "node:zlib";
import { chromium, type Browser, type LaunchOptions } from "playwright-core";
import { cachedFolder } from "../../src/node/cache.js";
import { packagedArchive } from "../../src/node/chromium-package.js";
import { tarFiles } from "../../src/node/tar.js";

/**
 * Chromium on Linux wants a flag for WebGPU. SwiftShader computes the same on every machine; it takes ten times as long to
 * compile kernels with workgroup memory where that is zeroed first, which Krait's kernels have no need of.
 */
const WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-dawn-features=disable_workgroup_init",
];

/** Milliseconds for what a page does, below mocha's own limit: machines that run tests are busy. */
export const PATIENCE = 100_000;

/** Fails where there is no browser or it does not start: a test that ran nowhere has not passed. */
export async function launchChromium(): Promise<Browser> {
  const which = (await chosenByUser()) ?? (await packaged()) ?? { channel: "chrome" };
  try {
    const browser = await chromium.launch({ ...which, args: WEBGPU, timeout: PATIENCE });
    console.log(
      `Pages run in Chromium ${browser.version()}: ${which.executablePath ?? "the installed Chrome"}`,
    );
    return browser;
  } catch (cause) {
    throw new Error(
      `The tests of pages need a Chromium, and ${which.executablePath ?? "the installed Chrome"} did not start. ` +
        "On 64-bit Intel or AMD Linux `npm ci` brings one in the optional package @sparticuz/chromium; " +
        `KRAIT_CHROMIUM=PATH names another (147 or later).\n${String(cause)}`,
      { cause },
    );
  }
}

function chosenByUser(): Promise<LaunchOptions | undefined> {
  const executablePath = process.env["KRAIT_CHROMIUM"];
  return Promise.resolve(executablePath === undefined ? undefined : { executablePath });
}

/** Unpacked on first use into the user's cache folder (200 MB, a few seconds). */
async function packaged(): Promise<LaunchOptions | undefined> {
  const [binary, driver, libraries] = await Promise.all(
    ["chromium.br", "swiftshader.tar.br", "al2023.tar.br"].map(packagedArchive),
  );
  if (binary === undefined || driver === undefined || libraries === undefined) return undefined;
  const folder = await cachedFolder(`chromium-${binary.version}`, async (into) => {
    await pipeline(
      createReadStream(binary.path),
      createBrotliDecompress(),
      createWriteStream(join(into, "chromium"), { mode: 0o755 }),
    );
    await unpack(driver.path, into);
    await mkdir(join(into, "lib"));
    await unpack(libraries.path, join(into, "lib"));
  });
  // NSS and expat, which a bare system lacks, come with the package too.
  const env = { ...process.env, LD_LIBRARY_PATH: join(folder, "lib") };
  return { executablePath: join(folder, "chromium"), env };
}

async function unpack(archive: string, into: string): Promise<void> {
  const tar = await promisify(brotliDecompress)(await readFile(archive));
  for (const { name, data } of tarFiles(tar)) await writeFile(join(into, name), data, { mode: 0o755 });
}
