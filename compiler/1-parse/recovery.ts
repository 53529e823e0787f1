/**
 * The parser's ground floor: consuming tokens with messages for people, and going on after a mistake.
 *
 * Chevrotain's own recovery inserts and deletes tokens by its tables; here the layout has already found where
 * statements end and how deep each token is, so that after a mistake the parser goes on at the next definition
 * or statement of the same depth. That is exact, and saves chevrotain's follow sets at start-up.
 */
import {
  EmbeddedActionsParser,
  type IRecognitionException,
  type IToken,
  isRecognitionException,
  type TokenType,
} from "chevrotain";
import * as syntax from "../diagnostics/codes/syntax.js";
import type { Diagnostic, DiagnosticSink, Span } from "../diagnostics/types.js";
import { InternalError } from "../diagnostics/internal-error.js";
import type { Ident } from "./ast.js";
import type { LaidOut } from "./layout.js";
import { describe, hintForUnexpected } from "./messages.js";
import * as t from "./tokens.js";

export type GrammarRule<Result, Args extends unknown[] = []> = (...args: Args) => Result;

/** Leaves the rules up to the next place of recovery. */
class SyntaxFault extends Error {
  constructor(readonly diagnostic: Diagnostic) {
    super(diagnostic.message);
  }
}

export interface ParserOptions {
  /** Chevrotain checks the grammar against itself: for tests, since it takes longer than a parse. */
  readonly validateGrammar?: boolean;
}

export abstract class RecoveringParser extends EmbeddedActionsParser {
  private file = "";
  /** Just after the last token. */
  private end = 0;
  private sink: DiagnosticSink | undefined;
  private docs: LaidOut["docs"] = new Map();
  /** The token that the last message blamed: a second message about it would be an echo of the first. */
  private blamed: IToken | undefined;

  protected constructor({ validateGrammar = false }: ParserOptions) {
    super([...t.tokenVocabulary], {
      recoveryEnabled: false,
      maxLookahead: 1,
      skipValidations: !validateGrammar,
      // An exception's message is what was expected, in words; `diagnose` makes the sentence.
      errorMessageProvider: {
        buildMismatchTokenMessage: ({ expected }) => expected.name,
        buildNotAllInputParsedMessage: () => "the end of the file",
        buildNoViableAltMessage: ({ customUserDescription, ruleName }) => customUserDescription ?? ruleName,
        buildEarlyExitMessage: ({ customUserDescription, ruleName }) => customUserDescription ?? ruleName,
      },
    });
  }

  /** Readies the parser for one file. */
  protected begin(file: string, { tokens, docs }: LaidOut, sink: DiagnosticSink): void {
    const last = tokens.at(-1);
    this.file = file;
    this.end = last === undefined ? 0 : t.endOf(last);
    this.sink = sink;
    this.docs = docs;
    this.blamed = undefined;
    this.input = tokens;
  }

  protected report(diagnostic: Diagnostic): void {
    if (!this.RECORDING_PHASE) this.sink?.report(diagnostic);
  }

  /** So many mistakes that the rest of the file is left alone. */
  protected get isFull(): boolean {
    return this.sink?.isFull === true;
  }

  /** Chevrotain's `RULE`, typed by what the rule's field says that it returns. */
  protected define<Result, Args extends unknown[]>(
    name: string,
    rule: (...args: Args) => Result,
  ): GrammarRule<Result, Args> {
    return this.RULE(name, rule);
  }

  // Spans.

  protected spanOf(token: IToken): Span {
    if (Number.isNaN(token.startOffset)) {
      // Chevrotain's token for the end has no place of its own.
      return { file: this.file, start: this.end, end: this.end };
    }
    return { file: this.file, start: token.startOffset, end: t.endOf(token) };
  }

  /** From `start` to the end of the last token read. */
  protected spanFrom(start: IToken | Span): Span {
    const from = "startOffset" in start ? start.startOffset : start.start;
    return { file: this.file, start: from, end: t.endOf(this.LA(0)) };
  }

  /** The `##` comment before the next token. */
  protected doc(): { readonly doc?: string } {
    const at = this.LA(1).startOffset;
    const doc = this.docs.get(at);
    if (doc === undefined) return {};
    this.docs.delete(at);
    return { doc: doc.text };
  }

  /** Doc comments that no declaration took. */
  protected get untakenDocs(): readonly Span[] {
    return [...this.docs.values()].map(({ start, end }) => ({ file: this.file, start, end }));
  }

  // Reading one token.

  protected nextIs(type: TokenType, ahead = 1): boolean {
    return this.LA(ahead).tokenType === type;
  }

  protected fail(diagnostic: Diagnostic): never {
    throw new SyntaxFault(diagnostic);
  }

  protected failExpecting(
    what: string,
    details: { readonly purpose?: string; readonly hint?: string },
  ): never {
    const found = this.LA(1);
    const hint = details.hint ?? hintForUnexpected(found, this.LA(0));
    this.fail(
      syntax.expected(this.spanOf(found), what, describe(found), {
        ...details,
        ...(hint === undefined ? {} : { hint }),
      }),
    );
  }

  /** Reads a token of this type; `what` and `purpose` are for the message if there is none. */
  protected take(type: TokenType, what: string, purpose?: string, index = 0): IToken {
    if (!this.RECORDING_PHASE && !this.nextIs(type)) {
      this.failExpecting(what, purpose === undefined ? {} : { purpose });
    }
    return this.consume(index, type);
  }

  /** Reads a name that is no axis's; `what` completes "expected …". */
  protected name(what: string, index = 0): Ident {
    const ident = this.axisName(what, index);
    if (ident.name.endsWith("'")) this.report(syntax.primeOnName(ident.span, ident.name, what));
    return ident;
  }

  protected axisName(what: string, index = 0): Ident {
    const found = this.LA(1);
    if (!this.RECORDING_PHASE && t.isKeyword(found.tokenType) && !this.endsLineAfterComma(found)) {
      this.fail(syntax.keywordAsName(this.spanOf(found), found.image, what));
    }
    return this.ident(this.take(t.Identifier, what, undefined, index));
  }

  private endsLineAfterComma(found: IToken): boolean {
    return this.nextIs(t.Comma, 0) && t.statementKeywords.has(found.tokenType);
  }

  protected ident(token: IToken): Ident {
    return { name: token.image, span: this.spanOf(token) };
  }

  /** Reads the partner of `open`; `expected` is what might also have stood here. */
  protected close(open: IToken, closer: TokenType, purpose: string, expected?: string, index = 0): void {
    if (!this.RECORDING_PHASE && !this.nextIs(closer)) this.fail(this.unclosed(open, purpose, expected));
    this.consume(index, closer);
  }

  protected unclosed(open: IToken, purpose: string, expected?: string): Diagnostic {
    const found = this.LA(1);
    const closer = { "(": ")", "[": "]", "{": "}" }[open.image] ?? open.image;
    return syntax.unclosed(this.spanOf(found), {
      closer,
      purpose,
      found: describe(found),
      expected: expected ?? `\`${closer}\``,
      open: this.spanOf(open),
    });
  }

  // Going on after a mistake.

  protected depth(): number {
    return t.depthOf(this.LA(1));
  }

  protected get atEnd(): boolean {
    return Number.isNaN(this.LA(1).startOffset);
  }

  /**
   * Runs `parse`; if that fails, reports it and skips to one of `stops` outside of all brackets that were
   * opened since, or to the bracket that closes what we are in.
   */
  protected attempt<T>(parse: () => T, ...stops: readonly TokenType[]): T | undefined {
    if (this.RECORDING_PHASE) return parse();
    const depth = this.depth();
    try {
      return parse();
    } catch (error) {
      this.blame(this.diagnose(error));
      this.skipTo(depth, stops);
      return undefined;
    }
  }

  /** Reports a mistake at the next token, unless one there has been reported. */
  protected blame(diagnostic: Diagnostic): void {
    const token = this.LA(1);
    if (token !== this.blamed && !t.isReported(token)) this.report(diagnostic);
    this.blamed = token;
  }

  protected skipTo(depth: number, stops: readonly TokenType[]): void {
    while (!this.atEnd) {
      const here = this.depth();
      if (here < depth || (here === depth && stops.includes(this.LA(1).tokenType))) break;
      this.SKIP_TOKEN();
    }
    this.blamed = this.LA(1);
  }

  private diagnose(error: unknown): Diagnostic {
    if (error instanceof SyntaxFault) return error.diagnostic;
    if (!(error instanceof Error) || !isRecognitionException(error)) throw error;
    const { token, message } = error as Error & IRecognitionException;
    if (token !== this.LA(1))
      throw new InternalError("parse", `an error at ${token.image}, not at the next token`);
    const hint = hintForUnexpected(token, this.LA(0));
    return syntax.expected(this.spanOf(token), message, describe(token), hint === undefined ? {} : { hint });
  }
}
