/** From source text to a graph or to diagnostics. */
import { strict as assert } from "node:assert";
import { parse } from "../../compiler/1-parse/index.js";
import { analyze, type AnalyzeOptions, type Module } from "../../compiler/2-analyze/index.js";
import { elaborate } from "../../compiler/3-graph/elaborate/index.js";
import type { Graph, Node, Operation } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import type { Diagnostic } from "../../compiler/diagnostics/types.js";

export interface SourceOptions extends Omit<AnalyzeOptions, "loadSource"> {
  readonly file?: string;
  /** Other files, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Elaborated {
  readonly module: Module;
  readonly graph: Graph | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export function elaborateSource(text: string, options: SourceOptions = {}): Elaborated {
  const sink = createSink();
  const { file = "main.krait", files = {}, ...rest } = options;
  const loadSource: AnalyzeOptions["loadSource"] = (path) => {
    const found = files[path];
    return found === undefined ? undefined : { path, text: found };
  };
  const module = analyze(parse({ path: file, text }, sink), { ...rest, loadSource }, sink);
  return { module, graph: elaborate(module, sink), diagnostics: sink.diagnostics };
}

/** The graph of a source without mistakes, validated. */
export function graphOf(text: string, options: SourceOptions = {}): Graph {
  const { graph, diagnostics } = elaborateSource(text, options);
  assert.deepEqual(diagnostics, []);
  assert(graph !== undefined);
  validate(graph);
  return graph;
}

/** The axes and sizes that most tests share; `source` has the declarations, then the model's statements. */
export const AXES = `axis b: batch, t: time
axis m = 6, n = 4, i = 2, j = 3, k = 3, m2 = 6
`;

/** The node that computes the model's output of that name. */
export function outputNode(graph: Graph, name = "y"): Node {
  const output = graph.outputs.find((candidate) => candidate.name === name);
  assert(output !== undefined, `no output ${name}`);
  return nodeOf(graph, output.value);
}

export function nodeOf(graph: Graph, id: Node["id"]): Node {
  const node = graph.nodes[id];
  assert(node !== undefined, `no node ${id}`);
  return node;
}

/** The nodes of one kind, typed as such. */
export function nodesOf<K extends Operation["kind"]>(graph: Graph, kind: K): Extract<Node, { kind: K }>[] {
  return graph.nodes.filter((node): node is Extract<Node, { kind: K }> => node.kind === kind);
}
