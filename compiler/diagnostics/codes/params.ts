/** K06xx: parameters. */
import type { Diagnostic, Span } from "../types.js";

export function stackSlot(span: Span, found: number): Diagnostic {
  return {
    code: "K0601",
    severity: "error",
    message: "parameters stacked in one tensor need one `_`, where they stack",
    span,
    found: found === 0 ? "no `_`" : `${found} of them`,
    expected: "`(a[p] | b[q])[_, m]`",
  };
}

export function stackWithoutName(span: Span): Diagnostic {
  return {
    code: "K0602",
    severity: "error",
    message: "parameters stacked in one tensor need its name",
    span,
    hint: 'say where it is: `… from "in_proj.weight"`',
  };
}

export function unknownHole(span: Span, hole: string, suggestion: string | undefined): Diagnostic {
  return {
    code: "K0603",
    severity: "error",
    message: `\`{${hole}}\` in this path is not a constant`,
    span,
    ...(suggestion === undefined ? {} : { hint: `did you mean \`{${suggestion}}\`?` }),
  };
}

export function tensorShape(
  span: Span,
  tensor: string,
  found: string,
  expected: string,
  first: Span,
): Diagnostic {
  return {
    code: "K0604",
    severity: "error",
    message: `the tensor "${tensor}" is read in two shapes`,
    span,
    found,
    expected,
    related: [{ span: first, message: "it is first read here" }],
  };
}

export function runtimeParameter(span: Span, name: string, axis: string): Diagnostic {
  return {
    code: "K0605",
    severity: "error",
    message: `the parameter \`${name}\` has the axis \`${axis}\`, whose size is known only when the model runs`,
    span,
    hint: "a parameter has axes of fixed size; what varies with time is an `input`",
  };
}

export function gatherHole(span: Span, axis: string, first: Span): Diagnostic {
  return {
    code: "K0606",
    severity: "error",
    message: `this path does not say which tensor of \`${axis}\` it is`,
    span,
    expected: `\`{${axis}}\` in every alternative`,
    related: [{ span: first, message: `the first path has a tensor for each \`${axis}\`` }],
  };
}

/** Each tensor is a copy when the weights are loaded. */
export function gatherCount(span: Span, count: number, most: number): Diagnostic {
  return {
    code: "K0607",
    severity: "error",
    message: `this parameter is gathered from ${count} tensors`,
    span,
    expected: `at most ${most}`,
    hint: "is the size of an axis wrong? An axis that one tensor has stands in its shape, not in its path",
  };
}

export function pathTooLong(span: Span, most: number): Diagnostic {
  return {
    code: "K0608",
    severity: "error",
    message: "with its constants filled in, this path is too long to be a tensor's name",
    span,
    expected: `at most ${most} characters`,
  };
}
