/** Krait source to a graph, for tests that begin at the graph. Fails with the diagnostics, shown as people see them. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "../../compiler/1-parse/index.js";
import { analyze, type AnalyzeOptions } from "../../compiler/2-analyze/index.js";
import { elaborate } from "../../compiler/3-graph/elaborate/index.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The graph of a model's source text, as elaboration gives it. */
export function graphOf(text: string, options: AnalyzeOptions = {}, path = "test.krait"): Graph {
  const sink = createSink();
  const graph = elaborate(analyze(parse({ path, text }, sink), options, sink), sink);
  if (graph === undefined || sink.hasErrors)
    throw new Error(sink.diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return graph;
}

/** A template of templates/models by its name, for a checkpoint's config. */
export function templateGraph(name: string, config: unknown): Graph {
  const path = `templates/models/${name}.krait`;
  const load = (file: string): SourceFile => ({ path: file, text: readFileSync(join(ROOT, file), "utf8") });
  return graphOf(load(path).text, { config, loadSource: load }, path);
}
