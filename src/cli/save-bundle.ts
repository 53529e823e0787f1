import type { Bundle } from "../../runtime/bundle-format.js";
import { uninterrupted } from "./io.js";

/** For commands that write a bundle. */
export const TYPES = [
  "--types",
  "add model.ts, a TypeScript module that knows the model's inputs and outputs",
] as const;

/** Writes a bundle, whole or not at all; with `types`, its typed module too. Only an older bundle or an empty folder is replaced. */
export async function saveBundle(bundle: Bundle, folder: string, types = false): Promise<void> {
  const whole = types ? await withTypes(bundle) : bundle;
  const { writeBundle } = await import("../node/files.js");
  await uninterrupted(() => writeBundle(whole, folder));
}

/** The typed module is no file of the manifest: it may be moved, or left out. */
async function withTypes(bundle: Bundle): Promise<Bundle> {
  const { TYPED_MODULE, typedModule } = await import("../../compiler/6-emit/typed-module.js");
  return { ...bundle, files: new Map([...bundle.files, [TYPED_MODULE, await typedModule(bundle.manifest)]]) };
}
