/**
 * Sweeps the schedules of generated scans: `node dist/bench-scan.js [robust] [mamba] [mamba2] [linear]`.
 * Prints the best of each shape: channels × lanes × steps, bytes of workgroup memory, milliseconds.
 */
import type { ScanKernel } from "../compiler/5-kernel/types.js";
import { scanWorkgroupBytes } from "../compiler/5-kernel/fill/scan.js";
import { Prepared, filled, openBench, readBack, type Bench } from "./harness.js";
import { linearScan, mamba2Scan, mambaScan } from "./kernels.js";

interface Family {
  readonly name: string;
  readonly shapes: readonly { readonly b: number; readonly channels: number; readonly t: number }[];
  readonly lanes: readonly number[];
  readonly kernel: (channels: number, schedule: ScanKernel["schedule"]) => ScanKernel;
  /** Elements of each buffer, and between what they lie. */
  readonly buffers: (
    rows: number,
    channels: number,
  ) => Readonly<Record<string, readonly [count: number, low: number, high: number]>>;
}

const STATES = 16;
const STATES_2 = 128;
const HEAD = 64;

const FAMILIES: readonly Family[] = [
  {
    name: "mamba",
    shapes: [
      { b: 8, channels: 1536, t: 2048 },
      { b: 1, channels: 1536, t: 2048 },
      { b: 1, channels: 5120, t: 2048 },
    ],
    lanes: [2, 4, 8],
    kernel: (channels, schedule) => mambaScan({ channels, inner: STATES }, schedule),
    buffers: (rows, channels) => ({
      dt: [rows * channels, -1, 1],
      u: [rows * channels, -1, 1],
      z: [rows * channels, -1, 1],
      y: [rows * channels, -1, 1],
      B: [rows * STATES, -1, 1],
      C: [rows * STATES, -1, 1],
      A: [channels * STATES, -16, -1],
      D: [channels, -1, 1],
      bias: [channels, -1, 1],
      h_last: [8 * channels * STATES, -1, 1],
    }),
  },
  {
    name: "mamba2",
    shapes: [
      { b: 8, channels: 1536, t: 2048 },
      { b: 1, channels: 1536, t: 2048 },
    ],
    lanes: [4, 8, 16, 32],
    kernel: (channels, schedule) => mamba2Scan({ channels, head: HEAD, inner: STATES_2 }, schedule),
    buffers: (rows, channels) => ({
      delta: [(rows * channels) / HEAD, 0.01, 1],
      x: [rows * channels, -1, 1],
      y: [rows * channels, -1, 1],
      B: [rows * STATES_2, -1, 1],
      C: [rows * STATES_2, -1, 1],
      A: [channels / HEAD, -16, -1],
      D: [channels / HEAD, -1, 1],
    }),
  },
  {
    name: "linear",
    shapes: [
      { b: 8, channels: 2560, t: 2048 },
      { b: 1, channels: 2560, t: 2048 },
    ],
    lanes: [1],
    kernel: linearScan,
    buffers: (rows, channels) => ({
      delta: [rows * channels, 0.01, 1],
      x: [rows * channels, -1, 1],
      y: [rows * channels, -1, 1],
      A: [channels, -16, -1],
    }),
  },
];

function* schedules(family: Family, most: number): Generator<ScanKernel["schedule"]> {
  for (const channels of [8, 16, 32, 64])
    for (const lanes of family.lanes)
      for (const steps of [4, 8, 16, 32]) {
        const schedule = { channels, lanes, steps };
        const bytes = scanWorkgroupBytes(family.kernel(1536, schedule));
        if (channels * lanes >= 32 && channels * lanes <= 256 && bytes <= most) yield schedule;
      }
}

async function sweep(bench: Bench, family: Family): Promise<void> {
  const most = bench.device.limits.maxComputeWorkgroupStorageSize;
  for (const { b, channels, t } of family.shapes) {
    const buffers = new Map<string, GPUBuffer>();
    for (const [name, [count, low, high]] of Object.entries(family.buffers(b * t, channels)))
      buffers.set(name, await filled(bench, count, low, high));
    const output = buffers.get("y");
    if (output === undefined) throw new Error("no output");
    let reference: Float32Array | undefined;
    const results: { readonly label: string; readonly ms: number }[] = [];
    for (const schedule of schedules(family, most)) {
      const prepared = await Prepared.make(bench, family.kernel(channels, schedule), { b, t }, buffers);
      const ms = await prepared.time();
      const got = await readBack(bench, output, 1 << 18);
      const expected = (reference ??= got);
      const difference = got.reduce(
        (worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? NaN))),
        0,
      );
      const label = `${family.name} ${b}×${channels}×${t}  ${schedule.channels}×${schedule.lanes}×${schedule.steps}  ${prepared.printed.workgroupBytes} B`;
      results.push({ label, ms });
      if (!(difference < 1e-3)) console.log(`${label}  differs from the first by ${difference}`);
    }
    results.sort((x, y) => x.ms - y.ms);
    for (const { label, ms } of results.slice(0, 7)) console.log(`${label}  ${ms.toFixed(4)} ms`);
    console.log(`… slowest ${results.at(-1)?.label}  ${results.at(-1)?.ms.toFixed(4)} ms`);
    for (const buffer of buffers.values()) buffer.destroy();
  }
}

const asked = FAMILIES.filter((family) => process.argv.includes(family.name));
const bench = await openBench(process.argv.includes("robust"));
console.log(`${bench.description}, robustness ${bench.robust ? "on" : "off"}`);
for (const family of asked.length === 0 ? FAMILIES : asked) await sweep(bench, family);
bench.device.destroy();
process.exit(0);
