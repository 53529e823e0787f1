/** Evaluating `Dim`s: sizes, offsets and dispatch counts as expressions of a program's run-time numbers. */
import type { Dim } from "./bundle-format.js";
import { KraitError } from "./errors.js";

/** A Dim as a function of the numbers' values, which lie in the order that `compileDim` was told. */
export type Evaluate = (values: Float64Array) => number;

/** `slots`: where each run-time number lies. @throws KraitError R0105 for a name that is no number. */
export function compileDim(dim: Dim, slots: ReadonlyMap<string, number>): Evaluate {
  if (typeof dim === "number") return () => dim;
  if (typeof dim === "string") {
    const slot = slots.get(dim);
    if (slot === undefined) {
      throw new KraitError(
        "R0105",
        `The manifest uses the number "${dim}", which its program does not have.`,
      );
    }
    return (values) => values[slot] as number;
  }
  if (dim[0] === "?") {
    const [condition, then, otherwise] = [
      compileDim(dim[1], slots),
      compileDim(dim[2], slots),
      compileDim(dim[3], slots),
    ];
    return (values) => (condition(values) !== 0 ? then(values) : otherwise(values));
  }
  const [op, lhs, rhs] = [operations[dim[0]], compileDim(dim[1], slots), compileDim(dim[2], slots)];
  return (values) => op(lhs(values), rhs(values));
}

/** The value of a Dim for numbers given by name. */
export function evaluateDim(dim: Dim, numbers: Readonly<Record<string, number>>): number {
  const names = Object.keys(numbers);
  const slots = new Map(names.map((name, slot) => [name, slot]));
  return compileDim(dim, slots)(Float64Array.from(names, (name) => numbers[name] ?? 0));
}

/** The run-time names in a Dim. */
export function* dimNames(dim: Dim): Generator<string> {
  if (typeof dim === "string") yield dim;
  else if (typeof dim !== "number") {
    const [, ...operands] = dim;
    for (const operand of operands) yield* dimNames(operand);
  }
}

type Binary = Exclude<Dim, number | string | readonly ["?", Dim, Dim, Dim]>;

const operations: Readonly<Record<Binary[0], (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => Math.floor(a / b),
  "^/": (a, b) => Math.ceil(a / b),
  "%": (a, b) => a - b * Math.floor(a / b),
  min: Math.min,
  max: Math.max,
  "<": (a, b) => Number(a < b),
  "<=": (a, b) => Number(a <= b),
  "==": (a, b) => Number(a === b),
  "&": (a, b) => (a & b) >>> 0,
};
