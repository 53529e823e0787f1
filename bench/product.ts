/** Times the generated products, by tiles and by rows: `node dist/bench-product.js [robust] [tiled] [single] [few]`. */
import type { ContractKernel } from "../compiler/5-kernel/types.js";
import { Prepared, filled, openBench, readBack, type Bench } from "./harness.js";
import { product } from "./kernels.js";

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

async function measure(
  bench: Bench,
  shape: { rows: number; cols: number; depth: number },
  schedules: readonly ContractKernel["schedule"][],
): Promise<void> {
  const { rows, cols, depth } = shape;
  const buffers = new Map([
    ["x", await filled(bench, rows * depth)],
    ["w", await filled(bench, cols * depth)],
    ["y", await filled(bench, rows * cols)],
  ]);
  const y = buffers.get("y");
  if (y === undefined) throw new Error("no output");
  let reference: Float32Array | undefined;
  const results: { readonly label: string; readonly ms: number }[] = [];
  for (const schedule of schedules) {
    const kernel = product({ rows: "rows", cols, depth }, schedule);
    const prepared = await Prepared.make(bench, kernel, { rows }, buffers);
    const ms = await prepared.time();
    const got = await readBack(bench, y, Math.min(rows * cols, 1 << 18));
    const expected = (reference ??= got);
    const difference = got.reduce(
      (worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? NaN))),
      0,
    );
    const label =
      schedule.kind === "tiled"
        ? `${schedule.tileRows}×${schedule.tileCols}×${schedule.tileDepth} by ${schedule.threadRows}×${schedule.threadCols}`
        : `lanes ${schedule.lanes}, ${schedule.cols} columns, ${schedule.rows ?? 1} rows`;
    results.push({ label: `${rows}×${cols}×${depth}  ${label}`, ms });
    if (!(difference < 1e-2)) console.log(`${label}  WRONG by ${difference}`);
  }
  results.sort((a, b) => a.ms - b.ms);
  for (const { label, ms } of results.slice(0, 6)) {
    const flops = 2 * rows * cols * depth;
    const bytes = 4 * (rows * depth + cols * depth + rows * cols);
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
const asked = ["tiled", "single", "few"].filter((what) => process.argv.includes(what));
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
bench.device.destroy();
process.exit(0);
