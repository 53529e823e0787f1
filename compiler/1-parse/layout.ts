/**
 * Lines: which newlines end a statement, which tokens a doc comment stands before, and how deep in brackets
 * each token is (SPEC.md § Words and lines). Where a bracket was left open, the next line that can only be a statement
 * ends it, so that one slip does not swallow the rest of the file.
 */
import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import { MOST_NESTED } from "./limits.js";
import * as t from "./tokens.js";

export interface DocComment {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface LaidOut {
  /** Without comments; every statement ends in a `Newline`, and no other newline is left. */
  readonly tokens: IToken[];
  /** By the offset of the token that they stand before. */
  readonly docs: Map<number, DocComment>;
  /** Those that stand before nothing. */
  readonly strayDocs: readonly DocComment[];
  /** A bracket nested deeper than `MOST_NESTED`: nothing after it was read. */
  readonly tooDeep?: IToken;
}

/** A line that begins with one of these goes on with the statement before. */
const continuesBefore: ReadonlySet<TokenType> = new Set([
  ...[t.By, t.From, t.At, t.With, t.Else, t.FatArrow, t.Arrow, t.LeftCurly],
]);

/** After these the statement goes on, whatever stands on the next line. */
const continuesAfter: ReadonlySet<TokenType> = new Set([
  ...[t.Colon, t.FatArrow, t.Arrow, t.With, t.LeftCurly, t.Newline],
]);

/** After these an operand must follow; if the next line is a statement instead, the operand is missing. */
const awaitsOperand = ({ tokenType: type }: IToken): boolean =>
  (type.CATEGORIES?.some((category) =>
    [t.InfixOperator, t.PrefixOperator, t.AssignOperator].includes(category),
  ) ??
    false) ||
  type === t.Range ||
  type === t.Pipe;

/** These stand at the top of a file only; at the start of a line that is not indented they end all bodies. */
const endsBodies: ReadonlySet<TokenType> = new Set([t.Use, t.Rule, t.Block, t.Model]);

interface Significant {
  readonly token: IToken;
  /** A newline stands between this token and the one before. */
  readonly startsLine: boolean;
  readonly indented: boolean;
}

export function layOut(raw: readonly IToken[]): LaidOut {
  const { significant, docs, strayDocs } = separate(raw);
  const tokens: IToken[] = [];
  let open: TokenType[] = [];
  let previous: IToken | undefined;

  const innermost = (): TokenType | undefined => open.at(-1);
  const closeBrackets = (): void => {
    open = open.slice(0, open.lastIndexOf(t.LeftCurly) + 1);
  };
  /** `image` tells messages what the parser met here. */
  const endStatement = (image: string): void => {
    if (previous === undefined || previous.tokenType === t.Newline) return;
    const at = t.endOf(previous);
    previous = createTokenInstance(t.Newline, image, at, at - 1, NaN, NaN, NaN, NaN);
    t.setDepth(previous, open.length);
    tokens.push(previous);
  };

  for (const [index, { token, startsLine, indented }] of significant.entries()) {
    const type = token.tokenType;
    if (startsLine && previous !== undefined && endsLine(previous, significant, index, innermost())) {
      closeBrackets();
      endStatement("\n");
    }
    if (startsLine && !indented && endsBodies.has(type)) open = [];

    if (type === t.LeftCurly) closeBrackets();
    const opener = t.openerOf(type);
    if (opener !== undefined) {
      if (type === t.RightCurly) {
        closeBrackets();
        if (previous?.tokenType !== t.LeftCurly) endStatement("}");
      }
      const partner = open.lastIndexOf(opener);
      if (partner > open.lastIndexOf(t.LeftCurly) || (opener === t.LeftCurly && partner >= 0)) {
        open = open.slice(0, partner);
      }
    }
    t.setDepth(token, open.length);
    if (t.closerOf(type) !== undefined) open.push(type);
    if (open.length > MOST_NESTED) return { tokens, docs, strayDocs, tooDeep: token };
    tokens.push(token);
    previous = token;
  }
  closeBrackets();
  endStatement("");
  return { tokens, docs, strayDocs };
}

/** Whether the newline before `significant[index]` ends the statement before it. */
function endsLine(
  previous: IToken,
  significant: readonly Significant[],
  index: number,
  innermost: TokenType | undefined,
): boolean {
  const next = significant[index]?.token.tokenType;
  if (next === undefined || continuesBefore.has(next) || continuesAfter.has(previous.tokenType)) return false;
  const statement = statementAt(significant, index);
  if (innermost === t.LeftParen || innermost === t.LeftSquare) {
    const formal = next === t.Const && [t.Comma, t.LeftParen].includes(previous.tokenType);
    return statement !== undefined && !formal;
  }
  // `const a = 1,` goes on with `b = 2`, so that only a keyword shows that the list was not to go on.
  if (previous.tokenType === t.Comma) return statement === "keyword";
  return !awaitsOperand(previous) || statement !== undefined;
}

/**
 * How the tokens from `index` show that they are a statement: `param …`; `x = …` and `x[t, m] = …`; or two names
 * side by side, which no expression has: a misspelt `paramm w[d]`.
 */
function statementAt(
  significant: readonly Significant[],
  index: number,
): "keyword" | "assignment" | undefined {
  const typeAt = (at: number): TokenType | undefined => significant[at]?.token.tokenType;
  const first = typeAt(index);
  if (first !== undefined && t.statementKeywords.has(first)) return "keyword";
  if (first !== t.Identifier) return undefined;
  let at = index + 1;
  if (typeAt(at) === t.Identifier && significant[at]?.startsLine === false) return "assignment";
  if (typeAt(at) === t.LeftSquare) {
    for (let depth = 0; at < significant.length; at++) {
      const type = typeAt(at);
      if (at > index + 1 && significant[at]?.startsLine === true) return undefined;
      if (type === t.LeftSquare) depth++;
      else if (type === t.RightSquare && --depth === 0) break;
    }
    at++;
  }
  const operator = typeAt(at);
  return operator?.CATEGORIES?.includes(t.AssignOperator) === true ? "assignment" : undefined;
}

/** Takes newlines and comments out of the tokens. */
function separate(raw: readonly IToken[]): {
  significant: Significant[];
  docs: Map<number, DocComment>;
  strayDocs: DocComment[];
} {
  const significant: Significant[] = [];
  const docs = new Map<number, DocComment>();
  const strayDocs: DocComment[] = [];
  let pending: IToken[] = [];
  let startsLine = true;
  let lineStart = 0;
  for (const token of raw) {
    switch (token.tokenType) {
      case t.Newline:
        startsLine = true;
        lineStart = t.endOf(token);
        break;
      case t.Comment:
        break;
      case t.DocComment:
        if (startsLine) pending.push(token);
        else strayDocs.push(documentation([token]));
        break;
      default:
        if (pending.length > 0) docs.set(token.startOffset, documentation(pending));
        pending = [];
        significant.push({ token, startsLine, indented: token.startOffset > lineStart });
        startsLine = false;
    }
  }
  if (pending.length > 0) strayDocs.push(documentation(pending));
  return { significant, docs, strayDocs };
}

function documentation(lines: readonly IToken[]): DocComment {
  const [first, last] = [lines[0], lines.at(-1)];
  return {
    text: lines.map(({ image }) => image.replace(/^##+ ?/, "").trimEnd()).join("\n"),
    start: first?.startOffset ?? 0,
    end: last === undefined ? 0 : t.endOf(last),
  };
}
