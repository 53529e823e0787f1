/**
 * Analysis: syntax trees → Module. Evaluates the constants (with `--set`, `with` and config.json), defines the axes,
 * and finds what `use` brings. Bodies of blocks and of the model are left to elaboration.
 */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { SourceTree } from "../1-parse/ast.js";
import { parse } from "../1-parse/index.js";
import { unknownSetting } from "../diagnostics/codes/constants.js";
import { closest } from "../diagnostics/suggest.js";
import type { DiagnosticSink, SourceFile, Span } from "../diagnostics/types.js";
import { FileAnalysis, MOST_ITEMS, type Program } from "./file.js";
import { preludeSource } from "./prelude.js";
import type { Module } from "./types.js";

export type { AxisSymbol, Callable, Constant, Module } from "./types.js";
export { preludeSource, PRELUDE_PATH } from "./prelude.js";

export interface AnalyzeOptions {
  /** Values for constants of the main file, which win over config.json and over their definitions. */
  readonly set?: Readonly<Record<string, ConstantValue>>;
  /** The parsed config.json of a checkpoint. */
  readonly config?: unknown;
  /** Finds the file that `use … from "path"` names, the path resolved against the file that says so. */
  readonly loadSource?: (path: string) => SourceFile | undefined;
}

export function analyze(tree: SourceTree, options: AnalyzeOptions, sink: DiagnosticSink): Module {
  const program: Program = {
    config: options.config,
    loadSource: options.loadSource ?? (() => undefined),
    prelude: undefined,
    files: new Map(),
    trees: new Map([[tree.file, tree]]),
    unread: new Set(),
    instances: new Map(),
    sink,
    budget: { left: MOST_ITEMS },
  };
  const preludeTree = parse(preludeSource(), sink);
  const prelude = new FileAnalysis(preludeTree, {}, program, []).module();
  const set = options.set ?? {};
  const main = new FileAnalysis(tree, set, { ...program, prelude }, [tree.file]);
  reportUnknownSettings(tree, set, sink);
  return main.module();
}

function reportUnknownSettings(
  tree: SourceTree,
  set: Readonly<Record<string, ConstantValue>>,
  sink: DiagnosticSink,
): void {
  const names = tree.declarations.flatMap((declaration) =>
    declaration.kind === "const" ? declaration.definitions.map((definition) => definition.name.name) : [],
  );
  const start: Span = { file: tree.file, start: 0, end: 0 };
  for (const name of Object.keys(set))
    if (!names.includes(name)) sink.report(unknownSetting(start, name, closest(name, names)));
}
