/** Linear attention and gated recurrences, each straight from its paper's equations: batch, head, step, elements. */
import type { Family, Loops } from "./family.js";
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

/** A matrix state S[n][p] a head: `step` changes it and gives y[p]. */
const perHead =
  (begin: () => (step: Step, head: number) => number[]): Loops =>
  (given, y) => {
    const [batch = 0, steps = 0, heads = 0] = y.shape;
    for (const b of range(batch))
      for (const h of range(heads)) {
        const run = begin();
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

const N = 4;
const P = 3;

const retnet = perHead(() => {
  const S = zeros(N, P);
  return ({ t, row }, head) => {
    const angles = [0, 1].map((i) => t * 10000 ** (-i / 2));
    const k = rotateHalves(row("k"), angles);
    const gamma = 1 - 2 ** (-5 - head);
    update(S, (old, n, p) => gamma * old + of(k, n) * of(row("v"), p));
    return read(rotateHalves(row("q"), angles), S);
  };
});

const gla = perHead(() => {
  const S = zeros(N, P);
  return ({ row }) => {
    const alpha = row("gate").map((g) => sigmoid(g) ** (1 / 16));
    update(S, (old, n, p) => of(alpha, n) * old + of(row("k"), n) * of(row("v"), p));
    return read(row("q"), S);
  };
});

const linearAttention = perHead(() => {
  const S = zeros(N, P);
  const s = range(N).map(() => 0);
  return ({ row }) => {
    update(S, (old, n, p) => old + of(row("k"), n) * of(row("v"), p));
    row("k").forEach((k, n) => (s[n] = of(s, n) + k));
    const norm = dot(row("q"), s);
    return read(row("q"), S).map((y) => y / norm);
  };
});

const rwkv6: Loops = (given, y) => {
  perHead(() => {
    const S = zeros(N, P);
    return ({ row }, head) => {
      const [k, v] = [row("k"), row("v")];
      const bonus = given("bonus").row(head);
      const seen = S.map((line, n) => line.map((old, p) => old + of(bonus, n) * of(k, n) * of(v, p)));
      const out = read(row("r"), seen);
      update(S, (old, n, p) => of(row("w"), n) * old + of(k, n) * of(v, p));
      return out;
    };
  })(given, y);
};

const rwkv7 = perHead(() => {
  const S = zeros(N, P);
  return ({ row }) => {
    const along = read(row("alpha"), S);
    update(
      S,
      (old, n, p) =>
        of(row("w"), n) * old + of(row("beta"), n) * of(along, p) + of(row("k"), n) * of(row("v"), p),
    );
    return read(row("r"), S);
  };
});

const gatedDeltaNet = perHead(() => {
  const S = zeros(N, P);
  return ({ row, one }) => {
    const k = row("k");
    const length = Math.sqrt(dot(k, k) + 1e-6);
    const key = k.map((x) => x / length);
    update(S, (old) => one("alpha") * old);
    const known = read(key, S);
    update(S, (old, n, p) => old + one("beta") * of(key, n) * (of(row("v"), p) - of(known, p)));
    return read(row("q"), S);
  };
});

/** Without the stabilizing maximum: the gates of this test are small, and it cancels. */
const mlstm = perHead(() => {
  const S = zeros(N, P);
  const s = range(N).map(() => 0);
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

export const RECURRENT: readonly Family[] = [
  { name: "retnet", loops: retnet },
  { name: "gla", loops: gla },
  { name: "linear-attention", loops: linearAttention, positive: ["q", "k"] },
  { name: "rwkv4", loops: rwkv4 },
  { name: "rwkv6", loops: rwkv6, positive: ["w"] },
  { name: "rwkv7", loops: rwkv7, positive: ["w"] },
  { name: "gated-deltanet", loops: gatedDeltaNet, positive: ["alpha", "beta"] },
  { name: "mlstm", loops: mlstm },
  { name: "hgrn", loops: hgrn, positive: ["f"] },
  { name: "mingru", loops: minGru, positive: ["z"] },
  { name: "rglru", loops: rgLru },
];
