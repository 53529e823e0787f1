/** Statements and their bodies, as lines. */
import type { TokenType } from "chevrotain";
import { InternalError } from "../diagnostics/internal-error.js";
import * as t from "../1-parse/tokens.js";
import { type Doc, INDENT, type Line, print, WIDTH } from "./doc.js";
import { phraseDoc, wordDoc } from "./phrases.js";
import type { Comment, Word, Words } from "./words.js";

interface Body {
  readonly open: Word;
  readonly statements: readonly Statement[];
  readonly close: Word;
}

/** `if a {…} else {…}` has two parts; a statement without a body is one. */
interface Statement {
  readonly parts: readonly { readonly words: readonly Word[]; readonly body?: Body }[];
}

const BLANK: Line = { indent: 0, text: "", comments: [] };

export function layStatements({ words, end }: Words): Line[] {
  const reader = new StatementReader(words);
  return layBody(reader.statements(), end, 0);
}

class StatementReader {
  private next = 0;

  constructor(private readonly words: readonly Word[]) {}

  private get type(): TokenType | undefined {
    return this.words[this.next]?.type;
  }

  private take(): Word {
    const word = this.words[this.next++];
    if (word === undefined) throw new InternalError("format", "the source ends within a statement");
    return word;
  }

  /** Up to the end of the file, or a `}`. */
  statements(): Statement[] {
    const statements: Statement[] = [];
    while (this.type !== undefined && this.type !== t.RightCurly) statements.push(this.statement());
    return statements;
  }

  private statement(): Statement {
    const parts: Statement["parts"][number][] = [];
    let words: Word[] = [];
    while (this.type !== t.Newline) {
      const word = this.take();
      if (word.type !== t.LeftCurly) {
        words.push(word);
        continue;
      }
      const statements = this.statements();
      parts.push({ words, body: { open: word, statements, close: this.take() } });
      words = [];
    }
    this.take();
    if (words.length > 0) parts.push({ words });
    return { parts };
  }
}

/** The lines of a body without its braces: blank lines of the source are kept, one of several, none at the ends. */
function layBody(statements: readonly Statement[], end: readonly Comment[], indent: number): Line[] {
  const lines: Line[] = [];
  const add = (blankBefore: boolean, more: readonly Line[]): void => {
    if (blankBefore && lines.length > 0) lines.push(BLANK);
    lines.push(...more);
  };
  const addComments = (comments: readonly Comment[]): void => {
    for (const { text, blankBefore } of comments) add(blankBefore, [{ ...BLANK, indent, text }]);
  };
  for (const statement of statements) {
    const first = statement.parts[0]?.words[0];
    addComments(first?.comments ?? []);
    add(first?.blankBefore ?? false, layStatement(statement, indent));
  }
  addComments(end);
  return lines;
}

function layStatement(statement: Statement, indent: number): Line[] {
  const short = oneLine(statement);
  if (short !== undefined) {
    const lines = print(short, indent);
    const [only] = lines;
    if (only !== undefined && lines.length === 1 && only.indent + only.text.length <= WIDTH) return lines;
  }
  const lines: Line[] = [];
  let before: Doc = "";
  for (const { words, body } of statement.parts) {
    if (body === undefined) {
      lines.push(...withoutMarks(print([before, phraseDoc(words, lines.length === 0)], indent), words));
      return lines;
    }
    const phrase: Doc = [before, words.length > 0 ? phraseDoc(words, lines.length === 0) : ""];
    lines.push(...print([phrase, " ", wordDoc(body.open)], indent));
    const inner = layBody(body.statements, body.close.comments, indent + INDENT);
    lines.push(...inner);
    before = [wordDoc(body.close, true), " "];
    if (inner.length === 0 && body.open.trailing.length === 0) {
      // `{}` stays together.
      const opened = lines.pop();
      before = [opened?.text ?? "", before];
    }
  }
  lines.push(...print(before, indent));
  return lines;
}

/** Only where a statement is one line are its columns aligned with those of its neighbours. */
function withoutMarks(lines: readonly Line[], words: readonly Word[]): readonly Line[] {
  const first = words[0]?.type;
  if (lines.length === 1 && (first === t.Const || first === t.Param)) return lines;
  return lines.map(({ mark: _, ...line }) => line);
}

/** A statement with bodies that its author wrote on one line, as one. */
function oneLine(statement: Statement): Doc | undefined {
  const words = [...wordsOf(statement)];
  const [first, last] = [words[0], words.at(-1)];
  const commented = words.some(
    ({ trailing, comments }, index) =>
      (index < words.length - 1 && trailing.length > 0) || (index > 0 && comments.length > 0),
  );
  return first?.line !== last?.line || commented ? undefined : flatDoc(statement);
}

function* wordsOf({ parts }: Statement): Iterable<Word> {
  for (const { words, body } of parts) {
    yield* words;
    if (body === undefined) continue;
    yield body.open;
    for (const statement of body.statements) yield* wordsOf(statement);
    yield body.close;
  }
}

const flatDoc = ({ parts }: Statement): Doc =>
  parts.map(({ words, body }, index): Doc => {
    const phrase: Doc = [index === 0 ? "" : " ", phraseDoc(words, index === 0)];
    if (body === undefined) return phrase;
    const inner = body.statements.map(flatDoc);
    return [
      phrase,
      " ",
      wordDoc(body.open),
      inner.length === 0 ? "" : [" ", inner, " "],
      wordDoc(body.close),
    ];
  });
