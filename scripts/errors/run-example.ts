import { compile } from "../../compiler/compile.js";
import { renderAll } from "../../compiler/diagnostics/render.js";
import type { Diagnostic, SourceFile } from "../../compiler/diagnostics/types.js";
import { type ErrorExample, type Snippet, sourceOf } from "./example.js";

export interface ExampleResult {
  readonly source: SourceFile;
  readonly diagnostics: readonly Diagnostic[];
  /** As `krait check` prints them. */
  readonly rendered: string;
}

/** Compiles one of an example's two sources, with all that the example says of its surroundings. */
export function runExample(example: ErrorExample, snippet: Snippet): ExampleResult {
  const source = { path: "main.krait", text: sourceOf(snippet) };
  const files = new Map<string, SourceFile>([[source.path, source]]);
  for (const [path, text] of Object.entries(example.files ?? {})) files.set(path, { path, text });
  const { diagnostics } = compile(source, {
    loadSource: (path) => files.get(path),
    ...(example.set === undefined ? {} : { set: example.set }),
    ...(example.config === undefined ? {} : { config: example.config }),
    packed: snippet.packed ?? false,
    targets: snippet.targets ?? ["baseline"],
  });
  return { source, diagnostics, rendered: renderAll(diagnostics, files) };
}
