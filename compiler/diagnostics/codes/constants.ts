/** K030x and K031x: constants, `--set`, config.json. */
import type { Diagnostic, Span } from "../types.js";

export function notConstant(span: Span, what: string): Diagnostic {
  return {
    code: "K0301",
    severity: "error",
    message: `${what} must be known when the model is compiled`,
    span,
    hint: "constants are numbers, booleans, strings, lists and what is computed from them",
  };
}

export function constantOperation(span: Span, problem: string): Diagnostic {
  return { code: "K0302", severity: "error", message: problem, span };
}

export function unknownSetting(span: Span, name: string, suggestion: string | undefined): Diagnostic {
  return {
    code: "K0303",
    severity: "error",
    message: `\`--set ${name}\`: the main file has no constant \`${name}\``,
    span,
    ...(suggestion === undefined ? {} : { hint: `did you mean \`${suggestion}\`?` }),
  };
}

export function constantType(
  span: Span,
  name: string,
  from: string,
  found: string,
  expected: string,
): Diagnostic {
  return {
    code: "K0304",
    severity: "error",
    message: `${from} gives the constant \`${name}\` a value of another type`,
    span,
    found,
    expected,
  };
}

export function cyclicConstant(span: Span, name: string): Diagnostic {
  return {
    code: "K0305",
    severity: "error",
    message: `\`${name}\` is defined by itself`,
    span,
    hint: "break the circle: one of these definitions must not need the others",
  };
}

export function repeatBound(span: Span, found: string): Diagnostic {
  return {
    code: "K0306",
    severity: "error",
    message: "the bounds of `repeat` must be whole numbers",
    span,
    found,
    hint: "`/` never truncates: write `floor(a / b)` or `ceil(a / b)`",
  };
}

export function conditionType(span: Span, found: string): Diagnostic {
  return {
    code: "K0307",
    severity: "error",
    message: "the condition of `if` must be true or false",
    span,
    found,
    expected: "a boolean constant",
    hint: "`if` chooses when the model is compiled; `select(condition, a, b)` chooses between values",
  };
}

export function repeatCount(span: Span, rounds: number, most: number): Diagnostic {
  return {
    code: "K0315",
    severity: "error",
    message: `this \`repeat\` has ${rounds} rounds, and each is written out`,
    span,
    expected: `at most ${most}`,
    hint: "is a constant wrong? what runs along a sequence is a recurrence over time, what runs over elements is an axis",
  };
}

/** Warned of, since `--set layers=2` may leave a `repeat` of later layers with nothing to do. */
export function repeatBackwards(span: Span, from: number, to: number): Diagnostic {
  return {
    code: "K0308",
    severity: "warning",
    message: "this `repeat` never runs",
    span,
    found: `${from}..${to}`,
    hint: "it counts upwards, from the first bound to the second less one",
  };
}

export function listLength(span: Span, axis: string, found: string, size: string): Diagnostic {
  return {
    code: "K0309",
    severity: "error",
    message: `the list along \`${axis}\` needs a number for each of its coordinates`,
    span,
    found,
    expected: size,
  };
}

/** Doubling a list again and again goes on for ever in a few lines. */
export function constantsTooLarge(span: Span, most: number): Diagnostic {
  return {
    code: "K0310",
    severity: "error",
    message: `the constants hold more than ${most} items and characters`,
    span,
    hint: 'what is that large is a parameter: `param table[n] from "table"`',
  };
}
