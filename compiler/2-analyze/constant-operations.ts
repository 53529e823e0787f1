/** Arithmetic on constants: exact as float64, `/` never truncates. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { BinaryOp, UnaryOp } from "../1-parse/ast.js";

/** A result, or what is wrong with the operands. */
export type Outcome = { readonly value: ConstantValue } | { readonly problem: string };

/** Names that mean the same everywhere. */
export const BUILTIN_CONSTANTS: ReadonlyMap<string, ConstantValue> = new Map<string, ConstantValue>([
  ["true", true],
  ["false", false],
  ["pi", Math.PI],
  ["inf", Infinity],
]);

export function describeConstant(value: ConstantValue): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  return `[${value.map(describeConstant).join(", ")}]`;
}

export function typeOfConstant(value: ConstantValue): string {
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return "a boolean";
  if (typeof value === "string") return "a string";
  return "a list";
}

const weights = new WeakMap<readonly ConstantValue[], number>();

/**
 * How much a value holds: items of lists and characters of strings, those of a list in a list as often as it stands there.
 * A list of one list twice, of which there is a list twice, and so on, takes no time to make and for ever to print.
 */
export function weightOf(value: ConstantValue): number {
  if (typeof value === "string") return value.length;
  if (!isList(value)) return 0;
  const known = weights.get(value);
  if (known !== undefined) return known;
  const weight = value.reduce<number>((sum, item) => sum + 1 + weightOf(item), 0);
  weights.set(value, weight);
  return weight;
}

const isList = (value: ConstantValue): value is readonly ConstantValue[] => Array.isArray(value);

function equal(left: ConstantValue, right: ConstantValue): boolean {
  if (isList(left) && isList(right))
    return left.length === right.length && left.every((item, k) => equal(item, right[k] ?? NaN));
  return left === right;
}

/** The remainder that has the divisor's sign, so that it counts round a circle. */
function modulo(left: number, right: number): number {
  return left - right * Math.floor(left / right);
}

const ARITHMETIC: Partial<Record<BinaryOp, (left: number, right: number) => ConstantValue>> = {
  "+": (l, r) => l + r,
  "-": (l, r) => l - r,
  "*": (l, r) => l * r,
  "/": (l, r) => l / r,
  "%": modulo,
  "^": (l, r) => Math.pow(l, r),
  "<": (l, r) => l < r,
  "<=": (l, r) => l <= r,
  ">": (l, r) => l > r,
  ">=": (l, r) => l >= r,
};

export function unaryConstant(op: UnaryOp, operand: ConstantValue): Outcome {
  if (op === "-" && typeof operand === "number") return { value: -operand };
  if (op === "not" && typeof operand === "boolean") return { value: !operand };
  return { problem: `\`${op}\` does not apply to ${typeOfConstant(operand)}` };
}

export function binaryConstant(op: BinaryOp, left: ConstantValue, right: ConstantValue): Outcome {
  if (op === "==") return { value: equal(left, right) };
  if (op === "!=") return { value: !equal(left, right) };
  if (op === "in" && isList(right)) return { value: right.some((item) => equal(item, left)) };
  if (typeof left === "number" && typeof right === "number") {
    const apply = ARITHMETIC[op];
    if (apply !== undefined) return { value: apply(left, right) };
  }
  if (typeof left === "boolean" && typeof right === "boolean") {
    if (op === "and") return { value: left && right };
    if (op === "or") return { value: left || right };
  }
  if (op === "+" && isList(left) && isList(right)) return { value: [...left, ...right] };
  if (op === "+" && typeof left === "string" && typeof right === "string") return { value: left + right };
  return { problem: `\`${op}\` does not apply to ${typeOfConstant(left)} and ${typeOfConstant(right)}` };
}

export function indexConstant(list: ConstantValue, index: ConstantValue): Outcome {
  if (!isList(list)) return { problem: `only a list has items, and this is ${typeOfConstant(list)}` };
  if (typeof index !== "number" || !Number.isInteger(index))
    return { problem: `a list is indexed by a whole number, and this is ${describeConstant(index)}` };
  const item = list[index];
  if (item === undefined)
    return { problem: `the list has ${list.length} items, counted from 0; there is no item ${index}` };
  return { value: item };
}

type ConstantFunction = (args: readonly ConstantValue[]) => Outcome | undefined;

const numeric =
  (apply: (x: number) => number): ConstantFunction =>
  ([x, ...rest]) =>
    typeof x === "number" && rest.length === 0 ? { value: apply(x) } : undefined;

const extremum =
  (apply: (left: number, right: number) => number): ConstantFunction =>
  (args) => {
    const [first] = args;
    const items = args.length === 1 && first !== undefined && isList(first) ? first : args;
    const numbers = items.filter((item) => typeof item === "number");
    return numbers.length === items.length && items.length > 0 ? { value: numbers.reduce(apply) } : undefined;
  };

const length: ConstantFunction = ([list, ...rest]) =>
  list !== undefined && (isList(list) || typeof list === "string") && rest.length === 0
    ? { value: list.length }
    : undefined;

/** Functions that constants may be given to. Elementwise functions of tensors apply to numbers too. */
const FUNCTIONS: Readonly<Record<string, ConstantFunction>> = {
  abs: numeric(Math.abs),
  ceil: numeric(Math.ceil),
  cos: numeric(Math.cos),
  exp: numeric(Math.exp),
  expm1: numeric(Math.expm1),
  floor: numeric(Math.floor),
  log: numeric(Math.log),
  log1p: numeric(Math.log1p),
  round: numeric(Math.round),
  rsqrt: numeric((x) => 1 / Math.sqrt(x)),
  sign: numeric(Math.sign),
  sin: numeric(Math.sin),
  sqrt: numeric(Math.sqrt),
  tanh: numeric(Math.tanh),
  max: extremum((left, right) => Math.max(left, right)),
  min: extremum((left, right) => Math.min(left, right)),
  len: length,
  size: length,
  /** The place of an item in a list, −1 if it is not there. */
  find: ([list, item, ...rest]) =>
    list !== undefined && isList(list) && item !== undefined && rest.length === 0
      ? { value: list.findIndex((candidate) => equal(candidate, item)) }
      : undefined,
  select: ([condition, yes, no, ...rest]) =>
    typeof condition === "boolean" && yes !== undefined && no !== undefined && rest.length === 0
      ? { value: condition ? yes : no }
      : undefined,
};

export const CONSTANT_FUNCTIONS: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS));

/** `undefined` if there is no such function of constants. */
export function callConstant(name: string, args: readonly ConstantValue[]): Outcome | undefined {
  const apply = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (apply === undefined) return undefined;
  return apply(args) ?? { problem: `\`${name}\` does not apply to (${args.map(typeOfConstant).join(", ")})` };
}
