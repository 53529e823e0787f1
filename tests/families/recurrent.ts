/** Linear attention and gated recurrences, each straight from its paper's equations: batch, head, step, elements. */
import type { Random } from "../support/random.js";
import type { Family, Loops, Sizes } from "./family.js";
import { dot, product, range, rotateHalves, sigmoid, silu, softplus, sum, zeros } from "./table.js";
import type { Table } from "./table.js";

type Given = (name: string) => Table;
interface Step {
  readonly t: number;
  /** The numbers of an input of this batch, step and head. */
  readonly row: (input: string) => number[];
  /** An input with one number a head. */
  readonly one: (input: string) => number;
}

/** A matrix state S[n][p] a head: what `begin` gives changes it and gives y[p]. */
const perHead =
  (begin: (S: number[][], given: Given) => (step: Step, head: number) => number[]): Loops =>
  (given, y) => {
    const [batch = 0, steps = 0, heads = 0, values = 0] = y.shape;
    const keys = given("k").shape.at(-1) ?? 0;
    for (const b of range(batch))
      for (const h of range(heads)) {
        const run = begin(zeros(keys, values), given);
        for (const t of range(steps)) {
          const row = (input: string): number[] => given(input).row(b, t, h);
          const one = (input: string): number => given(input).at(b, t, h);
          y.setRow(run({ t, row, one }, h), b, t, h);
        }
      }
  };

/** S[n][p] := f(S[n][p], n, p) */
const update = (S: number[][], f: (old: number, n: number, p: number) => number): void => {
  S.forEach((row, n) => {
    row.forEach((old, p) => (row[p] = f(old, n, p)));
  });
};
/** Σ_n q[n]·S[n][p] */
const read = (q: readonly number[], S: readonly (readonly number[])[]): number[] =>
  range(S[0]?.length ?? 0).map((p) => sum(S.map((row, n) => (q[n] ?? NaN) * (row[p] ?? NaN))));
const of = (x: readonly number[], i: number): number => x[i] ?? NaN;

const retnet = perHead((S) => {
  return ({ t, row }, head) => {
    const pairs = S.length / 2;
    const angles = range(pairs).map((i) => t * 10000 ** (-i / pairs));
    const k = rotateHalves(row("k"), angles);
    const gamma = 1 - 2 ** (-5 - head);
    update(S, (old, n, p) => gamma * old + of(k, n) * of(row("v"), p));
    return read(rotateHalves(row("q"), angles), S);
  };
});

const gla = perHead((S) => {
  return ({ row }) => {
    const alpha = row("gate").map((g) => sigmoid(g) ** (1 / 16));
    update(S, (old, n, p) => of(alpha, n) * old + of(row("k"), n) * of(row("v"), p));
    return read(row("q"), S);
  };
});

const linearAttention = perHead((S) => {
  const s = S.map(() => 0);
  return ({ row }) => {
    update(S, (old, n, p) => old + of(row("k"), n) * of(row("v"), p));
    row("k").forEach((k, n) => (s[n] = of(s, n) + k));
    const norm = dot(row("q"), s);
    return read(row("q"), S).map((y) => y / norm);
  };
});

const rwkv6 = perHead((S, given) => ({ row }, head) => {
  const [k, v] = [row("k"), row("v")];
  const bonus = given("bonus").row(head);
  const seen = S.map((line, n) => line.map((old, p) => old + of(bonus, n) * of(k, n) * of(v, p)));
  const out = read(row("r"), seen);
  update(S, (old, n, p) => of(row("w"), n) * old + of(k, n) * of(v, p));
  return out;
});

const unit = (x: readonly number[]): number[] => {
  const length = Math.sqrt(dot(x, x) + 1e-6);
  return x.map((v) => v / length);
};

const rwkv7 = perHead((S) => ({ row }) => {
  const [key, w, a, k, v] = [unit(row("kappa")), row("w"), row("a"), row("k"), row("v")];
  const known = read(key, S);
  const decay = w.map((x) => Math.exp(-Math.exp(-0.5) * sigmoid(x)));
  update(S, (old, n, p) => of(decay, n) * old - of(a, n) * of(key, n) * of(known, p) + of(k, n) * of(v, p));
  return read(row("r"), S);
});

/** S := αS, then what it has for the key is moved towards the value by β. */
const deltaRule = (alpha: (one: Step["one"]) => number): Loops =>
  perHead((S) => ({ row, one }) => {
    const [key, v] = [unit(row("k")), row("v")];
    update(S, (old) => alpha(one) * old);
    const known = read(key, S);
    update(S, (old, n, p) => old + one("beta") * of(key, n) * (of(v, p) - of(known, p)));
    return read(row("q"), S);
  });
const deltaNet = deltaRule(() => 1);
const gatedDeltaNet = deltaRule((one) => Math.exp(-one("forget")));

/** Without the stabilizing maximum: the gates of this test are small, and it cancels. */
const mlstm = perHead((S) => {
  const s = S.map(() => 0);
  return ({ row, one }) => {
    const [f, i] = [sigmoid(one("f")), Math.exp(one("i_"))];
    update(S, (old, n, p) => f * old + i * of(row("k"), n) * of(row("v"), p));
    row("k").forEach((k, n) => (s[n] = f * of(s, n) + i * k));
    const norm = Math.max(Math.abs(dot(row("q"), s)), 1);
    return read(row("q"), S).map((y) => y / norm);
  };
});

/** The weighted average of RWKV-4 as the sums that it is, no maximum beside it. */
const rwkv4: Loops = (given, y) => {
  const [batch = 0, steps = 0, channels = 0] = y.shape;
  const mixed = (mix: string, b: number, t: number): number[] =>
    given("u")
      .row(b, t)
      .map((u, m) => {
        const before = t === 0 ? 0 : given("u").at(b, t - 1, m);
        return before + (u - before) * given(mix).at(m);
      });
  for (const b of range(batch)) {
    const k = range(steps).map((t) => product(given("att.w_k"), mixed("att.mix_k", b, t), channels));
    const v = range(steps).map((t) => product(given("att.w_v"), mixed("att.mix_v", b, t), channels));
    for (const t of range(steps))
      for (const d of range(channels)) {
        const w = Math.exp(given("att.decay").at(d));
        const weights = range(t + 1).map((s) =>
          Math.exp((s === t ? given("att.bonus").at(d) : -(t - 1 - s) * w) + (k[s]?.[d] ?? NaN)),
        );
        y.set(sum(weights.map((a, s) => a * (v[s]?.[d] ?? NaN))) / sum(weights), b, t, d);
      }
  }
};

/** h[t] from h[t − 1], element by element. */
const perChannel =
  (step: (before: number, given: Given, b: number, t: number, d: number) => number): Loops =>
  (given, y) => {
    const [batch = 0, steps = 0, channels = 0] = y.shape;
    for (const b of range(batch))
      for (const d of range(channels)) {
        let h = 0;
        for (const t of range(steps)) y.set((h = step(h, given, b, t, d)), b, t, d);
      }
  };

const hgrn = perChannel((h, given, b, t, d) => {
  const f = given("f").at(b, t, d);
  return f * h + (1 - f) * silu(given("i0").at(b, t, d));
});

const minGru = perChannel((h, given, b, t, d) => {
  const z = given("z").at(b, t, d);
  return (1 - z) * h + z * given("c").at(b, t, d);
});

const rgLru = perChannel((h, given, b, t, d) => {
  const P = given("w_r").shape.at(-1) ?? NaN;
  const [head, p] = [Math.floor(d / P), d % P];
  const x = given("x");
  const gate = (name: string): number =>
    sigmoid(
      sum(range(P).map((q) => given(`w_${name}`).at(head, q, p) * x.at(b, t, head * P + q))) +
        given(`b_${name}`).at(head, p),
    );
  const a = Math.exp(-8 * softplus(given("Lambda").at(d)) * gate("r"));
  return a * h + (t === 0 ? 1 : Math.sqrt(1 - a * a)) * gate("i") * x.at(b, t, d);
});

/** Sizes of a state of keys × values a head. */
const matrix = (random: Random): Sizes => ({
  heads: random.pick([1, 2, 5]),
  keys: random.pick([1, 2, 4, 7, 16]),
  values: random.pick([1, 3, 8, 17]),
});
const channels = (random: Random): Sizes => ({ channels: random.pick([1, 5, 33, 70]) });

export const RECURRENT: readonly Family[] = [
  {
    name: "retnet",
    loops: retnet,
    draw: (random) => ({ ...matrix(random), keys: random.pick([2, 4, 10]) }),
    published: { heads: 8, keys: 256, values: 512 },
  },
  { name: "gla", loops: gla, draw: matrix, published: { heads: 4, keys: 256, values: 512 } },
  {
    name: "linear-attention",
    loops: linearAttention,
    positive: ["q", "k"],
    draw: matrix,
    published: { heads: 8, keys: 64, values: 64 },
  },
  {
    name: "rwkv4",
    loops: rwkv4,
    draw: (random) => ({ width: random.pick([1, 4, 9]), inner: random.pick([1, 3, 34]) }),
    published: { width: 768, inner: 768 },
  },
  {
    name: "rwkv6",
    loops: rwkv6,
    positive: ["w"],
    draw: matrix,
    published: { heads: 32, keys: 64, values: 64 },
  },
  {
    name: "rwkv7",
    loops: rwkv7,
    positive: ["a"],
    draw: matrix,
    published: { heads: 32, keys: 64, values: 64 },
  },
  {
    name: "deltanet",
    loops: deltaNet,
    positive: ["beta"],
    draw: matrix,
    published: { heads: 16, keys: 128, values: 128 },
  },
  {
    name: "gated-deltanet",
    loops: gatedDeltaNet,
    positive: ["forget", "beta"],
    draw: matrix,
    published: { heads: 6, keys: 256, values: 512 },
  },
  { name: "mlstm", loops: mlstm, draw: matrix, published: { heads: 8, keys: 256, values: 512 } },
  { name: "hgrn", loops: hgrn, positive: ["f"], draw: channels, published: { channels: 2048 } },
  { name: "mingru", loops: minGru, positive: ["z"], draw: channels, published: { channels: 512 } },
  {
    name: "rglru",
    loops: rgLru,
    draw: (random) => ({ heads: random.pick([1, 2, 5]), width: random.pick([1, 3, 8]) }),
    published: { heads: 10, width: 256 },
  },
];
