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

## Where the greatest value stands along A: of equals the first.
fn argmax(x, over A) {
  top = max(x, over A)
  return min(pos(A), over A, where not x < top)    # so that NaN is the greatest
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
const greedy = false             from "krait.greedy"

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
  logits = dot(y, head, over m)
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = logits
  if greedy {
    ## The likeliest next token.
    output next: index(v)[b, t] = argmax(logits, over v)
  }
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
const greedy = false             from "krait.greedy"

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
  logits = dot(y, head, over m)
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = logits
  if greedy {
    ## The likeliest next token.
    output next: index(v)[b, t] = argmax(logits, over v)
  }
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
const greedy = false                    from "krait.greedy"
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
  logits = dot(y, out, over m)
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = logits
  if greedy {
    ## The likeliest next token.
    output next: index(v)[b, t] = argmax(logits, over v)
  }
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
  recurrent_gemma: `# RecurrentGemma (Botev et al. 2024): Griffin's RG-LRU (De et al. 2024) in most layers, attention over a window in the others.

const vocab = 256000                   from "vocab_size"
const width = 2560                     from "hidden_size"
const layers = 26                      from "num_hidden_layers"
const inner = width                    from "lru_width"
const taps = 4                         from "conv1d_width"
const ff_inner = 3 * width             from "intermediate_size"
const heads = 10                       from "num_attention_heads"
const key_heads = heads                from "num_key_value_heads"
const head_dim = width / heads         from "head_dim"
const window = 2048                    from "attention_window_size"
const attention_bias = false           from "attention_bias"
const activation = "gelu_pytorch_tanh" from "hidden_activation"
const eps = 1e-6                       from "rms_norm_eps"
const cap = 30                         from "logits_soft_cap"
const tie_embeddings = true            from "tie_word_embeddings"

# The kinds of layers, over and over.
const blocks = ["recurrent", "recurrent", "attention"] from "block_types"

# Rotary positions: the base of their angles, and the part of a head that turns.
const base = 10000 from "rope_parameters.rope_theta" | "rope_theta"
const rotary = 0.5 from "rope_parameters.partial_rotary_factor" | "partial_rotary_factor"

# Embeddings are scaled by the square root of the width, to the 8 bits that bfloat16 has for it.
const root = sqrt(width), ulp = 2^(floor(log(root)/log(2)) - 7)
const scale = round(root / ulp) * ulp

axis b: batch, t: time    # known when it runs
axis v = vocab, m = width, k = taps, f = floor(ff_inner / 2)
axis g = key_heads, rep = heads / key_heads, head = [g, rep], lane = inner / heads, d = [head, lane]
axis two = 2, i = head_dim * rotary / 2, rot = [two, i], rest = head_dim * (1 - rotary)
axis p = rot | rest

model recurrent_gemma {
  ## Token ids.
  input token: index(v)[b, t]
  param embedding[v, m] from "model.embed_tokens.weight"

  x = scale * embedding[v: token]    # gather
  repeat layer in 0..layers at "model.layers.{layer}" {
    param temporal[m] from "temporal_pre_norm.weight", channel[m] from "channel_pre_norm.weight"
    u = norm(x, temporal)
    if blocks[layer % len(blocks)] == "attention" {
      x += attention(u) at "temporal_block"
    } else {
      x += recurrent(u) at "temporal_block"
    }
    x += mlp(norm(x, channel)) at "mlp_block"
  }
  param last[m] from "model.final_norm.weight"
  y = norm(x, last)

  if tie_embeddings {
    out = embedding
  } else {
    param out[v, m] from "lm_head.weight"
  }
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = cap * tanh(dot(y, out, over m) / cap)
}

# A convolution and the RG-LRU, gated.
block recurrent(u[t, m]) -> [t, m] {
  param w_x[d, m]       from "linear_x.weight", b_x[d] from "linear_x.bias"
  param w_y[d, m]       from "linear_y.weight", b_y[d] from "linear_y.bias"
  param conv_w[d, 1, k] from "conv_1d.weight", conv_b[d] from "conv_1d.bias"
  param w_out[m, d]     from "linear_out.weight", b_out[m] from "linear_out.bias"

  x = causal_conv(dot(w_x, u, over m) + b_x, conv_w, along t, over k) + conv_b
  y = act(dot(w_y, u, over m) + b_y)
  h = rg_lru(x) at "rg_lru"
  return dot(w_out, h * y, over d) + b_out
}

# The real-gated linear recurrent unit; its gates mix the channels of a head.
block rg_lru(x[t, d]) -> [t, d] {
  param w_r[head, lane, lane'] from "recurrent_gate_weight"
  param w_i[head, lane, lane'] from "input_gate_weight"
  param b_r[head, lane']       from "recurrent_gate_bias", b_i[head, lane'] from "input_gate_bias"
  param rate[d]                from "recurrent_param"

  r = sigmoid(dot(w_r, x, over lane) + b_r)
  i = sigmoid(dot(w_i, x, over lane) + b_i)
  log_a = -8 * softplus(rate) * r[lane' -> lane]

  state h[d]
  # sqrt(1 - a^2) keeps the state's size; a document's first input is its state.
  h = exp(log_a)*prev(h) + select(pos(t) == 0, 1, sqrt(-expm1(2*log_a)))*i[lane' -> lane]*x
  return h
}

# Grouped queries, rotary positions in a part of each head, a sliding window.
block attention(u[t, m]) -> [t, m] {
  param w_q[[head, p], m] from "q_proj.weight"
  param w_k[[g, p], m]    from "k_proj.weight", w_v[[g, p], m] from "v_proj.weight"
  param w_o[m, [head, p]] from "o_proj.weight", b_o[m] from "o_proj.bias"

  q = dot(w_q, u, over m)
  k = dot(w_k, u, over m)
  v = dot(w_v, u, over m)
  if attention_bias {
    param b_q[[head, p]] from "q_proj.bias"
    param b_k[[g, p]]    from "k_proj.bias", b_v[[g, p]] from "v_proj.bias"
    q += b_q
    k += b_k
    v += b_v
  }

  s = dot(turned(q), turned(k)[t -> t'], over p) * head_dim^-0.5
  w = softmax(s, over t', where pos(t') <= pos(t) and pos(t) - pos(t') < window)
  return dot(w_o, dot(w, v[t -> t'], over t'), over [head, p]) + b_o
}

block mlp(u[m]) -> [m] {
  param w_g[f, m] from "gate_proj.weight", b_g[f] from "gate_proj.bias"
  param w_u[f, m] from "up_proj.weight", b_u[f] from "up_proj.bias"
  param w_d[m, f] from "down_proj.weight", b_d[m] from "down_proj.bias"
  return dot(w_d, act(dot(w_g, u, over m) + b_g) * (dot(w_u, u, over m) + b_u), over f) + b_d
}

fn norm(x, w) = rms_norm(x, over m, eps) * (1 + w)

# The rotary part of each head, turned by its position.
fn turned(x) {
  z = complex(x[p -> rot][two: 0], x[p -> rot][two: 1]) * cis(pos(t) * base^(-pos(i)/size(i)))
  return concat(stack(re(z), im(z), as two), x[p -> rest], as p)
}

fn act(x) {
  if activation in ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"] { return gelu_tanh(x) }
  if activation == "gelu" { return gelu(x) }
  if activation in ["silu", "swish"] { return silu(x) }
  if activation == "relu" { return relu(x) }
}
`,
  rwkv: `# RWKV-4 (Peng et al. 2023): an exponentially decaying average in the place of attention, each channel with a decay of its own; Hugging Face's \`rwkv\`.

const vocab = 50277          from "vocab_size"
const width = 4096           from "hidden_size"
const layers = 32            from "num_hidden_layers"
const inner = width          from "attention_hidden_size"
const ff_inner = 4 * width   from "intermediate_size"
const eps = 1e-5             from "layer_norm_epsilon"
const rescale_every = 6      from "rescale_every"
const tie_embeddings = false from "tie_word_embeddings"
const greedy = false         from "krait.greedy"

axis b: batch, t: time    # known when it runs
axis v = vocab, m = width, d = inner, f = ff_inner

model rwkv {
  ## Token ids.
  input token: index(v)[b, t]
  param embedding[v, m] from "rwkv.embeddings.weight"
  param pre_w[m] from "rwkv.blocks.0.pre_ln.weight", pre_b[m] from "rwkv.blocks.0.pre_ln.bias"

  x = norm(embedding[v: token], pre_w, pre_b, eps)    # gather
  repeat layer in 0..layers at "rwkv.blocks.{layer}" {
    param w_1[m] from "ln1.weight", b_1[m] from "ln1.bias"
    param w_2[m] from "ln2.weight", b_2[m] from "ln2.bias"
    # What the layers add is halved every so often, and what they add to with it: for the range of f16, and seen in eps.
    const every = max(rescale_every, 1), rescaled = rescale_every > 0
    const scale = select(rescaled, 2^-floor(layer/every), 1)
    x += scale * attention(norm(x, w_1, b_1, eps)) at "attention"
    x += scale * feed_forward(norm(x, w_2, b_2, eps)) at "feed_forward"
    if rescaled and (layer + 1) % every == 0 { x := x / 2 }
  }
  param w_out[m] from "rwkv.ln_out.weight", b_out[m] from "rwkv.ln_out.bias"
  y = norm(x, w_out, b_out, 1e-5)    # whatever the others' eps

  if tie_embeddings {
    head = embedding
  } else {
    param head[v, m] from "head.weight"
  }
  logits = dot(y, head, over m)
  ## Scores of the next token, before softmax.
  output logits[b, t, v] = logits
  if greedy {
    ## The likeliest next token.
    output next: index(v)[b, t] = argmax(logits, over v)
  }
}

# Time mixing: values weighed by e^key, older ones less by e^w each step, the step's own by e^bonus.
block attention(u[t, m]) -> [t, m] {
  param mix_k[1, 1, m] from "time_mix_key", mix_v[1, 1, m] from "time_mix_value"
  param mix_r[1, 1, m] from "time_mix_receptance"
  param w_k[d, m]      from "key.weight", w_v[d, m] from "value.weight"
  param w_r[d, m]      from "receptance.weight", w_o[m, d] from "output.weight"
  param decay[d]       from "time_decay", bonus[d] from "time_first"

  k = dot(w_k, lerp(prev(u), u, mix_k), over m)
  v = dot(w_v, lerp(prev(u), u, mix_v), over m)
  r = sigmoid(dot(w_r, lerp(prev(u), u, mix_r), over m))
  w = -exp(decay)

  # Numerator and denominator over e^top, the largest weight so far: none overflows.
  state top[d] init -inf, num[d], den[d]
  own = max(prev(top), bonus + k)
  past = exp(prev(top) - own)
  now = exp(bonus + k - own)
  y = (past*prev(num) + now*v) / (past*prev(den) + now)

  top = max(prev(top) + w, k)
  num = exp(prev(top) + w - top)*prev(num) + exp(k - top)*v
  den = exp(prev(top) + w - top)*prev(den) + exp(k - top)
  return dot(w_o, r * y, over d)
}

# Channel mixing.
block feed_forward(u[t, m]) -> [t, m] {
  param mix_k[1, 1, m] from "time_mix_key", mix_r[1, 1, m] from "time_mix_receptance"
  param w_k[f, m]      from "key.weight", w_r[m', m] from "receptance.weight"
  param w_v[m, f]      from "value.weight"

  k = relu(dot(w_k, lerp(prev(u), u, mix_k), over m))^2
  r = sigmoid(dot(w_r, lerp(prev(u), u, mix_r), over m))
  return r[m' -> m] * dot(w_v, k, over f)
}

fn norm(x, w, bias, eps) = layer_norm(x, over m, eps)*w + bias
`,
};
