import type { Bundle } from "../../runtime/bundle-format.js";
import { uninterrupted } from "./io.js";

/** Writes a bundle, whole or not at all. Only an older bundle or an empty folder is replaced. */
export async function saveBundle(bundle: Bundle, folder: string): Promise<void> {
  const { writeBundle } = await import("../node/index.js");
  await uninterrupted(() => writeBundle(bundle, folder));
}
