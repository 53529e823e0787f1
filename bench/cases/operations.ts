/** Single operations, compiled from source as any model is. */
import { STORAGE_BITS, type Activations } from "../../runtime/bundle-format.js";
import type { BenchCase, BenchRun } from "../case.js";
import { MODEL_SIZES, MODEL_VOCABULARY } from "./models.js";

const HEADER = "axis b: batch, t: time\n";

/** Mamba's recurrence with what surrounds it, as the official CUDA kernel computes it. */
const MAMBA = `${HEADER}const channels = 1536, states = 16
axis d = channels, n = states
model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input z: f32[b, t, d]
  input B: f32[b, t, n]
  input C: f32[b, t, n]
  param A_log[d, n], D[d], bias[d]
  state h[d, n]
  der(h) = -exp(A_log)*h + B*u  by exp_euler(softplus(delta + bias))
  output y[b, t, d] = (dot(C, h, over n) + D*u) * silu(z)
}
`;

/** Mamba-2's: one decay for each head, B and C shared by all. */
const MAMBA_2 = `${HEADER}const heads = 24, channels = 64, states = 128
axis head = heads, p = channels, n = states
model scan {
  input u: f32[b, t, head, p]
  input delta: f32[b, t, head]
  input B: f32[b, t, n]
  input C: f32[b, t, n]
  param A_log[head], D[head]
  state h[head, p, n]
  der(h) = -exp(A_log)*h + B*u  by exp_euler(softplus(delta))
  output y[b, t, head, p] = dot(C, h, over n) + D*u
}
`;

/** Mamba's with complex decays and states. */
const COMPLEX = `${HEADER}const channels = 1536, states = 16
axis d = channels, n = states
model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input z: f32[b, t, d]
  input B: f32[b, t, n]
  input C: f32[b, t, n]
  param A_log[d, n], A_im[d, n], D[d], bias[d]
  state h[d, n]: complex
  der(h) = complex(-exp(A_log), A_im)*h + B*u  by exp_euler(softplus(delta + bias))
  output y[b, t, d] = (re(dot(C, h, over n)) + D*u) * silu(z)
}
`;

/** Mamba's with nothing that depends on the input but the input. */
const TIME_INVARIANT = `${HEADER}const channels = 1536, states = 16
axis d = channels, n = states
model scan {
  input u: f32[b, t, d]
  input z: f32[b, t, d]
  param A_log[d, n], B[d, n], C[d, n], D[d], delta[d]
  state h[d, n]
  der(h) = -exp(A_log)*h + B*u  by exp_euler(softplus(delta))
  output y[b, t, d] = (dot(C, h, over n) + D*u) * silu(z)
}
`;

/** Gated linear attention: a decay for each row of the state. */
const GATED_ATTENTION = `${HEADER}const heads = 4, keys = 128, values = 256
axis head = heads, n = keys, p = values
model scan {
  input q: f32[b, t, head, n]
  input k: f32[b, t, head, n]
  input v: f32[b, t, head, p]
  input gate: f32[b, t, head, n]
  state S[head, n, p]
  S = exp(log_sigmoid(gate)/16)*prev(S) + k*v
  output y[b, t, head, p] = dot(q, S, over n)
}
`;

/** DeltaNet: what the state has for a key is replaced, in part, by the value. */
const DELTA = `${HEADER}const heads = 16, keys = 128, values = 128
axis head = heads, n = keys, p = values
model scan {
  input q: f32[b, t, head, n]
  input k: f32[b, t, head, n]
  input v: f32[b, t, head, p]
  input beta: f32[b, t, head]
  key = l2_norm(k, over n, 1e-6)
  state S[head, n, p]
  S = prev(S) + sigmoid(beta)*key*(v - dot(key, prev(S), over n))
  output y[b, t, head, p] = dot(q, S, over n)
}
`;

/** A gated linear recurrence without an inner axis. */
const LINEAR = `${HEADER}const channels = 2560
axis d = channels
model scan {
  input x: f32[b, t, d]
  input gate: f32[b, t, d]
  state h[d]
  a = sigmoid(gate)
  h = a*prev(h) + sqrt(1 - a^2)*x
  output y[b, t, d] = h
}
`;

const CONVOLUTION = `${HEADER}const channels = 1536
axis d = channels, k = 4
model convolution {
  input x: f32[b, t, d]
  param w[d, 1, k], bias[d]
  output y[b, t, d] = silu(causal_conv(x, w, along t, over k) + bias)
}
`;

const NORM = `${HEADER}const width = 768
axis m = width
model norm {
  input x: f32[b, t, m]
  param w[m]
  output y[b, t, m] = rms_norm(x, over m, 1e-5) * w
}
`;

/** The batch is the rows, so that one source serves one row and thousands. */
const PRODUCT = `axis b: batch
const cols = 3072, depth = 768
axis c = cols, k = depth
model product {
  input x: f32[b, k]
  param w[c, k]
  output y[b, c] = dot(w, x, over k)
}
`;

const WAYS: Readonly<Record<string, string>> = { undefined: "", "0": "-scan" };

const F32 = 4;
const OFFICIAL = {
  f32: "official CUDA, f32",
  f16: "official CUDA, bf16",
  bf16: "official CUDA, bf16",
} as const;

/** batch, channels, steps, the official kernel's milliseconds in f32 and in bf16, and pieces where no binding holds an input. */
const MAMBA_SHAPES = [
  [1, 1536, 2048, 0.131, 0.059],
  [8, 1536, 2048, 0.882, 0.442],
  [8, 4096, 2048, 2.299, 1.153],
  [1, 5120, 2048, 0.393, 0.193],
  [1, 1536, 16384, 1.003, 0.559],
  [1, 1536, 131072, 8.011, 4.34],
  [1, 1536, 1048576, 64.36, 35.2, 8],
] as const;

/** batch, channels, steps */
const CHANNEL_SHAPES = [
  [1, 1536, 2048],
  [8, 1536, 2048],
  [1, 1536, 16384],
] as const;

/** batch, steps */
const HEAD_SHAPES = [
  [1, 2048],
  [8, 2048],
] as const;

/** rows, columns, depth */
const PRODUCT_SHAPES = [
  [2048, 3072, 768],
  [4096, 4096, 4096],
  [256, 1536, 768],
  [8, 3072, 768],
  [8, 50280, 768],
  [1, 3072, 768],
  [1, 768, 1536],
  [1, 50280, 768],
  [1, 80, 1536],
  [1, 1536, 48],
] as const;

/** The second has weights enough that they are not kept in f32. */
const QUICK_PRODUCT_SHAPES = [
  [2, 5, 12],
  [2, 130, 96],
] as const;

/** `quick`: sizes that a software adapter computes in seconds. */
export function operationCases(quick: boolean): readonly BenchCase[] {
  return [
    ...(quick ? ([[2, 48, 40]] as const) : MAMBA_SHAPES).map(([batch, channels, steps, ms, _, pieces]) =>
      mamba({ batch, channels, steps }, "f32", ms, pieces),
    ),
    ...(["f16", "bf16"] as const).flatMap((activations) =>
      (quick ? ([[2, 48, 40]] as const) : MAMBA_SHAPES).map(([batch, channels, steps, _, ms, pieces]) =>
        mamba({ batch, channels, steps }, activations, ms, pieces),
      ),
    ),
    ...(quick
      ? [[1, 2, 40] as const]
      : ([
          [1, 24, 2048],
          [8, 24, 2048],
          [1, 24, 8192],
          [8, 24, 8192],
        ] as const)
    ).flatMap(([batch, heads, steps]) =>
      (quick ? [0, 16] : MATRIX_CHUNKS).map((chunk) => mamba2(batch, heads, steps, chunk)),
    ),
    ...(quick ? ([[2, 48, 40]] as const) : CHANNEL_SHAPES).flatMap(([batch, channels, steps]) => [
      byChannel("complex", COMPLEX, batch, channels, steps, 4 * channels + 2 * 16),
      byChannel("time-invariant", TIME_INVARIANT, batch, channels, steps, 3 * channels),
    ]),
    ...(quick ? ([[2, 40]] as const) : HEAD_SHAPES).flatMap(([batch, steps]) => [
      ...(quick ? [0, 16] : [undefined, 0, 32, 64, 128]).map((chunk) =>
        gatedAttention(batch, steps, quick, chunk),
      ),
      ...(quick ? [0, 16] : [undefined, 0, 32, 64]).map((chunk) => delta(batch, steps, quick, chunk)),
    ]),
    ...(quick
      ? [[1, 48, 40] as const]
      : ([
          [1, 2560, 2048],
          [8, 2560, 2048],
        ] as const)
    ).map(([batch, channels, steps]) => linear(batch, channels, steps)),
    ...(quick ? QUICK_PRODUCT_SHAPES : PRODUCT_SHAPES).flatMap(([rows, cols, depth]) => [
      product(rows, cols, depth, "f32"),
      product(rows, cols, depth, "f16"),
    ]),
    ...modelProducts(quick),
    rowwise("convolution", CONVOLUTION, quick ? { channels: 48 } : { channels: 1536 }, quick, {
      channels: 3,
    }),
    rowwise("norm", NORM, quick ? { width: 48 } : { width: 768 }, quick, {}),
  ];
}

function mamba(
  { batch, channels, steps }: { readonly batch: number; readonly channels: number; readonly steps: number },
  activations: Activations,
  officialMs?: number,
  pieces?: number,
): BenchCase {
  const bytes = STORAGE_BITS[activations] / 8;
  const run: BenchRun = {
    kind: "prefill",
    batch,
    steps,
    ...(pieces !== undefined && { pieces }),
    leastBytes: bytes * batch * steps * (4 * channels + 2 * 16),
    ...(officialMs !== undefined && { reference: { name: OFFICIAL[activations], ms: officialMs } }),
  };
  return {
    group: "scan",
    name: `mamba-${String(channels)}${activations === "f32" ? "" : `-${activations}`}`,
    source: { text: MAMBA },
    set: { channels },
    activations,
    ranges: { A_log: [0, 2.8], delta: [-4, 0] },
    sample: { channels: 3 },
    runs: [run],
  };
}

/** Steps a chunk of the matrix form; 0: as a scan, cut in time or not; undefined: what the compiler chooses. */
const MATRIX_CHUNKS = [undefined, 0, 64, 128, 256] as const;

function mamba2(batch: number, heads: number, steps: number, matrixChunk?: number): BenchCase {
  const leastBytes = F32 * batch * steps * (heads * (2 * 64 + 1) + 2 * 128);
  return {
    ...way(`mamba2-${String(heads)}x64`, matrixChunk),
    source: { text: MAMBA_2 },
    set: { heads },
    ranges: { A_log: [0, 2.8], delta: [-4, 0] },
    sample: { heads: 2, channels: 2 },
    runs: [{ kind: "prefill", batch, steps, leastBytes }],
  };
}

/** `perStep`: numbers that a step cannot but read or write. */
function byChannel(
  name: string,
  text: string,
  batch: number,
  channels: number,
  steps: number,
  perStep: number,
): BenchCase {
  return {
    group: "scan",
    name: `${name}-${String(channels)}`,
    source: { text },
    set: { channels },
    ranges: { A_log: [0, 2.8], A_im: [-3, 3], delta: [-4, 0] },
    sample: { channels: 3 },
    runs: [{ kind: "prefill", batch, steps, leastBytes: F32 * batch * steps * perStep }],
  };
}

function gatedAttention(batch: number, steps: number, quick: boolean, matrixChunk?: number): BenchCase {
  const [heads, keys, values] = quick ? [2, 8, 12] : [4, 128, 256];
  return {
    ...way(`gated-attention-${String(heads)}x${String(values)}`, matrixChunk),
    source: { text: GATED_ATTENTION },
    set: { heads, keys, values },
    ranges: { gate: [-2, 4] },
    sample: { heads: 2, values: 3 },
    runs: [
      { kind: "prefill", batch, steps, leastBytes: F32 * batch * steps * heads * (3 * keys + 2 * values) },
    ],
  };
}

function delta(batch: number, steps: number, quick: boolean, matrixChunk?: number): BenchCase {
  const [heads, keys, values] = quick ? [2, 8, 12] : [16, 128, 128];
  return {
    ...way(`delta-${String(heads)}x${String(values)}`, matrixChunk),
    source: { text: DELTA },
    set: { heads, keys, values },
    sample: { heads: 2, values: 3 },
    runs: [
      {
        kind: "prefill",
        batch,
        steps,
        leastBytes: F32 * batch * steps * heads * (2 * keys + 2 * values + 1),
      },
    ],
  };
}

/** A recurrence with heads, by what is to be compared: the compiler's choice, the scan, or chunks of so many steps. */
function way(name: string, matrixChunk: number | undefined): Pick<BenchCase, "group" | "name" | "schedule"> {
  return {
    group: "scan",
    name: `${name}${WAYS[String(matrixChunk)] ?? `-by-${String(matrixChunk)}`}`,
    ...(matrixChunk !== undefined && { schedule: { matrixChunk } }),
  };
}

function linear(batch: number, channels: number, steps: number): BenchCase {
  return {
    group: "scan",
    name: `linear-${String(channels)}`,
    source: { text: LINEAR },
    set: { channels },
    ranges: { gate: [-1, 4] },
    sample: { channels: 3 },
    runs: [{ kind: "prefill", batch, steps, leastBytes: F32 * batch * steps * 3 * channels }],
  };
}

/** As the target multiplies: on `matrix` with operands of 16 bits, whichever way weights are stored. */
type ProductWeights = "f32" | "f16";

function product(rows: number, cols: number, depth: number, weights: ProductWeights): BenchCase {
  return {
    group: "product",
    name: `${String(rows)}x${String(cols)}x${String(depth)}${weights === "f32" ? "" : "-f16"}`,
    source: { text: PRODUCT },
    set: { cols, depth },
    weights,
    sample: { cols: 3 },
    runs: [productRun(rows, cols, depth, weights)],
  };
}

/** Few rows are as fast as the weights come. */
function productRun(rows: number, cols: number, depth: number, weights: ProductWeights): BenchRun {
  const weightBytes = weights === "f16" ? 2 : F32;
  return {
    kind: "prefill",
    batch: rows,
    steps: 1,
    ...(rows > 8
      ? { flops: 2 * rows * cols * depth }
      : { leastBytes: F32 * rows * (depth + cols) + weightBytes * cols * depth }),
  };
}

/** Rows from one to what a long prompt has, in powers of two. */
const ROWS = Array.from({ length: 15 }, (_, i) => 2 ** i);

/** Each product of each of the paper's models, by many numbers of rows. */
function modelProducts(quick: boolean): readonly BenchCase[] {
  const sizes = quick ? [{ name: "tiny", width: 32 }] : MODEL_SIZES;
  const rows = quick ? [1, 16] : ROWS;
  const vocabulary = quick ? 97 : MODEL_VOCABULARY;
  return sizes.flatMap(({ name, width }) => {
    const [inner, rank, states] = [2 * width, Math.ceil(width / 16), 16];
    const shapes = [
      ["in_proj", 2 * inner, width],
      ["x_proj", rank + 2 * states, inner],
      ["dt_proj", inner, rank],
      ["out_proj", width, inner],
      ["logits", vocabulary, width],
    ] as const;
    return shapes.flatMap(([which, cols, depth]) =>
      (["f32", "f16"] as const).map((weights): BenchCase => ({
        group: "products",
        name: `${name}-${which}${weights === "f32" ? "" : "-f16"}`,
        source: { text: PRODUCT },
        set: { cols, depth },
        weights,
        sample: { cols: 3 },
        // Nobody wants the scores of every token of a prompt.
        runs: rows
          .filter((count) => which !== "logits" || count <= 256)
          .map((count) => productRun(count, cols, depth, weights)),
      })),
    );
  });
}

function rowwise(
  name: string,
  text: string,
  set: Readonly<Record<string, number>>,
  quick: boolean,
  sample: Readonly<Record<string, number>>,
): BenchCase {
  const [width = 0] = Object.values(set);
  const [batch, steps] = quick ? [2, 40] : [4, 2048];
  const leastBytes = F32 * batch * steps * 2 * width;
  const run = { kind: "prefill", batch, steps, outputs: "all", leastBytes } as const;
  return { group: "rowwise", name: `${name}-${String(width)}`, source: { text }, set, sample, runs: [run] };
}
