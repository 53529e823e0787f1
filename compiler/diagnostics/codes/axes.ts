/** K032x and K033x: axes. */
import type { Diagnostic, RelatedSpan, Span } from "../types.js";

/** `is`: what else has that name. */
export function unknownAxis(
  span: Span,
  name: string,
  suggestion: string | undefined,
  is?: string,
): Diagnostic {
  return {
    code: "K0320",
    severity: "error",
    message: `there is no axis \`${name}\``,
    span,
    ...(is === undefined ? {} : { found: is }),
    hint: suggestion === undefined ? `declare it: \`axis ${name} = …\`` : `did you mean \`${suggestion}\`?`,
  };
}

export function axisSize(span: Span, name: string, found: string): Diagnostic {
  return {
    code: "K0321",
    severity: "error",
    message: `the size of the axis \`${name}\` must be a whole number of at least 1`,
    span,
    found,
  };
}

export function axisConstruction(span: Span, name: string, problem: string, hint: string): Diagnostic {
  return { code: "K0322", severity: "error", message: `axis \`${name}\`: ${problem}`, span, hint };
}

export function ambientCollision(
  span: Span,
  axis: string,
  block: string,
  call: Span | undefined,
): Diagnostic {
  return {
    code: "K0323",
    severity: "error",
    message: `\`${block}\` uses the axis \`${axis}\` itself, but is mapped over an argument that carries \`${axis}\``,
    span,
    hint: `rename the argument's axis before the call: \`x[${axis} -> ${axis}']\``,
    ...(call === undefined
      ? {}
      : { related: [{ span: call, message: `this call passes a value that carries \`${axis}\`` }] }),
  };
}

export function runtimeSize(span: Span, axis: string): Diagnostic {
  return {
    code: "K0324",
    severity: "error",
    message: `the size of \`${axis}\` is known only when the model runs`,
    span,
    hint: "`size(…)` is for axes of fixed size; `pos(t)` is a position in time",
  };
}

export function noPart(
  span: Span,
  axis: string,
  found: string,
  from: string,
  parts: readonly string[],
  related: readonly RelatedSpan[],
): Diagnostic {
  return {
    code: "K0325",
    severity: "error",
    message: `\`${axis}\` cannot become an axis of another size`,
    span,
    found,
    expected:
      parts.length === 0
        ? `an axis as long as ${from}`
        : `a part of \`${axis}\` (${parts.join(" or ")}), or an axis as long as ${from}`,
    ...(related.length === 0 ? {} : { related }),
  };
}

export function axisSlot(span: Span, problem: string, hint: string): Diagnostic {
  return { code: "K0326", severity: "error", message: problem, span, hint };
}

export function axisLimit(span: Span, name: string, found: string, most: number): Diagnostic {
  return {
    code: "K0327",
    severity: "error",
    message: `the axis \`${name}\` is too large`,
    span,
    found,
    expected: `at most ${most}`,
  };
}
