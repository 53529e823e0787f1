/** Models that look at time in ways in which documents could get into each other. */
export interface DocumentModel {
  readonly name: string;
  readonly text: string;
}

const HEADER = `
axis b: batch, t: time
axis d = 6, n = 5, k = 4
`;

const model = (name: string, body: string, before = ""): DocumentModel => ({
  name,
  text: `${HEADER}${before}\nmodel test {\n  input x: f32[b, t, d]\n${body}\n}\n`,
});

/** Those that can go on with their documents in another call. */
export const CARRYING: readonly DocumentModel[] = [
  model(
    "the position",
    `
  output y[b, t, d] = x + pos(t)`,
  ),
  model(
    "a product of a rotated and a carried position",
    `
  state h[d]
  h = 0.9 * prev(h) + x * cos(pos(t) * 0.3)
  output y[b, t, d] = h - prev(x, init 2)`,
  ),
  model(
    "a long convolution of what is fed back",
    `
  input w: f32[d, k]
  y = causal_conv(tanh(x), w, along t, over k)
  output z[b, t, d] = silu(y) + prev(y)`,
  ),
  model(
    "what is fixed for each sequence",
    `
  input bias: f32[b, d]
  input gain: f32[b]
  state h[d]
  h = 0.5 * prev(h) + x * gain
  output y[b, t, d] = h + bias`,
  ),
  model(
    "a sequence's own weights",
    `
  input W: f32[b, d', d]
  output y[b, t, d'] = dot(W, x, over d)`,
  ),
  model(
    "complex states",
    `
  state h[d, n]: complex
  input q: f32[b, t, n]
  h = cis(0.1 * q) * 0.9 * prev(h) + x
  output y[b, t, d] = re(sum(h * q, over n))`,
  ),
  model(
    "angles",
    `
  state theta[d]
  theta = prev(theta) + 2 * x
  output y[b, t, d] = re(exp(complex(x, theta)))`,
  ),
  model(
    "the greatest so far, and how long ago",
    `
  state top[d] init -1000, since[d]
  top = max(prev(top), x)
  since = select(x >= top, 0, prev(since) + 1)
  output y[b, t, d] = top + 0.1 * since`,
  ),
  model(
    "time outermost",
    `
  input z: f32[t, b, n]
  state h[n]
  h = 0.7 * prev(h) + z
  output y[t, b, n] = h + sum(x, over d)`,
  ),
  model(
    "rounds of a recurrent network with a matrix",
    `
  input W: f32[d', d]
  state h[d] init 0.25
  h = tanh(dot(W, prev(h), over d)[d' -> d] + x)
  output y[b, t, d] = h`,
  ),
];

/** Those that look ahead in time: a document is one call. */
export const LOOKING_AHEAD: readonly DocumentModel[] = [
  model(
    "a sum over time, back at every step",
    `
  output y[b, t, d] = x - sum(x, over t) * 0.1
  output total[b, d] = sum(x, over t)`,
  ),
  model(
    "the greatest over time",
    `
  output y[b, t, d] = x - max(x, over t)
  output least[b, d] = min(x, over t)`,
  ),
  model(
    "attention",
    `
  input q: f32[b, t, n]
  input key: f32[b, t, n]
  a = softmax(dot(q, key[t -> t'], over n), over t', where pos(t') <= pos(t))
  output y[b, t, d] = dot(a, x[t -> t'], over t')`,
  ),
  model(
    "attention to everything near",
    `
  input q: f32[b, t, n]
  a = softmax(dot(q, q[t -> t'], over n), over t', where abs(pos(t') - pos(t)) <= 2)
  output y[b, t, d] = dot(a, x[t -> t'], over t')`,
  ),
  model(
    "both ways",
    `
  f = step(x)
  g = flip(step(flip(x, along t)), along t)
  output y[b, t, d] = f + g`,
    `
block step(u[t, d]) -> [t, d] {
  state h[d]
  h = 0.8 * prev(h) + u
  return h
}`,
  ),
  model(
    "how long the document is",
    `
  output y[b, t, d] = x / sum(x / x, over t)`,
  ),
];

export const DOCUMENT_MODELS: readonly DocumentModel[] = [...CARRYING, ...LOOKING_AHEAD];
