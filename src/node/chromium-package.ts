/** The optional package @sparticuz/chromium: a headless Chromium with SwiftShader, as compressed archives. */
import { access, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

export interface PackagedArchive {
  readonly path: string;
  /** The package's. */
  readonly version: string;
}

/** One of the package's archives; undefined where the package is not installed or has no binaries for this machine. */
export async function packagedArchive(name: string): Promise<PackagedArchive | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  try {
    const main = createRequire(import.meta.url).resolve("@sparticuz/chromium");
    const root = resolve(dirname(main), "..", "..");
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    const path = join(root, "bin", name);
    await access(path);
    return { path, version };
  } catch {
    return undefined; // an optional package: absent is fine
  }
}
