/**
 * The compiler from end to end: source → syntax tree → module → graph → programs → kernels → bundle. Each stage is a
 * function of the one before it; nothing reaches back.
 */
import { parse } from "./1-parse/index.js";
import type { SourceTree } from "./1-parse/ast.js";
import { analyze, type Module } from "./2-analyze/index.js";
import { elaborate } from "./3-graph/elaborate/index.js";
import { printGraph } from "./3-graph/print.js";
import type { Graph } from "./3-graph/types.js";
import { runPasses, type PassResult } from "./4-passes/index.js";
import { TARGETS, type ScheduleOptions, type Target } from "./4-passes/schedule.js";
import { emitBundle } from "./6-emit/bundle.js";
import { emitTarget, type EmittedTarget } from "./6-emit/target.js";
import { unknownTarget } from "./diagnostics/codes/programs.js";
import { createSink } from "./diagnostics/sink.js";
import type { Diagnostic, SourceFile, Span } from "./diagnostics/types.js";
import type { Bundle, ConstantValue, Storage } from "../runtime/bundle-format.js";

export interface CompileOptions {
  /** Values for constants of the main file. */
  readonly set?: Readonly<Record<string, ConstantValue>>;
  /** A checkpoint's parsed config.json, for constants with `from`. */
  readonly config?: unknown;
  /** Names of target profiles, best first. Default: all. */
  readonly targets?: readonly string[];
  /** How parameters are stored unless `storage` says otherwise. Default: f32. */
  readonly weights?: Storage;
  /** Storage of single parameters, by checkpoint name. */
  readonly storage?: Readonly<Record<string, Storage>>;
  /** Finds the file that `use … from "path"` names. */
  readonly loadSource?: (path: string) => SourceFile | undefined;
  /** Checks every invariant between stages. */
  readonly verify?: boolean;
  /** For tests and tuning. */
  readonly schedule?: ScheduleOptions;
}

export interface Compilation {
  readonly tree: SourceTree;
  readonly module: Module;
  readonly graph: Graph;
  readonly passes: PassResult;
  readonly targets: readonly EmittedTarget[];
}

export interface CompileResult {
  /** Absent if there are errors. */
  readonly bundle?: Bundle;
  readonly diagnostics: readonly Diagnostic[];
  /** What every stage made, as far as it got. */
  readonly stages: Partial<Compilation>;
}

/** Compiles a model. Never throws for a mistake of its author: those are `diagnostics`. */
export function compile(source: SourceFile, options: CompileOptions = {}): CompileResult {
  const front = elaborated(source, options);
  const { sink, tree, module, graph } = front;
  const stages: Partial<Compilation> = { tree, module, ...(graph && { graph }) };
  const failed = (more: Partial<Compilation> = {}): CompileResult => ({
    diagnostics: sink.diagnostics,
    stages: { ...stages, ...more },
  });
  const chosen = (options.targets ?? TARGETS.map((target) => target.name)).map((name) => {
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
  if (sink.hasErrors || graph === undefined) return failed();

  const passes = runPasses(graph, { sink }, options.verify ?? false);
  if (sink.hasErrors) return failed({ passes });

  const sources = [source, ...module.uses];
  const weights = options.weights ?? "f32";
  const emitted = chosen
    .filter((target): target is Target => target !== undefined)
    .map((target) =>
      emitTarget(passes.programs, target, {
        storage: storageOf(passes.programs.model, weights, options.storage ?? {}),
        sourceText: sourceText(sources),
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

/** The first three stages alone: what `krait check` needs. */
function elaborated(source: SourceFile, options: CompileOptions) {
  const sink = createSink();
  const tree = parse(source, sink);
  const { set, config, loadSource } = options;
  const module = analyze(tree, { ...(set && { set }), ...(loadSource && { loadSource }), config }, sink);
  const graph = elaborate(module, sink);
  return { sink, tree, module, graph };
}

const startOf = (source: SourceFile): Span => ({ file: source.path, start: 0, end: 0 });

/** Small parameters are always kept in f32: widening is exact, they cost nothing, and they can share bindings. */
const SMALL_PARAMETER = 65_536;

export function storageOf(
  model: Graph,
  weights: Storage,
  single: Readonly<Record<string, Storage>>,
): (param: string) => Storage {
  const sizes = new Map(
    model.params.map((param) => [param.name, param.layout.reduce((product, { size }) => product * size, 1)]),
  );
  return (param) => ((sizes.get(param) ?? 0) <= SMALL_PARAMETER ? "f32" : (single[param] ?? weights));
}

/** The source at a span, on one line. */
function sourceText(sources: readonly SourceFile[]): (span: Span) => string {
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  return ({ file, start, end }) => (texts.get(file) ?? "").slice(start, end).replace(/\s+/g, " ").trim();
}

export { printGraph };
