/** K01xx: what the lexer and the parser could not read. */
import type { Diagnostic, Span } from "../types.js";

export function unexpectedCharacter(span: Span, characters: string, hint: string): Diagnostic {
  return {
    code: "K0101",
    severity: "error",
    message: `\`${characters}\` has no meaning in Krait`,
    span,
    hint,
  };
}

/** Another language's spelling, read as what it most likely means. */
export function foreignSpelling(span: Span, found: string, expected: string, hint?: string): Diagnostic {
  return {
    code: "K0102",
    severity: "error",
    message: `Krait has no \`${found}\``,
    span,
    expected,
    ...(hint === undefined ? {} : { hint }),
  };
}

export function unterminatedString(span: Span): Diagnostic {
  return {
    code: "K0103",
    severity: "error",
    message: "this string has no end",
    span,
    found: "the end of the line",
    expected: '`"`',
    hint: "a string ends on the line on which it begins",
  };
}

export function malformedNumber(span: Span, found: string, expected: string): Diagnostic {
  return {
    code: "K0104",
    severity: "error",
    message: `\`${found}\` is not a number`,
    span,
    expected,
    hint: "numbers are written `12`, `0.5`, `1e-5` or `2.5e3`",
  };
}

export function numberTooLarge(span: Span, found: string): Diagnostic {
  return {
    code: "K0105",
    severity: "error",
    message: `\`${found}\` is larger than any number that can be represented`,
    span,
    expected: "a number below 1.8e308; infinity is `inf`",
  };
}

/** The common case: the grammar wants one thing and the source has another. */
export function expected(
  span: Span,
  what: string,
  found: string,
  details: { readonly purpose?: string; readonly hint?: string } = {},
): Diagnostic {
  const { purpose, hint } = details;
  return {
    code: "K0110",
    severity: "error",
    message: `expected ${what}${purpose === undefined ? "" : ` ${purpose}`}`,
    span,
    found,
    expected: what,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** A bracket without its partner: `open` is where it stands, `purpose` what it encloses. */
export function unclosed(
  span: Span,
  details: {
    readonly closer: string;
    readonly purpose: string;
    readonly found: string;
    readonly expected: string;
    readonly open: Span;
  },
): Diagnostic {
  return {
    code: "K0111",
    severity: "error",
    message: `expected \`${details.closer}\` to close ${details.purpose}`,
    span,
    found: details.found,
    expected: details.expected,
    related: [{ span: details.open, message: "it is opened here" }],
  };
}

export function closesNothing(span: Span, closer: string, opener: string): Diagnostic {
  return {
    code: "K0112",
    severity: "error",
    message: `this \`${closer}\` closes nothing`,
    span,
    hint: `remove it, or look for a \`${opener}\` that is missing before it`,
  };
}

export function keywordAsName(span: Span, keyword: string, what: string): Diagnostic {
  return {
    code: "K0113",
    severity: "error",
    message: `\`${keyword}\` is a keyword and can't be ${what}`,
    span,
    expected: what,
    hint: `choose another name, such as \`${keyword}_\``,
  };
}

/** `'` marks a copy of an axis; nothing else is named so. */
export function primeOnName(span: Span, name: string, what: string): Diagnostic {
  return {
    code: "K0114",
    severity: "error",
    message: `\`${name}\` can't be ${what}: a trailing \`'\` marks a copy of an axis`,
    span,
    hint: "an earlier value is `prev(…)`; for another value, choose another name",
  };
}

export function statementNotEnded(span: Span, found: string, hint: string): Diagnostic {
  return {
    code: "K0115",
    severity: "error",
    message: "expected the end of the statement",
    span,
    found,
    expected: "a new line",
    hint,
  };
}

export function notAStatement(span: Span, found: string, hint: string): Diagnostic {
  return {
    code: "K0116",
    severity: "error",
    message: `a statement can't begin with ${found}`,
    span,
    hint,
  };
}

/** A statement that is right in itself, where it may not stand. */
export function misplaced(span: Span, what: string, place: string, hint: string): Diagnostic {
  return {
    code: "K0117",
    severity: "error",
    message: `\`${what}\` can't stand ${place}`,
    span,
    hint,
  };
}

export function chainedComparison(span: Span, first: string, second: string): Diagnostic {
  return {
    code: "K0118",
    severity: "error",
    message: "comparisons don't chain",
    span,
    expected: `\`a ${first} b and b ${second} c\``,
  };
}

export function parenthesesNeeded(span: Span, operator: string, outer: string): Diagnostic {
  return {
    code: "K0119",
    severity: "error",
    message: `\`${operator}\` after \`${outer}\` needs parentheses`,
    span,
    expected: `\`… ${outer} (${operator} …)\``,
  };
}

export function ruleDefinesOther(span: Span, found: string, state: string, stateSpan: Span): Diagnostic {
  return {
    code: "K0120",
    severity: "error",
    message: `this rule is for \`der(${state})\`, but its step defines \`${found}\``,
    span,
    found,
    expected: state,
    related: [{ span: stateSpan, message: `\`${state}\` is named here` }],
  };
}

export function unknownKind(
  span: Span,
  found: string,
  expectedKinds: string,
  suggestion: string | undefined,
): Diagnostic {
  return {
    code: "K0121",
    severity: "error",
    message: `\`${found}\` can't stand after this \`:\``,
    span,
    expected: expectedKinds,
    ...(suggestion === undefined ? {} : { hint: `did you mean \`${suggestion}\`?` }),
  };
}

export function misplacedStackSlot(span: Span): Diagnostic {
  return {
    code: "K0122",
    severity: "error",
    message: "`_` is where stacked parameters stack, and has no meaning here",
    span,
    hint: 'stacked parameters are written `param (a[p] | b[q])[_, m] from "…"`',
  };
}

export function documentsNothing(span: Span): Diagnostic {
  return {
    code: "K0123",
    severity: "warning",
    message: "this `##` comment documents nothing",
    span,
    hint: "it documents the declaration that follows it; write `#` for a plain comment",
  };
}

export function sourceTooLong(span: Span, length: number, most: number): Diagnostic {
  return {
    code: "K0124",
    severity: "error",
    message: `this source has ${length} characters, too many to read`,
    span,
    expected: `at most ${most}`,
    hint: "is it a Krait source? A long one can be divided: `use … from` brings parts of other files",
  };
}

/** Stages after the parser walk what is nested by recursion. */
export function nestedTooDeep(span: Span, most: number): Diagnostic {
  return {
    code: "K0125",
    severity: "error",
    message: `this is nested more than ${most} deep`,
    span,
    hint: "give parts of it names of their own; each term of a sum is nested in the next",
  };
}
