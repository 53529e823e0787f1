import assert from "node:assert/strict";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import type {
  Binding,
  ContractKernel,
  Expr,
  MapKernel,
  ReduceKernel,
  SequentialKernel,
} from "../../compiler/5-kernel/types.js";
import type { Dim } from "../../runtime/bundle-format.js";
import { product } from "../../src/measure/product.js";
import { expectClose, type Tolerance } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { pack, runKernel } from "../support/run-kernel.js";

const read = (name: string, element: Binding["element"] = "f32"): Binding => ({
  name,
  access: "read",
  element,
});
const written = (name: string, element: Binding["element"] = "f32"): Binding => ({
  name,
  access: "read_write",
  element,
});
const normal = (count: number, seed = count): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

function same(
  what: string,
  got: ArrayLike<number> | undefined,
  expected: ArrayLike<number>,
  tolerance: Tolerance = "f32",
): void {
  assert(got !== undefined);
  expectClose(
    { shape: [expected.length], data: got },
    { shape: [expected.length], data: expected },
    { what, tolerance },
  );
}

describe("the map skeleton", () => {
  /** A causal convolution over time: y[b, t, d] = Σ_j w[d, j] x[b, t + j - (taps - 1), d], nothing before the start. */
  function convolution(taps: number, channels: number, workgroup: number): MapKernel {
    const e = new ExprBuilder();
    const [b, t, d] = [
      e.variable("b", "u32", "b"),
      e.variable("t", "u32", "t"),
      e.variable("d", "u32", channels),
    ];
    const at = (step: Expr): Expr =>
      e.flatten([
        { value: b, extent: "b" },
        { value: step, extent: "t" },
        { value: d, extent: channels },
      ]);
    const sum = e.loop(
      "sum",
      taps,
      (j) => {
        const ahead = e.add(t, j);
        const inside = e.op("ge", ahead, taps - 1);
        const x = e.select(inside, e.load("x", at(e.sub(ahead, taps - 1))), 0);
        return e.mul(e.load("w", e.add(e.mul(d, taps), j)), x);
      },
      "j",
    );
    return {
      name: "conv",
      skeleton: "map",
      notes: [{ text: "y = conv(x, w)", span: { file: 0, start: 0, end: 0 } as never }],
      bindings: [read("x"), read("w"), written("y")],
      domain: [
        { var: "b", extent: "b" },
        { var: "t", extent: "t" },
        { var: "d", extent: channels },
      ],
      stores: [{ binding: "y", index: at(t), value: sum }],
      schedule: { workgroup },
    };
  }

  for (const [taps, channels, b, t] of [
    [4, 24, 2, 9],
    [7, 5, 3, 11],
    [1, 3, 1, 1],
  ] as const) {
    it(`convolves ${taps} taps over ${b}×${t}×${channels}`, async () => {
      const [x, w] = [normal(b * t * channels), normal(channels * taps)];
      const expected = new Float64Array(b * t * channels);
      for (let i = 0; i < b; i++)
        for (let s = 0; s < t; s++)
          for (let d = 0; d < channels; d++)
            for (let j = 0; j < taps; j++) {
              const from = s + j - (taps - 1);
              if (from >= 0)
                expected[(i * t + s) * channels + d]! += w[d * taps + j]! * x[(i * t + from) * channels + d]!;
            }
      const { y } = await runKernel(
        convolution(taps, channels, 32),
        { b, t },
        { x, w, y: new Float32Array(expected.length) },
      );
      same("y", y, expected);
    });
  }

  it("reads a flattened coordinate back as the element it came from", () => {
    const { code } = printWgsl(convolution(4, 24, 64), ["b", "t"]);
    assert.match(code, /y\[element\] =/);
  });

  it("goes on along y where a dispatch is too long, and leaves out what `when` refuses", async () => {
    const e = new ExprBuilder();
    const count = 65535 * 2 + 77;
    const i = e.variable("i", "u32", "n");
    const kernel: MapKernel = {
      name: "odd",
      skeleton: "map",
      notes: [],
      bindings: [written("y")],
      domain: [{ var: "i", extent: "n" }],
      stores: [{ binding: "y", index: i, value: e.op("f32", i), when: e.op("eq", e.mod(i, 2), 1) }],
      schedule: { workgroup: 1 },
    };
    const { y } = await runKernel(kernel, { n: count }, { y: new Float32Array(count).fill(-1) });
    assert.deepEqual(
      y,
      Float32Array.from({ length: count }, (_, k) => (k % 2 === 1 ? k : -1)),
    );
  });

  it("gathers by index, and converts packed weights", async () => {
    const e = new ExprBuilder();
    const [i, d] = [e.variable("i", "u32", "n"), e.variable("d", "u32", 5)];
    const token = e.op("min", e.load("tokens", i, "u32"), 6);
    for (const storage of ["f16", "bf16"] as const) {
      const kernel: MapKernel = {
        name: "gather",
        skeleton: "map",
        notes: [],
        bindings: [read("tokens", "u32"), read("table", storage), written("y")],
        domain: [
          { var: "i", extent: "n" },
          { var: "d", extent: 5 },
        ],
        stores: [
          { binding: "y", index: e.add(e.mul(i, 5), d), value: e.load("table", e.add(e.mul(token, 5), d)) },
        ],
        schedule: { workgroup: 64 },
      };
      const table = Float32Array.from({ length: 35 }, (_, k) => (k - 11) / 8);
      const tokens = Uint32Array.of(3, 0, 6, 99);
      const { y } = await runKernel(
        kernel,
        { n: 4 },
        { tokens, table: pack(storage, table), y: new Float32Array(20) },
      );
      assert.deepEqual(
        y,
        Float32Array.from(
          { length: 20 },
          (_, k) => table[Math.min(tokens[Math.floor(k / 5)]!, 6) * 5 + (k % 5)]!,
        ),
      );
    }
  });
});

describe("the reduce skeleton", () => {
  it("normalizes by the root of a mean of squares", async () => {
    for (const [rows, size, workgroup] of [
      [3, 40, 64],
      [7, 300, 128],
      [1, 1, 1],
    ] as const) {
      const e = new ExprBuilder();
      const [row, i] = [e.variable("row", "u32", "rows"), e.variable("i", "u32", size)];
      const x = e.load("x", e.add(e.mul(row, size), i));
      const scale = e.op("rsqrt", e.add(e.div(e.variable("squares", "f32"), size), 1e-5));
      const kernel: ReduceKernel = {
        name: "rms_norm",
        skeleton: "reduce",
        notes: [],
        bindings: [read("x"), read("weight"), written("y"), written("total")],
        domain: [{ var: "row", extent: "rows" }],
        over: { var: "i", extent: size },
        reductions: [{ name: "squares", fn: "sum", body: e.mul(x, x) }],
        stores: [
          {
            binding: "y",
            index: e.add(e.mul(row, size), i),
            value: e.mul(e.mul(x, scale), e.load("weight", i)),
          },
          { binding: "total", index: row, value: e.variable("squares", "f32") },
        ],
        schedule: { workgroup },
      };
      const [data, weight] = [normal(rows * size), normal(size, 3)];
      const [expected, totals] = [new Float64Array(rows * size), new Float64Array(rows)];
      for (let r = 0; r < rows; r++) {
        for (let k = 0; k < size; k++) totals[r]! += data[r * size + k]! ** 2;
        for (let k = 0; k < size; k++)
          expected[r * size + k] = (data[r * size + k]! / Math.sqrt(totals[r]! / size + 1e-5)) * weight[k]!;
      }
      const got = await runKernel(
        kernel,
        { rows },
        { x: data, weight, y: new Float32Array(rows * size), total: new Float32Array(rows) },
      );
      same("y", got["y"], expected);
      same("total", got["total"], totals);
    }
  });

  it("takes a maximum, then a sum that reads it: softmax over a run-time size", async () => {
    const e = new ExprBuilder();
    const [h, q, k] = [e.variable("h", "u32", 3), e.variable("q", "u32", "t"), e.variable("k", "u32", "t")];
    const score = e.select(
      e.op("le", k, q),
      e.load("x", e.add(e.mul(e.add(e.mul(h, e.number("t")), q), e.number("t")), k)),
      -Infinity,
    );
    const exp = e.op("exp", e.sub(score, e.variable("top", "f32")));
    const kernel: ReduceKernel = {
      name: "softmax",
      skeleton: "reduce",
      notes: [],
      bindings: [read("x"), written("y")],
      domain: [
        { var: "h", extent: 3 },
        { var: "q", extent: "t" },
      ],
      over: { var: "k", extent: "t" },
      reductions: [
        { name: "top", fn: "max", body: score },
        { name: "total", fn: "sum", body: exp },
      ],
      stores: [
        {
          binding: "y",
          index: e.add(e.mul(e.add(e.mul(h, e.number("t")), q), e.number("t")), k),
          value: e.div(exp, e.variable("total", "f32")),
        },
      ],
      schedule: { workgroup: 32 },
    };
    const t = 45;
    const x = normal(3 * t * t);
    const expected = new Float64Array(x.length);
    for (let row = 0; row < 3 * t; row++) {
      const values = Array.from({ length: (row % t) + 1 }, (_, i) => Math.exp(x[row * t + i]!));
      const sum = values.reduce((a, b) => a + b);
      values.forEach((value, i) => (expected[row * t + i] = value / sum));
    }
    const { y } = await runKernel(kernel, { t }, { x, y: new Float32Array(x.length) });
    same("y", y, expected);
  });
});

describe("the contract skeleton", () => {
  const tiled = (
    tileRows: number,
    tileCols: number,
    tileDepth: number,
    threadRows = 4,
    threadCols = 4,
  ): ContractKernel["schedule"] => ({ kind: "tiled", tileRows, tileCols, tileDepth, threadRows, threadCols });
  const shapes = [
    [1, 1, 1],
    [5, 7, 3],
    [32, 32, 32],
    [33, 65, 47],
    [70, 19, 130],
  ] as const;
  // The larger tiles are for GPUs: software takes half a minute to compile them.
  const schedules: readonly ContractKernel["schedule"][] = [
    tiled(32, 32, 16),
    tiled(16, 64, 8),
    tiled(16, 32, 4, 8, 4),
    tiled(32, 32, 5),
    { kind: "rows", lanes: 16, cols: 4 },
    { kind: "rows", lanes: 64, cols: 1 },
    { kind: "rows", lanes: 1, cols: 32 },
    { kind: "rows", lanes: 8, cols: 4, rows: 4 },
    { kind: "rows", lanes: 16, cols: 8, each: 4 },
    { kind: "rows", lanes: 32, cols: 2, each: 2 },
  ];
  for (const schedule of schedules) {
    it(`multiplies matrices by ${JSON.stringify(schedule)}`, async () => {
      for (const [rows, cols, depth] of shapes) {
        // Sizes known when the program runs, so that the shapes share a shader; and one shape that is known before.
        for (const storage of ["f32", "f16", "static"] as const) {
          if (storage === "static" && rows !== 33) continue;
          const element = storage === "static" ? "bf16" : storage;
          const x = normal(rows * depth, 1);
          // Values that every storage holds exactly.
          const w = Float32Array.from(normal(cols * depth, 2), (value) => Math.round(value * 16) / 16);
          const expected = new Float64Array(rows * cols);
          for (let r = 0; r < rows; r++)
            for (let c = 0; c < cols; c++)
              for (let k = 0; k < depth; k++)
                expected[r * cols + c]! += x[r * depth + k]! * w[c * depth + k]!;
          const sizes = storage === "static" ? { rows, cols, depth } : { rows: "r", cols: "c", depth: "k" };
          const { y } = await runKernel(
            product(sizes, schedule, element),
            { r: rows, c: cols, k: depth },
            {
              x,
              w: element === "f32" ? w : pack(element, w),
              y: new Float32Array(expected.length).fill(NaN),
            },
          );
          same(`${rows}×${cols}×${depth} ${storage}`, y, expected);
        }
      }
    });
  }

  const batched = async (
    extent: Dim,
    [batch, rows, cols, depth]: readonly [number, number, number, number],
    schedule: ContractKernel["schedule"],
  ): Promise<void> => {
    const e = new ExprBuilder();
    const [i, row, col, k] = ["batch", "row", "col", "k"].map((name) => e.variable(name)) as [
      Expr,
      Expr,
      Expr,
      Expr,
    ];
    const kernel: ContractKernel = {
      name: "batched",
      skeleton: "contract",
      notes: [],
      bindings: [read("a"), read("b"), read("acc"), written("y")],
      batch: extent,
      rows,
      cols,
      depth,
      along: [],
      a: e.load("a", e.add(e.mul(e.add(e.mul(i, rows), row), depth), k)),
      b: e.op("exp", e.load("b", e.add(e.mul(e.add(e.mul(i, depth), k), cols), col))),
      stores: [
        {
          binding: "y",
          index: e.add(e.mul(e.add(e.mul(i, rows), row), cols), col),
          value: e.add(e.variable("acc", "f32"), e.load("acc", col)),
        },
      ],
      schedule,
    };
    const [a, b, residual] = [
      normal(batch * rows * depth, 1),
      normal(batch * depth * cols, 2),
      normal(cols, 3),
    ];
    const expected = new Float64Array(batch * rows * cols);
    for (let n = 0; n < expected.length; n++) {
      const [at, r, c] = [Math.floor(n / (rows * cols)), Math.floor(n / cols) % rows, n % cols];
      expected[n] = residual[c]!;
      for (let j = 0; j < depth; j++)
        expected[n]! += a[(at * rows + r) * depth + j]! * Math.exp(b[(at * depth + j) * cols + c]!);
    }
    const { y } = await runKernel(
      kernel,
      { b: batch },
      { a, b, acc: residual, y: new Float32Array(expected.length) },
    );
    same("y", y, expected);
  };

  it("batches, reads b along its columns, and adds what the stores say", () =>
    batched(3, [3, 17, 21, 19], tiled(16, 16, 8)));

  it("has more tiles of rows and batch than workgroups go along one axis", () =>
    batched("b", [70_000, 9, 2, 1], tiled(8, 8, 2)));

  it("sums along the row beside the product", async () => {
    const [rows, cols, depth] = [3, 10, 75];
    const kernel = product({ rows, cols, depth }, { kind: "rows", lanes: 8, cols: 4, rows: 2 });
    const e = new ExprBuilder();
    const x = e.load("x", e.add(e.mul(e.variable("row"), depth), e.variable("k")));
    const normed: ContractKernel = {
      ...kernel,
      along: [{ name: "squares", body: e.mul(x, x) }],
      stores: [
        {
          binding: "y",
          index: e.add(e.mul(e.variable("row"), cols), e.variable("col")),
          value: e.mul(e.variable("acc", "f32"), e.op("rsqrt", e.variable("squares", "f32"))),
        },
      ],
    };
    const [a, w] = [normal(rows * depth, 1), normal(cols * depth, 2)];
    const expected = new Float64Array(rows * cols);
    for (let n = 0; n < expected.length; n++) {
      const [r, c] = [Math.floor(n / cols), n % cols];
      let squares = 0;
      for (let j = 0; j < depth; j++) {
        expected[n]! += a[r * depth + j]! * w[c * depth + j]!;
        squares += a[r * depth + j]! ** 2;
      }
      expected[n]! /= Math.sqrt(squares);
    }
    const { y } = await runKernel(normed, {}, { x: a, w, y: new Float32Array(expected.length) });
    same("y", y, expected);
  });
});

describe("the contract skeleton, by rows", () => {
  const schedules = [
    { kind: "rows", lanes: 8, cols: 4, rows: 2 },
    { kind: "rows", lanes: 16, cols: 4, each: 4 },
    { kind: "rows", lanes: 64, cols: 16, each: 4 },
  ] as const;
  for (const schedule of schedules)
    for (const [rows, cols, depth] of [
      [3, 10, 75],
      [1, 3, 300],
      [2, 40, 5],
    ] as const)
      it(`stores what a is made of, once: ${rows}×${cols}×${depth} by ${JSON.stringify(schedule)}`, async () => {
        const e = new ExprBuilder();
        const at = e.add(e.mul(e.variable("row"), depth), e.variable("k"));
        const a = e.op("tanh", e.load("x", at));
        const kernel: ContractKernel = {
          ...product({ rows, cols, depth }, schedule),
          bindings: [read("x"), read("w"), written("y"), written("seen")],
          a,
          // Adding to what is there tells a second store from the first.
          storesAlong: [{ binding: "seen", index: at, value: e.add(e.load("seen", at), a) }],
        };
        const [x, w] = [normal(rows * depth, 1), normal(cols * depth, 2)];
        const before = normal(rows * depth, 3);
        const expected = new Float64Array(rows * cols);
        for (let n = 0; n < expected.length; n++)
          for (let j = 0; j < depth; j++)
            expected[n]! += Math.tanh(x[Math.floor(n / cols) * depth + j]!) * w[(n % cols) * depth + j]!;
        const { y, seen } = await runKernel(
          kernel,
          {},
          { x, w, y: new Float32Array(expected.length), seen: before },
        );
        same("y", y, expected);
        same(
          "seen",
          seen,
          Float64Array.from(before, (value, i) => value + Math.tanh(x[i]!)),
        );
      });
});

describe("the sequential skeleton", () => {
  it("runs a recurrence whose state mixes: h = tanh(W h + x)", async () => {
    const [leads, steps, size] = [3, 11, 20];
    const e = new ExprBuilder();
    const [lead, t, i] = [e.variable("lead"), e.variable("t"), e.variable("i", "u32", size)];
    const mixed = e.loop("sum", size, (j) =>
      e.mul(e.load("w", e.add(e.mul(i, size), j)), e.load("h", e.add(e.mul(lead, size), j))),
    );
    const input = e.load("x", e.add(e.mul(e.add(e.mul(lead, steps), t), size), i));
    const at = e.add(e.mul(lead, size), i);
    const domain = [{ var: "i", extent: size }];
    const kernel: SequentialKernel = {
      name: "rnn",
      skeleton: "sequential",
      notes: [],
      leads: "b",
      steps,
      bindings: [read("x"), read("w"), written("h"), written("next"), written("y")],
      before: [{ domain, stores: [{ binding: "h", index: at, value: e.f32(0.25) }] }],
      each: [
        { domain, stores: [{ binding: "next", index: at, value: e.op("tanh", e.add(mixed, input)) }] },
        {
          domain,
          stores: [
            { binding: "h", index: at, value: e.load("next", at) },
            {
              binding: "y",
              index: e.add(e.mul(e.add(e.mul(lead, steps), t), size), i),
              value: e.load("next", at),
            },
          ],
        },
      ],
      schedule: { workgroup: 16 },
    };
    const [x, w] = [
      normal(leads * steps * size, 1),
      Float32Array.from(normal(size * size, 2), (value) => value / 5),
    ];
    const y = new Float64Array(leads * steps * size);
    for (let b = 0; b < leads; b++) {
      let h = new Float64Array(size).fill(0.25);
      for (let s = 0; s < steps; s++) {
        h = h.map((_, row) =>
          Math.tanh(
            h.reduce(
              (sum, value, col) => sum + w[row * size + col]! * value,
              x[(b * steps + s) * size + row]!,
            ),
          ),
        );
        y.set(h, (b * steps + s) * size);
      }
    }
    const got = await runKernel(
      kernel,
      { b: leads },
      {
        x,
        w,
        h: new Float32Array(leads * size),
        next: new Float32Array(leads * size),
        y: new Float32Array(y.length),
      },
    );
    same("y", got["y"], y);
  });
});

describe("the library of functions", () => {
  const cases: Readonly<
    Record<
      string,
      { readonly exact: (x: number) => number; readonly at: readonly number[]; readonly absolute?: boolean }
    >
  > = {
    expm1: {
      exact: Math.expm1,
      at: [-100, -20, -3, -0.5, -1e-3, -1e-6, 0, 1e-7, 1e-4, 0.3, 1, 10, 80, 88.5],
    },
    tanh: { exact: Math.tanh, at: [-95, -5, -0.7, -1e-3, 0, 1e-5, 0.1, 0.6, 1, 3, 9, 95] },
    log1p: {
      exact: Math.log1p,
      at: [-0.99, -0.5, -0.29, -1e-3, -1e-7, 0, 1e-8, 1e-4, 0.25, 0.3, 1, 50, 1e6],
    },
    log1p_unit: {
      exact: Math.log1p,
      at: [0, 1e-30, 1e-20, 1e-7, 1e-3, ...Array.from({ length: 100 }, (_, k) => (k + 1) / 100)],
    },
    log: { exact: Math.log, at: [1e-30, 1e-3, 0.5, 0.9, 0.999, 1, 1.001, 1.5, 2, 100, 1e30] },
    phi: {
      exact: (x) => (x === 0 ? 1 : Math.expm1(x) / x),
      at: [-50, -2, -1e-3, -1e-8, 0, 1e-8, 1e-4, 0.5, 5, 20],
    },
    erf: { exact: erf, at: [-5, -1.2, -1, -0.9, -0.1, -1e-4, 0, 1e-6, 0.3, 0.99, 1.01, 2, 3] },
    sin: {
      exact: Math.sin,
      at: [-3, -1e-3, 0, 1e-6, 0.5, 1.5707, 2, 3.1, 100, 1599, 1601, 12345.67, 1e6, 3e8, 1e20],
      absolute: true,
    },
    cos: {
      exact: Math.cos,
      at: [-3, -1e-3, 0, 1e-6, 0.5, 1.5707, 2, 3.1, 100, 1599, -1601, 12345.67, 1e6, 3e8, -1e20],
      absolute: true,
    },
  };
  for (const [fn, { exact, at, absolute }] of Object.entries(cases)) {
    it(`computes ${fn}`, async () => {
      const e = new ExprBuilder();
      const i = e.variable("i", "u32", at.length);
      const kernel: MapKernel = {
        name: fn,
        skeleton: "map",
        notes: [],
        bindings: [read("x"), written("y")],
        domain: [{ var: "i", extent: at.length }],
        stores: [{ binding: "y", index: i, value: e.op(fn as "sin", e.load("x", i)) }],
        schedule: { workgroup: 32 },
      };
      const x = Float32Array.from(at);
      const { y } = await runKernel(kernel, {}, { x, y: new Float32Array(x.length).fill(NaN) });
      for (const [k, value] of x.entries()) {
        const want = exact(value);
        const error = Math.abs((y?.[k] ?? NaN) - want) / (absolute === true ? 1 : Math.abs(want) || 1);
        assert(error <= 1e-6, `${fn}(${value}) = ${y?.[k]}, not ${want}: off by ${error}`);
      }
    });
  }

  it("computes cosine and sine together", async () => {
    const random = seeded(7);
    const at = [
      ...(cases["sin"]?.at ?? []),
      ...Array.from({ length: 400 }, (_, k) => random.uniform(-1, 1) * 10 ** (k % 5)),
    ];
    const e = new ExprBuilder();
    const i = e.variable("i", "u32", at.length);
    const kernel: MapKernel = {
      name: "wave",
      skeleton: "map",
      notes: [],
      bindings: [read("x"), written("c"), written("s")],
      domain: [{ var: "i", extent: at.length }],
      stores: [
        { binding: "c", index: i, value: e.op("cos", e.load("x", i)) },
        { binding: "s", index: i, value: e.op("sin", e.load("x", i)) },
      ],
      schedule: { workgroup: 32 },
    };
    const x = Float32Array.from(at);
    const empty = (): Float32Array => new Float32Array(x.length).fill(NaN);
    const { c, s } = await runKernel(kernel, {}, { x, c: empty(), s: empty() });
    for (const [k, value] of x.entries()) {
      const error = Math.hypot((c?.[k] ?? NaN) - Math.cos(value), (s?.[k] ?? NaN) - Math.sin(value));
      assert(error <= 3e-7, `at ${value}: ${c?.[k]}, ${s?.[k]}: off by ${error}`);
    }
  });

  /** By its series, which float64 sums without loss at these arguments. */
  function erf(x: number): number {
    let [term, sum] = [x, x];
    for (let n = 1; n < 200; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
});
