import assert from "node:assert/strict";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import type { ScanKernel } from "../../compiler/5-kernel/types.js";
import { mambaScan } from "../../bench/kernels.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { runKernel } from "../support/run-kernel.js";

/** Mamba's equations as loops, in float64. */
function mambaByLoops(
  sizes: { b: number; t: number; channels: number; inner: number },
  x: Record<string, Float32Array>,
): { y: Float64Array; last: Float64Array } {
  const { b, t, channels, inner } = sizes;
  const at = (name: string, i: number): number => x[name]?.[i] ?? NaN;
  const y = new Float64Array(b * t * channels);
  const last = new Float64Array(b * channels * inner);
  for (let lead = 0; lead < b; lead++) {
    for (let c = 0; c < channels; c++) {
      const h = new Float64Array(inner);
      for (let step = 0; step < t; step++) {
        const row = lead * t + step;
        const [u, z] = [at("u", row * channels + c), at("z", row * channels + c)];
        const delta = Math.log1p(Math.exp(at("dt", row * channels + c) + at("bias", c)));
        let sum = 0;
        for (let n = 0; n < inner; n++) {
          h[n] =
            Math.exp(Math.LN2 * delta * at("A", c * inner + n)) * (h[n] ?? 0) +
            delta * u * at("B", row * inner + n);
          sum += (h[n] ?? 0) * at("C", row * inner + n);
        }
        y[row * channels + c] = (sum + at("D", c) * u) * (z / (1 + Math.exp(-z)));
      }
      last.set(h, (lead * channels + c) * inner);
    }
  }
  return { y, last };
}

async function checkMamba(
  sizes: { b: number; t: number; channels: number; inner: number },
  schedule: ScanKernel["schedule"],
): Promise<void> {
  const { b, t, channels, inner } = sizes;
  const random = seeded(channels * 1000 + inner);
  const normal = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
  const x = {
    dt: normal(b * t * channels),
    u: normal(b * t * channels),
    z: normal(b * t * channels),
    A: Float32Array.from({ length: channels * inner }, () => -random.uniform(0.1, 3)),
    B: normal(b * t * inner),
    C: normal(b * t * inner),
    D: normal(channels),
    bias: normal(channels),
  };
  const got = await runKernel(
    mambaScan({ channels, inner }, schedule),
    { b, t },
    {
      ...x,
      y: new Float32Array(b * t * channels).fill(NaN),
      h_last: new Float32Array(b * channels * inner).fill(NaN),
    },
  );
  const expected = mambaByLoops(sizes, x);
  const what = JSON.stringify({ sizes, schedule });
  assert(got["y"] && got["h_last"]);
  expectClose(
    { shape: [b, t, channels], data: got["y"] },
    { shape: [b, t, channels], data: expected.y },
    { what, tolerance: "f32" },
  );
  expectClose(
    { shape: [b, channels, inner], data: got["h_last"] },
    { shape: [b, channels, inner], data: expected.last },
    { what, tolerance: "f32" },
  );
}

describe("the scan skeleton", () => {
  const cases: readonly (readonly [
    { b: number; t: number; channels: number; inner: number },
    ScanKernel["schedule"],
  ])[] = [
    [
      { b: 2, t: 37, channels: 24, inner: 16 },
      { channels: 8, lanes: 2, steps: 16 },
    ],
    [
      { b: 1, t: 16, channels: 32, inner: 16 },
      { channels: 32, lanes: 4, steps: 16 },
    ],
    [
      { b: 1, t: 1, channels: 5, inner: 16 },
      { channels: 8, lanes: 1, steps: 4 },
    ],
    [
      { b: 2, t: 9, channels: 13, inner: 1 },
      { channels: 8, lanes: 1, steps: 8 },
    ],
    [
      { b: 1, t: 20, channels: 7, inner: 5 },
      { channels: 4, lanes: 2, steps: 8 },
    ],
    [
      { b: 1, t: 20, channels: 7, inner: 6 },
      { channels: 4, lanes: 1, steps: 8 },
    ],
    [
      { b: 1, t: 11, channels: 6, inner: 37 },
      { channels: 4, lanes: 4, steps: 4 },
    ],
    [
      { b: 3, t: 33, channels: 3, inner: 256 },
      { channels: 4, lanes: 16, steps: 4 },
    ],
    [
      { b: 1, t: 12, channels: 9, inner: 24 },
      { channels: 3, lanes: 3, steps: 4 },
    ],
  ];
  for (const [sizes, schedule] of cases) {
    it(`computes Mamba's recurrence at ${JSON.stringify(sizes)} by ${JSON.stringify(schedule)}`, () =>
      checkMamba(sizes, schedule));
  }

  it("keeps states with and without the inner axis, two reductions, a piece of the steps, and a maximum", async () => {
    const [channels, inner, t] = [6, 10, 29];
    const e = new ExprBuilder();
    const [lead, channel, n, step] = [
      e.variable("lead"),
      e.variable("channel", "u32", channels),
      e.variable("n", "u32", inner),
      e.variable("t"),
    ];
    const f = (name: string) => e.variable(name, "f32");
    const x = e.load("x", e.add(e.mul(step, channels), channel));
    const stateAt = e.add(e.mul(channel, inner), n);
    const kernel: ScanKernel = {
      name: "two states",
      skeleton: "scan",
      notes: [],
      leads: 2,
      channels,
      inner,
      bindings: [
        { name: "x", access: "read", element: "f32" },
        { name: "k", access: "read", element: "f32" },
        { name: "start", access: "read", element: "f32" },
        { name: "y", access: "read_write", element: "f32" },
        { name: "last_m", access: "read_write", element: "f32" },
        { name: "last_s", access: "read_write", element: "f32" },
      ],
      begin: e.mul(lead, 15),
      end: e.op("min", e.add(e.mul(lead, 15), 15), t),
      invariants: [{ name: "rate", per: "element", value: e.div(e.op("f32", e.add(n, 1)), 20) }],
      staged: [
        { name: "x_t", per: "channel", value: x },
        { name: "k_t", per: "inner", value: e.load("k", e.add(e.mul(step, inner), n)) },
      ],
      states: [
        {
          name: "m",
          inner: false,
          initial: e.f32(-Infinity),
          next: "m_next",
          final: { binding: "last_m", index: e.add(e.mul(lead, channels), channel), value: f("last") },
        },
        {
          name: "s",
          inner: true,
          initial: e.load("start", stateAt),
          next: "s_next",
          final: {
            binding: "last_s",
            index: e.add(e.mul(lead, channels * inner), stateAt),
            value: f("last"),
          },
        },
      ],
      steps: [
        { name: "m_next", inner: false, value: e.op("max", f("prev_m"), f("x_t")) },
        {
          name: "s_next",
          inner: true,
          value: e.add(e.mul(f("prev_s"), f("rate")), e.mul(e.sub(f("m_next"), f("x_t")), f("k_t"))),
        },
      ],
      reductions: [
        { name: "total", fn: "sum", value: f("s_next") },
        { name: "top", fn: "max", value: e.mul(f("s_next"), f("k_t")) },
      ],
      stores: [
        {
          binding: "y",
          index: e.add(e.mul(step, channels), channel),
          value: e.add(e.mul(f("total"), f("x_t")), f("top")),
          when: e.op("ge", step, 2),
        },
      ],
      schedule: { channels: 4, lanes: 2, steps: 4 },
    };
    const random = seeded(5);
    const normal = (count: number): Float32Array =>
      Float32Array.from({ length: count }, () => random.normal());
    const data = { x: normal(t * channels), k: normal(t * inner), start: normal(channels * inner) };
    const y = new Float64Array(t * channels).fill(7);
    const [lastM, lastS] = [new Float64Array(2 * channels), new Float64Array(2 * channels * inner)];
    for (let piece = 0; piece < 2; piece++) {
      for (let c = 0; c < channels; c++) {
        let m = -Infinity;
        const s = Float64Array.from(data.start.subarray(c * inner, (c + 1) * inner));
        for (let i = piece * 15; i < Math.min(piece * 15 + 15, t); i++) {
          const value = data.x[i * channels + c] ?? NaN;
          m = Math.max(m, value);
          let [total, top] = [0, -Infinity];
          for (let j = 0; j < inner; j++) {
            const k = data.k[i * inner + j] ?? NaN;
            s[j] = (s[j] ?? 0) * Math.fround((j + 1) / 20) + (m - value) * k;
            total += s[j] ?? 0;
            top = Math.max(top, (s[j] ?? 0) * k);
          }
          if (i >= 2) y[i * channels + c] = total * value + top;
        }
        lastM[piece * channels + c] = m;
        lastS.set(s, (piece * channels + c) * inner);
      }
    }
    const got = await runKernel(
      kernel,
      {},
      {
        ...data,
        y: new Float32Array(t * channels).fill(7),
        last_m: new Float32Array(2 * channels),
        last_s: new Float32Array(2 * channels * inner),
      },
    );
    for (const [name, expected] of Object.entries({ y, last_m: lastM, last_s: lastS })) {
      expectClose(
        { shape: [expected.length], data: got[name] ?? [] },
        { shape: [expected.length], data: expected },
        { what: name, tolerance: "f32" },
      );
    }
  });
});
