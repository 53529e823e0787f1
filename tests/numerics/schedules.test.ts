/**
 * The spaces of schedules: what the compiler takes by itself lies in them, every schedule keeps to the target's limits,
 * and computes the same. A seeded sample is run; KRAIT_SCHEDULES=all runs each, for a real GPU.
 */
import assert from "node:assert/strict";
import { linearScan, mamba2Scan, mambaScan } from "../../bench/kernels.js";
import { product } from "../../src/measure/product.js";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import { extentsOf } from "../../compiler/5-kernel/schedules/shape.js";
import {
  neighbours,
  sameSchedule,
  scheduleText,
  spaceOf,
  withSchedule,
  type Schedule,
} from "../../compiler/5-kernel/schedules/space.js";
import type { Kernel, ReduceKernel } from "../../compiler/5-kernel/types.js";
import { validateKernel } from "../../compiler/5-kernel/validate.js";
import { TARGETS, type Target } from "../../compiler/4-passes/schedule.js";
import { compile } from "../../compiler/compile.js";
import { familySource } from "../../src/families.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { pack, runKernel, type Buffers } from "../support/run-kernel.js";
import { multiplied } from "../support/sums.js";

const targetOf = (name: string): Target =>
  TARGETS.find((target) => target.name === name) ?? assert.fail(`no target ${name}`);
const [BASELINE, MATRIX] = [targetOf("baseline"), targetOf("matrix")];

const SEED = Number(process.env["KRAIT_SEED"] ?? 1);
const ALL = process.env["KRAIT_SCHEDULES"] === "all";

/** Some of them, at random; all of them where they are asked for. */
function sample(space: readonly Schedule[], count: number): readonly Schedule[] {
  if (ALL) return space;
  const random = seeded(SEED);
  const left = [...space];
  return Array.from({ length: Math.min(count, left.length) }, () => {
    const [picked] = left.splice(Math.floor(random.uniform(0, left.length)), 1);
    return picked ?? assert.fail("nothing is left");
  });
}

const normal = (count: number, seed: number): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

const ROWS = { kind: "rows", lanes: 8, cols: 4 } as const;
const UNITS = {
  kind: "matrix",
  tileRows: 64,
  tileCols: 64,
  tileDepth: 32,
  partRows: 32,
  partCols: 32,
  stages: 1,
} as const;
const SCAN = { channels: 8, lanes: 4, steps: 8 };

/** y[row] = Σ_k x[row, k]². */
function squares(depth: number): ReduceKernel {
  const e = new ExprBuilder();
  const [row, k] = [e.variable("row", "u32", "rows"), e.variable("k", "u32", depth)];
  const x = e.load("x", e.add(e.mul(row, depth), k));
  return {
    name: "squares",
    skeleton: "reduce",
    notes: [],
    bindings: [
      { name: "x", access: "read", element: "f32" },
      { name: "y", access: "read_write", element: "f32" },
    ],
    domain: [{ var: "row", extent: "rows" }],
    over: { var: "k", extent: depth },
    reductions: [{ name: "sum", fn: "sum", body: e.mul(x, x) }],
    stores: [{ binding: "y", index: row, value: e.variable("sum", "f32") }],
    schedule: { workgroup: 32 },
  };
}

interface Case {
  readonly name: string;
  readonly kernel: Kernel;
  readonly target: Target;
  readonly numbers: Readonly<Record<string, number>>;
  readonly buffers: Buffers;
  readonly expected: Float64Array;
  readonly count: number;
}

function productCase(name: string, target: Target, kernel: Kernel, halves: boolean, count: number): Case {
  const [rows, cols, depth] = [37, 44, 52];
  // Sixteenths are f16 exactly: matrix units round nothing.
  const sixteenths = (values: Float32Array): Float32Array => values.map((v) => Math.round(v * 16) / 16);
  const [x, w] = [sixteenths(normal(rows * depth, 1)), sixteenths(normal(cols * depth, 2))];
  return {
    name,
    kernel,
    target,
    numbers: { rows },
    buffers: { x, w: halves ? pack("f16", w) : w, y: new Float32Array(rows * cols).fill(NaN) },
    expected: multiplied(x, w, [rows, cols, depth]),
    count,
  };
}

function linearCase(): Case {
  const [b, t, channels] = [2, 37, 12];
  const random = seeded(5);
  const [x, delta] = [normal(b * t * channels, 3), normal(b * t * channels, 4).map(Math.abs)];
  const A = Float32Array.from({ length: channels }, () => -random.uniform(0.1, 2));
  const expected = new Float64Array(b * t * channels);
  for (let lead = 0; lead < b; lead++)
    for (let c = 0; c < channels; c++) {
      let h = 0;
      for (let step = 0; step < t; step++) {
        const i = (lead * t + step) * channels + c;
        h = 2 ** ((delta[i] ?? NaN) * (A[c] ?? NaN)) * h + (x[i] ?? NaN);
        expected[i] = h;
      }
    }
  return {
    name: "a gated scan",
    kernel: linearScan(channels, SCAN),
    target: BASELINE,
    numbers: { b, t },
    buffers: { x, delta, A, y: new Float32Array(expected.length).fill(NaN) },
    expected,
    count: 4,
  };
}

function mamba2Case(): Case {
  const sizes = { channels: 12, head: 4, inner: 24 };
  const { channels, head, inner } = sizes;
  const [b, t] = [2, 19];
  const random = seeded(6);
  const heads = channels / head;
  const x = {
    delta: Float32Array.from({ length: b * t * heads }, () => random.uniform(0.05, 1)),
    x: normal(b * t * channels, 7),
    B: normal(b * t * inner, 8),
    C: normal(b * t * inner, 9),
    A: Float32Array.from({ length: heads }, () => -random.uniform(0.1, 3)),
    D: normal(heads, 10),
  };
  const expected = new Float64Array(b * t * channels);
  for (let lead = 0; lead < b; lead++)
    for (let c = 0; c < channels; c++) {
      const h = new Float64Array(inner);
      const of = Math.floor(c / head);
      for (let step = 0; step < t; step++) {
        const row = lead * t + step;
        const delta = x.delta[row * heads + of] ?? NaN;
        const u = x.x[row * channels + c] ?? NaN;
        let sum = (x.D[of] ?? NaN) * u;
        for (let n = 0; n < inner; n++) {
          h[n] = 2 ** (delta * (x.A[of] ?? NaN)) * (h[n] ?? 0) + delta * u * (x.B[row * inner + n] ?? NaN);
          sum += (h[n] ?? NaN) * (x.C[row * inner + n] ?? NaN);
        }
        expected[row * channels + c] = sum;
      }
    }
  return {
    name: "a scan with an inner axis",
    kernel: mamba2Scan(sizes, SCAN),
    target: BASELINE,
    numbers: { b, t },
    buffers: { ...x, y: new Float32Array(expected.length).fill(NaN) },
    expected,
    count: 5,
  };
}

function reduceCase(): Case {
  const [rows, depth] = [5, 77];
  const x = normal(rows * depth, 11);
  const expected = Float64Array.from({ length: rows }, (_, row) =>
    x.subarray(row * depth, (row + 1) * depth).reduce((sum, value) => sum + value * value, 0),
  );
  return {
    name: "a reduction",
    kernel: squares(depth),
    target: BASELINE,
    numbers: { rows },
    buffers: { x, y: new Float32Array(rows).fill(NaN) },
    expected,
    count: 4,
  };
}

const sizes = { rows: "rows", cols: 44, depth: 52 };
const CASES: readonly Case[] = [
  productCase("a product", BASELINE, product(sizes, ROWS), false, 6),
  productCase("a product of 16-bit weights on matrix units", MATRIX, product(sizes, UNITS, "f16"), true, 3),
  linearCase(),
  mamba2Case(),
  reduceCase(),
];

describe("spaces of schedules", () => {
  for (const { name, kernel, target, numbers, buffers, expected, count } of CASES) {
    it(`compute ${name} by each alike`, async () => {
      const space = spaceOf(kernel, target);
      for (const schedule of sample(space, count)) {
        const { y } = await runKernel(withSchedule(kernel, schedule), numbers, buffers);
        assert(y !== undefined);
        const shape = [expected.length];
        const what = `${scheduleText(schedule)} (KRAIT_SEED=${String(SEED)})`;
        expectClose({ shape, data: y }, { shape, data: expected }, { what, tolerance: "f32" });
      }
    });
  }

  for (const { name, kernel, target } of CASES) {
    it(`keep to the limits of ${target.name}: ${name}`, () => {
      const { maxComputeInvocationsPerWorkgroup: invocations, maxComputeWorkgroupStorageSize: bytes } =
        target.limits;
      const space = spaceOf(kernel, target);
      assert.ok(space.length >= 4, String(space.length));
      const numbers = Object.values(extentsOf(kernel)).flatMap((size) =>
        typeof size === "string" ? [size] : [],
      );
      for (const schedule of space) {
        const other = withSchedule(kernel, schedule);
        validateKernel(other, numbers);
        const printed = printWgsl(other, numbers);
        assert.ok(printed.workgroup[0] <= invocations, scheduleText(schedule));
        assert.ok(printed.workgroupBytes <= bytes, scheduleText(schedule));
        assert.equal(identityOf(other), identityOf(kernel));
      }
    });
  }

  for (const family of ["mamba", "mamba2", "recurrent_gemma", "rwkv"]) {
    it(`hold what the compiler takes by itself: ${family}`, () => {
      const source = familySource(family) ?? assert.fail(`no family ${family}`);
      for (const set of [{ layers: 1 }, { layers: 1, width: 320, vocab: 50 }]) {
        const targets = TARGETS.map(({ name }) => name);
        const { stages, diagnostics } = compile(source, { targets, set });
        assert.deepEqual(diagnostics, []);
        for (const { entry, kernels } of stages.targets ?? [])
          for (const [id, kernel] of kernels) {
            const space = spaceOf(kernel, targetOf(entry.name));
            const text = `${entry.name} ${id}: ${scheduleText(kernel.schedule)}`;
            assert.ok(
              space.some((each) => sameSchedule(each, kernel.schedule)),
              text,
            );
          }
      }
    });
  }

  it("lead from any schedule to any other of its kind, neighbour by neighbour", () => {
    const space = spaceOf(product(sizes, ROWS), BASELINE);
    for (const kind of ["rows", "tiled"]) {
      const ofKind = space.filter((each) => "kind" in each && each.kind === kind);
      const reached = new Set(ofKind.slice(0, 1));
      for (const each of reached)
        for (const changes of [1, 2] as const)
          for (const next of neighbours(each, space, changes)) reached.add(next);
      assert.equal(reached.size, ofKind.length);
    }
  });
});

describe("the identity of a kernel", () => {
  const base = mambaScan({ channels: 8, inner: 16 }, SCAN);

  it("does not depend on the schedule, nor on names", () => {
    const renamed = { ...base, name: "other", bindings: base.bindings };
    assert.equal(identityOf(renamed), identityOf(base));
    const [p, q] = [product(sizes, ROWS), product({ ...sizes, rows: "n" }, UNITS)];
    assert.equal(identityOf(p), identityOf(q));
  });

  it("depends on what is computed, on fixed sizes and on storage", () => {
    const others: readonly Kernel[] = [
      base,
      mambaScan({ channels: 8, inner: 8 }, SCAN),
      mambaScan({ channels: 16, inner: 16 }, SCAN),
      product(sizes, ROWS),
      product({ ...sizes, depth: 53 }, ROWS),
      product(sizes, ROWS, "f16"),
      { ...squares(5), reductions: [{ name: "sum", fn: "max", body: squares(5).reductions[0]!.body }] },
      squares(5),
    ];
    assert.equal(new Set(others.map(identityOf)).size, others.length);
  });
});

describe("the shape of a kernel", () => {
  it("has what is known only when it runs", () => {
    assert.deepEqual(extentsOf(product(sizes, ROWS)), { rows: "rows" });
    assert.deepEqual(extentsOf(product({ ...sizes, rows: 4 }, ROWS)), {});
    assert.deepEqual(extentsOf(mambaScan({ channels: 8, inner: 16 }, SCAN)), { leads: "b", steps: "t" });
    assert.deepEqual(extentsOf(squares(5)), { elements: "rows" });
  });
});
