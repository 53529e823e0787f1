/** Constants, functions and branches: what a source says about itself. */
import { expression } from "./elementwise.js";
import { isReal } from "./scope.js";
import { magnitude, union, type Value } from "./value.js";
import type { Statement } from "./tensors.js";

/** A list along an axis: a tensor known when compiled. */
export const constants: Statement = (scope, draw) => {
  const primes = scope.primes().filter((axis) => scope.size(axis) <= 8);
  if (primes.length === 0) return false;
  const axis = draw.pick(primes);
  const text = scope.fresh("c");
  const items = Array.from({ length: scope.size(axis) }, () => (draw.below(17) - 8) / 8);
  scope.say(`const ${text}[${axis}] = [${items.join(", ")}]`);
  const [low, high] = [Math.min(...items), Math.max(...items)];
  scope.keep({ text, axes: [axis], scalar: "f32", low, high, bits: 4 });
  return true;
};

interface Template {
  readonly lines: (name: string) => readonly string[];
  /** Whether the result has the axes of y too. */
  readonly meets: boolean;
  readonly call: (name: string, x: Value, y: Value, axis: string | undefined) => string | undefined;
  readonly high: (x: number, y: number) => number;
}

/** Functions of a file's own: with other functions in them, with axes, with a body, with a choice by a constant. */
const TEMPLATES: readonly Template[] = [
  {
    lines: (name) => [`fn ${name}(x, y) = 0.5*x + tanh(y)`],
    meets: true,
    call: (name, x, y) => `${name}(${x.text}, ${y.text})`,
    high: (x) => 0.5 * x + 1,
  },
  {
    lines: (name) => [`fn ${name}(x, over A) {`, "  centre = mean(x, over A)", "  return x - centre", "}"],
    meets: false,
    call: (name, x, _, axis) => axis && `${name}(${x.text}, over ${axis})`,
    high: (x) => 2 * x,
  },
  {
    lines: (name) => [
      `fn ${name}(x, y, kind) { if kind == "gate" { return x*sigmoid(y) } else { return x + y } }`,
    ],
    meets: true,
    call: (name, x, y) => `${name}(${x.text}, ${y.text}, "gate")`,
    high: (x) => x,
  },
  {
    lines: (name) => [`fn ${name}(x, over A, scale) = scale*x/(1 + sum(abs(x), over A))`],
    meets: false,
    call: (name, x, _, axis) => axis && `${name}(${x.text}, over ${axis}, scale: 2)`,
    high: () => 2,
  },
];

export const called: Statement = (scope, draw) => {
  const x = scope.choose(draw, isReal);
  const y = scope.choose(draw, isReal);
  if (x === undefined || y === undefined || !scope.meets(x, y)) return false;
  const template = draw.pick(TEMPLATES);
  const name = scope.fresh("f_");
  const axes = scope.nameable(x.axes);
  const text = template.call(name, x, y, axes[draw.below(axes.length)]);
  if (text === undefined) return false;
  scope.source.bottom.push(...template.lines(name));
  const high = template.high(magnitude(x), magnitude(y));
  scope.define({
    text,
    axes: template.meets ? union(x, y) : x.axes,
    scalar: "f32",
    low: -high,
    high,
    bits: Infinity,
  });
  return true;
};

/** One of two expressions, by a constant. */
export const branch: Statement = (scope, draw) => {
  const [a, b] = [expression(scope, draw, 1), expression(scope, draw, 1)];
  const flag = scope.fresh("flag_");
  const text = scope.fresh("x");
  const taken = draw.once(2);
  scope.source.top.push(`const ${flag} = ${String(taken)}`);
  scope.say(`if ${flag} { ${text} = ${a.text} } else { ${text} = ${b.text} }`);
  scope.keep({ ...(taken ? a : b), text });
  return true;
};
