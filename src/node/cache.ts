/** A folder of files that can be made again at any time: unpacked drivers. */
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";

/**
 * The folder `name` of the user's cache, made by `fill` if it is not there. It appears whole or not at all: it is filled
 * under another name and renamed, so that two processes may do this at once and an interrupted one leaves no half.
 */
export async function cachedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const failures: unknown[] = [];
  for (const root of cacheRoots()) {
    const folder = join(root, name);
    if (await isOwnFolder(folder)) return folder;
    try {
      await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
      if (!(await isOwnFolder(root))) continue;
      const temporary = await mkdtemp(`${folder}.`);
      try {
        await fill(temporary);
        await rename(temporary, folder).catch(async (error: unknown) => {
          if (!(await isOwnFolder(folder))) throw error; // else another process was first
        });
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
      return folder;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `no folder to unpack ${name} into: ${failures.map(String).join("; ")}`);
}

/** Where caches belong on this system, then the temporary folder for users without a home that can be written to. */
function cacheRoots(): string[] {
  const home = homedir();
  const own =
    process.env["XDG_CACHE_HOME"] ??
    (process.platform === "win32"
      ? (process.env["LOCALAPPDATA"] ?? join(home, "AppData", "Local"))
      : process.platform === "darwin"
        ? join(home, "Library", "Caches")
        : join(home, ".cache"));
  return [join(own, "krait"), join(tmpdir(), `krait-${String(userInfo().uid)}`)];
}

/** Code is loaded from here, so a folder that another user made (in a shared temporary folder) is not taken. */
async function isOwnFolder(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    const uid = process.getuid?.();
    return found.isDirectory() && (uid === undefined || found.uid === uid);
  } catch {
    return false;
  }
}
