/** K02xx: names, what they stand for, and how they are called. */
import type { Diagnostic, RelatedSpan, Span } from "../types.js";

const didYouMean = (suggestion: string | undefined): { hint?: string } =>
  suggestion === undefined ? {} : { hint: `did you mean \`${suggestion}\`?` };

export function unknownName(
  span: Span,
  name: string,
  suggestion: string | undefined,
  hint?: string,
  related: readonly RelatedSpan[] = [],
): Diagnostic {
  return {
    code: "K0201",
    severity: "error",
    message: `\`${name}\` is not defined here`,
    span,
    ...(suggestion === undefined && hint !== undefined ? { hint } : didYouMean(suggestion)),
    ...(related.length === 0 ? {} : { related }),
  };
}

export function unknownFunction(
  span: Span,
  name: string,
  suggestion: string | undefined,
  hint?: string,
): Diagnostic {
  return {
    code: "K0202",
    severity: "error",
    message: `there is no function or block \`${name}\``,
    span,
    ...(hint === undefined ? didYouMean(suggestion) : { hint }),
  };
}

export function alreadyDefined(span: Span, name: string, first: Span, hint?: string): Diagnostic {
  return {
    code: "K0203",
    severity: "error",
    message: `\`${name}\` is already defined`,
    span,
    ...(hint === undefined ? {} : { hint }),
    related: [{ span: first, message: `\`${name}\` is first defined here` }],
  };
}

export function selfReference(span: Span, name: string, first: Span | undefined): Diagnostic {
  return {
    code: "K0204",
    severity: "error",
    message: `\`${name} = …\` reads \`${name}\` itself; \`=\` defines a value once`,
    span,
    hint:
      first === undefined
        ? `for the value one step earlier, declare \`state ${name}[…]\` and read \`prev(${name})\``
        : `to rebind it, write \`${name} += …\` or \`${name} := …\`; for the value one step earlier, \`prev(${name})\``,
    ...(first === undefined ? {} : { related: [{ span: first, message: `\`${name}\` is defined here` }] }),
  };
}

export function rebindUndefined(
  span: Span,
  name: string,
  op: string,
  suggestion: string | undefined,
): Diagnostic {
  return {
    code: "K0205",
    severity: "error",
    message: `\`${op}\` rebinds a value, and \`${name}\` is not defined yet`,
    span,
    hint: suggestion === undefined ? `\`${name} = …\` defines it` : `did you mean \`${suggestion}\`?`,
  };
}

export function cannotRebind(span: Span, name: string, what: string, first: Span): Diagnostic {
  return {
    code: "K0206",
    severity: "error",
    message: `\`${name}\` is ${what} and cannot be rebound`,
    span,
    hint: "give the new value a name of its own",
    related: [{ span: first, message: `\`${name}\` is defined here` }],
  };
}

export function unsolvedState(span: Span, name: string, declared: Span): Diagnostic {
  return {
    code: "K0207",
    severity: "error",
    message: `\`${name}\` has no value at this step yet`,
    span,
    hint: `\`prev(${name})\` is its value one step earlier; \`${name}\` itself may be read after its equation`,
    related: [{ span: declared, message: `the state \`${name}\` is declared here` }],
  };
}

export function sourceNotFound(span: Span, path: string): Diagnostic {
  return {
    code: "K0208",
    severity: "error",
    message: `cannot find the file "${path}"`,
    span,
    hint: "paths are relative to the file that says `use`",
  };
}

export function notInFile(
  span: Span,
  name: string,
  file: string,
  suggestion: string | undefined,
): Diagnostic {
  return {
    code: "K0209",
    severity: "error",
    message: `"${file}" has no \`${name}\``,
    span,
    ...didYouMean(suggestion),
  };
}

export function cyclicUse(span: Span, path: string): Diagnostic {
  return {
    code: "K0210",
    severity: "error",
    message: `"${path}" uses this file, directly or through others`,
    span,
    hint: "move what both need into a third file",
  };
}

export function noModel(span: Span): Diagnostic {
  return {
    code: "K0211",
    severity: "error",
    message: "this file has no `model`",
    span,
    hint: "a file of blocks and functions is for `use`; what is compiled needs `model name { … }`",
  };
}

export function wrongArguments(
  span: Span,
  callee: string,
  problem: string,
  signature?: string,
  related: readonly RelatedSpan[] = [],
  suggestion?: string,
): Diagnostic {
  return {
    code: "K0212",
    severity: "error",
    message: `\`${callee}\` ${problem}`,
    span,
    ...(signature === undefined ? {} : { expected: signature }),
    ...didYouMean(suggestion),
    ...(related.length === 0 ? {} : { related }),
  };
}

export function misplacedStatement(span: Span, what: string, where: string, hint: string): Diagnostic {
  return { code: "K0213", severity: "error", message: `${what} cannot stand in ${where}`, span, hint };
}

export function resultCount(span: Span, found: number, expected: number): Diagnostic {
  const results = (n: number): string => (n === 1 ? "one value" : `${n} values`);
  return {
    code: "K0214",
    severity: "error",
    message: "the number of values does not match",
    span,
    found: results(found),
    expected: results(expected),
  };
}

export function missingReturn(span: Span, name: string): Diagnostic {
  return {
    code: "K0215",
    severity: "error",
    message: `\`${name}\` ends without \`return\``,
    span,
    hint: "its last statement says what it gives back: `return …`",
  };
}

export function endlessRecursion(span: Span, name: string): Diagnostic {
  return {
    code: "K0216",
    severity: "error",
    message: `\`${name}\` calls itself without end`,
    span,
    hint: "calls are written out when the model is compiled; a recurrence over time is a `state`",
  };
}

export function wrongKind(span: Span, name: string, is: string, hint: string): Diagnostic {
  return { code: "K0217", severity: "error", message: `\`${name}\` is ${is}`, span, hint };
}

export function pathWithoutParameters(span: Span, name: string): Diagnostic {
  return {
    code: "K0218",
    severity: "error",
    message: `\`${name}\` is a function, so that \`at\` has nothing to name`,
    span,
    hint: "`at` says where a block's parameters are; a function has none: leave it out",
  };
}
