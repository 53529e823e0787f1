/** The compiler up to the graphs of a model's programs: all that finds mistakes. Kernels are made by compile.ts. */
import { parse } from "./1-parse/index.js";
import { analyze } from "./2-analyze/index.js";
import { elaborate } from "./3-graph/elaborate/index.js";
import { runPasses } from "./4-passes/index.js";
import { DEFAULT_TARGETS, TARGETS, type Target } from "./4-passes/schedule.js";
import { unknownTarget } from "./diagnostics/codes/programs.js";
import { createSink } from "./diagnostics/sink.js";
import type { Diagnostic, SourceFile, Span } from "./diagnostics/types.js";
import type { CheckResult, Compilation, CompileOptions } from "./compilation.js";

/**
 * Finds every mistake of a model's author. What has no errors always compiles: `checked` is then there, and nothing
 * after it can fail.
 */
export function check(source: SourceFile, options: CompileOptions = {}): CheckResult {
  const front = elaborated(source, options);
  const { sink, tree, module, graph } = front;
  const stages: Partial<Compilation> = { tree, ...(module && { module }), ...(graph && { graph }) };
  const targets = (options.targets ?? DEFAULT_TARGETS).flatMap((name): readonly Target[] => {
    const target = TARGETS.find((known) => known.name === name);
    if (target !== undefined) return [target];
    const names = TARGETS.map((known) => known.name);
    sink.report(unknownTarget(startOf(source), name, names));
    return [];
  });
  if (module === undefined || graph === undefined || sink.diagnostics.some(isError))
    return { diagnostics: sink.diagnostics, stages };

  const passes = runPasses(graph, { sink }, options.verify ?? false);
  if (sink.diagnostics.some(isError)) return { diagnostics: sink.diagnostics, stages: { ...stages, passes } };
  const checked = { tree, module, graph, passes };
  return { checked: { ...checked, targets }, diagnostics: sink.diagnostics, stages: checked };
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
