/** Compiles for a command: shows what the compiler has to say, and stops the command if the model has errors. */
import type { Compilation, CompileOptions } from "../../compiler/compile.js";
import type { Diagnostic, SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import { ModelHasErrors } from "./errors.js";
import type { Io } from "./io.js";
import { loadSource } from "./model-file.js";

/** A model without errors. */
export interface CompiledModel {
  readonly bundle: Bundle;
  readonly stages: Partial<Compilation>;
}

/** With the file that it was compiled from. */
export interface CompiledSource extends CompiledModel {
  readonly source: SourceFile;
}

/** Throws `ModelHasErrors` when it has shown some. */
export async function compileModel(
  source: SourceFile,
  options: CompileOptions,
  io: Io,
): Promise<CompiledModel> {
  const sources = new SourceCache(source);
  const { compile } = await import("../../compiler/compile.js");
  const { bundle, diagnostics, stages } = compile(source, { loadSource: sources.load, ...options });
  await showDiagnostics(diagnostics, sources, io);
  if (bundle === undefined) throw new ModelHasErrors();
  return { bundle, stages };
}

/** Every source that the compiler has seen, so that messages can show its lines. */
export class SourceCache {
  readonly files = new Map<string, SourceFile>();

  constructor(main: SourceFile) {
    this.files.set(main.path, main);
  }

  readonly load = (path: string): SourceFile | undefined => {
    const file = this.files.get(path) ?? loadSource(path);
    if (file !== undefined) this.files.set(path, file);
    return file;
  };
}

/** Prints each diagnostic with its lines of source, and a count. */
export async function showDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: SourceCache,
  io: Io,
): Promise<void> {
  if (diagnostics.length === 0) return;
  const { renderAll } = await import("../../compiler/diagnostics/render.js");
  io.err(`${renderAll(diagnostics, sources.files, { color: io.color })}\n`);
}
