/** A whole source from a list of choices: axes, inputs, statements, blocks, repeats, outputs. */
import { Draw } from "./draw.js";
import { expression } from "./elementwise.js";
import { branch, called, constants } from "./declarations.js";
import * as recurrences from "./recurrences.js";
import { isReal, RANGES, Scope, type Kind, type Source } from "./scope.js";
import * as tensors from "./tensors.js";
import type { Statement } from "./tensors.js";
import { atom, magnitude, union, without, type Value } from "./value.js";

/** What a source is drawn from. Each statement reads its own list, so that one can go and the others stay. */
export interface Genes {
  readonly header: readonly number[];
  readonly statements: readonly (readonly number[])[];
  readonly outputs: readonly number[];
}

export interface Drawn {
  readonly text: string;
  /** How the numbers of inputs and parameters are drawn, by the last part of their names. */
  readonly kinds: ReadonlyMap<string, Kind>;
  readonly looksAhead: boolean;
}

const elementwise: Statement = (scope, draw) => {
  const value = expression(scope, draw, 1 + draw.below(3));
  if (value.axes.length === 0) return false;
  scope.define(value);
  return true;
};

/** By how often they are drawn; the first are the simplest. */
const STATEMENTS: readonly Statement[] = [
  elementwise,
  elementwise,
  tensors.projection,
  tensors.projection,
  tensors.reduction,
  recurrences.diagonal,
  recurrences.diagonal,
  recurrences.continuous,
  recurrences.continuous,
  recurrences.outer,
  recurrences.outer,
  tensors.norm,
  tensors.convolution,
  tensors.delay,
  tensors.product,
  tensors.rename,
  tensors.pick,
  tensors.stack,
  tensors.concat,
  tensors.flip,
  tensors.copies,
  tensors.whole,
  tensors.greatest,
  tensors.stackedProjection,
  recurrences.tropical,
  recurrences.lowRank,
  recurrences.coupled,
  recurrences.nonlinear,
  recurrences.turning,
  recurrences.angle,
  tensors.complexValue,
  tensors.complexValue,
  tensors.acrossTime,
  tensors.acrossTime,
  constants,
  called,
  branch,
  block,
  block,
  repeat,
];

function statement(scope: Scope, draw: Draw): void {
  for (let tries = 0; tries < 3; tries++) if (draw.pick(STATEMENTS)(scope, draw)) return;
  elementwise(scope, draw);
}

export function drawSource({ header, statements, outputs }: Genes): Drawn {
  const draw = new Draw(header);
  const sizes = drawSizes(draw);
  const source: Source = {
    sizes,
    top: axisLines(sizes),
    bottom: [],
    kinds: new Map(),
    count: new Map(),
    looksAhead: draw.once(6),
  };
  const model = new Scope(source, ["b"], 0);
  drawInputs(model, draw);
  for (const genes of statements) statement(model, new Draw(genes));
  drawOutputs(model, new Draw(outputs));
  const text = [
    ...source.top,
    "model drawn {",
    ...model.lines.map((line) => `  ${line}`),
    "}",
    ...source.bottom,
  ];
  return { text: `${text.join("\n")}\n`, kinds: source.kinds, looksAhead: source.looksAhead };
}

function drawSizes(draw: Draw): ReadonlyMap<string, number> {
  const m = draw.pick([3, 4, 2, 1, 5, 8, 17, 33, 70]);
  const [g, p] = [draw.pick([2, 3, 1]), draw.pick([3, 2, 1, 4])];
  const [q, r] = [draw.pick([2, 1, 3]), draw.pick([1, 2, 4])];
  return new Map([
    ["m", m],
    ["n", draw.pick([2, 4, 3, 5, 8, 1, 16, 20])],
    ["g", g],
    ["p", p],
    ["e", m],
    ["f", g * p],
    ["q", q],
    ["r", r],
    ["s", q + r],
    ["k", draw.pick([2, 3, 4, 1])],
    ["pair", 2],
    ["slot", draw.pick([1, 2, 3].filter((size) => size <= m))],
    ["v", draw.pick([5, 11, 40, 200])],
  ]);
}

function axisLines(sizes: ReadonlyMap<string, number>): string[] {
  const plain = [...sizes]
    .filter(([axis]) => axis !== "s")
    .map(([axis, size]) => `${axis} = ${String(size)}`);
  return ["axis b: batch, t: time", `axis ${plain.join(", ")}`, "axis d = [g, p], s = q | r"];
}

/** Slots of a declaration: sometimes in another order, sometimes g and p as their product. */
function slots(draw: Draw, axes: readonly string[]): string {
  const order = draw.once(4) ? draw.shuffled(axes) : axes;
  const at = order.indexOf("g");
  if (at < 0 || order[at + 1] !== "p") return order.join(", ");
  return [...order.slice(0, at), "d", ...order.slice(at + 2)].join(", ");
}

function drawInputs(scope: Scope, draw: Draw): void {
  const choices: readonly (readonly string[])[] = [
    ["m"],
    ["n"],
    ["g", "p"],
    ["m", "n"],
    ["s"],
    ["f"],
    ["p"],
    ["q"],
    ["r"],
    ["e"],
    [],
  ];
  const count = 1 + draw.below(4);
  for (let k = 0; k < count; k++) {
    const kind = draw.pick(["signed", "unit", "index", "positive"] as const);
    const fixed = draw.pick(choices);
    const run = draw.pick([["b", "t"], ["b", "t"], ["b", "t"], ["t"], ["b"], []]);
    // Something must say how many steps and sequences there are.
    const axes = k === 0 ? ["b", "t", ...fixed] : [...run, ...fixed];
    if (kind === "index") {
      const text = scope.fresh("i");
      const bound = draw.pick(["v", "m", "n"]);
      const own = without(axes, [bound]);
      scope.say(`input ${text}: index(${bound})[${slots(draw, own)}]`);
      scope.source.kinds.set(text, "index");
      const index = scope.keep({
        text,
        axes: own,
        scalar: "index",
        low: 0,
        high: scope.size(bound) - 1,
        bits: 8,
      });
      const table = scope.param(
        draw,
        draw.pick([[bound, "m"], [bound, "n"], [bound]].map((a) => [...new Set(a)])),
        "signed",
      );
      scope.define({
        ...table,
        text: `${table.text}[${bound}: ${index.text}]`,
        axes: union({ axes: without(table.axes, [bound]) }, index),
      });
      continue;
    }
    const text = scope.fresh("x");
    const [low, high] = RANGES[kind];
    scope.say(`input ${text}: f32[${slots(draw, axes)}]`);
    scope.source.kinds.set(text, kind);
    scope.keep({ text, axes, scalar: "f32", low, high, bits: 8 });
  }
}

function drawOutputs(scope: Scope, draw: Draw): void {
  const usable = (v: Value): boolean => isReal(v) && !v.axes.some((axis) => axis.endsWith("'"));
  const declared = new Set<string>();
  const add = (value: Value | undefined): void => {
    if (value === undefined || declared.has(value.text)) return;
    declared.add(value.text);
    scope.say(`output y${String(declared.size)}[${slots(draw, canonical(value.axes))}] = ${value.text}`);
  };
  const all = scope.known(usable);
  add(all.find(({ axes }) => axes.includes("t")) ?? all[0]);
  const rest = unread(scope, all);
  if (rest.length > 0 && draw.once(2)) add(together(scope, draw, rest));
  for (let k = draw.below(3); k > 0; k--) add(scope.choose(draw, usable));
}

/** Values that no line reads: without an output of their own, nothing would compute them. */
function unread(scope: Scope, values: readonly Value[]): readonly Value[] {
  const words = scope.lines.map((line) => new Set(line.split("=").slice(1).join("=").match(/\w+/g)));
  return values.filter(({ text }) => !words.some((line) => line.has(text)));
}

/** Several values in one: each brought to what all have, then added. */
function together(scope: Scope, draw: Draw, values: readonly Value[]): Value {
  const reduce = draw.pick(["mean", "max"]);
  const terms = values.slice(0, 5).map((value): Value => {
    const over = scope.nameable(value.axes);
    return over.length === 0
      ? value
      : {
          ...value,
          text: `${reduce}(${value.text}, over [${over.join(", ")}])`,
          axes: without(value.axes, over),
        };
  });
  return scope.define({
    text: terms.map((term) => atom(term)).join(" + "),
    axes: union(...terms),
    scalar: "f32",
    low: terms.reduce((sum, { low }) => sum + low, 0),
    high: terms.reduce((sum, { high }) => sum + high, 0),
    bits: Infinity,
  });
}

function canonical(axes: readonly string[]): readonly string[] {
  const order = ["b", "t", "g", "p"];
  const rank = (axis: string): number => (order.includes(axis) ? order.indexOf(axis) : order.length);
  return [...axes].sort((a, b) => rank(a) - rank(b));
}

const MOST_DEPTH = 2;

/** A block with a body of its own, called with a value that may have more axes than its header names. */
function block(scope: Scope, draw: Draw): boolean {
  if (scope.depth >= MOST_DEPTH) return false;
  const u = scope.choose(
    draw,
    (v) => isReal(v) && v.axes.includes("t") && !v.axes.some((axis) => axis.endsWith("'")),
  );
  if (u === undefined) return false;
  const own = draw.some(scope.nameable(u.axes));
  const ambient = union({ axes: ["b", ...scope.ambient, ...without(scope.nameable(u.axes), own)] });
  const name = scope.fresh("block");
  const body = new Scope(scope.source, ambient, scope.depth + 1);
  const argument = body.fresh("x");
  body.keep({ ...u, text: argument });
  for (let k = 1 + draw.below(3); k > 0; k--) statement(body, draw);
  const result = body.choose(draw, (v) => isReal(v) && !v.axes.some((axis) => axis.endsWith("'"))) ?? u;
  const header = (value: Value): string =>
    [...(value.axes.includes("t") ? ["t"] : []), ...body.nameable(value.axes)].join(", ");
  const { bottom } = scope.source;
  bottom.push(
    `block ${name}(${argument}[${["t", ...own].join(", ")}]) -> [${header(result)}] {`,
    ...body.lines.map((line) => `  ${line}`),
    `  return ${result.text}`,
    "}",
  );
  const at = draw.pick(["", ` at "${name}"`, ' at "inner.part"']);
  scope.define({ ...result, text: `${name}(${u.text})${at}` });
  return true;
}

/** A few layers over a residual stream. */
function repeat(scope: Scope, draw: Draw): boolean {
  if (scope.depth >= MOST_DEPTH) return false;
  const x = scope.choose(
    draw,
    (v) => isReal(v) && v.axes.includes("t") && !v.axes.some((axis) => axis.endsWith("'")),
  );
  if (x === undefined) return false;
  const stream = scope.define({ ...x, text: `${atom(x)}*1` });
  const body = new Scope(scope.source, scope.ambient, scope.depth + 1);
  for (const value of scope.values) body.keep(value);
  for (let k = 1 + draw.below(2); k > 0; k--) statement(body, draw);
  const within = (v: Value): boolean =>
    isReal(v) && v.axes.every((axis) => stream.axes.includes(axis)) && v !== stream;
  const added = body.choose(draw, within);
  if (added !== undefined) body.say(`${stream.text} := 0.5*${stream.text} + 0.5*${atom(added)}`);
  const at = draw.once(3) ? "" : ` at "layers.{layer}"`;
  scope.say(`repeat layer in 0..${draw.pick(["2", "1", "3"])}${at} {`);
  for (const line of body.lines) scope.say(`  ${line}`);
  scope.say("}");
  scope.values.splice(scope.values.indexOf(stream), 1);
  const most = Math.max(magnitude(stream), added === undefined ? 0 : magnitude(added));
  scope.keep({ ...stream, low: -most, high: most, bits: Infinity });
  return true;
}
