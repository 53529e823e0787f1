// Written by scripts/sources.mjs (npm run build) from the .krait files beside it: edit those.

/** templates/prelude.krait. */
export const PRELUDE = `# The prelude: functions and rules that every file has. A file's own definitions go before these.

# Activations. None overflows: e^-|x| is at most 1.

## 1 / (1 + e^-x)
fn sigmoid(x) {
  e = exp(-abs(x))
  return select(x >= 0, 1, e) / (1 + e)
}
fn silu(x) = x * sigmoid(x)
## log(1 + e^x)
fn softplus(x) = max(x, 0) + log1p(exp(-abs(x)))
fn log_sigmoid(x) = min(x, 0) - log1p(exp(-abs(x)))
fn relu(x) = max(x, 0)
## The Gaussian error linear unit, exact.
fn gelu(x) = 0.5 * x * (1 + erf(x / sqrt(2)))
## GELU's approximation by tanh (Hendrycks & Gimpel 2016).
fn gelu_tanh(x) = 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715*x^3)))

# Elementwise.

fn clamp(x, low, high) = min(max(x, low), high)
fn lerp(a, b, w) = a + (b - a)*w
## e^(i a)
fn cis(a) = complex(cos(a), sin(a))

# Reductions and norms over axes A.

fn mean(x, over A) = sum(x, over A) / size(A)
fn rms_norm(x, over A, eps) = x * rsqrt(mean(x^2, over A) + eps)
fn layer_norm(x, over A, eps) {
  centred = x - mean(x, over A)
  return centred * rsqrt(mean(centred^2, over A) + eps)
}
fn l2_norm(x, over A, eps) = x * rsqrt(sum(x^2, over A) + eps)
## e^x over its sum, where W holds; 0 elsewhere.
fn softmax(x, over A, where W) {
  e = exp(x - max(x, over A, where W))
  return select(W, e / sum(e, over A, where W), 0)
}
fn log_sum_exp(x, over A, where W) {
  top = max(x, over A, where W)
  return top + log(sum(exp(x - top), over A, where W))
}
## The size(K) greatest values, falling, and where they stand along A; of equals the first.
fn top_k(x, over A, as K) {
  other = x[A -> A']
  rank = sum(select(other > x or (other == x and pos(A') < pos(A)), 1, 0), over A')
  here = rank == pos(K)
  return sum(x, over A, where here), sum(pos(A), over A, where here)
}

# Discretization rules. phi(z) = (e^z - 1) / z, and 1 at 0.

rule euler(step): der(h) = a*h + b
  => h = (1 + step*a)*prev(h) + step*b

## What the released Mamba code computes.
rule exp_euler(step): der(h) = a*h + b
  => h = exp(step*a)*prev(h) + step*b

## Zero-order hold (Gu & Dao 2023, equation 4).
rule zoh(step): der(h) = a*h + b
  => h = exp(step*a)*prev(h) + step*phi(step*a)*b

rule bilinear(step): der(h) = a*h + b
  => h = ((1 + step*a/2)*prev(h) + step*b) / (1 - step*a/2)

rule trapezoidal(step): der(h) = a*h + b
  => h = ((1 + step*a/2)*prev(h) + step*(b + prev(b))/2) / (1 - step*a/2)

## Mamba-3's: mix weighs this step's input against the last one's.
rule exp_trapezoid(step, mix): der(h) = a*h + b
  => h = exp(step*a)*(prev(h) + (1 - mix)*step*prev(b)) + mix*step*b
`;

/** templates/models/*.krait, by family. */
export const MODELS: Readonly<Record<string, string>> = {
  falcon_mamba: `# Falcon Mamba (Zuo et al. 2024): Mamba with B, C and the step normalized, so that long training stays stable.

const vocab = 50280              from "vocab_size"
const width = 768                from "hidden_size"
const layers = 24                from "num_hidden_layers"
const state_size = 16            from "state_size"
const taps = 4                   from "conv_kernel"
const expand = 2                 from "expand"
const inner = expand * width     from "intermediate_size"
const dt_rank = ceil(width / 16) from "time_step_rank"
const eps = 1e-5                 from "layer_norm_epsilon"
const mixer_eps = 1e-6           from "mixer_rms_eps"
const activation = "silu"        from "hidden_act"
const use_bias = false           from "use_bias"
const use_conv_bias = true       from "use_conv_bias"
const tie_embeddings = true      from "tie_word_embeddings"

axis b: batch, t: time    # known when it runs
axis v = vocab, m = width, d = inner, n = state_size, r = dt_rank, k = taps

model falcon_mamba {
  ## Token ids.
  input token: index(v)[b, t]
  param embedding[v, m] from "backbone.embeddings.weight" | "backbone.embedding.weight"

  x = embedding[v: token]    # gather
  repeat layer in 0..layers at "backbone.layers.{layer}" {
    param norm[m] from "norm.weight"
    x += mixer(rms_norm(x, over m, eps) * norm) at "mixer"
  }
  param norm_f[m] from "backbone.norm_f.weight"
  y = rms_norm(x, over m, eps) * norm_f

  if tie_embeddings {
    head = embedding
  } else {
    param head[v, m] from "lm_head.weight"
  }
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = dot(y, head, over m)
}

block mixer(u[t, m]) -> [t, m] {
  param (w_x[d] | w_z[d])[_, m]          from "in_proj.weight"
  param conv_w[d, 1, k]                  from "conv1d.weight"
  param (w_r[r] | w_B[n] | w_C[n])[_, d] from "x_proj.weight"
  param w_dt[d, r]                       from "dt_proj.weight", b_dt[d] from "dt_proj.bias"
  param A_log[d, n], D[d], w_out[m, d]   from "out_proj.weight"

  x0 = dot(w_x, u, over m)
  z = dot(w_z, u, over m)
  if use_bias {
    param (b_x[d] | b_z[d])[_] from "in_proj.bias"
    x0 += b_x
    z += b_z
  }

  c = causal_conv(x0, conv_w, along t, over k)
  if use_conv_bias {
    param conv_b[d] from "conv1d.bias"
    c += conv_b
  }
  x = act(c)

  rank = rms_norm(dot(w_r, x, over d), over r, mixer_eps)    # selection: the step, B and C read x
  delta = softplus(dot(w_dt, rank, over r) + b_dt)
  B = rms_norm(dot(w_B, x, over d), over n, mixer_eps)
  C = rms_norm(dot(w_C, x, over d), over n, mixer_eps)

  state h[d, n]
  der(h) = -exp(A_log)*h + B*x  by exp_euler(delta)
  y = dot(C, h, over n) + D*x

  o = dot(w_out, y * act(z), over d)
  if use_bias {
    param b_out[m] from "out_proj.bias"
    o += b_out
  }
  return o
}

fn act(x) {
  if activation in ["silu", "swish"] { return silu(x) }
  if activation == "gelu" { return gelu(x) }
  if activation == "relu" { return relu(x) }
}
`,
  mamba: `# Mamba (Gu & Dao 2023): Algorithm 2 inside the block of Figure 3, with the options of Hugging Face's checkpoints.

const vocab = 50280              from "vocab_size"
const width = 768                from "hidden_size"
const layers = 24                from "num_hidden_layers"
const state_size = 16            from "state_size"
const taps = 4                   from "conv_kernel"
const expand = 2                 from "expand"
const inner = expand * width     from "intermediate_size"
const dt_rank = ceil(width / 16) from "time_step_rank"
const eps = 1e-5                 from "layer_norm_epsilon"
const activation = "silu"        from "hidden_act"
const use_bias = false           from "use_bias"
const use_conv_bias = true       from "use_conv_bias"
const tie_embeddings = true      from "tie_word_embeddings"

axis b: batch, t: time    # known when it runs
axis v = vocab, m = width, d = inner, n = state_size, r = dt_rank, k = taps

model mamba {
  ## Token ids.
  input token: index(v)[b, t]
  param embedding[v, m] from "backbone.embeddings.weight" | "backbone.embedding.weight"

  x = embedding[v: token]    # gather
  repeat layer in 0..layers at "backbone.layers.{layer}" {
    param norm[m] from "norm.weight"
    x += mixer(rms_norm(x, over m, eps) * norm) at "mixer"
  }
  param norm_f[m] from "backbone.norm_f.weight"
  y = rms_norm(x, over m, eps) * norm_f

  if tie_embeddings {
    head = embedding
  } else {
    param head[v, m] from "lm_head.weight"
  }
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = dot(y, head, over m)
}

block mixer(u[t, m]) -> [t, m] {
  param (w_x[d] | w_z[d])[_, m]          from "in_proj.weight"
  param conv_w[d, 1, k]                  from "conv1d.weight"
  param (w_r[r] | w_B[n] | w_C[n])[_, d] from "x_proj.weight"
  param w_dt[d, r]                       from "dt_proj.weight", b_dt[d] from "dt_proj.bias"
  param A_log[d, n], D[d], w_out[m, d]   from "out_proj.weight"

  x0 = dot(w_x, u, over m)
  z = dot(w_z, u, over m)
  if use_bias {
    param (b_x[d] | b_z[d])[_] from "in_proj.bias"
    x0 += b_x
    z += b_z
  }

  c = causal_conv(x0, conv_w, along t, over k)
  if use_conv_bias {
    param conv_b[d] from "conv1d.bias"
    c += conv_b
  }
  x = act(c)

  delta = softplus(dot(w_dt, dot(w_r, x, over d), over r) + b_dt)    # selection: the step, B and C read x
  B = dot(w_B, x, over d)
  C = dot(w_C, x, over d)

  state h[d, n]
  der(h) = -exp(A_log)*h + B*x  by exp_euler(delta)
  y = dot(C, h, over n) + D*x

  o = dot(w_out, y * act(z), over d)
  if use_bias {
    param b_out[m] from "out_proj.bias"
    o += b_out
  }
  return o
}

fn act(x) {
  if activation in ["silu", "swish"] { return silu(x) }
  if activation == "gelu" { return gelu(x) }
  if activation == "relu" { return relu(x) }
}
`,
  mamba2: `# Mamba-2 (Dao & Gu 2024): a scalar decay for each head, B and C shared by the heads of a group; with the options of Hugging Face's checkpoints.

const vocab = 50288                     from "vocab_size"
const width = 768                       from "hidden_size"
const layers = 24                       from "num_hidden_layers"
const state_size = 128                  from "state_size"
const taps = 4                          from "conv_kernel"
const expand = 2                        from "expand"
const head_dim = 64                     from "head_dim"
const heads = expand * width / head_dim from "num_heads"
const groups = 1                        from "n_groups"
const delta_limit = [0, inf]            from "time_step_limit"
const eps = 1e-5                        from "layer_norm_epsilon"
const activation = "silu"               from "hidden_act"
const use_bias = false                  from "use_bias"
const use_conv_bias = true              from "use_conv_bias"
const tie_embeddings = false            from "tie_word_embeddings"
const transformers = ""                 from "transformers_version"
## Parts in which a mixer's output is normalized. The authors' code normalizes each of \`groups\`, that of transformers all channels as one.
const norm_groups = select(transformers == "", groups, 1)

axis b: batch, t: time    # known when it runs
axis v = vocab, m = width, k = taps
axis part = norm_groups, rest = groups / norm_groups, g = [part, rest]
axis rep = heads / groups, head = [g, rep], p = head_dim, d = [head, p], n = state_size

model mamba2 {
  ## Token ids.
  input token: index(v)[b, t]
  param embedding[v, m] from "backbone.embeddings.weight" | "backbone.embedding.weight"

  x = embedding[v: token]    # gather
  repeat layer in 0..layers at "backbone.layers.{layer}" {
    param norm[m] from "norm.weight"
    x += mixer(rms_norm(x, over m, eps) * norm) at "mixer"
  }
  param norm_f[m] from "backbone.norm_f.weight"
  y = rms_norm(x, over m, eps) * norm_f

  if tie_embeddings {
    out = embedding
  } else {
    param out[v, m] from "lm_head.weight"
  }
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = dot(y, out, over m)
}

block mixer(u[t, m]) -> [t, m] {
  param (w_z[d] | w_x[d] | w_B[g, n] | w_C[g, n] | w_delta[head])[_, m] from "in_proj.weight"
  param (c_x[d] | c_B[g, n] | c_C[g, n])[_, 1, k]                       from "conv1d.weight"
  param dt_bias[head], A_log[head], D[head], norm[d]                    from "norm.weight"
  param w_out[m, d]                                                     from "out_proj.weight"

  z = dot(w_z, u, over m)
  x0 = dot(w_x, u, over m)
  B0 = dot(w_B, u, over m)
  C0 = dot(w_C, u, over m)
  delta0 = dot(w_delta, u, over m)
  if use_bias {
    param (b_z[d] | b_x[d] | b_B[g, n] | b_C[g, n] | b_delta[head])[_] from "in_proj.bias"
    z += b_z
    x0 += b_x
    B0 += b_B
    C0 += b_C
    delta0 += b_delta
  }

  x1 = causal_conv(x0, c_x, along t, over k)
  B1 = causal_conv(B0, c_B, along t, over k)
  C1 = causal_conv(C0, c_C, along t, over k)
  if use_conv_bias {
    param (e_x[d] | e_B[g, n] | e_C[g, n])[_] from "conv1d.bias"
    x1 += e_x
    B1 += e_B
    C1 += e_C
  }
  x = act(x1)
  B = act(B1)
  C = act(C1)

  delta = clamp(softplus(delta0 + dt_bias), delta_limit[0], delta_limit[1])    # selection: the step, B and C read u
  state h[head, p, n]
  der(h) = -exp(A_log)*h + B*x  by exp_euler(delta)
  y = dot(C, h, over n) + D*x

  o = dot(w_out, rms_norm(y * silu(z), over [rest, rep, p], eps) * norm, over d)
  if use_bias {
    param b_out[m] from "out_proj.bias"
    o += b_out
  }
  return o
}

fn act(x) {
  if activation in ["silu", "swish"] { return silu(x) }
  if activation == "gelu" { return gelu(x) }
  if activation == "relu" { return relu(x) }
}
`,
};
