/** How the parser speaks of tokens, and what it advises. */
import type { IToken, TokenType } from "chevrotain";
import { closest } from "../diagnostics/suggest.js";
import * as t from "./tokens.js";

/** What stands at a token, in words: `` `)` ``, `the keyword `param``, `the end of the line`. */
export function describe(token: IToken): string {
  if (token.tokenType === t.Newline) {
    if (token.image === "") return "the end of the file";
    return token.image === "}" ? "`}`" : "the end of the line";
  }
  if (t.isKeyword(token.tokenType)) return `the keyword \`${token.image}\``;
  if (token.tokenType === t.StringLiteral) return `the string ${token.image}`;
  if (token.tokenType === t.NumberLiteral) return `the number ${token.image}`;
  return token.image === "" ? "the end of the file" : `\`${token.image}\``;
}

const isOneOf = (token: IToken, ...types: TokenType[]): boolean => types.includes(token.tokenType);

/** Advice for an error of the kind "expected this, found that". */
export function hintForUnexpected(found: IToken, previous: IToken): string | undefined {
  if (previous.tokenType === t.Comma && (isOneOf(found, t.Newline) || t.isKeyword(found.tokenType))) {
    return "a comma goes on with the list: remove it, or write what follows";
  }
  if (isOneOf(found, t.Equal)) return "to compare, write `==`";
  if (isOneOf(found, t.LeftCurly) && isOneOf(previous, t.Identifier)) return undefined;
  if (isOneOf(found, t.Star) && isOneOf(previous, t.Star)) return "a power is written `x^2`";
  return undefined;
}

/** Advice where a statement should have ended and goes on with `found`. */
export function hintForRest(found: IToken): string {
  switch (found.tokenType) {
    case t.Equal:
      return "to compare, write `==`";
    case t.From:
      return "`from` says where a constant or a parameter is read; nothing else has it";
    case t.By:
      return "`by` names the rule of an equation `der(h) = …`";
    case t.At:
      return "`at` follows the call of a block, or the range of a `repeat`";
    case t.Range:
      return "a range stands in `repeat i in 0..n`";
    case t.Comma:
      return "only a call gives several values: write one definition a line";
    case t.Colon:
      return "named values stand inside the parentheses of a call";
    default: {
      const meant = found.tokenType === t.Identifier ? closest(found.image, goesOn) : undefined;
      if (meant !== undefined) return `did you mean \`${meant}\`?`;
      return "an operator or a comma is missing before it, or it belongs on a line of its own";
    }
  }
}

/** Words with which a statement goes on. */
const goesOn: readonly string[] = ["else", "from", "with", "init", "and", "not"];

const noStatement: readonly (readonly [ReadonlySet<TokenType>, string])[] = [
  [new Set([t.Else]), "`else` follows the `}` of an `if`"],
  [
    new Set([t.From, t.At, t.By, t.With]),
    "it goes on with a statement: look for what is missing on the line before",
  ],
  [new Set([t.NumberLiteral, t.StringLiteral, t.LeftParen, t.Not]), "give the value a name: `x = …`"],
  [
    new Set([t.LeftCurly]),
    "a body follows `model name`, `block name(…) -> […]`, `fn name(…)`, `repeat … in …` or `if …`",
  ],
];

/** Advice where a statement should begin and `found` can't begin one. */
export function hintForNoStatement(found: IToken): string {
  for (const [types, hint] of noStatement) if (types.has(found.tokenType)) return hint;
  return found.tokenType.CATEGORIES?.includes(t.InfixOperator) === true
    ? "a line ends a statement; to go on, put the operator at the end of the line before"
    : "a statement begins with a keyword (`param`, `state`, `output` …) or the name that it defines";
}

/** How other languages begin what is written differently here. */
const foreignStatements: Readonly<Record<string, string>> = {
  let: "a value needs no keyword: `x = …`",
  var: "a value needs no keyword: `x = …`",
  val: "a value needs no keyword: `x = …`",
  for: "a loop over constants is `repeat i in 0..n { … }`; a loop over time is a recurrence: `state`, `prev`",
  while: "there are no loops with conditions; a loop over constants is `repeat i in 0..n { … }`",
  def: "functions are declared with `fn`, sub-models with `block`",
  func: "functions are declared with `fn`, sub-models with `block`",
  function: "functions are declared with `fn`, sub-models with `block`",
  class: "sub-models are declared with `block`",
  import: 'another file\'s declarations are taken with `use name from "./file.krait"`',
  elif: "write `else if`",
  weight: "weights are declared with `param`",
  parameter: "weights are declared with `param`",
};

const statementWords: readonly string[] = [...t.statementKeywords].map((type) => type.name.toLowerCase());

/** Advice where a line begins with a name that no `=` follows: it may be a keyword of elsewhere, or misspelt. */
export function hintForUnknownStatement(name: string, next: IToken): string | undefined {
  const foreign = Object.hasOwn(foreignStatements, name) ? foreignStatements[name] : undefined;
  if (foreign !== undefined) return foreign;
  const meant = closest(name, statementWords);
  if (meant !== undefined) return `did you mean \`${meant}\`?`;
  if (next.tokenType === t.LeftParen)
    return `a call alone changes nothing; give its result a name: \`y = ${name}(…)\``;
  if (next.tokenType === t.EqualEqual) return "a definition is written with one `=`";
  if (next.tokenType === t.Newline || next.tokenType.CATEGORIES?.includes(t.InfixOperator) === true)
    return "a value alone changes nothing; give it a name: `y = …`";
  return undefined;
}
