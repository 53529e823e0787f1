/**
 * The compiler from end to end: source → syntax tree → module → graph → programs → kernels → bundle. Each stage is a
 * function of the one before it; nothing reaches back.
 */
import { parse } from "./1-parse/index.js";
import { analyze } from "./2-analyze/index.js";
import { elaborate } from "./3-graph/elaborate/index.js";
import { runPasses } from "./4-passes/index.js";
import { DEFAULT_TARGETS, TARGETS, type Target } from "./4-passes/schedule.js";
import { emitBundle } from "./6-emit/bundle.js";
import { storageOf } from "./6-emit/storage.js";
import { emitTarget } from "./6-emit/target.js";
import type { SourceLine } from "./5-kernel/lower/index.js";
import { positionsIn } from "./diagnostics/positions.js";
import { unknownTarget } from "./diagnostics/codes/programs.js";
import { createSink } from "./diagnostics/sink.js";
import type { Diagnostic, SourceFile, Span } from "./diagnostics/types.js";
import type { Compilation, CompileOptions, CompileResult } from "./compilation.js";

export type { Compilation, CompileOptions, CompileResult } from "./compilation.js";

/** Compiles a model. Never throws for a mistake of its author: those are `diagnostics`. */
export function compile(source: SourceFile, options: CompileOptions = {}): CompileResult {
  const front = elaborated(source, options);
  const { sink, tree, module, graph } = front;
  const stages: Partial<Compilation> = { tree, ...(module && { module }), ...(graph && { graph }) };
  const failed = (more: Partial<Compilation> = {}): CompileResult => ({
    diagnostics: sink.diagnostics,
    stages: { ...stages, ...more },
  });
  const chosen = (options.targets ?? DEFAULT_TARGETS).map((name) => {
    const target = TARGETS.find((known) => known.name === name);
    if (target === undefined)
      sink.report(
        unknownTarget(
          startOf(source),
          name,
          TARGETS.map((known) => known.name),
        ),
      );
    return target;
  });
  if (module === undefined || graph === undefined || sink.diagnostics.some(isError)) return failed();

  const passes = runPasses(graph, { sink }, options.verify ?? false);
  if (sink.diagnostics.some(isError)) return failed({ passes });

  if (options.emit === false) return { diagnostics: sink.diagnostics, stages: { ...stages, passes } };

  const sources = [source, ...module.uses];
  const emitted = chosen
    .filter((target): target is Target => target !== undefined)
    .map((target) =>
      emitTarget(passes.programs, target, {
        storage: storageOf(passes.programs, options),
        sourceAt: sourceLines(sources),
        ...(options.schedule && { schedule: options.schedule }),
      }),
    );
  const compilation: Compilation = { tree, module, graph, passes, targets: emitted };
  return {
    bundle: emitBundle(compilation, sources, options),
    diagnostics: sink.diagnostics,
    stages: compilation,
  };
}

/** The first three stages. What a file with syntax errors lacks would lead the stages after it to wrong conclusions. */
function elaborated(source: SourceFile, options: CompileOptions) {
  const sink = createSink();
  const tree = parse(source, sink);
  if (sink.hasErrors) return { sink, tree };
  const { set, config, loadSource } = options;
  const module = analyze(tree, { ...(set && { set }), ...(loadSource && { loadSource }), config }, sink);
  if (sink.diagnostics.some(isSyntaxError)) return { sink, tree, module };
  return { sink, tree, module, graph: elaborate(module, sink) };
}

const isSyntaxError = (diagnostic: Diagnostic): boolean =>
  isError(diagnostic) && diagnostic.code.startsWith("K01");
const isError = ({ severity }: Diagnostic): boolean => severity === "error";

const startOf = (source: SourceFile): Span => ({ file: source.path, start: 0, end: 0 });

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
