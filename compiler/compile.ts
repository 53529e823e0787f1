/**
 * The compiler from end to end: source → syntax tree → module → graph → programs → kernels → bundle. Each stage is a
 * function of the one before it; nothing reaches back. The stages up to the programs are check.ts.
 */
import { check } from "./check.js";
import { emitBundle } from "./6-emit/bundle.js";
import { storageOf } from "./6-emit/storage.js";
import { emitTarget, tunedTarget } from "./6-emit/target.js";
import type { SourceLine } from "./5-kernel/lower/index.js";
import { positionsIn } from "./diagnostics/positions.js";
import type { SourceFile, Span } from "./diagnostics/types.js";
import type { Checked, CheckResult, Compilation, CompileOptions, CompileResult } from "./compilation.js";
import { withinLimits } from "./within-limits.js";

export type { Checked, CheckResult, Compilation, CompileOptions, CompileResult } from "./compilation.js";

/** Compiles a model. Never throws for a mistake of its author: those are `diagnostics`. */
export function compile(source: SourceFile, options: CompileOptions = {}): CompileResult {
  const { checked, diagnostics, stages } = check(source, options);
  if (checked === undefined) return { diagnostics, stages };
  return withinLimits(
    checked.tree,
    () => emitted(source, checked, { diagnostics, stages }, options),
    (diagnostic) => ({ diagnostics: [...diagnostics, diagnostic], stages }),
  );
}

function emitted(
  source: SourceFile,
  checked: Checked,
  { diagnostics }: CheckResult,
  options: CompileOptions,
): CompileResult {
  const { module, passes, targets } = checked;
  const sources = [source, ...module.uses];
  const emitting = {
    storage: storageOf(passes.programs, options),
    sourceAt: sourceLines(sources),
    activations: options.activations ?? "f32",
    ...(options.schedule && { schedule: options.schedule }),
  };
  const kernels = targets.flatMap((target) => {
    const plain = emitTarget(passes.programs, target, emitting);
    const made = [plain];
    for (const tuning of options.tuning ?? []) {
      const beside = new Map(made.flatMap(({ files }) => [...files]));
      const tuned = tunedTarget(passes.programs, target, plain, { tuning, beside });
      if (tuned !== undefined) made.push(tuned);
    }
    return made;
  });
  const compilation: Compilation = { ...checked, targets: kernels };
  return { bundle: emitBundle(compilation, sources, options), diagnostics, stages: compilation };
}

/** The source at a span, and its file (without the path of this machine) and line. */
function sourceLines(sources: readonly SourceFile[]): (span: Span) => SourceLine | undefined {
  const files = new Map(sources.map(({ path, text }) => [path, { text, at: positionsIn(text) }]));
  return ({ file, start, end }) => {
    const found = files.get(file);
    const text = found?.text.slice(start, end).replace(/\s+/g, " ").trim() ?? "";
    if (found === undefined || text === "") return undefined;
    return { place: `${file.replace(/^.*[\\/]/, "")}:${String(found.at(start).line)}`, text };
  };
}
