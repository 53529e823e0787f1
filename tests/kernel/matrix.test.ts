import assert from "node:assert/strict";
import { Float16Array } from "@petamoriken/float16";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import type { ContractKernel, Expr, MatrixSchedule } from "../../compiler/5-kernel/types.js";
import { requestDevice } from "../../src/node/adapters.js";
import { product } from "../../src/measure/product.js";
import { atEnd } from "../support/at-end.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { pack, runKernel } from "../support/run-kernel.js";

const matrix = (
  tileRows: number,
  tileCols: number,
  tileDepth: number,
  partRows: number,
  partCols: number,
  stages: 1 | 2,
): MatrixSchedule => ({ kind: "matrix", tileRows, tileCols, tileDepth, partRows, partCols, stages });

const SCHEDULES = [
  matrix(16, 16, 16, 16, 16, 1),
  matrix(32, 32, 16, 16, 32, 1),
  matrix(32, 32, 32, 32, 16, 2),
  matrix(32, 16, 48, 16, 16, 2),
];

/** Values that f16 holds exactly, so that nothing is rounded before the sums. */
const halves = (count: number, seed: number): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => Math.round(random.normal() * 16) / 16);
};

function same(what: string, got: ArrayLike<number> | undefined, expected: ArrayLike<number>): void {
  assert(got !== undefined);
  const shape = [expected.length];
  expectClose({ shape, data: got }, { shape, data: expected }, { what, tolerance: "f32" });
}

/** Σ_k a(row, k) · b(col, k), in float64. */
function multiplied(
  [rows, cols, depth]: readonly [number, number, number],
  a: (row: number, k: number) => number,
  b: (col: number, k: number) => number,
): Float64Array {
  const sums = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++)
      for (let k = 0; k < depth; k++) sums[row * cols + col]! += a(row, k) * b(col, k);
  return sums;
}

describe("the contract skeleton on matrix units", () => {
  const shapes = [
    [1, 1, 1],
    [5, 7, 3],
    [33, 65, 47],
    [17, 40, 56],
    [64, 48, 96],
  ] as const;
  for (const schedule of SCHEDULES) {
    it(`multiplies matrices by ${JSON.stringify(schedule)}`, async () => {
      for (const shape of shapes) {
        const [rows, cols, depth] = shape;
        for (const [inputs, weights, known] of [
          ["f32", "f16", true],
          ["f32", "f16", false],
          ["f16", "bf16", true],
          ["f32", "f32", false],
        ] as const) {
          const [x, w] = [halves(rows * depth, 1), halves(cols * depth, 2)];
          const expected = multiplied(
            shape,
            (r, k) => x[r * depth + k]!,
            (c, k) => w[c * depth + k]!,
          );
          const sizes = known ? { rows, cols, depth } : { rows: "r", cols: "c", depth: "k" };
          const { y } = await runKernel(
            product(sizes, schedule, weights, inputs),
            { r: rows, c: cols, k: depth },
            {
              x: inputs === "f32" ? x : pack(inputs, x),
              w: weights === "f32" ? w : pack(weights, w),
              y: new Float32Array(expected.length).fill(NaN),
            },
          );
          same(`${shape.join("×")} ${inputs} ${weights} ${String(known)}`, y, expected);
        }
      }
    });
  }

  it("reads both sides along rows and columns, in batches, by words and by what is computed", async () => {
    const [batch, rows, cols, depth] = [3, 24, 40, 19];
    for (const [element, scale] of [
      ["f32", 1],
      ["f16", 1],
      ["f16", 2],
    ] as const) {
      const e = new ExprBuilder();
      const at = (name: string): Expr => e.variable(name);
      const a = e.load("x", e.add(e.mul(e.add(e.mul(at("batch"), depth), at("k")), rows), at("row")));
      const b = e.load("w", e.add(e.mul(e.add(e.mul(at("batch"), depth), at("k")), cols), at("col")));
      const kernel: ContractKernel = {
        name: "transposed",
        skeleton: "contract",
        notes: [],
        bindings: [
          { name: "x", access: "read", element },
          { name: "w", access: "read", element },
          { name: "bias", access: "read", element: "f32" },
          { name: "y", access: "read_write", element: "f32" },
        ],
        batch,
        rows,
        cols,
        depth,
        a: e.mul(a, scale),
        b,
        along: [],
        stores: [
          {
            binding: "y",
            index: e.add(e.mul(e.add(e.mul(at("batch"), rows), at("row")), cols), at("col")),
            value: e.add(e.variable("acc", "f32"), e.load("bias", at("col"))),
          },
        ],
        schedule: matrix(32, 32, 16, 16, 16, 2),
      };
      const x = halves(batch * rows * depth, 3);
      const [w, bias] = [halves(batch * cols * depth, 4), halves(cols, 5)];
      const expected = Array.from({ length: batch }, (_, i) => {
        const sums = multiplied(
          [rows, cols, depth],
          (r, k) => scale * x[(i * depth + k) * rows + r]!,
          (c, k) => w[(i * depth + k) * cols + c]!,
        );
        return [...sums].map((sum, j) => sum + bias[j % cols]!);
      }).flat();
      const { y } = await runKernel(
        kernel,
        {},
        {
          x: element === "f32" ? x : pack(element, x),
          w: element === "f32" ? w : pack(element, w),
          bias,
          y: new Float32Array(expected.length),
        },
      );
      same(`${element} × ${scale}`, y, expected);
    }
  });

  it("scales by blocks of coordinates that begin anywhere", async () => {
    const [rows, cols, depth] = [16, 16, 32];
    const x = halves(rows * depth, 7);
    const w = halves(cols * depth, 8);
    for (const [shift, size] of [
      [0, 8],
      [4, 8],
      [12, 8],
      [4, 16],
      [2, 8],
      [4, 4],
    ] as const) {
      const e = new ExprBuilder();
      const [row, col, k] = ["row", "col", "k"].map((each) => e.variable(each));
      assert(row && col && k);
      const scale = e.load("scale", e.div(e.add(k, shift), size));
      const kernel: ContractKernel = {
        ...product({ rows, cols, depth }, matrix(16, 16, 16, 16, 16, 1)),
        bindings: [
          { name: "x", access: "read", element: "f32" },
          { name: "w", access: "read", element: "f32" },
          { name: "scale", access: "read", element: "f32" },
          { name: "y", access: "read_write", element: "f32" },
        ],
        a: e.mul(e.load("x", e.add(e.mul(row, depth), k)), scale),
        b: e.load("w", e.add(e.mul(col, depth), k)),
      };
      const scales = Float32Array.from({ length: Math.ceil((depth + shift) / size) }, (_, i) => 2 ** (i % 5));
      const expected = multiplied(
        [rows, cols, depth],
        (r, at) => x[r * depth + at]! * scales[Math.floor((at + shift) / size)]!,
        (c, at) => w[c * depth + at]!,
      );
      const { y } = await runKernel(
        kernel,
        {},
        { x, w, scale: scales, y: new Float32Array(rows * cols).fill(NaN) },
      );
      same(`blocks of ${size} from ${shift}`, y, expected);
    }
  });

  it("reads operands that are joined anywhere", async () => {
    const [rows, depth] = [16, 32];
    const x = halves(rows * depth, 9);
    for (const joint of [16, 18, 20]) {
      const e = new ExprBuilder();
      const [row, k] = [e.variable("row"), e.variable("k")];
      const [first, rest] = [halves(joint, 10), halves(depth - joint, 11)];
      const kernel: ContractKernel = {
        ...product({ rows, cols: 1, depth }, matrix(16, 16, 16, 16, 16, 1)),
        bindings: [
          { name: "x", access: "read", element: "f32" },
          { name: "first", access: "read", element: "f32" },
          { name: "rest", access: "read", element: "f32" },
          { name: "y", access: "read_write", element: "f32" },
        ],
        a: e.load("x", e.add(e.mul(row, depth), k)),
        b: e.select(e.op("lt", k, joint), e.load("first", k), e.load("rest", e.sub(k, joint))),
        stores: [{ binding: "y", index: row, value: e.variable("acc", "f32") }],
      };
      const expected = multiplied(
        [rows, 1, depth],
        (r, at) => x[r * depth + at]!,
        (_, at) => [...first, ...rest][at]!,
      );
      const { y } = await runKernel(kernel, {}, { x, first, rest, y: new Float32Array(rows).fill(NaN) });
      same(`joined at ${joint}`, y, expected);
    }
  });

  it("leaves out tiles past the last row, where the operand is zero past its row", async () => {
    const [rows, cols, depth, known] = [48, 5, 48, 32];
    const tiled = { kind: "tiled", tileRows: 16, tileCols: 16, tileDepth: 8 } as const;
    const schedules = [
      matrix(16, 16, 16, 16, 16, 1),
      matrix(16, 16, 16, 16, 16, 2),
      { ...tiled, threadRows: 4, threadCols: 4 },
    ];
    const [x, w] = [halves(rows * depth, 12), halves(cols * depth, 13)];
    // What is multiplied by zero shows: infinity times zero is no number.
    const unknown = w.map((value, i) => (i % depth < known ? value : Infinity));
    const e = new ExprBuilder();
    const [row, k] = [e.variable("row"), e.variable("k")];
    const value = e.load("x", e.add(e.mul(row, depth), k));
    const [until, before] = [e.op("le", k, row), e.op("lt", k, row)];
    const exponent = e.op(
      "add",
      e.op("min", e.f32(128), e.op("floor", value)),
      e.select(until, e.f32(0), e.f32(-278)),
    );
    const x2 = x.map((each) => 2 ** Math.floor(each));
    const masked: readonly (readonly [Expr, (r: number, at: number) => number])[] = [
      [e.select(until, value, e.f32(0)), (r, at) => (at <= r ? x[r * depth + at]! : 0)],
      [e.select(before, value, e.f32(0)), (r, at) => (at < r ? x[r * depth + at]! : 0)],
      [e.op("exp2", exponent), (r, at) => (at <= r ? x2[r * depth + at]! : 0)],
    ];
    for (const schedule of schedules)
      for (const [a, left] of masked) {
        const expected = multiplied([known, cols, known], left, (c, at) => w[c * depth + at]!);
        const kernel = { ...product({ rows, cols, depth }, schedule), a };
        const { y } = await runKernel(kernel, {}, { x, w: unknown, y: new Float32Array(rows * cols) });
        same("known rows", y?.subarray(0, known * cols), expected);
      }
  });

  it("rounds operands to f16, and sums to f32 alone", async () => {
    const [rows, cols, depth] = [16, 16, 64];
    const random = seeded(6);
    const x = Float32Array.from({ length: rows * depth }, () => random.normal());
    const w = Float32Array.from({ length: cols * depth }, () => random.normal());
    const [x16, w16] = [new Float16Array(x), new Float16Array(w)];
    const expected = multiplied(
      [rows, cols, depth],
      (r, k) => x16[r * depth + k]!,
      (c, k) => w16[c * depth + k]!,
    );
    const { y } = await runKernel(
      product({ rows, cols, depth }, matrix(16, 16, 32, 16, 16, 1)),
      {},
      {
        x,
        w,
        y: new Float32Array(rows * cols),
      },
    );
    same("y", y, expected);
  });

  it("is WGSL whatever the model's own names are", async () => {
    const device = await requestDevice({ adapter: "null", unsafeApis: true });
    atEnd(() => Promise.resolve(device.destroy()));
    const tiled = {
      kind: "tiled",
      tileRows: 16,
      tileCols: 16,
      tileDepth: 16,
      threadRows: 4,
      threadCols: 4,
    } as const;
    for (const schedule of [matrix(16, 16, 16, 16, 16, 1), tiled])
      for (const [x, w] of [
        ["sum_0_0", "piece_b_0"],
        ["next_a_0", "next_low_b_0"],
        ["side_a_0", "at_b_0"],
        ["k_a_0", "four_b_0"],
        ["left_0", "right_0"],
        ["a_0", "b_0"],
        ["tile", "row_tile"],
      ] as const) {
        const e = new ExprBuilder();
        const [row, col, k] = ["row", "col", "k"].map((each) => e.variable(each));
        assert(row && col && k);
        const kernel: ContractKernel = {
          ...product({ rows: "r", cols: 32, depth: 32 }, schedule),
          bindings: [
            { name: x, access: "read", element: "f32" },
            { name: w, access: "read", element: "f32" },
            { name: "y", access: "read_write", element: "f32" },
          ],
          a: e.load(x, e.add(e.mul(row, 32), k)),
          b: e.load(w, e.add(e.mul(col, 32), k)),
        };
        const { code } = printWgsl(kernel, ["r"]);
        const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
        assert.deepEqual(
          messages.map(({ message }) => message),
          [],
          code,
        );
      }
  });

  it("is WGSL that Dawn takes as it stands", async () => {
    const device = await requestDevice({ adapter: "null", unsafeApis: true });
    atEnd(() => Promise.resolve(device.destroy()));
    for (const schedule of SCHEDULES)
      for (const weights of ["f32", "f16", "bf16"] as const) {
        const { code } = printWgsl(product({ rows: "r", cols: 40, depth: 72 }, schedule, weights), ["r"]);
        const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
        assert.deepEqual(
          messages.map(({ message }) => message),
          [],
          code,
        );
      }
  });
});
