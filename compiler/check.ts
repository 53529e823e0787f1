/** The compiler up to the graphs of a model's programs: all that finds mistakes. Kernels are made by compile.ts. */
import type { SourceTree } from "./1-parse/ast.js";
import { parse } from "./1-parse/index.js";
import { analyze, type Module } from "./2-analyze/index.js";
import { elaborate } from "./3-graph/elaborate/index.js";
import type { Graph } from "./3-graph/types.js";
import { runPasses } from "./4-passes/index.js";
import { DEFAULT_TARGETS, TARGETS, type Target } from "./4-passes/schedule.js";
import { unknownTarget } from "./diagnostics/codes/programs.js";
import { createSink, type DiagnosticCollector } from "./diagnostics/sink.js";
import type { Diagnostic, SourceFile } from "./diagnostics/types.js";
import type { CheckResult, Compilation, CompileOptions } from "./compilation.js";
import { withinLimits } from "./within-limits.js";

/**
 * Finds every mistake of a model's author. What has no errors compiles: `checked` is then there, and nothing after it
 * can fail but for kernels that are too long (K0711).
 */
export function check(source: SourceFile, options: CompileOptions = {}): CheckResult {
  const sink = createSink();
  const tree = parse(source, sink);
  return withinLimits(
    tree,
    () => checkTree(tree, sink, options),
    (diagnostic) => ({ diagnostics: [...sink.diagnostics, diagnostic], stages: { tree } }),
  );
}

function checkTree(tree: SourceTree, sink: DiagnosticCollector, options: CompileOptions): CheckResult {
  const { module, graph } = elaborated(tree, sink, options);
  const stages: Partial<Compilation> = { tree, ...(module && { module }), ...(graph && { graph }) };
  const targets = (options.targets ?? DEFAULT_TARGETS).flatMap((name): readonly Target[] => {
    const target = TARGETS.find((known) => known.name === name);
    if (target !== undefined) return [target];
    const names = TARGETS.map((known) => known.name);
    sink.report(unknownTarget({ file: tree.file, start: 0, end: 0 }, name, names));
    return [];
  });
  if (module === undefined || graph === undefined || sink.diagnostics.some(isError))
    return { diagnostics: sink.diagnostics, stages };

  const passes = runPasses(graph, { sink }, options.verify ?? false, options.packed ?? false);
  if (sink.diagnostics.some(isError)) return { diagnostics: sink.diagnostics, stages: { ...stages, passes } };
  const checked = { tree, module, graph, passes };
  return { checked: { ...checked, targets }, diagnostics: sink.diagnostics, stages: checked };
}

/** The stages behind the parser. What a file with syntax errors lacks would lead the stages after it to wrong conclusions. */
function elaborated(
  tree: SourceTree,
  sink: DiagnosticCollector,
  options: CompileOptions,
): { readonly module?: Module; readonly graph?: Graph } {
  if (sink.hasErrors) return {};
  const { set, config, loadSource } = options;
  const module = analyze(tree, { ...(set && { set }), ...(loadSource && { loadSource }), config }, sink);
  if (sink.diagnostics.some(isSyntaxError)) return { module };
  const graph = elaborate(module, sink);
  return { module, ...(graph && { graph }) };
}

const isSyntaxError = (diagnostic: Diagnostic): boolean =>
  isError(diagnostic) && diagnostic.code.startsWith("K01");
const isError = ({ severity }: Diagnostic): boolean => severity === "error";
