/** The sources that a bundle embeds. */
import type { CompileOptions } from "../../compiler/compile.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import { InputError } from "./errors.js";

/** What the compiler was given when it built a bundle; the settings stand for the config.json that they came from. */
export function sourceOfBundle(bundle: Bundle): { source: SourceFile; compileOptions: CompileOptions } {
  const { sources, options } = bundle.manifest;
  // They stand in `sources` as they stood to each other, so that what one uses is found from there.
  const files = sources.map(({ file }) => ({
    path: file.replace(/^sources\//, ""),
    text: bundle.files.get(file) ?? "",
  }));
  const [source] = files;
  if (source === undefined) throw new InputError("the bundle embeds no source");
  const loadSource = (path: string): SourceFile | undefined => files.find((file) => file.path === path);
  return { source, compileOptions: { ...options, loadSource } };
}
