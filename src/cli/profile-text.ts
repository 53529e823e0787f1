/** A profile for people. */
import type { KernelProfile, Profile } from "../profile/profile.js";
import { plural } from "./summary.js";
import { formatTable } from "./table.js";

const HEADINGS = [
  ...["kernel", "source", "launches", "ms", "share", "µs each"],
  ...["MB each", "GB/s", "GFLOP/s", "of the bound"],
];

/** `device`: what it is called. */
export function profileText(profile: Profile, device: string): string {
  const { target, hasTimestamps, bounds, programs, kernels, host } = profile;
  const giga = (value: number): string => digits(value / 1e9);
  const product = bounds.product === bounds.lanes ? "" : `, ${giga(bounds.product)} GFLOP/s on matrix units`;
  const lines = [
    `${device}, target ${target}`,
    `at most: ${giga(bounds.copy)} GB/s (a copy), ${giga(bounds.lanes)} GFLOP/s (a product in f32)${product}`,
    ...(hasTimestamps ? [] : ["This adapter has no timestamps: what single kernels took is not known."]),
  ];
  const tables = programs.map(({ program, runs, launches, gpuMs, hostMs }) => {
    const each = (ms: number): string => (runs === 1 ? "" : `, ${timeText(ms / runs)} each`);
    const gpu = gpuMs === undefined ? "" : `${timeText(gpuMs)} on the GPU${each(gpuMs)}; `;
    const title = `${program}: ${plural(runs, "run")}, ${plural(launches, "launch", "launches")}; ${gpu}${timeText(hostMs)} from submitting to done${each(hostMs)}`;
    const own = kernels.filter((kernel) => kernel.program === program);
    return `${title}\n${kernelTable(own)}`;
  });
  const spans = host.map(({ work, times, ms }) => `${work} ${timeText(ms)} (${plural(times, "time")})`);
  return `${lines.join("\n")}\n\n${tables.join("\n")}\nhost: ${spans.join(", ")}\n`;
}

function kernelTable(kernels: readonly KernelProfile[]): string {
  const total = kernels.reduce((sum, { ms = 0 }) => sum + ms, 0);
  const rows = kernels.map((kernel) => {
    const { ms, bytes, operations, launches, bound } = kernel;
    const rate = (amount: number | undefined): string =>
      amount === undefined || ms === undefined || ms === 0 ? "" : digits(amount / ms / 1e6);
    return [
      kernel.kernel,
      sourceText(kernel),
      String(launches),
      ms === undefined ? "" : digits(ms),
      ms === undefined || total === 0 ? "" : `${((100 * ms) / total).toFixed(1)}%`,
      ms === undefined ? "" : digits((1000 * ms) / launches),
      bytes === undefined ? "" : digits(bytes / launches / 1e6),
      rate(bytes),
      rate(operations),
      bound === undefined ? "" : `${(100 * bound.share).toFixed(0)}% of ${bound.by}`,
    ];
  });
  return formatTable([HEADINGS, ...rows], { indent: 2, right: [2, 3, 4, 5, 6, 7, 8, 9] });
}

/** `mamba.krait:63-66,70`: the lines of the file that has most of them. */
function sourceText({ source }: KernelProfile): string {
  const files = new Map<string, number[]>();
  for (const { file, line } of source) files.set(file, [...(files.get(file) ?? []), line]);
  const [most] = [...files].sort(([, p], [, q]) => q.length - p.length);
  if (most === undefined) return "";
  const [file, lines] = most;
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last !== undefined && line <= last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  const shown = ranges.map(([from, to]) => (from === to ? String(from) : `${String(from)}-${String(to)}`));
  return `${file.slice(file.lastIndexOf("/") + 1)}:${shown.join(",")}`;
}

function timeText(ms: number): string {
  return ms < 1 ? `${digits(1000 * ms)} µs` : `${digits(ms)} ms`;
}

/** Four significant digits, never an exponent. */
function digits(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString();
}
