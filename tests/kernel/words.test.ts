/**
 * Kernels that write elements of 16 bits, by schedules of their spaces: whatever lanes, tiles and workgroups there are, each word is written whole, by
 * one invocation, and nothing beyond the tensor.
 */
import assert from "node:assert/strict";
import { linearScan } from "../../bench/kernels.js";
import { product } from "../../src/measure/product.js";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import { canWriteWords } from "../../compiler/5-kernel/fill/word-stores.js";
import { scheduleText, spaceOf, withSchedule } from "../../compiler/5-kernel/schedules/space.js";
import type { Kernel, MapKernel, ReduceKernel, ScanKernel } from "../../compiler/5-kernel/types.js";
import { validateKernel } from "../../compiler/5-kernel/validate.js";
import { TARGETS } from "../../compiler/4-passes/schedule.js";
import { relativeError } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { pack, runKernel, type Buffers } from "../support/run-kernel.js";
import { expectRounded, OF_F32, rounded, valuesOf, type Half } from "../support/sixteen-bits.js";
import { multiplied } from "../support/sums.js";

const [BASELINE] = TARGETS.filter(({ name }) => name === "baseline");
const ROWS = { kind: "rows", lanes: 8, cols: 4 } as const;

const inWords = (kernel: Kernel, type: Half): Kernel => ({
  ...kernel,
  bindings: kernel.bindings.map((binding) =>
    binding.name === "y" ? { ...binding, element: type, words: true } : binding,
  ),
});

const normal = (count: number, seed: number): Float32Array<ArrayBuffer> => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

/** y[row, c] = x[row, c] · Σ_c' x[row, c']. */
function timesSum(width: number): ReduceKernel {
  const e = new ExprBuilder();
  const [row, c] = [e.variable("row", "u32", "rows"), e.variable("c", "u32", width)];
  const at = e.add(e.mul(row, width), c);
  const x = e.load("x", at);
  return {
    name: "times_sum",
    skeleton: "reduce",
    notes: [],
    bindings: [
      { name: "x", access: "read", element: "f32" },
      { name: "y", access: "read_write", element: "f32" },
    ],
    domain: [{ var: "row", extent: "rows" }],
    over: { var: "c", extent: width },
    reductions: [{ name: "sum", fn: "sum", body: x }],
    stores: [{ binding: "y", index: at, value: e.mul(x, e.variable("sum", "f32")) }],
    schedule: { workgroup: 32 },
  };
}

/** y[row, c] = 3 x[row, c], where row is not the third. */
function unlessThird(width: number): MapKernel {
  const e = new ExprBuilder();
  const [row, c] = [e.variable("row", "u32", "rows"), e.variable("c", "u32", width)];
  const at = e.add(e.mul(row, width), c);
  return {
    name: "unless_third",
    skeleton: "map",
    notes: [],
    bindings: [
      { name: "x", access: "read", element: "f32" },
      { name: "y", access: "read_write", element: "f32" },
    ],
    domain: [
      { var: "row", extent: "rows" },
      { var: "c", extent: width },
    ],
    stores: [{ binding: "y", index: at, value: e.mul(e.load("x", at), 3), when: e.op("ne", row, 2) }],
    schedule: { workgroup: 32 },
  };
}

/** The scan, whose results are stored times x, and once more as f32. */
function twice(kernel: ScanKernel): ScanKernel {
  const [store] = kernel.stores;
  assert.ok(store !== undefined);
  const e = new ExprBuilder();
  const [index, value] = [store.index, store.value].map((expr) => e.substitute(expr, new Map()));
  assert.ok(index !== undefined && value !== undefined);
  const gated = { ...store, index, value: e.mul(value, e.load("x", index)) };
  return {
    ...kernel,
    bindings: [...kernel.bindings, { name: "z", access: "read_write", element: "f32" }],
    stores: [gated, { ...gated, binding: "z" }],
  };
}

interface Case {
  readonly name: string;
  readonly kernel: Kernel;
  readonly numbers: Readonly<Record<string, number>>;
  readonly buffers: Buffers;
  readonly expected: Float64Array;
}

const KEPT = 7;

function cases(): readonly Case[] {
  const [rows, cols, depth, width] = [11, 44, 24, 20];
  const [x, w] = [normal(rows * depth, 1), normal(cols * depth, 2)];
  const line = normal(rows * width, 3);
  const sum = (row: number): number =>
    line.subarray(row * width, (row + 1) * width).reduce((total, value) => total + value, 0);
  const [b, t, channels] = [2, 37, 12];
  const gated = { x: normal(b * t * channels, 4), delta: normal(b * t * channels, 5).map(Math.abs) };
  const A = Float32Array.from({ length: channels }, (_, c) => -0.1 * (c + 1));
  const states = new Float64Array(b * t * channels);
  for (let i = 0; i < states.length; i++) {
    const before = Math.floor(i / channels) % t === 0 ? 0 : (states[i - channels] ?? NaN);
    states[i] = 2 ** ((gated.delta[i] ?? NaN) * (A[i % channels] ?? NaN)) * before + (gated.x[i] ?? NaN);
  }
  return [
    {
      name: "a product",
      kernel: product({ rows: "rows", cols, depth }, ROWS),
      numbers: { rows },
      buffers: { x, w },
      expected: multiplied(x, w, [rows, cols, depth]),
    },
    {
      name: "values beside a reduction",
      kernel: timesSum(width),
      numbers: { rows },
      buffers: { x: line },
      expected: Float64Array.from(line, (value, i) => value * sum(Math.floor(i / width))),
    },
    {
      name: "elements where a condition holds",
      kernel: unlessThird(width),
      numbers: { rows },
      buffers: { x: line },
      expected: Float64Array.from(line, (value, i) => (Math.floor(i / width) === 2 ? KEPT : 3 * value)),
    },
    {
      name: "a scan",
      kernel: linearScan(channels, { channels: 8, lanes: 1, steps: 8 }),
      numbers: { b, t },
      buffers: { ...gated, A },
      expected: states,
    },
    {
      name: "a scan that stores elements beside them",
      kernel: twice(linearScan(channels, { channels: 8, lanes: 1, steps: 8 })),
      numbers: { b, t },
      buffers: { ...gated, A, z: new Float32Array(states.length) },
      expected: states.map((value, i) => value * (gated.x[i] ?? NaN)),
    },
  ];
}

describe("words of two elements", () => {
  for (const type of ["f16", "bf16"] as const)
    for (const { name, kernel, numbers, buffers, expected } of cases())
      it(`${name} in ${type}, by schedules that write them whole`, async () => {
        assert.ok(BASELINE !== undefined);
        const space = spaceOf(inWords(kernel, type), BASELINE);
        const apart = Math.max(1, Math.floor(space.length / 5));
        for (const schedule of space.filter((_, i) => i % apart === 0)) {
          const written = inWords(withSchedule(kernel, schedule), type);
          const before = pack(type, new Float32Array(expected.length).fill(KEPT));
          const { y, z } = await runKernel(written, numbers, { ...buffers, y: before });
          assert.ok(y !== undefined);
          if (z !== undefined) assert.ok(relativeError(z, expected) < OF_F32, "elements beside words");
          const values = valuesOf(type, new Uint16Array(y.buffer as ArrayBuffer));
          expectRounded(type, values, expected, `${name}, ${scheduleText(schedule)}`);
        }
      });

  it("are left to kernels that have them whole", () => {
    const can = (kernel: Kernel): boolean => canWriteWords(kernel, "y");
    const sizes = { rows: "rows", cols: 44, depth: 24 };
    assert.ok(can(product(sizes, ROWS)) && can(product(sizes, { ...ROWS, each: 4 })));
    assert.ok(!can(product({ ...sizes, cols: 42 }, ROWS)), "columns that are no fours");
    assert.ok(!can(product(sizes, { ...ROWS, each: 2 })), "lanes of two columns");
    assert.ok(can(unlessThird(20)) && !can(unlessThird(18)));
    const scan = { channels: 8, lanes: 1, steps: 8 };
    assert.ok(can(linearScan(12, scan)) && !can(linearScan(13, scan)));
    assert.ok(!can(linearScan(12, { ...scan, channels: 1 })), "a workgroup of one channel");
    assert.throws(() => validateKernel(inWords(linearScan(13, scan), "f16")), /words/);
  });

  it("round as the nearest of their neighbours", () => {
    assert.deepEqual(
      [...rounded("bf16", [1.00390625, 1.01171875, -3.0e38])],
      [1, 1.015625, Math.fround(-3.0040553e38)],
    );
  });
});
