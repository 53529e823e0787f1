import type { DiagnosticSink } from "../diagnostics/types.js";
import type { Graph } from "../3-graph/types.js";

/** What a pass may know besides its graph. */
export interface PassContext {
  readonly sink: DiagnosticSink;
}

/** One rewriting of the graph. The driver validates the result and, in tests, interprets both sides. */
export interface Pass {
  readonly name: string;
  run(graph: Graph, context: PassContext): Graph;
}
