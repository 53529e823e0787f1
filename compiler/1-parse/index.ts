/** The first stage: text to syntax tree. */
import type { DiagnosticSink, SourceFile } from "../diagnostics/types.js";
import { sourceTooLong } from "../diagnostics/codes/syntax.js";
import type { SourceTree } from "./ast.js";
import { layOut } from "./layout.js";
import { lex } from "./lex.js";
import { checkNesting, MOST_CHARACTERS } from "./limits.js";
import { KraitParser } from "./parser.js";

/** Made at the first parse: it holds the tables of the grammar, and nothing of one parse that the next one sees. */
let parser: KraitParser | undefined;

/**
 * Reads one file. All mistakes are reported to `sink`; the tree holds what could be read, so that with errors in
 * the sink it may lack definitions that later stages would miss.
 */
export function parse(source: SourceFile, sink: DiagnosticSink): SourceTree {
  const { path, text } = source;
  if (text.length > MOST_CHARACTERS) {
    sink.report(sourceTooLong({ file: path, start: 0, end: 0 }, text.length, MOST_CHARACTERS));
    return { file: path, declarations: [] };
  }
  parser ??= new KraitParser();
  const tree = parser.parseFile(path, layOut(lex(source, sink)), sink);
  checkNesting(tree, sink);
  return tree;
}
