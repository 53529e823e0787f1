/** What a run of the benchmarks writes: one JSON document, and tables for people. */
import * as v from "valibot";
import { formatTable } from "../src/cli/table.js";
import type { Spread } from "../src/measure/spread.js";

export const REPORT_FORMAT = "krait-bench";
export const REPORT_VERSION = 1;

const Ms = v.pipe(v.number(), v.minValue(0));
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Milliseconds of several runs. */
const SpreadSchema = v.object({ median: Ms, min: Ms, max: Ms, runs: Count });

const KernelTimeSchema = v.object({ kernel: v.string(), launches: Count, ms: Ms });

const ResultSchema = v.object({
  /** `scan/mamba-1536 prefill 8 × 2048`: the same case at two commits has the same. */
  id: v.string(),
  group: v.string(),
  robustness: v.boolean(),
  batch: Count,
  steps: Count,
  /** The GPU's time of one run. */
  gpu: v.optional(SpreadSchema),
  clock: v.picklist(["timestamps", "host"]),
  /** From the call to the last output on the host. */
  wall: v.optional(SpreadSchema),
  /** The same with nothing read back, a run, many in flight. */
  wallQuiet: v.optional(SpreadSchema),
  kernels: v.array(KernelTimeSchema),
  launches: Count,
  /** Krait's compiler, source to bundle; the pipelines of all shaders, side by side; `open` with weights and pipelines. */
  compileMs: Ms,
  pipelineMs: Ms,
  pipelines: Count,
  openMs: Ms,
  /** The most that buffers took at once; of the process, the most that was seen. */
  gpuBytes: Count,
  hostBytes: Count,
  /** The target that ran, and what the device did at most in the same run: bytes (copied) and operations (of a product) a second. */
  target: v.optional(v.string()),
  bounds: v.optional(v.object({ copy: v.number(), lanes: v.number(), product: v.number() })),
  /** Encoding and submitting, by the host's clock, a run. */
  encodingMs: v.optional(Ms),
  work: v.optional(
    v.object({
      weightBytes: v.number(),
      /** Of the layer that has most. */
      layerLaunches: Count,
      productFlops: v.number(),
      /** That kernels read and write, each element once a launch. */
      bytes: v.number(),
    }),
  ),
  /** Operations and bytes that no program could do without, where the case knows. */
  flops: v.optional(v.number()),
  leastBytes: v.optional(v.number()),
  /** Of a tuned target, the same by its profile's default schedules, in turn with it; `ms` are a kernel's launches together. */
  untuned: v.optional(
    v.object({
      target: v.string(),
      gpu: SpreadSchema,
      kernels: v.array(
        v.object({ kernel: v.string(), tuned: v.string(), launches: Count, ms: Ms, tunedMs: Ms }),
      ),
    }),
  ),
  /** Milliseconds of another implementation on an H100. */
  reference: v.optional(v.object({ name: v.string(), ms: Ms })),
  /** ‖difference‖ / ‖expected‖ of the outputs. */
  check: v.object({ against: v.string(), error: v.number(), tolerance: v.number() }),
});

const FailureSchema = v.object({ id: v.string(), robustness: v.boolean(), message: v.string() });

const ReportSchema = v.object({
  format: v.literal(REPORT_FORMAT),
  version: v.literal(REPORT_VERSION),
  /** ISO 8601. */
  date: v.string(),
  /** With `+changes` where the checkout had some. */
  commit: v.string(),
  krait: v.string(),
  node: v.string(),
  platform: v.string(),
  processor: v.string(),
  device: v.object({
    adapter: v.string(),
    name: v.string(),
    vendor: v.string(),
    architecture: v.string(),
    driver: v.string(),
  }),
  options: v.object({
    quick: v.boolean(),
    runs: Count,
    warmUpMs: Ms,
    targets: v.array(v.string()),
    only: v.array(v.string()),
    layers: v.optional(Count),
  }),
  /** Dawn's toggles without robustness; with it there are none. */
  toggles: v.array(v.string()),
  results: v.array(ResultSchema),
  failures: v.array(FailureSchema),
});

export { spreadOf, type Spread } from "../src/measure/spread.js";
export type Result = v.InferOutput<typeof ResultSchema>;
export type Failure = v.InferOutput<typeof FailureSchema>;
export type Report = v.InferOutput<typeof ReportSchema>;

/** @throws Error that says what is wrong with it. */
export function parseReport(json: unknown, name: string): Report {
  const parsed = v.safeParse(ReportSchema, json);
  if (parsed.success) return parsed.output;
  throw new Error(`${name} is not a report of npm run bench:\n${v.summarize(parsed.issues)}`);
}

const HEADINGS = [
  "case",
  "rob.",
  "GPU ms",
  "±",
  "rate",
  "ref. ms",
  "× ref.",
  "wall ms",
  "quiet ms",
  "launches",
];
const HEADINGS_2 = ["compile", "pipelines", "GPU MiB", "host MiB", "error"];

/** One group's results, a line each. */
export function resultTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.id,
    result.robustness ? "on" : "off",
    digits(result.gpu?.median),
    result.gpu === undefined ? "" : `${spreadPercent(result.gpu).toFixed(0)}%`,
    rate(result),
    digits(result.reference?.ms),
    result.reference === undefined ? "" : (result.reference.ms / timeOf(result)).toFixed(2),
    digits(result.wall?.median),
    digits(result.wallQuiet?.median),
    String(result.launches),
    result.compileMs.toFixed(0),
    `${String(result.pipelines)} in ${result.pipelineMs.toFixed(0)}`,
    (result.gpuBytes / 2 ** 20).toFixed(0),
    (result.hostBytes / 2 ** 20).toFixed(0),
    result.check.error.toExponential(1),
  ]);
  return formatTable([[...HEADINGS, ...HEADINGS_2], ...rows], {
    right: [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  });
}

/** What whole models reach of what the device can: a line for each result that has both. */
export function shareTable(results: readonly Result[]): string {
  const rows = results.flatMap((result) => {
    const { id, robustness, batch, steps, work, bounds, encodingMs } = result;
    if (work === undefined || bounds === undefined) return [];
    const seconds = timeOf(result) / 1e3;
    const share = (amount: number, bound: number): string =>
      `${((100 * amount) / seconds / bound).toFixed(1)}%`;
    return [
      [
        id,
        robustness ? "on" : "off",
        digits((batch * steps) / seconds),
        share(work.weightBytes, bounds.copy),
        share(work.productFlops, bounds.product),
        share(work.bytes, bounds.copy),
        String(work.layerLaunches),
        encodingMs === undefined ? "" : digits(1e3 * encodingMs),
      ],
    ];
  });
  if (rows.length === 0) return "";
  const bounds = results.find((result) => result.bounds !== undefined)?.bounds;
  const measured =
    bounds === undefined
      ? ""
      : `copy ${(bounds.copy / 1e12).toPrecision(3)} TB/s, product ${(bounds.product / 1e12).toPrecision(3)} TFLOP/s\n`;
  return `${measured}${formatTable([SHARE_HEADINGS, ...rows], { right: [2, 3, 4, 5, 6, 7] })}`;
}

const SHARE_HEADINGS = [
  ...["case", "rob.", "tokens/s", "weights / copy", "products / product", "moved / copy"],
  ...["launches a layer", "encode + submit µs"],
];

/** A result's kernels, the slowest first. */
export function kernelTable({ id, kernels, gpu }: Result): string {
  const total = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const rows = kernels.map(({ kernel, launches, ms }) => [
    kernel,
    String(launches),
    digits(ms),
    `${((100 * ms) / total).toFixed(1)}%`,
  ]);
  const title = `${id}: each launch alone ${digits(total)} ms, together ${digits(gpu?.median)} ms`;
  return `${title}\n${formatTable(rows, { indent: 2, right: [1, 2, 3] })}`;
}

/** The figure that counts: the GPU's time, or the host's where the GPU's was not taken. */
export function timeOf({ gpu, wall }: Result): number {
  return gpu?.median ?? wall?.median ?? NaN;
}

/** Half of the range in per cent of the median. */
export function spreadPercent({ median, min, max }: Spread): number {
  return median === 0 ? 0 : (50 * (max - min)) / median;
}

function rate(result: Result): string {
  const ms = timeOf(result);
  if (result.flops !== undefined) return `${(result.flops / ms / 1e9).toFixed(2)} TFLOP/s`;
  if (result.leastBytes !== undefined) return `${(result.leastBytes / ms / 1e9).toFixed(3)} TB/s`;
  return `${digits((1e3 * result.batch * result.steps) / ms)} tokens/s`;
}

/** Four significant digits, never an exponent. */
export function digits(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString();
}
