/**
 * Recurrences of every kind, each a Krait model of a few lines over the same inputs: x[b, t, d], g[b, t, d] in (0, 1),
 * q[b, t, n], k[b, t, n] and w[d]. What they compute is checked against the oracle.
 */
export interface RecurrenceSource {
  readonly name: string;
  /** What the compiler should make of it. */
  readonly kernel: "scan" | "sequential" | "none";
  readonly text: string;
}

const HEADER = `
const width = 6, states = 5
axis b: batch, t: time
axis d = width, n = states, k = 4
`;

const INPUTS = `
  input x: f32[b, t, d]
  input g: f32[b, t, d]
  input q: f32[b, t, n]
  input key: f32[b, t, n]
  input w: f32[d]
`;

const model = (body: string, before = ""): string => `${HEADER}${before}\nmodel test {${INPUTS}${body}\n}\n`;

export const RECURRENCES: readonly RecurrenceSource[] = [
  {
    name: "a leaky sum, per channel",
    kernel: "scan",
    text: model(`
  state h[d] init 0.5
  h = g * prev(h) + (1 - g) * x
  output y[b, t, d] = h`),
  },
  {
    name: "one input chosen by steps and by numbers",
    kernel: "scan",
    text: model(`
  state h[d]
  h = select(pos(t) % 3 == 0, x, 0.5)*prev(h) + select(g > 0.4, x, 0)
  output y[b, t, d] = h`),
  },
  {
    name: "the state itself as an output beside its contraction",
    kernel: "scan",
    text: model(`
  state h[d, n]
  h = g * prev(h) + x * key
  output y[b, t, d] = dot(q, h, over n)
  output all[b, t, d, n] = h`),
  },
  {
    name: "the old state read after the update",
    kernel: "scan",
    text: model(`
  state h[d, n]
  h = g * prev(h) + x * key
  output y[b, t, d] = dot(q, prev(h) + w * x * key, over n)`),
  },
  {
    name: "two states, one reading the other",
    kernel: "scan",
    text: model(`
  state num[d], den[d]
  num = g * prev(num) + x
  den = g * prev(den) + 1
  output y[b, t, d] = num / (abs(den) + 1)`),
  },
  {
    name: "a running maximum and what it stabilizes",
    kernel: "scan",
    text: model(`
  state top[d] init -1000, sum_[d]
  top = max(prev(top) - w * w, x)
  sum_ = exp(prev(top) - w * w - top) * prev(sum_) + exp(x - top)
  output y[b, t, d] = log(sum_) + top`),
  },
  {
    name: "two states that mix elementwise",
    kernel: "scan",
    text: model(`
  state p[d], r[d]
  p = 0.9 * prev(p) - 0.2 * prev(r) + x
  r = 0.2 * prev(p) + 0.9 * prev(r)
  output y[b, t, d] = p * r`),
  },
  {
    name: "a nonlinear recurrence",
    kernel: "scan",
    text: model(`
  state h[d]
  h = tanh(w * prev(h) + x)
  output y[b, t, d] = h * g`),
  },
  {
    name: "zero-order hold",
    kernel: "scan",
    text: model(`
  state h[d, n]
  der(h) = -(1 + w * w) * h + x * key  by zoh(0.1 + g)
  output y[b, t, d] = dot(q, h, over n)`),
  },
  {
    name: "the trapezoidal rule, which reads an earlier input",
    kernel: "scan",
    text: model(`
  state h[d]
  der(h) = -(1 + w * w) * h + x  by trapezoidal(0.1 + g)
  output y[b, t, d] = h`),
  },
  {
    name: "a rule of the user's own",
    kernel: "scan",
    text: model(
      `
  state h[d]
  der(h) = -w * w * h + x  by half(g)
  output y[b, t, d] = h`,
      "rule half(step): der(h) = a*h + b  =>  h = (1 + step*a/2) * prev(h) + step*b",
    ),
  },
  {
    name: "delays of delays",
    kernel: "none",
    text: model(`
  output y[b, t, d] = x + 2 * prev(x) + prev(prev(x), init -1)`),
  },
  {
    name: "a convolution, then a scan",
    kernel: "scan",
    text: model(`
  input taps: f32[d, k]
  state h[d]
  h = 0.9 * prev(h) + silu(causal_conv(x, taps, along t, over k))
  output y[b, t, d] = h + prev(h)`),
  },
  {
    name: "the delta rule",
    kernel: "scan",
    text: model(`
  state S[n, d]
  old = dot(key, prev(S), over n)
  S = prev(S) + 0.2 * key * (x - old)
  output y[b, t, d] = dot(q, S, over n)`),
  },
  {
    name: "a recurrent network with a full matrix",
    kernel: "sequential",
    text: model(`
  input W: f32[d', d]
  state h[d]
  h = tanh(dot(W, prev(h), over d)[d' -> d] + x)
  output y[b, t, d] = h`),
  },
  {
    name: "a scan of a scan",
    kernel: "scan",
    text: model(`
  state h[d], s[d]
  h = g * prev(h) + x
  s = 0.5 * prev(s) + tanh(h)
  output y[b, t, d] = s`),
  },
  {
    name: "a decay for each key, and a product that goes back under another",
    kernel: "scan",
    text: model(`
  state S[d, n] init 0.25
  S = sigmoid(key) * prev(S) - 0.1 * g * tanh(q) * dot(key, prev(S), over n) + x * key
  output y[b, t, d] = dot(q, S, over n) + w * dot(key, prev(S), over n)
  output wrong[b, t, d] = x - dot(key, prev(S), over n)`),
  },
  {
    name: "a delta rule of more keys than an invocation holds",
    kernel: "scan",
    text: model(
      `
  state S[d, m]
  S = g * prev(S) + 0.01 * pos(m) / 130 * (x - dot(cos(pos(m)), prev(S), over m) - 0.1 * sum(prev(S), over m))
  output y[b, t, d] = sum(S, over m)`,
      "axis m = 130\n",
    ),
  },
  {
    name: "a delta rule of more keys than a workgroup holds",
    kernel: "sequential",
    text: model(
      `
  state S[d, m]
  S = g * prev(S) + 0.01 * pos(m) / 1030 * (x - dot(cos(pos(m)), prev(S), over m))
  output y[b, t, d] = sum(S, over m)`,
      "axis m = 1030\n",
    ),
  },
  {
    name: "a recurrent network of its own for each head",
    kernel: "sequential",
    text: model(`
  state h[d, k]
  h = tanh(0.5 * dot(cos(pos(k') + 2 * pos(k)), prev(h)[k -> k'], over k') + g * x)
  output y[b, t, d, k] = h`),
  },
  {
    name: "complex states that turn as they decay",
    kernel: "scan",
    text: model(`
  state h[d, n]: complex init 0.5
  h = g * cis(x) * prev(h) + x * complex(key, q)
  output y[b, t, d] = re(dot(complex(q, key), h, over n))
  output before[b, t, d] = im(dot(q, prev(h), over n))`),
  },
  {
    name: "angles that turn what is kept",
    kernel: "scan",
    text: model(`
  state theta[d] init 2, h[d, n]
  theta = prev(theta) + 3 * x
  der(h) = -(1 + w * w) * h + cos(theta) * key  by zoh(g)
  output y[b, t, d] = dot(q, h, over n) + sin(-2 * prev(theta))`),
  },
  {
    name: "complex states by zero-order hold",
    kernel: "scan",
    text: model(`
  state h[d, n]: complex
  der(h) = complex(-0.5 - w, pos(n)) * h + x * key by zoh(g)
  output y[b, t, d] = re(dot(q, h, over n))`),
  },
  {
    name: "heads whose channels share keys, decays and queries",
    kernel: "scan",
    text: `axis b: batch, t: time
axis head = 2, p = 40, n = 6
model test {
  input x: f32[b, t, head, p]
  input key: f32[b, t, head, n]
  input q: f32[b, t, head, n]
  input g: f32[b, t, head]
  state S[head, n, p] init 0.25
  S = sigmoid(key) * prev(S) + g * key * x
  output y[b, t, head, p] = dot(q, S, over n) + x * g
}
`,
  },
  {
    name: "a delta rule in heads, with one key for a group of them",
    kernel: "scan",
    text: `axis b: batch, t: time
axis group = 2, rep = 3, p = 33, n = 5
model test {
  input x: f32[b, t, group, rep, p]
  input key: f32[b, t, group, n]
  input q: f32[b, t, group, n]
  input g: f32[b, t, group, rep]
  unit = key * rsqrt(sum(key*key, over n) + 0.01)
  state S[group, rep, n, p]
  S = prev(S) + g * unit * (x - dot(unit, prev(S), over n))
  output y[b, t, group, rep, p] = dot(q, S, over n)
}
`,
  },
];
