/**
 * Times the scan as the whole compiler makes it from a Krait source, whole and cut in time:
 * `node dist/bench-generated.js [robust]`. The shapes are those at which the official CUDA kernel was measured.
 */
import { compile } from "../compiler/compile.js";
import type { LoweredKernel } from "../compiler/5-kernel/lower/index.js";
import type { BoundBuffer } from "../compiler/5-kernel/lower/scope.js";
import { bytes } from "../compiler/5-kernel/lower/buffers.js";
import { evaluateDim } from "../runtime/dim.js";
import { Prepared, filled, openBench, type Bench } from "./harness.js";

const SOURCE = `
const channels = 1536, states = 16
axis b: batch, t: time, d = channels, n = states
model scan {
  input u: f32[b, t, d], delta: f32[b, t, d], z: f32[b, t, d]
  input B: f32[b, t, n], C: f32[b, t, n]
  param A_log[d, n], D[d], bias[d]
  state h[d, n]
  der(h) = -exp(A_log) * h + B * u  by exp_euler(softplus(delta + bias))
  output y[b, t, d] = (dot(C, h, over n) + D * u) * silu(z)
}
`.replace(/input (.*)/g, (_, list: string) =>
  list
    .split(/, (?=\w+:)/)
    .map((one) => `input ${one}`)
    .join("\n  "),
);

/** batch, channels, steps, and the official kernel's milliseconds in f32. */
const SHAPES = [
  [1, 1536, 2048, 0.131],
  [8, 1536, 2048, 0.882],
  [8, 4096, 2048, 2.299],
  [1, 5120, 2048, 0.393],
  [1, 1536, 16384, 1.003],
  [1, 1536, 131072, 8.011],
] as const;

function scans(channels: number): readonly LoweredKernel[] {
  const { stages, diagnostics } = compile(
    { path: "scan.krait", text: SOURCE },
    { set: { channels }, targets: ["large"] },
  );
  const prefill = stages.targets?.[0]?.programs.find(({ name }) => name === "prefill");
  if (prefill === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return prefill.groups.filter(({ group }) => group.kind === "scan").flatMap(({ kernels }) => kernels);
}

function sizeOf(buffer: BoundBuffer, numbers: Readonly<Record<string, number>>): number {
  return buffer.kind === "pack" ? buffer.size : evaluateDim(bytes(buffer.tensor), numbers) / 4;
}

async function timeOf(
  bench: Bench,
  lowered: LoweredKernel,
  numbers: Readonly<Record<string, number>>,
): Promise<number> {
  const buffers = new Map<string, GPUBuffer>();
  for (const [k, { name }] of lowered.kernel.bindings.entries()) {
    const buffer = lowered.buffers[k];
    if (buffer !== undefined) buffers.set(name, await filled(bench, sizeOf(buffer, numbers), -1, 0));
  }
  const ms = await (await Prepared.make(bench, lowered.kernel, numbers, buffers)).time();
  for (const buffer of buffers.values()) buffer.destroy();
  return ms;
}

const bench = await openBench(process.argv.includes("robust"));
console.log(`${bench.description}, robustness ${bench.robust ? "on" : "off"}`);
for (const [b, channels, t, official] of SHAPES) {
  const kernels = scans(channels);
  const numbers: Record<string, number> = { b, t, pos: 0, tail_begin: 0, tail_count: 1 };
  for (const { name, value } of kernels.flatMap((kernel) => kernel.numbers ?? []))
    numbers[name] ??= evaluateDim(value, numbers);
  const chosen = kernels.filter(({ when }) => when === undefined || evaluateDim(when, numbers) !== 0);
  const parts: string[] = [];
  let total = 0;
  for (const lowered of chosen) {
    const ms = await timeOf(bench, lowered, numbers);
    total += ms;
    parts.push(`${lowered.kernel.name} ${ms.toFixed(4)}`);
  }
  console.log(
    `${b}×${channels}×${t}  ${total.toFixed(4)} ms  ${(official / total).toFixed(2)} × official CUDA  (${parts.join(", ")})`,
  );
}
bench.device.destroy();
process.exit(0);
