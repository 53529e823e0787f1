import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "../../runtime/bundle-format.js";
import { InputError } from "./errors.js";
import { uninterrupted } from "./io.js";

/** Writes a bundle in place of an older bundle or an empty folder, and of nothing else: a typing mistake after `-o` loses no work. */
export async function saveBundle(bundle: Bundle, folder: string): Promise<void> {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new InputError(`${folder} is a file; name a folder with -o`);
    if (readdirSync(folder).length > 0 && !existsSync(join(folder, "model.json"))) {
      throw new InputError(
        `${folder} holds other files and is no bundle, so it is left as it is`,
        "Name a new folder with -o.",
      );
    }
  }
  const { writeBundle } = await import("../node/index.js");
  await uninterrupted(() => writeBundle(bundle, folder));
}
