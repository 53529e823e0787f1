/** State-space models, straight from their papers' equations. */
import type { Random } from "../support/random.js";
import type { Family, Loops, Sizes } from "./family.js";
import { dot, product, range, rmsNorm, sigmoid, silu, softplus, sum, zeros, type Table } from "./table.js";

interface Complex {
  readonly re: number;
  readonly im: number;
}
const times = (a: Complex, b: Complex): Complex => ({
  re: a.re * b.re - a.im * b.im,
  im: a.re * b.im + a.im * b.re,
});
const over = (a: Complex, b: Complex): Complex => {
  const norm = b.re * b.re + b.im * b.im;
  return { re: (a.re * b.re + a.im * b.im) / norm, im: (a.im * b.re - a.re * b.im) / norm };
};
/** The Gauss error function, by the series of e^(x²)·erf(x), whose terms have one sign. */
const erf = (x: number): number => {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, total] = [x, x];
  for (let k = 1; k < 150; k++) {
    term *= (2 * x * x) / (2 * k + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
};
const gelu = (x: number): number => (x * (1 + erf(x / Math.SQRT2))) / 2;

/** h = e^(ΔA)·h + (e^(ΔA) − 1)/A · u, y = 2·Re(C·h) + D·u, then a gated linear unit. */
const s4d: Loops = (given, y) => {
  const [batch = 0, steps = 0, width = 0] = y.shape;
  const at = (name: string): Table => given(`layer.${name}`);
  const states = at("A_imag").shape[1] ?? 0;
  for (const b of range(batch)) {
    const h = range(width).map(() => range(states).map((): Complex => ({ re: 0, im: 0 })));
    for (const t of range(steps)) {
      const core = range(width).map((m) => {
        const u = given("u").at(b, t, m);
        const dt = Math.exp(at("log_dt").at(m));
        const line = h[m] ?? [];
        range(states).forEach((n) => {
          const A = { re: -Math.exp(at("log_A_real").at(m, n)), im: at("A_imag").at(m, n) };
          const size = Math.exp(dt * A.re);
          const decay = { re: size * Math.cos(dt * A.im), im: size * Math.sin(dt * A.im) };
          const input = over({ re: decay.re - 1, im: decay.im }, A);
          const kept = times(decay, line[n] ?? { re: NaN, im: NaN });
          line[n] = { re: kept.re + input.re * u, im: kept.im + input.im * u };
        });
        const C = at("C");
        const read = sum(line.map(({ re, im }, n) => C.at(m, n, 0) * re - C.at(m, n, 1) * im));
        return gelu(2 * read + at("D").at(m) * u);
      });
      const [w, bias] = [at("output_linear.0.weight"), at("output_linear.0.bias")];
      const linear = (r: number): number => sum(core.map((x, m) => w.at(r, m, 0) * x)) + bias.at(r);
      y.setRow(
        range(width).map((m) => linear(m) * sigmoid(linear(width + m))),
        b,
        t,
      );
    }
  }
};

/** Algorithm 1 of Mamba-2 with groups: the heads of a group read its B and C, and are normalized together. */
const mamba2: Loops = (
  given,
  y,
  { heads: H = 0, groups: G = 0, head_dim: P = 0, states: N = 0, taps: K = 0 },
) => {
  const [D, BC] = [H * P, G * N];
  const at = (name: string): Table => given(`mixer.${name}`);
  const [batch = 0, steps = 0, width = 0] = y.shape;
  for (const b of range(batch)) {
    const S = range(H).map(() => zeros(P, N));
    const projected = range(steps).map((t) =>
      product(at("in_proj.weight"), given("u").row(b, t), 2 * D + 2 * BC + H),
    );
    for (const t of range(steps)) {
      const z = projected[t]?.slice(0, D) ?? [];
      const dt = projected[t]?.slice(2 * D + 2 * BC) ?? [];
      const mixed = range(D + 2 * BC).map((c) => {
        const taps = range(K).map((k) => {
          const from = t - (K - 1) + k;
          return from < 0 ? 0 : at("conv1d.weight").at(c, 0, k) * (projected[from]?.[D + c] ?? NaN);
        });
        return silu(sum(taps) + at("conv1d.bias").at(c));
      });
      const out = range(H).flatMap((head) => {
        const g = Math.floor(head / (H / G));
        const delta = Math.max(softplus((dt[head] ?? NaN) + at("dt_bias").at(head)), 0.001);
        const decay = Math.exp(-Math.exp(at("A_log").at(head)) * delta);
        const B = mixed.slice(D + g * N, D + (g + 1) * N);
        const C = mixed.slice(D + BC + g * N, D + BC + (g + 1) * N);
        return range(P).map((p) => {
          const x = mixed[head * P + p] ?? NaN;
          const line = S[head]?.[p] ?? [];
          line.forEach((old, n) => (line[n] = decay * old + delta * (B[n] ?? NaN) * x));
          return dot(C, line) + at("D").at(head) * x;
        });
      });
      const gated = out.map((x, d) => x * silu(z[d] ?? NaN));
      const normed = range(G)
        .flatMap((g) => rmsNorm(gated.slice((g * D) / G, ((g + 1) * D) / G), 1e-5))
        .map((x, d) => x * at("norm.weight").at(d));
      y.setRow(product(at("out_proj.weight"), normed, width), b, t);
    }
  }
};

/** Trapezoidal recurrence with data-dependent rotation: pairs (i, 0) and (i, 1) of B and C turn by the summed angle. */
const mamba3: Loops = (given, y, { heads: H = 0, head_dim: P = 0, pairs: I = 0 }) => {
  const [batch = 0, steps = 0] = y.shape;
  const turn = (x: readonly number[], theta: readonly number[]): number[] =>
    theta.flatMap((a, i) => {
      const [re, im] = [x[2 * i] ?? NaN, x[2 * i + 1] ?? NaN];
      return [re * Math.cos(a) - im * Math.sin(a), re * Math.sin(a) + im * Math.cos(a)];
    });
  for (const b of range(batch))
    for (const head of range(H)) {
      const S = zeros(P, 2 * I);
      const theta = range(I).map(() => 0);
      let before = zeros(P, 2 * I);
      for (const t of range(steps)) {
        const [delta, mix] = [given("delta").at(b, t, head), given("mix").at(b, t, head)];
        theta.forEach(
          (old, i) => (theta[i] = old + delta * Math.PI * Math.tanh(given("angle").at(b, t, head, i))),
        );
        const normed = (name: string): number[] =>
          rmsNorm(given(`${name}0`).row(b, t), 1e-5).map(
            (x, n) => x * given(`norm_${name}`).at(n) + given(`bias_${name}`).at(head, n),
          );
        const [B, C] = [turn(normed("B"), theta), turn(normed("C"), theta)];
        const decay = Math.exp(-delta * Math.exp(given("A_log").at(head)));
        const x = range(P).map((p) => given("x").at(b, t, head * P + p));
        const now = x.map((v) => B.map((k) => v * k));
        S.forEach((line, p) => {
          line.forEach((old, n) => {
            const last = before[p]?.[n] ?? NaN;
            const input = now[p]?.[n] ?? NaN;
            line[n] = decay * old + (1 - mix) * delta * decay * last + mix * delta * input;
          });
          y.set(dot(C, line) + given("D").at(head) * (x[p] ?? NaN), b, t, head * P + p);
        });
        before = now;
      }
    }
};

/** An exponential average, forwards or backwards in time. */
const average = (x: readonly number[], decay: number): number[] => {
  let h = 0;
  return x.map((v) => (h = decay * h + v));
};

const bidirectional: Loops = (given, y) => {
  const [batch = 0, steps = 0, width = 0] = y.shape;
  for (const b of range(batch))
    for (const m of range(width)) {
      const u = range(steps).map((t) => given("u").at(b, t, m));
      const forwards = average(u, sigmoid(given("fwd.a").at(m)));
      const backwards = average(u.toReversed(), sigmoid(given("bwd.a").at(m))).toReversed();
      for (const t of range(steps)) y.set((forwards[t] ?? NaN) + (backwards[t] ?? NaN), b, t, m);
    }
};

/** Strand 1 is run backwards in time and channels, and its result turned back. */
const reverseComplement: Loops = (given, y) => {
  const [batch = 0, strands = 0, steps = 0, width = 0] = y.shape;
  for (const b of range(batch))
    for (const strand of range(strands))
      for (const m of range(width)) {
        const turn = (t: number): number => (strand === 0 ? t : steps - 1 - t);
        const channel = strand === 0 ? m : width - 1 - m;
        const u = range(steps).map((t) => given("x").at(b, strand, turn(t), channel));
        const h = average(u, sigmoid(given("mixer.a").at(m)));
        for (const t of range(steps)) y.set(h[t] ?? NaN, b, strand, turn(t), channel);
      }
};

/** Two steps of the wave are one slow step; its result comes one slow step later. */
const uNet: Loops = (given, y) => {
  const [batch = 0, slow = 0, hop = 0, width = 0] = y.shape;
  for (const b of range(batch)) {
    const taken = (s: number, c: number): number =>
      sum(
        range(hop).map((k) =>
          sum(range(width).map((m) => given("w").at(c, k, m) * given("wave").at(b, s, k, m))),
        ),
      );
    const mixed = range(4).map((c) =>
      average(
        range(slow).map((s) => taken(s, c)),
        sigmoid(given("mixer.a").at(c)),
      ),
    );
    for (const s of range(slow))
      for (const k of range(hop))
        for (const m of range(width)) {
          const late = s === 0 ? 0 : sum(mixed.map((h, c) => given("w_up").at(k, m, c) * (h[s - 1] ?? NaN)));
          y.set(given("wave").at(b, s, k, m) + late, b, s, k, m);
        }
  }
};

const width = (random: Random): Sizes => ({ width: random.pick([1, 3, 8, 37]) });

export const STATE_SPACE: readonly Family[] = [
  {
    name: "s4d",
    loops: s4d,
    draw: (random) => ({ ...width(random), states: random.pick([1, 4, 9]) }),
    published: { width: 256, states: 32 },
  },
  {
    name: "mamba2",
    loops: mamba2,
    draw: (random) => {
      const groups = random.pick([1, 2, 3]);
      return {
        width: random.pick([1, 6, 11]),
        groups,
        heads: groups * random.pick([1, 2]),
        head_dim: random.pick([1, 3, 8]),
        states: random.pick([1, 4, 9]),
        taps: random.pick([2, 3, 4]),
      };
    },
  },
  {
    name: "mamba3",
    loops: mamba3,
    positive: ["delta", "mix"],
    draw: (random) => ({
      heads: random.pick([1, 2, 5]),
      pairs: random.pick([1, 2, 5]),
      head_dim: random.pick([1, 3, 8]),
    }),
    published: { heads: 24, pairs: 64, head_dim: 64 },
  },
  { name: "bidirectional", loops: bidirectional, looksAhead: true, draw: width, published: { width: 512 } },
  { name: "u-net", loops: uNet },
  {
    name: "reverse-complement",
    loops: reverseComplement,
    looksAhead: true,
    draw: width,
    published: { width: 256 },
  },
];
