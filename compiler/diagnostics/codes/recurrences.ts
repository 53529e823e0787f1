/** K05xx: states, `prev`, `der`, convolutions. */
import type { Diagnostic, Span } from "../types.js";

export function stateWithoutEquation(span: Span, name: string): Diagnostic {
  return {
    code: "K0501",
    severity: "error",
    message: `the state \`${name}\` has no equation`,
    span,
    hint: `write \`${name} = … prev(${name}) …\` or \`der(${name}) = …  by rule(step)\``,
  };
}

export function stateSolvedTwice(span: Span, name: string, first: Span): Diagnostic {
  return {
    code: "K0502",
    severity: "error",
    message: `the state \`${name}\` has two equations`,
    span,
    related: [{ span: first, message: "this is the first" }],
  };
}

export function timeInvariantPrev(span: Span, time: string): Diagnostic {
  return {
    code: "K0503",
    severity: "error",
    message: "`prev` of a value that is the same at every step",
    span,
    hint: `only what changes along \`${time}\` has an earlier value`,
  };
}

export function nonlinear(span: Span, state: string, equation: Span): Diagnostic {
  return {
    code: "K0504",
    severity: "error",
    message: `\`der(${state}) = …\` must be linear in \`${state}\``,
    span,
    expected: `a*${state} + b, with a and b free of ${state}`,
    hint: `for other equations write the step yourself: \`${state} = … prev(${state}) …\``,
    related: [{ span: equation, message: "this equation" }],
  };
}

export function matrixCoefficient(span: Span, state: string, equation: Span): Diagnostic {
  return {
    code: "K0505",
    severity: "error",
    message: `\`der(${state}) = …\` mixes the elements of \`${state}\``,
    span,
    expected: `a*${state} + b, elementwise`,
    hint: `a discretization rule needs an elementwise \`a\`; write the step yourself: \`${state} = … prev(${state}) …\``,
    related: [{ span: equation, message: "this equation" }],
  };
}

export function ruleForm(span: Span, rule: string): Diagnostic {
  return {
    code: "K0506",
    severity: "error",
    message: `the continuous form of the rule \`${rule}\` must be \`a*h + b\``,
    span,
    expected: "`rule r(step): der(h) = a*h + b  =>  h = …`",
  };
}

export function noTimeAxis(span: Span, what: string): Diagnostic {
  return {
    code: "K0507",
    severity: "error",
    message: `${what} needs an axis of time`,
    span,
    hint: "declare one: `axis t: time`",
  };
}

export function notTime(span: Span, callee: string, axis: string): Diagnostic {
  return {
    code: "K0508",
    severity: "error",
    message: `\`${callee}\` runs along time, and \`${axis}\` is not an axis of time`,
    span,
    hint: "declare it as `axis t: time`",
  };
}

export function stateOverTime(span: Span, state: string, axis: string): Diagnostic {
  return {
    code: "K0509",
    severity: "error",
    message: `the state \`${state}\` is declared over time`,
    span,
    hint: `leave \`${axis}\` out: a state's value at each step is what its name means`,
  };
}

export function unknownRule(span: Span, name: string, suggestion: string | undefined): Diagnostic {
  return {
    code: "K0510",
    severity: "error",
    message: `there is no rule \`${name}\``,
    span,
    hint:
      suggestion === undefined
        ? "built in: euler, exp_euler, zoh, bilinear, trapezoidal, exp_trapezoid"
        : `did you mean \`${suggestion}\`?`,
  };
}

export function notState(span: Span, name: string): Diagnostic {
  return {
    code: "K0511",
    severity: "error",
    message: `\`${name}\` is not a state`,
    span,
    hint: `declare it: \`state ${name}[…]\``,
  };
}

export function productTime(span: Span, what: string, product: string): Diagnostic {
  return {
    code: "K0512",
    severity: "error",
    message: `${what} cannot step along \`${product}\`, which is a product of axes`,
    span,
    hint: "let it step along the factor that is time: name that one in the block's header, or say `prev(x, along s)`",
  };
}
