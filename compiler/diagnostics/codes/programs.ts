/** K07xx: inputs, outputs, programs. */
import type { Diagnostic, Span } from "../types.js";

export function noOutput(span: Span, model: string): Diagnostic {
  return {
    code: "K0701",
    severity: "error",
    message: `the model \`${model}\` has no output`,
    span,
    hint: "say what it computes: `output y[b, t, m] = …`",
  };
}

export function inputType(span: Span, name: string): Diagnostic {
  return {
    code: "K0702",
    severity: "error",
    message: `\`${name}\` is not a type of inputs`,
    span,
    expected: "`f32`, or `index(v)` for whole numbers below the size of `v`",
  };
}

export function unknownTarget(span: Span, name: string, known: readonly string[]): Diagnostic {
  return {
    code: "K0710",
    severity: "error",
    message: `there is no target profile \`${name}\``,
    span,
    found: `\`${name}\``,
    expected: known.map((target) => `\`${target}\``).join(" or "),
    hint: "leave out the target to build for every profile",
  };
}

export function tooLarge(span: Span, most: number): Diagnostic {
  return {
    code: "K0703",
    severity: "error",
    message: `written out, the model has more than ${most} calls and rounds of \`repeat\``,
    span,
    hint: "does a block call itself, or does a `repeat` in a `repeat` go too far?",
  };
}
