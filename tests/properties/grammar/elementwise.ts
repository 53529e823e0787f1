/** Elementwise expressions: every function of the language, over the ranges where f32 can follow float64. */
import type { Draw } from "./draw.js";
import { isReal, type Scope } from "./scope.js";
import { atom, isExact, literal, magnitude, union, type Value } from "./value.js";

interface Unary {
  readonly admits: (x: Value) => boolean;
  readonly text: (x: string) => string;
  readonly range: (x: Value) => readonly [number, number];
  readonly bits?: (bits: number) => number;
}

const always = (): boolean => true;
const upTo =
  (most: number) =>
  (x: Value): boolean =>
    magnitude(x) <= most;
const monotone =
  (f: (x: number) => number) =>
  ({ low, high }: Value): readonly [number, number] => [f(low), f(high)];
const fixed = (low: number, high: number) => (): readonly [number, number] => [low, high];
const call =
  (name: string): ((x: string) => string) =>
  (x) =>
    `${name}(${x})`;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));
const same = (bits: number): number => bits;
const symmetric = (x: Value): readonly [number, number] => [-magnitude(x), magnitude(x)];

const UNARY: readonly Unary[] = [
  { admits: always, text: (x) => `-${x}`, range: ({ low, high }) => [-high, -low], bits: same },
  { admits: always, text: call("silu"), range: (x) => [-0.3, Math.max(0, x.high)] },
  { admits: always, text: call("sigmoid"), range: monotone(sigmoid) },
  { admits: always, text: call("tanh"), range: monotone(Math.tanh) },
  { admits: upTo(8), text: call("softplus"), range: monotone(softplus) },
  { admits: (x) => x.high <= 2, text: call("exp"), range: monotone(Math.exp) },
  { admits: always, text: call("relu"), range: monotone((x) => Math.max(x, 0)), bits: same },
  { admits: always, text: call("abs"), range: (x) => [0, magnitude(x)], bits: same },
  { admits: upTo(8), text: (x) => `${x}^2`, range: (x) => [0, magnitude(x) ** 2], bits: (bits) => 2 * bits },
  { admits: upTo(4), text: (x) => `${x}^3`, range: monotone((x) => x ** 3), bits: (bits) => 3 * bits },
  { admits: (x) => x.low >= 0.2, text: (x) => `${x}^-2`, range: (x) => [x.high ** -2, x.low ** -2] },
  {
    admits: always,
    text: (x) => `sqrt(abs(${x}) + 0.25)`,
    range: (x) => [0.5, Math.sqrt(magnitude(x) + 0.25)],
  },
  { admits: (x) => x.low >= 0.2, text: call("sqrt"), range: monotone(Math.sqrt) },
  { admits: (x) => x.low >= 0.2, text: call("rsqrt"), range: (x) => [x.high ** -0.5, x.low ** -0.5] },
  { admits: (x) => x.low >= 0.2, text: call("log"), range: monotone(Math.log) },
  { admits: (x) => x.low >= -0.5, text: call("log1p"), range: monotone(Math.log1p) },
  { admits: (x) => x.high <= 2, text: call("expm1"), range: monotone(Math.expm1) },
  { admits: upTo(64), text: call("sin"), range: fixed(-1, 1) },
  { admits: upTo(64), text: call("cos"), range: fixed(-1, 1) },
  { admits: always, text: call("erf"), range: fixed(-1, 1) },
  { admits: upTo(3), text: call("phi"), range: monotone((x) => (x === 0 ? 1 : Math.expm1(x) / x)) },
  { admits: always, text: call("gelu"), range: (x) => [-0.2, Math.max(0, x.high)] },
  { admits: always, text: call("gelu_tanh"), range: (x) => [-0.2, Math.max(0, x.high)] },
  { admits: upTo(8), text: call("log_sigmoid"), range: monotone((x) => -softplus(-x)) },
  { admits: always, text: (x) => `clamp(${x}, -0.5, 0.75)`, range: fixed(-0.5, 0.75) },
  { admits: isExact, text: call("floor"), range: monotone(Math.floor), bits: same },
  { admits: isExact, text: call("ceil"), range: monotone(Math.ceil), bits: same },
  { admits: isExact, text: call("round"), range: ({ low, high }) => [low - 1, high + 1], bits: same },
  { admits: isExact, text: call("sign"), range: fixed(-1, 1), bits: () => 1 },
];

interface Binary {
  readonly admits: (a: Value, b: Value) => boolean;
  readonly text: (a: string, b: string) => string;
  readonly range: (a: Value, b: Value) => readonly [number, number];
  readonly bits?: (a: number, b: number) => number;
}

const corners =
  (f: (a: number, b: number) => number) =>
  (a: Value, b: Value): readonly [number, number] => {
    const all = [f(a.low, b.low), f(a.low, b.high), f(a.high, b.low), f(a.high, b.high)];
    return [Math.min(...all), Math.max(...all)];
  };
const oneMore = (a: number, b: number): number => Math.max(a, b) + 1;
const awayFromZero = (x: Value): boolean => x.low >= 0.2 || x.high <= -0.2;

const BINARY: readonly Binary[] = [
  { admits: always, text: (a, b) => `${a} + ${b}`, range: corners((a, b) => a + b), bits: oneMore },
  { admits: always, text: (a, b) => `${a}*${b}`, range: corners((a, b) => a * b), bits: (a, b) => a + b },
  { admits: always, text: (a, b) => `${a} - ${b}`, range: corners((a, b) => a - b), bits: oneMore },
  { admits: (_, b) => awayFromZero(b), text: (a, b) => `${a}/${b}`, range: corners((a, b) => a / b) },
  { admits: always, text: (a, b) => `${a}/(1 + abs(${b}))`, range: symmetric },
  { admits: always, text: (a, b) => `min(${a}, ${b})`, range: corners(Math.min), bits: Math.max },
  { admits: always, text: (a, b) => `max(${a}, ${b})`, range: corners(Math.max), bits: Math.max },
  {
    admits: (a, b) => a.low >= 0.2 && a.high <= 4 && magnitude(b) <= 2,
    text: (a, b) => `${a}^${b}`,
    range: corners((a, b) => a ** b),
  },
  { admits: always, text: (a, b) => `lerp(${a}, ${b}, sigmoid(${a}))`, range: (a, b) => hull(a, b) },
];

const hull = (a: Value, b: Value): readonly [number, number] => [
  Math.min(a.low, b.low),
  Math.max(a.high, b.high),
];

/** Values outgrow f32's few digits if nothing holds them. */
const MOST = 6;

/** The value brought back to numbers of moderate size. */
export function held(draw: Draw, value: Value): Value {
  const most = magnitude(value);
  if (most <= MOST || value.scalar === "index") return value;
  const scale = 2 ** -Math.ceil(Math.log2(most / 2));
  const bits = Infinity;
  if (value.scalar === "c64")
    return { ...value, text: `${atom(value)}*${literal(scale)}`, high: value.high * scale, bits };
  switch (draw.below(3)) {
    case 0:
      return {
        ...value,
        text: `${literal(scale)}*${atom(value)}`,
        low: value.low * scale,
        high: value.high * scale,
        bits,
      };
    case 1:
      return { ...value, text: `tanh(${literal(scale)}*${atom(value)})`, low: -1, high: 1, bits };
    default:
      return {
        ...value,
        text: `clamp(${value.text}, -2, 2)`,
        low: Math.max(-2, value.low),
        high: Math.min(2, value.high),
        bits,
      };
  }
}

const CONSTANTS = ["0.5", "2", "-1", "1", "0.125", "1.5", "pi", "3"];

/** A name, a constant, a coordinate, or a parameter of its own. `axes`: those that it may have. */
export function leaf(scope: Scope, draw: Draw, axes?: readonly string[]): Value {
  const allowed = (value: Value): boolean =>
    axes === undefined || value.axes.every((axis) => axes.includes(axis));
  const plain = scope.choose(draw, (value) => isReal(value) && allowed(value));
  const way = draw.below(12);
  if (plain !== undefined && way < 9) return plain;
  const primes = scope.primes().filter((axis) => axes === undefined || axes.includes(axis));
  if (way === 11 && primes.length > 0) {
    const axis = draw.pick(primes);
    return {
      text: `pos(${axis})*0.125`,
      axes: [axis],
      scalar: "f32",
      low: 0,
      high: scope.size(axis) / 8,
      bits: 10,
    };
  }
  if (way === 10 && primes.length > 0) {
    const some = draw.some(primes).slice(0, 2);
    if (scope.fits(some)) return scope.param(draw, some, draw.pick(["signed", "unit", "positive"]));
  }
  const text = draw.pick(CONSTANTS);
  const number = text === "pi" ? Math.PI : Number(text);
  return {
    text: number < 0 ? `(${text})` : text,
    axes: [],
    scalar: "f32",
    low: number,
    high: number,
    bits: text === "pi" ? Infinity : 4,
  };
}

/** A random expression of real values. `axes`: those that it may have. */
export function expression(scope: Scope, draw: Draw, depth: number, axes?: readonly string[]): Value {
  if (depth === 0) return leaf(scope, draw, axes);
  const way = draw.below(10);
  const a = expression(scope, draw, depth - 1, axes);
  if (way < 4) return unary(draw, a);
  const b = expression(scope, draw, draw.below(depth), axes);
  if (!scope.meets(a, b)) return a;
  if (way < 9) return binary(draw, a, b);
  const condition = truth(scope, draw, axes);
  if (condition === undefined || !scope.meets(a, b, condition)) return binary(draw, a, b);
  const [low, high] = hull(a, b);
  const text = `select(${condition.text}, ${a.text}, ${b.text})`;
  return { text, axes: union(a, b, condition), scalar: "f32", low, high, bits: Math.max(a.bits, b.bits) };
}

function unary(draw: Draw, x: Value): Value {
  const made = UNARY.filter(({ admits }) => admits(x));
  const op = draw.pick(made);
  const [low, high] = op.range(x);
  return held(draw, { ...x, text: op.text(atom(x)), low, high, bits: op.bits?.(x.bits) ?? Infinity });
}

function binary(draw: Draw, a: Value, b: Value): Value {
  const op = draw.pick(BINARY.filter(({ admits }) => admits(a, b)));
  const [low, high] = op.range(a, b);
  const bits = op.bits?.(a.bits, b.bits) ?? Infinity;
  return held(draw, { text: op.text(atom(a), atom(b)), axes: union(a, b), scalar: "f32", low, high, bits });
}

const COMPARISONS = ["<", "<=", ">", ">=", "==", "!="];

/** A condition that no rounding can change: of whole numbers and exact values. */
export function truth(scope: Scope, draw: Draw, axes?: readonly string[]): Value | undefined {
  const allowed = (value: Value): boolean =>
    axes === undefined || value.axes.every((axis) => axes.includes(axis));
  const primes = scope.primes().filter((axis) => axes === undefined || axes.includes(axis));
  const plain = (): Value | undefined => {
    const exact = scope.choose(draw, (v) => isExact(v) && (isReal(v) || v.scalar === "index") && allowed(v));
    const way = draw.below(4);
    if (way < 2 && primes.length > 0) {
      const axis = draw.pick(primes);
      const text = `pos(${axis}) ${draw.pick(COMPARISONS)} ${String(draw.below(scope.size(axis) + 1))}`;
      return bool(text, [axis]);
    }
    if (way === 3 && (axes === undefined || axes.includes("t")))
      return bool(`pos(t) % ${draw.pick(["2", "3", "7"])} ${draw.pick(COMPARISONS)} 1`, ["t"]);
    if (exact === undefined) return undefined;
    const bound = exact.scalar === "index" ? "2" : draw.pick(["0", "0.25", "-0.5"]);
    return bool(`${exact.text} ${draw.pick(COMPARISONS)} ${bound}`, exact.axes);
  };
  const first = plain();
  if (first === undefined || !draw.once(4)) return first;
  const second = plain();
  if (second === undefined || !scope.meets(first, second)) return bool(`not (${first.text})`, first.axes);
  return bool(`${first.text} ${draw.pick(["and", "or"])} ${second.text}`, union(first, second));
}

const bool = (text: string, axes: readonly string[]): Value => ({
  text,
  axes,
  scalar: "bool",
  low: 0,
  high: 1,
  bits: 1,
});

/** An expression between 0 and 1, away from both: a decay, a gate. */
export function gate(scope: Scope, draw: Draw, axes: readonly string[]): Value {
  const within = (value: Value): boolean => value.axes.every((axis) => axes.includes(axis));
  const unit = scope.choose(draw, (v) => isReal(v) && v.low >= 0.01 && v.high <= 0.99 && within(v));
  const way = draw.below(6);
  if (way === 0) return { text: "0.875", axes: [], scalar: "f32", low: 0.875, high: 0.875, bits: 4 };
  if (unit !== undefined && way < 3) return unit;
  if (way === 3) {
    const primes = scope.primes().filter((axis) => axes.includes(axis));
    return scope.param(draw, draw.some(primes), "unit");
  }
  const x = leaf(scope, draw, axes);
  if (way === 4) {
    const text = `exp(-softplus(${x.text}))`;
    return { ...x, text, low: sigmoid(-x.high), high: sigmoid(-x.low), bits: Infinity };
  }
  return { ...x, text: `sigmoid(${x.text})`, low: sigmoid(x.low), high: sigmoid(x.high), bits: Infinity };
}
