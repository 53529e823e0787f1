/** Statements about axes: products, reductions, norms, renames, parts, gathers. Each returns false where nothing fits. */
import type { Draw } from "./draw.js";
import { expression, held, truth } from "./elementwise.js";
import { inTime, isReal, type Scope } from "./scope.js";
import { isExact, magnitude, union, without, type Value } from "./value.js";

export type Statement = (scope: Scope, draw: Draw) => boolean;

const list = (axes: readonly string[]): string =>
  axes.length === 1 ? (axes[0] ?? "") : `[${axes.join(", ")}]`;

/** A value with an axis that can be named, and one or all of those axes. */
function operand(
  scope: Scope,
  draw: Draw,
): { readonly x: Value; readonly over: readonly string[] } | undefined {
  const x = scope.choose(draw, (v) => isReal(v) && scope.nameable(v.axes).length > 0);
  if (x === undefined) return undefined;
  const axes = scope.nameable(x.axes);
  return { x, over: draw.once(5) ? axes : [draw.pick(axes)] };
}

const count = (scope: Scope, over: readonly string[]): number =>
  over.reduce((product, axis) => product * scope.size(axis), 1);

/** Weights are as large as it takes to fill tiles. */
const MOST_WEIGHTS = 15_000;

/** A product with a parameter of its own, which has the axes contracted and some others; perhaps with a bias. */
export const projection: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  if (found === undefined) return false;
  const { x, over } = found;
  const rest = without(x.axes, over);
  const open = without(scope.primes(), x.axes);
  const added = [...draw.some(open)].slice(0, 2);
  const kept = draw.once(4) ? scope.nameable(rest).slice(0, 1) : [];
  if (!scope.fits([...rest, ...added]) || !scope.fits([...over, ...added, ...kept], MOST_WEIGHTS))
    return false;
  const w = scope.param(draw, [...added, ...over, ...kept], "signed");
  const high = magnitude(x) * count(scope, over);
  const pair = draw.once(2) ? [w.text, x.text] : [x.text, w.text];
  const y: Value = {
    text: `dot(${pair.join(", ")}, over ${list(over)})`,
    axes: union({ axes: [...rest, ...added] }),
    scalar: "f32",
    low: -high,
    high,
    bits: Infinity,
  };
  scope.define(held(draw, y));
  return true;
};

/** Parameters stacked in one tensor, each with a product of its own. */
export const stackedProjection: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  const open = found && without(scope.primes(), found.x.axes);
  if (found === undefined || open === undefined || open.length < 1) return false;
  const { x } = found;
  const over = found.over.slice(0, 1);
  const rest = without(x.axes, over);
  const [first, second] = [draw.pick(open), draw.pick(open)];
  if (!scope.fits([...rest, first]) || !scope.fits([...rest, second])) return false;
  const names = [scope.fresh("w"), scope.fresh("w")];
  const high = magnitude(x) * count(scope, over);
  const stored = `s${names.join("")}`;
  scope.source.kinds.set(stored, "signed");
  scope.say(
    `param (${names[0] ?? ""}[${first}] | ${names[1] ?? ""}[${second}])[_, ${over.join(", ")}] from "${stored}"`,
  );
  for (const [k, axis] of [first, second].entries()) {
    const text = `dot(${names[k] ?? ""}, ${x.text}, over ${list(over)})`;
    scope.define(
      held(draw, { text, axes: [...rest, axis], scalar: "f32", low: -high, high, bits: Infinity }),
    );
  }
  return true;
};

/** A product of two values that both have the axis. */
export const product: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  if (found === undefined) return false;
  const { x, over } = found;
  const y = scope.choose(
    draw,
    (v) => isReal(v) && over.every((axis) => v.axes.includes(axis)) && scope.meets(x, v),
  );
  if (y === undefined) return false;
  const high = magnitude(x) * magnitude(y) * count(scope, over);
  const text = `dot(${x.text}, ${y.text}, over ${list(over)})`;
  scope.define(
    held(draw, { text, axes: without(union(x, y), over), scalar: "f32", low: -high, high, bits: Infinity }),
  );
  return true;
};

export const reduction: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  if (found === undefined) return false;
  const { x, over } = found;
  const name = draw.pick(["sum", "max", "min", "mean"]);
  const n = count(scope, over);
  const axes = without(x.axes, over);
  const mask = name === "mean" || !draw.once(3) ? undefined : truth(scope, draw, x.axes);
  // A maximum of nothing is no number: its mask holds at the first coordinate.
  const where =
    mask === undefined
      ? ""
      : name === "sum"
        ? `, where ${mask.text}`
        : `, where ${mask.text} or pos(${list(over)}) == 0`;
  if (where !== "" && name !== "sum" && over.length > 1) return false;
  const scale = name === "sum" ? n : 1;
  const text = `${name}(${x.text}, over ${list(over)}${where})`;
  const bits = name === "max" || name === "min" ? x.bits : Infinity;
  const low = Math.min(x.low * scale, name === "sum" ? 0 : x.low);
  const high = Math.max(x.high * scale, name === "sum" ? 0 : x.high);
  scope.define(held(draw, { ...x, text, axes, low, high, bits }));
  return true;
};

export const norm: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  if (found === undefined) return false;
  const { x, over } = found;
  const name = draw.pick(["rms_norm", "softmax", "layer_norm", "l2_norm", "log_sum_exp"]);
  const root = Math.sqrt(count(scope, over));
  const within = `over ${list(over)}`;
  const mask = draw.once(3) ? truth(scope, draw, x.axes) : undefined;
  const make = (text: string, low: number, high: number, axes = x.axes): true => {
    scope.define(held(draw, { text, axes, scalar: "f32", low, high, bits: Infinity }));
    return true;
  };
  switch (name) {
    case "softmax":
      return make(`softmax(${x.text}, ${within}${mask === undefined ? "" : `, where ${mask.text}`})`, 0, 1);
    case "log_sum_exp": {
      const most = magnitude(x) + Math.log(root * root);
      return make(`log_sum_exp(${x.text}, ${within})`, -most, most, without(x.axes, over));
    }
    default:
      return make(`${name}(${x.text}, ${within}, ${draw.pick(["0.001", "0.1"])})`, -root, root);
  }
};

export const convolution: Statement = (scope, draw) => {
  const x = scope.choose(draw, (v) => isReal(v) && inTime(v) && !v.axes.includes("k"));
  if (x === undefined || !scope.primes().includes("k")) return false;
  const axes = draw.some(scope.nameable(x.axes));
  if (!scope.fits([...axes, "k"])) return false;
  const w = scope.param(draw, [...axes, "k"], "signed");
  const high = magnitude(x) * scope.size("k");
  const text = `causal_conv(${x.text}, ${w.text}, along t, over k)`;
  scope.define(held(draw, { ...x, text, low: -high, high, bits: Infinity }));
  return true;
};

/** The value of an expression one step earlier. */
export const delay: Statement = (scope, draw) => {
  const x = draw.once(2) ? expression(scope, draw, 1) : scope.choose(draw, (v) => isReal(v) && inTime(v));
  if (x === undefined || !inTime(x)) return false;
  // A state's first value stands in its declaration.
  const init = x.text.startsWith("h") ? undefined : draw.pick([undefined, 0.5, -1]);
  const text = `prev(${x.text}${init === undefined ? "" : `, init ${String(init)}`})`;
  const axes = union(x, { axes: [...scope.ambient, "b"] });
  if (!scope.fits(axes)) return false;
  scope.define({ ...x, text, axes, low: Math.min(x.low, init ?? 0), high: Math.max(x.high, init ?? 0) });
  return true;
};

/** Another name for an axis of the same size, a product for a prime, or a part of a sum. */
export const rename: Statement = (scope, draw) => {
  const primes = scope.primes();
  const has = (...axes: readonly string[]): boolean => axes.every((axis) => primes.includes(axis));
  const ways: readonly (readonly [readonly string[], string, readonly string[]])[] = [
    [["m"], "m -> e", ["e"]],
    [["e"], "e -> m", ["m"]],
    [["f"], "f -> d", ["g", "p"]],
    [["s"], "s -> q", ["q"]],
    [["s"], "s -> r", ["r"]],
  ];
  const usable = ways.filter(([from, , to]) => has(...from, ...to));
  if (usable.length === 0) return false;
  const [from, text, to] = draw.pick(usable);
  const fits = (v: Value): boolean =>
    v.scalar !== "bool" &&
    from.every((axis) => v.axes.includes(axis)) &&
    !to.some((axis) => v.axes.includes(axis));
  const x = scope.choose(draw, fits);
  if (x === undefined) return false;
  scope.define({ ...x, text: `${x.text}[${text}]`, axes: [...without(x.axes, from), ...to] });
  return true;
};

/** One coordinate of an axis; or a coordinate for each position, from an input of whole numbers or a count. */
export const pick: Statement = (scope, draw) => {
  const x = scope.choose(draw, (v) => isReal(v) && scope.nameable(v.axes).length > 0);
  if (x === undefined) return false;
  const axis = draw.pick(scope.nameable(x.axes));
  const size = scope.size(axis);
  const rest = without(x.axes, [axis]);
  const index = scope.choose(
    draw,
    (v) =>
      v.scalar === "index" && v.low >= 0 && !v.axes.includes(axis) && scope.fits(union({ axes: rest }, v)),
  );
  if (index === undefined || draw.once(2)) {
    scope.define({ ...x, text: `${x.text}[${axis}: ${String(draw.below(size))}]`, axes: rest });
    return true;
  }
  // Past the end the last coordinate is read.
  scope.define({ ...x, text: `${x.text}[${axis}: ${index.text}]`, axes: union({ axes: rest }, index) });
  return true;
};

export const stack: Statement = (scope, draw) => {
  const fits = (v: Value): boolean => isReal(v) && !v.axes.includes("pair");
  const a = scope.choose(draw, fits);
  const b = scope.choose(draw, fits);
  if (a === undefined || b === undefined || !scope.primes().includes("pair")) return false;
  if (!scope.fits([...union(a, b), "pair"])) return false;
  const [low, high] = [Math.min(a.low, b.low), Math.max(a.high, b.high)];
  const axes = [...union(a, b), "pair"];
  scope.define({
    text: `stack(${a.text}, ${b.text}, as pair)`,
    axes,
    scalar: "f32",
    low,
    high,
    bits: Math.max(a.bits, b.bits),
  });
  return true;
};

export const concat: Statement = (scope, draw) => {
  if (!["q", "r", "s"].every((axis) => scope.primes().includes(axis))) return false;
  const part = (axis: string, other: string): Value | undefined =>
    scope.choose(
      draw,
      (v) => isReal(v) && v.axes.includes(axis) && !v.axes.includes(other) && !v.axes.includes("s"),
    );
  const q = part("q", "r");
  const r = part("r", "q");
  if (q === undefined || r === undefined) return false;
  const axes = [...without(union(q, r), ["q", "r"]), "s"];
  if (!scope.fits(axes)) return false;
  const [low, high] = [Math.min(q.low, r.low), Math.max(q.high, r.high)];
  scope.define({
    text: `concat(${q.text}, ${r.text}, as s)`,
    axes,
    scalar: "f32",
    low,
    high,
    bits: Math.max(q.bits, r.bits),
  });
  return true;
};

export const flip: Statement = (scope, draw) => {
  const found = operand(scope, draw);
  if (found === undefined) return false;
  scope.define({ ...found.x, text: `flip(${found.x.text}, along ${list(found.over)})` });
  return true;
};

/** The greatest of exact values, whose order no rounding changes. */
export const greatest: Statement = (scope, draw) => {
  const primes = scope.primes();
  const x = scope.choose(
    draw,
    (v) =>
      isReal(v) &&
      isExact(v) &&
      v.axes.includes("m") &&
      // It has a copy of its own.
      !v.axes.includes("m'") &&
      !v.axes.includes("slot") &&
      scope.fits([...v.axes, "m'"]),
  );
  if (x === undefined || !["m", "slot"].every((axis) => primes.includes(axis))) return false;
  const [best, id] = [scope.fresh("x"), scope.fresh("i")];
  scope.say(`${best}, ${id} = top_k(${x.text}, over m, as slot)`);
  const axes = [...without(x.axes, ["m"]), "slot"];
  scope.keep({ ...x, text: best, axes });
  scope.keep({ text: id, axes, scalar: "index", low: 0, high: scope.size("m") - 1, bits: 8 });
  return true;
};

/** Whole numbers: coordinates and sums of them. */
export const whole: Statement = (scope, draw) => {
  const primes = scope.primes();
  const [first, second] = [primes[draw.below(primes.length)], primes[draw.below(primes.length)]];
  if (first === undefined || second === undefined) return false;
  const one = scope.choose(draw, (v) => v.scalar === "index");
  const both = union({ axes: [first, second] });
  const most = scope.size(first) - 1;
  const ways = [
    { text: `pos(${first})`, axes: [first], high: most },
    {
      text: `pos(${first}) + pos(${second})*pos(${second})`,
      axes: both,
      high: most + scope.size(second) ** 2,
    },
    ...(one === undefined
      ? []
      : [
          {
            text: `max(${one.text}, pos(${first}))`,
            axes: union(one, { axes: [first] }),
            high: Math.max(one.high, most),
          },
          { text: `max(${one.text}, over ${first})`, axes: without(one.axes, [first]), high: one.high },
          {
            text: `select(pos(t) % 3 == 1, ${one.text}, pos(${first}))`,
            axes: union(one, { axes: ["t", first] }),
            high: Math.max(one.high, most),
          },
        ].filter(({ text }) => !text.includes("over") || one.axes.includes(first))),
  ];
  const made = draw.pick(ways);
  if (!scope.fits(made.axes)) return false;
  scope.define({ ...made, scalar: "index", low: 0, bits: 8 }, "i");
  return true;
};

/** An axis taken for its copy, and every pair of coordinates met: an outer product, then a contraction. */
export const copies: Statement = (scope, draw) => {
  const x = scope.choose(draw, (v) => isReal(v) && v.axes.includes("n") && scope.fits([...v.axes, "n'"]));
  if (x === undefined || !scope.primes().includes("n")) return false;
  const other = `${x.text}[n -> n']`;
  const most = magnitude(x);
  switch (draw.below(3)) {
    case 0: {
      const high = scope.size("n") * most;
      const text = `sum(${other}, over n', where pos(n') <= pos(n))`;
      scope.define(
        held(draw, { ...x, text, axes: union(x, { axes: ["n"] }), low: -high, high, bits: Infinity }),
      );
      return true;
    }
    case 1:
      scope.define(
        held(draw, {
          ...x,
          text: `max(${x.text}*${other}, over n')`,
          low: -most * most,
          high: most * most,
          bits: Infinity,
        }),
      );
      return true;
    default: {
      const high = scope.size("n") * most * most;
      const text = `dot(${other}, softmax(${x.text} + ${other}, over n'), over n')`;
      scope.define(held(draw, { ...x, text, low: -high, high, bits: Infinity }));
      return true;
    }
  }
};

/** Across time: what has no `step`. */
export const acrossTime: Statement = (scope, draw) => {
  if (!scope.source.looksAhead) return false;
  const x = scope.choose(draw, (v) => isReal(v) && inTime(v));
  if (x === undefined) return false;
  const most = magnitude(x);
  switch (draw.below(5)) {
    case 0:
      scope.define({ ...x, text: `flip(${x.text}, along t)` });
      return true;
    case 1:
      scope.define({ ...x, text: `max(${x.text}, over t)`, axes: without(x.axes, ["t"]) });
      return true;
    case 2:
      scope.define({
        ...x,
        text: `tanh(0.125*sum(${x.text}, over t))`,
        axes: without(x.axes, ["t"]),
        low: -1,
        high: 1,
        bits: Infinity,
      });
      return true;
    case 3: {
      const text = `softmax(${x.text}, over t)`;
      scope.define({ ...x, text, low: 0, high: 1, bits: Infinity });
      return true;
    }
    default: {
      const over = scope.nameable(x.axes)[0];
      const scores =
        over === undefined
          ? `${x.text}*${x.text}[t -> t']`
          : `dot(${x.text}, ${x.text}[t -> t'], over ${over})`;
      const window = draw.pick([
        "pos(t') <= pos(t)",
        "pos(t') <= pos(t) and pos(t) - pos(t') < 3",
        "pos(t') != pos(t) or pos(t) == 0",
      ]);
      const weights = scope.fresh("x");
      scope.say(`${weights} = softmax(0.25*${scores}, over t', where ${window})`);
      scope.define(
        held(draw, {
          ...x,
          text: `dot(${weights}, ${x.text}[t -> t'], over t')`,
          low: -most,
          high: most,
          bits: Infinity,
        }),
      );
      return true;
    }
  }
};

/** Complex values: made of two real ones, turned, summed, taken apart again. */
export const complexValue: Statement = (scope, draw) => {
  const z = scope.choose(draw, (v) => v.scalar === "c64");
  const x = scope.choose(draw, (v) => isReal(v) && magnitude(v) <= 6);
  const y = scope.choose(draw, (v) => isReal(v) && magnitude(v) <= 6);
  if (x === undefined || y === undefined) return false;
  const real = { scalar: "f32", bits: Infinity } as const;
  const turned = { scalar: "c64", low: 0, bits: Infinity } as const;
  const make = (value: Value): true => {
    scope.define(held(draw, value), value.scalar === "c64" ? "z" : "x");
    return true;
  };
  if (z === undefined || draw.once(4)) {
    if (!scope.meets(x, y)) return false;
    if (draw.once(3)) return make({ ...turned, text: `cis(${x.text})`, axes: x.axes, high: 1 });
    return make({
      ...turned,
      text: `complex(${x.text}, ${y.text})`,
      axes: union(x, y),
      high: magnitude(x) + magnitude(y),
    });
  }
  const { text, axes, high } = z;
  const over = scope.nameable(axes);
  const other = scope.choose(draw, (v) => v.scalar === "c64" && scope.meets(v, z)) ?? z;
  switch (draw.below(9)) {
    case 0:
      return make({ ...real, text: `re(${text})`, axes, low: -high, high });
    case 1:
      return make({ ...real, text: `im(${text})`, axes, low: -high, high });
    case 2:
      return (
        scope.meets(z, x) &&
        make({ ...turned, text: `${text}*${x.text}`, axes: union(z, x), high: high * magnitude(x) })
      );
    case 3:
      return make({
        ...turned,
        text: `${text}*${other.text}`,
        axes: union(z, other),
        high: high * other.high,
      });
    case 4:
      return make({
        ...turned,
        text: `${text} - conj(${other.text})`,
        axes: union(z, other),
        high: high + other.high,
      });
    case 5:
      return (
        scope.meets(z, x) &&
        make({ ...turned, text: `${text}/(1.5 + abs(${x.text}))`, axes: union(z, x), high })
      );
    case 6:
      return high <= 2 && make({ ...turned, text: `exp(${text})`, axes, high: Math.exp(high) });
    case 7: {
      if (over.length === 0) return false;
      const axis = draw.pick(over);
      return make({
        ...turned,
        text: `sum(${text}, over ${axis})`,
        axes: without(axes, [axis]),
        high: high * scope.size(axis),
      });
    }
    default: {
      const axis = over.find((a) => other.axes.includes(a));
      if (axis === undefined) return false;
      const most = high * other.high * scope.size(axis);
      return make({
        ...turned,
        text: `dot(${text}, ${other.text}, over ${axis})`,
        axes: without(union(z, other), [axis]),
        high: most,
      });
    }
  }
};
