/** States of every class, each with its equation and what reads it. */
import type { Draw } from "./draw.js";
import { expression, gate, held, leaf } from "./elementwise.js";
import { isReal, type Scope } from "./scope.js";
import { atom, magnitude, union, without, type Value } from "./value.js";
import type { Statement } from "./tensors.js";

/** Most steps that a value is summed over without decay. */
const STEPS = 40;

interface Declared {
  readonly name: string;
  readonly axes: readonly string[];
  /** Axes that its equation may have. */
  readonly allowed: readonly string[];
}

/** A state with these axes and those that the body is mapped over. */
function declare(scope: Scope, draw: Draw, axes: readonly string[], init?: string, scalar = ""): Declared {
  const name = scope.fresh("h");
  const own = draw.shuffled(axes);
  scope.say(`state ${name}[${own.join(", ")}]${scalar}${init === undefined ? "" : ` init ${init}`}`);
  const all = [...scope.ambient, "b", ...own];
  return { name, axes: union({ axes: all }), allowed: union({ axes: [...all, "t"] }) };
}

/** A value that drives a recurrence, and the axes that its state needs to be declared with. */
function driver(
  scope: Scope,
  draw: Draw,
  more = 1,
): { readonly x: Value; readonly axes: readonly string[] } | undefined {
  const x = scope.choose(
    draw,
    (v) => isReal(v) && !v.axes.includes("t'") && !v.axes.some((a) => a.endsWith("'")),
  );
  if (x === undefined) return undefined;
  const own = scope.nameable(x.axes);
  const open = without(scope.primes(), own);
  const added = draw.once(3) ? draw.some(open).slice(0, more) : [];
  return scope.fits([...scope.ambient, ...own, ...added]) ? { x, axes: [...own, ...added] } : undefined;
}

function known(scope: Scope, { name, axes }: Declared, low: number, high: number): Value {
  return scope.keep({ text: name, axes: [...axes, "t"], scalar: "f32", low, high, bits: Infinity });
}

/** What a sum with decay can grow to, not the worst case: a random one. */
const grown = (x: number): number => 6 * x;

const INITS = [undefined, undefined, "0.5", "-1"];

/** h = f·prev(h) + u, in the forms that papers write it in. */
export const diagonal: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined) return false;
  const { x, axes } = found;
  const h = declare(scope, draw, axes, draw.pick(INITS));
  const f = gate(scope, draw, h.allowed);
  const u = draw.once(2) ? expression(scope, draw, 1, h.allowed) : x;
  const most = grown(Math.max(magnitude(u), 1));
  const forms = [
    `${atom(f)}*prev(${h.name}) + ${atom(u)}`,
    `${atom(f)}*prev(${h.name}) + (1 - ${atom(f)})*${atom(u)}`,
    `${atom(u)} + prev(${h.name})*${atom(f)}`,
    `lerp(prev(${h.name}), ${u.text}, ${f.text})`,
    `${atom(f)}*(prev(${h.name}) - ${atom(u)})`,
    `select(pos(t) % 4 == 0, ${u.text}, ${atom(f)}*prev(${h.name}) + ${atom(u)})`,
    `prev(${h.name}) + 0.125*${atom(u)}`,
  ];
  scope.say(`${h.name} = ${draw.pick(forms)}`);
  const high = Math.max(most, magnitude(u) * STEPS * 0.125);
  read(scope, draw, known(scope, h, -high, high));
  return true;
};

const RULES = ["exp_euler", "euler", "zoh", "bilinear", "trapezoidal", "exp_trapezoid", "own"];

/** A continuous equation and a discretization rule. */
export const continuous: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined) return false;
  const { x, axes } = found;
  const h = declare(scope, draw, axes, draw.pick(INITS));
  const a = gate(scope, draw, h.allowed);
  const step = gate(scope, draw, h.allowed);
  const u = draw.once(2) ? expression(scope, draw, 1, h.allowed) : x;
  const rule = draw.pick(RULES);
  if (rule === "own" && !scope.source.top.some((line) => line.startsWith("rule half")))
    scope.source.top.push("rule half(step): der(h) = a*h + b => h = (1 + step*a/2)*prev(h) + step*b");
  const by =
    rule === "own"
      ? `half(${step.text})`
      : rule === "exp_trapezoid"
        ? `exp_trapezoid(${step.text}, ${draw.pick(["0.5", gate(scope, draw, h.allowed).text])})`
        : `${rule}(${step.text})`;
  const forms = [
    `-${atom(a)}*${h.name} + ${atom(u)}`,
    `${atom(u)} - ${h.name}*${atom(a)}`,
    `${atom(a)}*(${atom(u)} - ${h.name})`,
    `-exp(${a.text})*${h.name} + ${atom(u)}`,
  ];
  scope.say(`der(${h.name}) = ${draw.pick(forms)}  by ${by}`);
  const high = grown(Math.max(magnitude(u), 1)) * 2;
  read(scope, draw, known(scope, h, -high, high));
  return true;
};

/** S = f·prev(S) + k·v: an expanded state that its readers contract. */
export const outer: Statement = (scope, draw) => {
  const k = scope.choose(draw, (v) => isReal(v) && scope.nameable(v.axes).length > 0);
  if (k === undefined) return false;
  const key = draw.pick(scope.nameable(k.axes));
  const v = scope.choose(draw, (x) => isReal(x) && !x.axes.includes(key) && scope.meets(x, k));
  if (v === undefined) return false;
  const axes = scope.nameable(union(k, v));
  if (!scope.fits([...scope.ambient, ...axes])) return false;
  const h = declare(scope, draw, axes);
  const f = gate(scope, draw, draw.pick([h.allowed, without(h.allowed, [key])]));
  const most = grown(magnitude(k) * magnitude(v));
  const forms = [
    `${atom(f)}*prev(${h.name}) + ${k.text}*${v.text}`,
    `${atom(f)}*prev(${h.name}) + (1 - ${atom(f)})*${k.text}*${v.text}`,
  ];
  scope.say(`${h.name} = ${draw.pick(forms)}`);
  const state = known(scope, h, -most, most);
  contracted(scope, draw, state, key);
  if (draw.once(3)) contracted(scope, draw, state, key);
  return true;
};

/** max(prev(h) + a, u), a running maximum, and perhaps a sum that it stabilizes. */
export const tropical: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined) return false;
  const { x, axes } = found;
  const h = declare(scope, draw, axes, draw.pick(["-4", "0"]));
  const a = gate(scope, draw, h.allowed);
  const low = -4 - magnitude(x);
  switch (draw.below(3)) {
    case 0:
      scope.say(`${h.name} = max(prev(${h.name}) - ${atom(a)}, ${x.text})`);
      known(scope, h, low, Math.max(0, x.high));
      return true;
    case 1:
      scope.say(`${h.name} = min(prev(${h.name}), ${x.text})`);
      known(scope, h, low, Math.max(0, x.high));
      return true;
    default: {
      scope.say(`${h.name} = max(prev(${h.name}) - ${atom(a)}, ${x.text})`);
      const top = known(scope, h, low, Math.max(0, x.high));
      const s = declare(scope, draw, axes);
      scope.say(
        `${s.name} = exp(prev(${h.name}) - ${atom(a)} - ${h.name})*prev(${s.name}) + exp(${x.text} - ${h.name})`,
      );
      known(scope, s, 0, STEPS);
      scope.define(
        held(draw, {
          ...top,
          text: `log(${s.name} + 0.5) + ${h.name}`,
          low: low - 1,
          high: magnitude(x) + 4,
        }),
      );
      return true;
    }
  }
};

/** The delta rule: what the state knows of a key is replaced. */
export const lowRank: Statement = (scope, draw) => {
  const k = scope.choose(draw, (v) => isReal(v) && scope.nameable(v.axes).length > 0);
  if (k === undefined) return false;
  const key = draw.pick(scope.nameable(k.axes));
  const v = scope.choose(draw, (x) => isReal(x) && !x.axes.includes(key) && scope.meets(x, k));
  if (v === undefined) return false;
  const axes = scope.nameable(union(k, v));
  if (!scope.fits([...scope.ambient, ...axes])) return false;
  const unit = scope.define({
    ...k,
    text: `l2_norm(${k.text}, over ${key}, 0.01)`,
    low: -1,
    high: 1,
    bits: Infinity,
  });
  const h = declare(scope, draw, axes);
  const beta = gate(scope, draw, without(h.allowed, [key]));
  const f = draw.once(2) ? `${atom(gate(scope, draw, without(h.allowed, [key])))}*` : "";
  scope.say(
    `${h.name} = ${f}prev(${h.name}) + ${atom(beta)}*${unit.text}*(${v.text} - dot(${unit.text}, prev(${h.name}), over ${key}))`,
  );
  const most = grown(magnitude(v));
  contracted(scope, draw, known(scope, h, -most, most), key);
  return true;
};

/** h = tanh(W·prev(h) + x): every element reads the others' past. */
export const coupled: Statement = (scope, draw) => {
  const x = scope.choose(
    draw,
    (v) => isReal(v) && v.axes.includes("m") && !v.axes.some((a) => a.endsWith("'")),
  );
  if (x === undefined || !scope.primes().includes("m")) return false;
  const axes = scope.nameable(x.axes);
  if (!scope.fits([...scope.ambient, ...axes])) return false;
  const h = declare(scope, draw, axes, draw.pick(INITS));
  const w = scope.param(draw, ["m", "m'"], "signed");
  const scale = (0.75 / scope.size("m")).toFixed(3);
  const turned = `${scale}*dot(${w.text}, prev(${h.name}), over m)[m' -> m]`;
  const linear = draw.once(2);
  scope.say(`${h.name} = ${linear ? `${turned} + ${atom(x)}` : `tanh(${turned} + ${atom(x)})`}`);
  const most = linear ? 4 * magnitude(x) + 1 : 1;
  read(scope, draw, known(scope, h, -most, most));
  return true;
};

/** Two states that read each other, or one that is not affine in its past. */
export const nonlinear: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined) return false;
  const { x, axes } = found;
  const h = declare(scope, draw, axes, draw.pick(INITS));
  const f = gate(scope, draw, h.allowed);
  const high = grown(Math.max(1, magnitude(x)));
  if (draw.once(2)) {
    scope.say(`${h.name} = tanh(${atom(f)}*prev(${h.name}) + ${atom(x)})`);
    known(scope, h, -1, 1);
    return true;
  }
  const other = declare(scope, draw, axes);
  scope.say(`${h.name} = 0.75*prev(${h.name}) - 0.25*prev(${other.name}) + ${atom(x)}`);
  scope.say(
    `${other.name} = 0.25*prev(${h.name}) + ${draw.once(2) ? `0.5*${h.name} + ` : ""}0.5*prev(${other.name})`,
  );
  known(scope, h, -high, high);
  known(scope, other, -high, high);
  return true;
};

/** A complex state turns as it decays. */
export const turning: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined) return false;
  const { x, axes } = found;
  const h = declare(scope, draw, axes, undefined, ": complex");
  const f = gate(scope, draw, h.allowed);
  const angle = leaf(scope, draw, h.allowed);
  if (magnitude(angle) > 8) return turnless(scope, h, f, x);
  scope.say(`${h.name} = ${atom(f)}*cis(${angle.text})*prev(${h.name}) + ${atom(x)}`);
  complexKnown(scope, draw, h, x);
  return true;
};

function turnless(scope: Scope, h: Declared, f: Value, x: Value): true {
  scope.say(`${h.name} = ${atom(f)}*prev(${h.name}) + ${atom(x)}`);
  scope.keep({
    text: h.name,
    axes: [...h.axes, "t"],
    scalar: "c64",
    low: 0,
    high: grown(magnitude(x)),
    bits: Infinity,
  });
  return true;
}

function complexKnown(scope: Scope, draw: Draw, h: Declared, x: Value): void {
  const high = grown(magnitude(x));
  const z = scope.keep({ text: h.name, axes: [...h.axes, "t"], scalar: "c64", low: 0, high, bits: Infinity });
  scope.define(
    held(draw, { ...z, text: `${draw.pick(["re", "im"])}(${z.text})`, scalar: "f32", low: -high }),
  );
}

/** A sum that sines alone read: whole turns of it are of no account. */
export const angle: Statement = (scope, draw) => {
  const found = driver(scope, draw);
  if (found === undefined || magnitude(found.x) > 8) return false;
  const h = declare(scope, draw, found.axes, draw.pick(INITS));
  scope.say(`${h.name} = prev(${h.name}) + ${atom(found.x)}`);
  const reads = draw.pick(["cos(H)", "sin(H)", "sin(-2*H)", "cos(prev(H))", "im(exp(complex(0, H)))"]);
  const value = { axes: [...h.axes, "t"], scalar: "f32", low: -1, high: 1, bits: Infinity } as const;
  scope.define(held(draw, { ...value, text: reads.replace("H", h.name) }));
  return true;
};

/** Contracts a state with something that has the axis. */
function contracted(scope: Scope, draw: Draw, state: Value, axis: string): void {
  const q = scope.choose(
    draw,
    (v) => isReal(v) && v.axes.includes(axis) && v !== state && scope.meets(v, state),
  );
  const before = draw.once(4) ? `prev(${state.text})` : state.text;
  const high = magnitude(state) * (q === undefined ? 1 : magnitude(q)) * Math.sqrt(scope.size(axis));
  const text = q === undefined ? `sum(${before}, over ${axis})` : `dot(${q.text}, ${before}, over ${axis})`;
  const axes = without(q === undefined ? state.axes : union(state, q), [axis]);
  scope.define(held(draw, { text, axes, scalar: "f32", low: -high, high, bits: Infinity }));
}

/** What comes after many a state: a product of it, its past, a gate. */
function read(scope: Scope, draw: Draw, state: Value): void {
  const own = scope.nameable(state.axes);
  const axis = own[draw.below(own.length)];
  switch (draw.below(4)) {
    case 1:
      if (axis !== undefined) contracted(scope, draw, state, axis);
      break;
    case 2:
      scope.define(held(draw, { ...state, text: `prev(${state.text})` }));
      break;
    case 3: {
      const x = leaf(scope, draw, state.axes);
      const high = magnitude(state) * magnitude(x);
      scope.define(
        held(draw, { ...state, text: `${state.text}*${atom(x)}`, axes: union(state, x), low: -high, high }),
      );
      break;
    }
    default:
      break;
  }
}
