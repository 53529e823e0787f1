/** Times the generated products, by tiles and by rows: `node dist/bench-product.js [robust] [tiled] [single] [few] [matrix]`. */
import type { ContractKernel } from "../compiler/5-kernel/types.js";
import { printWgsl } from "../compiler/5-kernel/print-wgsl.js";
import type { Storage } from "../runtime/bundle-format.js";
import { Prepared, filled, filledHalves, openBench, readBack, type Bench } from "./harness.js";
import { product } from "../src/measure/product.js";

const tiled = (
  tileRows: number,
  tileCols: number,
  tileDepth: number,
  threadRows: number,
  threadCols: number,
): ContractKernel["schedule"] => ({
  kind: "tiled",
  tileRows,
  tileCols,
  tileDepth,
  threadRows,
  threadCols,
});

const TILED = [
  tiled(128, 128, 16, 8, 8),
  tiled(128, 128, 8, 8, 8),
  tiled(128, 64, 16, 8, 4),
  tiled(64, 64, 16, 4, 4),
  tiled(64, 64, 16, 8, 4),
  tiled(64, 128, 16, 8, 8),
  tiled(128, 128, 32, 8, 8),
  tiled(128, 256, 16, 8, 16),
  tiled(32, 64, 16, 4, 4),
];
const ROWS: readonly ContractKernel["schedule"][] = [8, 16, 32, 64, 128, 256].flatMap((lanes) =>
  [1, 2, 4, 8, 16]
    .filter((cols) => lanes * cols >= 32 && lanes * cols <= 256)
    .map((cols) => ({ kind: "rows" as const, lanes, cols })),
);

const matrix = (
  [tileRows, tileCols, tileDepth]: readonly [number, number, number],
  [partRows, partCols]: readonly [number, number],
  stages: 1 | 2,
): ContractKernel["schedule"] => ({
  kind: "matrix",
  tileRows,
  tileCols,
  tileDepth,
  partRows,
  partCols,
  stages,
});

const MATRIX = (
  [
    [
      [128, 128, 16],
      [64, 64],
    ],
    [
      [128, 128, 32],
      [64, 64],
    ],
    [
      [128, 128, 64],
      [64, 64],
    ],
    [
      [128, 128, 32],
      [64, 32],
    ],
    [
      [128, 128, 32],
      [32, 64],
    ],
    [
      [128, 128, 64],
      [64, 32],
    ],
    [
      [256, 128, 16],
      [64, 64],
    ],
    [
      [256, 128, 32],
      [64, 64],
    ],
    [
      [128, 256, 16],
      [64, 64],
    ],
    [
      [128, 256, 32],
      [64, 64],
    ],
    [
      [256, 64, 32],
      [64, 64],
    ],
    [
      [64, 256, 32],
      [64, 64],
    ],
    [
      [128, 64, 32],
      [64, 32],
    ],
    [
      [64, 128, 32],
      [32, 64],
    ],
    [
      [128, 64, 64],
      [32, 32],
    ],
    [
      [64, 64, 32],
      [32, 32],
    ],
    [
      [64, 64, 64],
      [32, 32],
    ],
    [
      [64, 32, 64],
      [32, 16],
    ],
  ] as const
).flatMap(([tile, part]) => ([1, 2] as const).map((stages) => matrix(tile, part, stages)));

function labelOf(schedule: ContractKernel["schedule"]): string {
  switch (schedule.kind) {
    case "tiled":
      return `${schedule.tileRows}×${schedule.tileCols}×${schedule.tileDepth} by ${schedule.threadRows}×${schedule.threadCols}`;
    case "matrix":
      return `matrix ${schedule.tileRows}×${schedule.tileCols}×${schedule.tileDepth} by ${schedule.partRows}×${schedule.partCols}, ${schedule.stages} at once`;
    case "rows":
      return `lanes ${schedule.lanes}, ${schedule.cols} columns, ${schedule.rows ?? 1} rows`;
  }
}

interface Measured {
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
  readonly weights?: Storage;
  readonly inputs?: Storage;
  readonly fastest?: "depth" | "cols";
  readonly shown?: number;
}

async function measure(
  bench: Bench,
  { rows, cols, depth, weights = "f32", inputs = "f32", fastest = "depth", shown = 6 }: Measured,
  schedules: readonly ContractKernel["schedule"][],
): Promise<void> {
  const make = (storage: Storage, count: number): Promise<GPUBuffer> =>
    storage === "f32" ? filled(bench, count) : filledHalves(bench, count);
  const buffers = new Map([
    ["x", await make(inputs, rows * depth)],
    ["w", await make(weights, cols * depth)],
    ["y", await filled(bench, rows * cols)],
  ]);
  const y = buffers.get("y");
  if (y === undefined) throw new Error("no output");
  let reference: Float32Array | undefined;
  const results: { readonly label: string; readonly ms: number }[] = [];
  const storage = `${inputs} · ${weights}${fastest === "cols" ? " by columns" : ""}`;
  for (const schedule of schedules) {
    const kernel = product({ rows: "rows", cols, depth }, schedule, weights, inputs, fastest);
    const label = labelOf(schedule);
    const { workgroup, workgroupBytes } = printWgsl(kernel, ["rows"]);
    const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = bench.device.limits;
    if (workgroupBytes > maxComputeWorkgroupStorageSize || workgroup[0] > maxComputeInvocationsPerWorkgroup)
      continue;
    const made = performance.now();
    const prepared = await Prepared.make(bench, kernel, { rows }, buffers).catch((error: unknown) => {
      console.log(`${label}  ${String(error).slice(0, 400)}`);
      return undefined;
    });
    if (prepared === undefined) continue;
    const compiled = Math.round(performance.now() - made);
    const ms = await prepared.time();
    const got = await readBack(bench, y, Math.min(rows * cols, 1 << 18));
    const expected = (reference ??= got);
    const difference = got.reduce(
      (worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? NaN))),
      0,
    );
    results.push({
      label: `${rows}×${cols}×${depth} ${storage}  ${label}  (compiled in ${compiled} ms)`,
      ms,
    });
    // Operands rounded to f16 are off by 2⁻¹² of themselves at most, and the errors of a sum grow as its root does.
    const allowed = schedule.kind === "matrix" ? 2e-3 * Math.sqrt(depth) : 1e-2;
    if (!(difference < allowed)) console.log(`${label}  WRONG by ${difference}`);
  }
  results.sort((a, b) => a.ms - b.ms);
  for (const { label, ms } of results.slice(0, shown)) {
    const flops = 2 * rows * cols * depth;
    const size = (of: Storage): number => (of === "f32" ? 4 : 2);
    const bytes = size(inputs) * rows * depth + size(weights) * cols * depth + 4 * rows * cols;
    console.log(
      `${label}  ${(ms * 1e3).toFixed(2)} µs  ${(flops / ms / 1e9).toFixed(2)} TFLOP/s  ${(bytes / ms / 1e9).toFixed(3)} TB/s`,
    );
  }
  for (const buffer of buffers.values()) buffer.destroy();
}

const together = (
  schedules: readonly ContractKernel["schedule"][],
  rows: number,
): readonly ContractKernel["schedule"][] =>
  schedules.flatMap((schedule) => (schedule.kind === "rows" ? [{ ...schedule, rows }] : []));

const bench = await openBench(process.argv.includes("robust"));
console.log(`${bench.description}, robustness ${bench.robust ? "on" : "off"}`);
const asked = ["tiled", "single", "few", "matrix"].filter((what) => process.argv.includes(what));
const wanted = (what: string): boolean => asked.length === 0 || asked.includes(what);
if (wanted("tiled")) {
  await measure(bench, { rows: 2048, cols: 3072, depth: 768 }, TILED);
  await measure(bench, { rows: 4096, cols: 4096, depth: 4096 }, TILED);
  await measure(bench, { rows: 256, cols: 1536, depth: 768 }, TILED);
}
// What a pass costs by these timestamps when it does next to nothing.
await measure(bench, { rows: 1, cols: 4, depth: 1 }, [{ kind: "rows", lanes: 32, cols: 4 }]);
const SHORT = ROWS.filter(
  (schedule) => schedule.kind === "rows" && schedule.lanes >= 16 && schedule.lanes <= 64,
);
for (const [rows, cols, depth] of !wanted("single")
  ? []
  : ([
      [1, 3072, 768],
      [1, 768, 1536],
      [1, 50280, 768],
      [1, 80, 1536],
      [1, 1536, 48],
    ] as const)) {
  await measure(bench, { rows, cols, depth }, ROWS);
}
for (const [rows, cols, depth] of !wanted("few")
  ? []
  : ([
      [8, 3072, 768],
      [8, 50280, 768],
    ] as const)) {
  const small = tiled(16, 64, 16, 4, 4);
  await measure(bench, { rows, cols, depth }, [
    ...SHORT,
    ...together(SHORT, 2),
    ...together(SHORT, 4),
    ...together(SHORT, 8),
    small,
  ]);
}
if (wanted("matrix")) {
  // By plain lanes first: what the others are held to.
  const all = [tiled(64, 64, 16, 8, 4), ...MATRIX];
  const f16 = { weights: "f16" } as const;
  await measure(bench, { rows: 197, cols: 328, depth: 200, ...f16, shown: 40 }, all);
  await measure(bench, { rows: 197, cols: 330, depth: 198, ...f16, shown: 3 }, all);
  for (const [rows, cols, depth] of [
    [4096, 4096, 4096],
    [2048, 3072, 768],
    [2048, 768, 1536],
    [2048, 1536, 48],
    [256, 1536, 768],
    [16384, 3072, 768],
  ] as const) {
    for (const fastest of ["depth", "cols"] as const)
      await measure(bench, { rows, cols, depth, ...f16, inputs: "f16", fastest, shown: 12 }, all);
    await measure(bench, { rows, cols, depth, ...f16, shown: 12 }, all);
  }
}
bench.device.destroy();
process.exit(0);
