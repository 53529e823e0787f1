/** K04xx: axes and scalar types of values. */
import type { Diagnostic, RelatedSpan, Span } from "../types.js";

/** A function works over an axis that one of its operands does not carry. */
export function axisMissing(
  span: Span,
  callee: string,
  axis: string,
  found: string,
  related: readonly RelatedSpan[],
  suggestion?: string,
): Diagnostic {
  return {
    code: "K0401",
    severity: "error",
    message:
      callee === "[…]"
        ? `this value has no axis \`${axis}\``
        : `\`${callee}\` works over \`${axis}\`, which this value does not have`,
    span,
    found,
    expected: `an axis \`${axis}\``,
    ...(suggestion === undefined ? {} : { hint: `did you mean \`${suggestion}\`?` }),
    ...(related.length === 0 ? {} : { related }),
  };
}

/** A value carries axes that the place it goes to does not name. */
export function extraAxes(
  span: Span,
  what: string,
  extra: string,
  found: string,
  expected: string,
  declared: Span,
  sources: readonly RelatedSpan[],
): Diagnostic {
  return {
    code: "K0402",
    severity: "error",
    message: `${what} has an axis too many: ${extra}`,
    span,
    found,
    expected,
    hint: `contract it (\`dot\`, \`sum\`), pick one (\`x[axis: i]\`), or name it in the declaration`,
    related: [{ span: declared, message: "its axes are declared here" }, ...sources],
  };
}

export function missingAxes(
  span: Span,
  what: string,
  missing: string,
  found: string,
  expected: string,
  declared: Span,
  hint?: string,
): Diagnostic {
  return {
    code: "K0403",
    severity: "error",
    message: `${what} lacks ${missing}`,
    span,
    found,
    expected,
    ...(hint === undefined ? {} : { hint }),
    related: [{ span: declared, message: "its axes are declared here" }],
  };
}

export function renameCollision(span: Span, axis: string, found: string): Diagnostic {
  return {
    code: "K0404",
    severity: "error",
    message: `the value already has an axis \`${axis}\``,
    span,
    found,
    hint: `choose another name, or a copy: \`${axis}'\``,
  };
}

export function notIndex(span: Span, found: string): Diagnostic {
  return {
    code: "K0405",
    severity: "error",
    message: "what selects along an axis must be a whole number",
    span,
    found,
    expected: "a constant or a value of type `index`",
    hint: "declare such an input as `input token: index(v)[b, t]`",
  };
}

export function scalarType(
  span: Span,
  what: string,
  found: string,
  expected: string,
  hint?: string,
): Diagnostic {
  return {
    code: "K0406",
    severity: "error",
    message: `${what} has the wrong type`,
    span,
    found,
    expected,
    ...(hint === undefined ? {} : { hint }),
  };
}

export function indexRange(span: Span, axis: string, found: number, size: number): Diagnostic {
  return {
    code: "K0407",
    severity: "error",
    message: `\`${axis}\` has no coordinate ${found}`,
    span,
    found: String(found),
    expected: `0 to ${size - 1}`,
  };
}

export function joinMismatch(span: Span, callee: string, problem: string, hint: string): Diagnostic {
  return { code: "K0408", severity: "error", message: `\`${callee}\`: ${problem}`, span, hint };
}

export function notTensor(span: Span, found: string): Diagnostic {
  return {
    code: "K0409",
    severity: "error",
    message: "this is not a number or a tensor",
    span,
    found,
    expected: "a number or a tensor",
  };
}

export function runtimeCoordinate(span: Span, axis: string): Diagnostic {
  return {
    code: "K0410",
    severity: "error",
    message: `\`${axis}\` has its size when the model runs, so that no constant picks from it`,
    span,
    hint: `the value one step earlier is \`prev(x)\`; one position is left by \`select(pos(${axis}) == 0, x, 0)\``,
  };
}

export function indexWithoutAxis(span: Span, found: string, axis: string | undefined): Diagnostic {
  return {
    code: "K0411",
    severity: "error",
    message: "a tensor is indexed by the name of an axis",
    span,
    found,
    expected: `\`x[${axis ?? "axis"}: i]\``,
  };
}

export function tensorSize(span: Span, axes: string, found: number, most: number): Diagnostic {
  return {
    code: "K0415",
    severity: "error",
    message: "this value is too large for any device",
    span,
    found: `${found} elements along ${axes}, for each sequence and step`,
    expected: `at most ${most}`,
    hint: "contract an axis (`dot`, `sum`) before another is added",
  };
}
