/** The words of a source with the comments that stand beside them: what the formatter moves, and never changes. */
import type { TokenType } from "chevrotain";
import { layOut } from "../1-parse/layout.js";
import { lex } from "../1-parse/lex.js";
import * as t from "../1-parse/tokens.js";
import { positionsIn } from "../diagnostics/positions.js";
import { createSink } from "../diagnostics/sink.js";
import type { SourceFile } from "../diagnostics/types.js";

/** A comment on a line of its own. */
export interface Comment {
  readonly text: string;
  readonly blankBefore: boolean;
}

export interface Word {
  readonly type: TokenType;
  readonly text: string;
  readonly line: number;
  /** A blank line stands between it and what is before it, be it a word or a comment. */
  readonly blankBefore: boolean;
  /** Those between the word before and this one, each on a line of its own. */
  readonly comments: readonly Comment[];
  /** The comment that follows on the same line, and those below it in the same column. */
  readonly trailing: readonly string[];
}

export interface Words {
  /** Every statement ends in a word of type `Newline`, which has no text. */
  readonly words: readonly Word[];
  /** Comments after the last word. */
  readonly end: readonly Comment[];
}

const STATEMENT_END: Word = {
  type: t.Newline,
  text: "",
  line: 0,
  blankBefore: false,
  comments: [],
  trailing: [],
};

/** `source` has no syntax errors. */
export function wordsOf(source: SourceFile): Words {
  const raw = lex(source, createSink());
  const position = positionsIn(source.text);
  const wordAt = new Map<number, Word>();
  let comments: Comment[] = [];
  let trailing: string[] = [];
  let lastLine = 0;
  /** Where the comment above stands, if it trails a word. */
  let above: { readonly line: number; readonly column: number } | undefined;

  for (const token of raw) {
    if (token.tokenType === t.Newline) continue;
    const { line, column } = position(token.startOffset);
    const text = token.image.trimEnd();
    const blankBefore = lastLine > 0 && line > lastLine + 1;
    const isDoc = token.tokenType === t.DocComment;
    if (!isDoc && token.tokenType !== t.Comment) {
      trailing = [];
      wordAt.set(token.startOffset, {
        type: token.tokenType,
        text,
        line,
        blankBefore,
        comments,
        trailing,
      });
      comments = [];
      above = undefined;
    } else if (line === lastLine || (!isDoc && above?.line === line - 1 && above.column === column)) {
      trailing.push(text);
      above = { line, column };
    } else {
      comments.push({ text, blankBefore });
      above = undefined;
    }
    lastLine = line;
  }
  const words = layOut(raw).tokens.map((token) =>
    token.tokenType === t.Newline ? STATEMENT_END : (wordAt.get(token.startOffset) ?? STATEMENT_END),
  );
  return { words, end: comments };
}
