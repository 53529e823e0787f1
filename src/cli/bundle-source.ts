/** The sources that a bundle embeds. */
import type { CompileOptions } from "../../compiler/compile.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import { InputError } from "./errors.js";

/** What the compiler was given when it built a bundle; the settings stand for the config.json that they came from. */
export function sourceOfBundle(bundle: Bundle): { source: SourceFile; compileOptions: CompileOptions } {
  const { sources, options } = bundle.manifest;
  const files = sources.map(({ file }) => ({ path: fileName(file), text: bundle.files.get(file) ?? "" }));
  const [source] = files;
  if (source === undefined) throw new InputError("the bundle embeds no source");
  // Files that the main one uses are embedded by name, with a number before it.
  const loadSource = (path: string): SourceFile | undefined => {
    const used = files.find((file, k) => k > 0 && file.path === `${k}-${fileName(path)}`);
    return used && { path, text: used.text };
  };
  return { source, compileOptions: { ...options, loadSource } };
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
