/** The first stage: text to syntax tree. */
import type { DiagnosticSink, SourceFile } from "../diagnostics/types.js";
import type { SourceTree } from "./ast.js";
import { layOut } from "./layout.js";
import { lex } from "./lex.js";
import { KraitParser } from "./parser.js";

/** Made at the first parse: it holds the tables of the grammar, and nothing of one parse that the next one sees. */
let parser: KraitParser | undefined;

/**
 * Reads one file. All mistakes are reported to `sink`; the tree holds what could be read, so that with errors in
 * the sink it may lack definitions that later stages would miss.
 */
export function parse(source: SourceFile, sink: DiagnosticSink): SourceTree {
  parser ??= new KraitParser();
  return parser.parseFile(source.path, layOut(lex(source, sink)), sink);
}
