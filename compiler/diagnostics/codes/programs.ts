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

/** `what`: inputs or outputs. */
export function interfaceType(span: Span, what: string, name: string): Diagnostic {
  return {
    code: "K0702",
    severity: "error",
    message: `\`${name}\` is not a type of ${what}`,
    span,
    expected: "`f32`, or `index(v)` for whole numbers below the size of `v`",
  };
}

/** What the limits on a source let pass, and yet takes a stage of the compiler more stack than it has. */
export function tooInvolved(span: Span, model: string): Diagnostic {
  return {
    code: "K0711",
    severity: "error",
    message: `too much of the model \`${model}\` depends on each other, one step after the other`,
    span,
    hint: "is a chain of thousands of operations meant? What runs along a sequence is a recurrence over time",
  };
}

export function unknownTarget(span: Span, name: string, known: readonly string[]): Diagnostic {
  return {
    code: "K0710",
    severity: "error",
    message: `there is no target profile \`${name}\``,
    span,
    found: `\`${name}\``,
    expected: `one of ${known.map((target) => `\`${target}\``).join(", ")}`,
    hint: "leave out the target to build for `baseline`, which runs everywhere",
  };
}

export function tooLarge(span: Span, most: number): Diagnostic {
  return {
    code: "K0703",
    severity: "error",
    message: `written out, the model is too large: it has more than ${most} expressions`,
    span,
    hint: "does a block call itself, or does a `repeat` in a `repeat` go too far?",
  };
}

export function notPacked(span: Span, model: string, what: string): Diagnostic {
  return {
    code: "K0712",
    severity: "error",
    message: `documents of the model \`${model}\` cannot be packed: ${what}`,
    span,
    hint: "give what differs by sequence the batch axis, or build without the program `packed`",
  };
}
