/**
 * Sweeps the schedules of the generated selective scan: `node dist/bench-scan.js [robust] [quick]`.
 * Prints one line a schedule: shape, channels × lanes × steps, bytes of workgroup memory, milliseconds, difference from the first.
 */
import type { ScanKernel } from "../compiler/5-kernel/types.js";
import { Prepared, filled, openBench, readBack, type Bench } from "./harness.js";
import { mambaScan } from "./kernels.js";

const INNER = 16;
const SHAPES = [
  { b: 8, channels: 1536, t: 2048 },
  { b: 1, channels: 1536, t: 2048 },
  { b: 1, channels: 5120, t: 2048 },
] as const;

function schedules(most: number): readonly ScanKernel["schedule"][] {
  const all: ScanKernel["schedule"][] = [];
  for (const channels of [16, 32, 64, 128])
    for (const lanes of [1, 2, 4, 8])
      for (const steps of [8, 16, 32]) {
        const invocations = channels * lanes;
        const bytes = 4 * steps * (3 * channels + 2 * INNER + channels * lanes);
        if (invocations >= 32 && invocations <= 256 && bytes <= most) all.push({ channels, lanes, steps });
      }
  return all;
}

/** A whole tile's steps by a loop of known length, which drivers unroll. */
export function splitTiles(code: string, steps: number): string {
  const head = "      for (var quad = 0u; quad < step_count / 4u; quad++) {";
  const from = code.indexOf(head);
  const to = code.indexOf("\n      }\n", from) + "\n      }\n".length;
  const loop = code.slice(from, to);
  const whole = loop.replace("quad < step_count / 4u", `quad < ${steps / 4}u`);
  return `${code.slice(0, from)}if (step_count == ${steps}u) {\n${whole}} else {\n${loop}}\n${code.slice(to)}`;
}

async function sweep(bench: Bench, quick: boolean): Promise<void> {
  const most = bench.device.limits.maxComputeWorkgroupStorageSize;
  for (const { b, channels, t } of SHAPES) {
    const rows = b * t;
    const buffers = new Map<string, GPUBuffer>();
    for (const name of ["dt", "u", "z", "y"]) buffers.set(name, await filled(bench, rows * channels));
    for (const name of ["B", "C"]) buffers.set(name, await filled(bench, rows * INNER));
    buffers.set("A", await filled(bench, channels * INNER, -16, -1));
    for (const name of ["D", "bias"]) buffers.set(name, await filled(bench, channels));
    buffers.set("h_last", await filled(bench, b * channels * INNER));
    const output = buffers.get("y");
    if (output === undefined) throw new Error("no output");
    let reference: Float32Array | undefined;
    const results: { readonly label: string; readonly ms: number }[] = [];
    for (const schedule of schedules(most)) {
      if (quick && (schedule.steps !== 16 || schedule.channels > 64)) continue;
      for (const split of [false, true]) {
        const kernel = mambaScan({ channels, inner: INNER }, schedule);
        const edit = split ? (code: string): string => splitTiles(code, schedule.steps) : undefined;
        const prepared = await Prepared.make(bench, kernel, { b, t }, buffers, edit);
        const ms = await prepared.time();
        const got = await readBack(bench, output, 1 << 18);
        reference ??= got;
        const expected = reference;
        const difference = got.reduce(
          (worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? NaN))),
          0,
        );
        const label = `${b}×${channels}×${t}  ${schedule.channels}×${schedule.lanes}×${schedule.steps}${split ? " split" : ""}  ${prepared.printed.workgroupBytes} B`;
        results.push({ label, ms });
        if (!(difference < 1e-3)) console.log(`${label}  WRONG by ${difference}`);
      }
    }
    results.sort((x, y) => x.ms - y.ms);
    for (const { label, ms } of results.slice(0, 12)) console.log(`${label}  ${ms.toFixed(4)} ms`);
    console.log(`… slowest ${results.at(-1)?.label}  ${results.at(-1)?.ms.toFixed(4)} ms`);
    for (const buffer of buffers.values()) buffer.destroy();
  }
}

const bench = await openBench(process.argv.includes("robust"));
console.log(`${bench.description}, robustness ${bench.robust ? "on" : "off"}`);
await sweep(bench, process.argv.includes("quick"));
bench.device.destroy();
process.exit(0);
