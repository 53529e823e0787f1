/** Text to tokens. What is no word of the language is reported here, and read as what it most likely means. */
import { createTokenInstance, type IToken, Lexer, type TokenType } from "chevrotain";
import * as syntax from "../diagnostics/codes/syntax.js";
import type { DiagnosticSink, SourceFile, Span } from "../diagnostics/types.js";
import * as t from "./tokens.js";

/** Other languages' operators, and those of papers: what they are here. */
const foreignSpellings: Readonly<
  Record<string, { readonly type: TokenType; readonly means: string; readonly hint?: string }>
> = {
  "&&": { type: t.And, means: "`and`" },
  "||": { type: t.Or, means: "`or`" },
  "!": { type: t.Not, means: "`not`" },
  "===": { type: t.EqualEqual, means: "`==`" },
  "**": { type: t.Caret, means: "`^`" },
  ";": { type: t.Newline, means: "a new line", hint: "statements end where their line ends" },
  "-=": { type: t.Rebind, means: "`x := x - …`" },
  "*=": { type: t.Rebind, means: "`x := x * …`" },
  "/=": { type: t.Rebind, means: "`x := x / …`" },
  "**=": { type: t.Rebind, means: "`x := x ^ …`" },
  "−": { type: t.Minus, means: "`-`" },
  "×": { type: t.Star, means: "`*`" },
  "·": { type: t.Star, means: "`*`" },
  "⋅": { type: t.Star, means: "`*`" },
  "≤": { type: t.LessEqual, means: "`<=`" },
  "≥": { type: t.GreaterEqual, means: "`>=`" },
  "≠": { type: t.NotEqual, means: "`!=`" },
  "→": { type: t.Arrow, means: "`->`" },
  "⇒": { type: t.FatArrow, means: "`=>`" },
};

const greek: Readonly<Record<string, string>> = {
  α: "alpha",
  β: "beta",
  γ: "gamma",
  δ: "delta",
  Δ: "delta",
  ε: "epsilon",
  η: "eta",
  θ: "theta",
  κ: "kappa",
  λ: "lambda",
  Λ: "Lambda",
  μ: "mu",
  ν: "nu",
  ξ: "xi",
  π: "pi",
  ρ: "rho",
  σ: "sigma",
  τ: "tau",
  φ: "phi",
  χ: "chi",
  ψ: "psi",
  ω: "omega",
  "∞": "inf",
};

const hintForCharacters = (characters: string): string => {
  const spelled = greek[characters];
  if (spelled !== undefined) return `write \`${spelled}\``;
  if (characters === ".")
    return "a number has digits on both sides of its point; a range has two points: `0..n`";
  if (characters === "'") return "`'` follows the name of an axis, without a space: `t'`";
  if (/\p{L}/u.test(characters)) return "names are made of the letters a to z, A to Z, digits and `_`";
  return "remove it";
};

const lexer = new Lexer([...t.tokenVocabulary], {
  positionTracking: "full",
  // A test constructs the lexer with its validations.
  skipValidations: true,
});

/** The tokens of a file, newlines and comments among them. */
export function lex(source: SourceFile, sink: DiagnosticSink): IToken[] {
  const spanAt = (start: number, end: number): Span => ({ file: source.path, start, end });
  const { tokens, errors } = lexer.tokenize(source.text);
  const readableTokens = tokens.map((token) =>
    readable(token, spanAt(token.startOffset, t.endOf(token)), sink),
  );
  return errors.length === 0 ? readableTokens : withErrors(readableTokens, errors, source, sink);
}

/** The tokens, and a name in place of each run of characters that is no word: in most places they are meant as one. */
function withErrors(
  tokens: readonly IToken[],
  errors: readonly { readonly offset: number; readonly length: number }[],
  { path, text }: SourceFile,
  sink: DiagnosticSink,
): IToken[] {
  const all: IToken[] = [];
  let at = 0;
  for (const { offset, length } of errors) {
    if (sink.isFull) break;
    for (let token = tokens[at]; token !== undefined && token.startOffset < offset; token = tokens[++at])
      all.push(token);
    const next = tokens[at];
    if (next !== undefined) t.setReported(next);
    const characters = text.slice(offset, offset + length);
    const span = { file: path, start: offset, end: offset + length };
    sink.report(syntax.unexpectedCharacter(span, characters, hintForCharacters(characters)));
    all.push(replacement(t.Identifier, characters, span));
  }
  return [...all, ...tokens.slice(at)];
}

/** A token in place of one that was reported. */
function replacement(type: TokenType, image: string, { start, end }: Span): IToken {
  const token = createTokenInstance(type, image, start, end - 1, NaN, NaN, NaN, NaN);
  t.setReported(token);
  return token;
}

/** The token itself, or the one that it should have been. */
function readable(token: IToken, span: Span, sink: DiagnosticSink): IToken {
  const as = (type: TokenType, image: string): IToken => replacement(type, image, span);
  switch (token.tokenType) {
    case t.Foreign: {
      const known = foreignSpellings[token.image];
      if (known === undefined) return token;
      sink.report(syntax.foreignSpelling(span, token.image, known.means, known.hint));
      return as(known.type, token.image);
    }
    case t.ForeignComment:
      sink.report(
        syntax.foreignSpelling(
          { ...span, end: span.start + 2 },
          "//",
          "`#` before a comment",
          "`/` never truncates; to round a quotient down, write `floor(a / b)`",
        ),
      );
      return as(t.Comment, token.image);
    case t.ForeignString: {
      const text = token.image.slice(1, -1);
      const quotes = `${token.image.charAt(0)}…${token.image.slice(-1)}`;
      sink.report(syntax.foreignSpelling(span, quotes, `"${text}"`, "strings stand in double quotes"));
      return as(t.StringLiteral, `"${text}"`);
    }
    case t.UnterminatedString:
      sink.report(syntax.unterminatedString(span));
      return as(t.StringLiteral, `${token.image}"`);
    case t.NumberLiteral:
      return checkNumber(token, span, sink) ? token : as(t.NumberLiteral, "1");
    default:
      return token;
  }
}

function checkNumber({ image }: IToken, span: Span, sink: DiagnosticSink): boolean {
  const wellFormed = /^\d+(\.\d+)?([eE][+-]?\d+)?$/.test(image);
  if (!wellFormed) sink.report(syntax.malformedNumber(span, image, likelyNumber(image)));
  else if (!Number.isFinite(Number(image))) sink.report(syntax.numberTooLarge(span, image));
  else return true;
  return false;
}

function likelyNumber(image: string): string {
  if (/^\.\d+([eE]\d+)?$/.test(image)) return `\`0${image}\``;
  if (/^[\d_.]+$/.test(image)) return `\`${image.replaceAll("_", "")}\``;
  const [digits, rest] = [/^[\d.]+/.exec(image)?.[0] ?? "1", image.replace(/^[\d.]+/, "")];
  return /^e$/i.test(rest) ? `digits after \`${rest}\`` : `\`${digits}\`, or \`${digits}*${rest}\``;
}
