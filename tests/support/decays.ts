/** Recurrences of decaying outer products, some of low rank, each a Krait model of a few lines: what the chunked matrix form is for. */
export interface DecaySource {
  readonly name: string;
  /** Whether the decay is one number for each head, or one for each of its keys. */
  readonly decay: "scalar" | "vector";
  /** Whether its class is low rank. */
  readonly isLowRank?: true;
  readonly text: string;
}

const model = (body: string, constants = ""): string => `
const heads = 4, groups = 2, values = 3, keys = 5
${constants}
axis b: batch, t: time
axis g = groups, rep = heads / groups, head = [g, rep], p = values, n = keys
model test {
  input x: f32[b, t, head, p]
  input k: f32[b, t, g, n]
  input q: f32[b, t, g, n]
${body}
}
`;

export const DECAYS: readonly DecaySource[] = [
  {
    name: "Mamba-2: a step for each head, with skip",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  input A: f32[head]
  state S[head, p, n]
  der(S) = -exp(A)*S + k*x  by exp_euler(softplus(delta))
  output y[b, t, head, p] = dot(q, S, over n) + 0.5*x`),
  },
  {
    name: "zero-order hold",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  state S[head, p, n] init 0.25
  der(S) = -S + k*x  by zoh(softplus(delta))
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "linear attention: nothing decays",
    decay: "scalar",
    text: model(`
  state S[head, n, p], s[head, n]
  S = prev(S) + k*x
  s = prev(s) + exp(k)
  output y[b, t, head, p] = dot(q, S, over n) / (1 + abs(dot(exp(q), s, over n)))`),
  },
  {
    name: "RetNet: a fixed decay for each head",
    decay: "scalar",
    text: model(`
  state S[head, n, p]
  S = (1 - 2^(-1 - pos(g) - pos(rep)))*prev(S) + k*x
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "a gate, and a read of the old state",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  input bonus: f32[head, n]
  state S[head, n, p]
  S = sigmoid(delta)*prev(S) + k*x
  output y[b, t, head, p] = dot(q, prev(S) + bonus*k*x, over n)`),
  },
  {
    name: "both states read, and twice",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  state S[head, n, p]
  S = exp(-softplus(delta))*prev(S) + k*x - q*x/2
  output y[b, t, head, p] = dot(q, S - 0.5*prev(S), over n)
  output z[b, t, head, p] = sum(k*S*2, over n)`),
  },
  {
    name: "a decay that is sometimes 0, and starts anew",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  state S[head, n, p]
  S = select(delta > 0.5, 0, exp(-abs(delta)))*prev(S) + k*x
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "mLSTM: stabilized by a running maximum",
    decay: "scalar",
    text: model(`
  input delta: f32[b, t, head]
  input i: f32[b, t, head]
  state S[head, n, p], s[head, n], top[head] init -inf
  f = log_sigmoid(delta)
  top = max(f + prev(top), i)
  a = exp(f + prev(top) - top)
  S = a*prev(S) + exp(i - top)*k*x
  s = a*prev(s) + exp(i - top)*k
  output y[b, t, head, p] = dot(q, S, over n) / max(abs(dot(q, s, over n)), exp(-top))`),
  },
  {
    name: "GLA: a decay for each key",
    decay: "vector",
    text: model(`
  input delta: f32[b, t, head]
  input w: f32[head, n]
  state S[head, n, p]
  S = sigmoid(delta + w)*prev(S) + k*x
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "RWKV-6: a decay for each key, and a bonus for the present",
    decay: "vector",
    text: model(`
  input delta: f32[b, t, head]
  input w: f32[head, n]
  input bonus: f32[head, n]
  state S[head, n, p]
  S = exp(-exp(w + 0.1*delta))*prev(S) + k*x
  output y[b, t, head, p] = dot(q, prev(S) + bonus*k*x, over n)`),
  },
  {
    name: "keys that decay at a fixed rate, read now and before",
    decay: "vector",
    text: model(`
  input delta: f32[b, t, head]
  state S[head, n, p] init 0.25
  S = 2^(-0.3*pos(n))*prev(S) + k*x - delta*q*x
  output y[b, t, head, p] = dot(q, S - 0.5*prev(S), over n)`),
  },
  {
    name: "the delta rule: nothing decays but what a key finds",
    decay: "scalar",
    isLowRank: true,
    text: model(`
  input delta: f32[b, t, head]
  key = l2_norm(k, over n, 1e-6)
  state S[head, n, p]
  S = prev(S) + sigmoid(delta)*key*(x - dot(key, prev(S), over n))
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "Gated DeltaNet: the delta rule on a state that decays",
    decay: "scalar",
    isLowRank: true,
    text: model(`
  input delta: f32[b, t, head]
  input A: f32[head]
  key = l2_norm(k, over n, 1e-6)
  state S[head, p, n] init 0.25
  P = exp(-exp(A)*softplus(delta))*prev(S)
  S = P + sigmoid(delta)*key*(x - dot(key, P, over n))
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "RWKV-7: a decay for each key, and what another key finds",
    decay: "vector",
    isLowRank: true,
    text: model(`
  input delta: f32[b, t, head]
  input w: f32[head, n]
  key = l2_norm(k, over n, 1e-6)
  state S[head, n, p]
  S = exp(-0.6*sigmoid(w + delta))*prev(S) - sigmoid(q)*key*dot(key, prev(S), over n) + q*x
  output y[b, t, head, p] = dot(q, S, over n)`),
  },
  {
    name: "what is found is put in under two keys, and read beside both states",
    decay: "vector",
    isLowRank: true,
    text: model(`
  input delta: f32[b, t, head]
  key = l2_norm(k, over n, 1e-6)
  state S[head, n, p]
  found = dot(key, 0.5*sigmoid(delta)*prev(S) - 0.25*q*x, over n)
  other = l2_norm(q, over n, 1e-6)
  S = 2^(-0.3*pos(n))*prev(S) - (key - 0.5*other*delta/(1 + abs(delta)))*found + exp(-abs(other))*x
  output y[b, t, head, p] = dot(q, S - 0.5*prev(S), over n) + found`),
  },
];
