/**
 * The canonical layout of Krait source. It decides line breaks within statements, spaces and columns; words, comments, and
 * whether a blank line stands between statements are the author's.
 */
import { parse } from "../1-parse/index.js";
import { createSink } from "../diagnostics/sink.js";
import type { Diagnostic, SourceFile } from "../diagnostics/types.js";
import { align } from "./align.js";
import { layStatements } from "./statements.js";
import { wordsOf } from "./words.js";

export interface Formatted {
  /** As it was, if the source has syntax errors. */
  readonly text: string;
  /** What reading it found: errors, for which it can't be formatted, and warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Formats one source: `format(format(x)) = format(x)`, and the tree is the same but for its spans. */
export function format(source: SourceFile): Formatted {
  const sink = createSink();
  parse(source, sink);
  const { diagnostics, hasErrors } = sink;
  if (hasErrors) return { text: source.text, diagnostics };
  const lines = align(layStatements(wordsOf(source)));
  return { text: lines.map((line) => `${line}\n`).join(""), diagnostics };
}
