/**
 * Krait's benchmarks: `npm run bench -- --help`. Operations and whole models go through the compiler and the runtime as an
 * application's would; every output that is timed is checked in the same run.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { tuningOption } from "../src/cli/tuning-file.js";
import { packageVersion } from "../src/cli/package-files.js";
import { ADAPTER_NAMES, deviceOf, requestAdapter, type AdapterName } from "../src/node/index.js";
import { measureBounds, type DeviceBounds } from "../src/measure/bounds.js";
import type { BenchCase, BenchRun } from "./case.js";
import { isAsked, runId } from "./case.js";
import { modelCases } from "./cases/models.js";
import { operationCases } from "./cases/operations.js";
import { readBeside } from "./beside.js";
import { flatnessTable } from "./flatness.js";
import { measureCase } from "./measure.js";
import {
  kernelTable,
  REPORT_FORMAT,
  REPORT_VERSION,
  resultTable,
  shareTable,
  timeOf,
  type Failure,
  type Report,
  type Result,
} from "./report.js";
import { untunedTable } from "./untuned.js";

interface Options {
  readonly only: readonly string[];
  readonly quick?: true;
  readonly robust?: true;
  readonly fast?: true;
  readonly kernels?: true;
  readonly list?: true;
  readonly json?: string;
  readonly adapter?: AdapterName;
  readonly targets: readonly string[];
  readonly tuning: readonly string[];
  readonly tuned: readonly string[];
  readonly beside?: string;
  readonly layers?: number;
  readonly runs: number;
}

/** What `robustness: false` switches, for whoever reads the report. */
const WITHOUT_ROBUSTNESS = [
  "disable_robustness",
  "disable_workgroup_init",
  "disable_polyfills_on_integer_div_and_mod",
  "vulkan_use_cooperative_matrix_robust_access",
];

/** Groups whose results are set beside what the device does at most. */
const SHARED = ["model", "generation", "product", "products"];

const HELP = `
Robustness is what browsers insist on: bounds checks and their like. Without --robust or --fast both are measured.
A device that has timestamps gives the GPU's time: the median of --runs runs in one submission, after 150 ms of the same
work. "quiet" is the host's time with nothing read back. "± " is half the range of the runs.

Examples:
  $ npm run bench -- --only scan --json scan.json
  $ npm run bench -- --only "model/mamba-130m step" --fast --kernels
  $ npm run bench -- --only model/mamba-2.8b --layers 8
  $ npm run bench -- --only generation/mamba-1.4b-f16 --fast
  $ npm run bench -- --only products/2.8b --targets matrix --fast
  $ npm run bench -- --only "model/mamba-1.4b-f16 step 1$" --beside official.json
  $ npm run bench -- --only "model/mamba-1.4b-f16" --layers 4 --targets matrix --fast --tuned measured.json
  $ npm run bench -- --only long
  $ npm run bench -- --quick --adapter software
`;

const command = new Command("bench")
  .description("Measures operations and models, and checks what they compute.")
  .option("--only <text,…>", "cases whose names contain one of these (or, before $, end so)", list, [])
  .option("--list", "print the names of the cases and end")
  .option("--quick", "small sizes, few runs: shows that everything works, not how fast")
  .option("--robust", "with robustness")
  .option("--fast", "without robustness")
  .option("--kernels", "also print each kernel's time")
  .option("--json <file>", "write the report, every figure in it")
  .option("--adapter <name>", `one of ${ADAPTER_NAMES.join(", ")}`)
  .option("--targets <name,…>", "target profiles, best first", list, ["baseline"])
  .option(
    "--tuning <name-or-file,…>",
    "tunings to build with: shipped ones, or files of krait tune",
    list,
    [],
  )
  .option("--tuned <name-or-file,…>", "the same, and set what runs by them beside the same untuned", list, [])
  .option("--beside <file>", "JSON: another implementation's times, [{ name, ms }] by the names of cases")
  .option("--layers <n>", "cut the models to so many layers", count)
  .option("--runs <n>", "runs of each case", count, 24)
  .addHelpText("after", HELP);

function list(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim());
}

function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("expected a whole number from 1.");
  return Number(text);
}

const options = command.parse().opts<Options>();
const quick = options.quick === true;
const timing = quick ? { runs: 3, warmUpMs: 0 } : { runs: options.runs, warmUpMs: 150 };
const measuredBounds = new Map<string, DeviceBounds>();
const { tuning = [] } = tuningOption([...options.tuning, ...options.tuned]);
const besideUntuned = options.tuned.length > 0;
const beside = options.beside === undefined ? new Map<string, never>() : readBeside(options.beside);
const modes = options.robust === options.fast ? [true, false] : [options.robust === true];

const chosen = [
  ...operationCases(quick),
  ...modelCases({ quick, ...(options.layers !== undefined && { layers: options.layers }) }),
].flatMap((one) => {
  const { only } = options;
  const runs = one.runs.filter((run) => isAsked(runId(one, run), only));
  return runs.length === 0 ? [] : [{ one, runs }];
});

if (options.list === true) {
  for (const { one, runs } of chosen) for (const run of runs) console.log(runId(one, run));
} else if (chosen.length === 0) {
  console.error(`No case is called so: ${options.only.join(", ")}. --list prints the names.`);
  process.exitCode = 2;
} else {
  const report = await measureAll();
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  const wrong = report.results.filter(({ check }) => !(check.error <= check.tolerance));
  for (const { id, check } of wrong) {
    console.error(
      `WRONG ${id}: ${check.error.toExponential(1)} from ${check.against}, at most ${String(check.tolerance)}`,
    );
  }
  process.exitCode = wrong.length + report.failures.length > 0 ? 1 : 0;
}
// Dawn's threads would keep the process; what was written has to leave it first.
process.stdout.write("", () => process.exit());

async function measureAll(): Promise<Report> {
  const { adapter } = options;
  const found = await requestAdapter(adapter === undefined ? {} : { adapter });
  const { vendor, architecture, device, description } = found.adapter.info;
  console.log(`${found.description}; Krait ${packageVersion()} at ${commit()}`);
  if (modes.includes(false)) console.log(`robustness off: ${WITHOUT_ROBUSTNESS.join(", ")}`);
  const results: Result[] = [];
  const failures: Failure[] = [];
  for (const group of new Set(chosen.map(({ one }) => one.group))) {
    const before = results.length;
    for (const { one, runs } of chosen.filter(({ one: { group: its } }) => its === group)) {
      for (const robustness of modes) await measureOne(one, runs, robustness, results, failures);
    }
    const measured = results.slice(before);
    process.stdout.write(`\n${resultTable(measured)}`);
    for (const robustness of modes) {
      const shares = shareTable(measured.filter((result) => result.robustness === robustness));
      if (SHARED.includes(group) && shares !== "") process.stdout.write(`\n${shares}`);
    }
    for (const robustness of modes) {
      const flatness = flatnessTable(measured.filter((result) => result.robustness === robustness));
      if (flatness !== "") process.stdout.write(`\n${flatness}`);
    }
    if (options.kernels !== true) continue;
    for (const result of measured.filter(({ kernels }) => kernels.length > 0))
      console.log(`\n${kernelTable(result)}`);
  }
  if (besideUntuned) process.stdout.write(`\n${untunedTable(results)}`);
  return {
    format: REPORT_FORMAT,
    version: REPORT_VERSION,
    date: new Date().toISOString(),
    commit: commit(),
    krait: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: `${String(cpus().length)} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    device: { adapter: found.name, name: device, vendor, architecture, driver: description },
    options: {
      quick,
      ...timing,
      targets: [...options.targets],
      only: [...options.only],
      ...(options.layers !== undefined && { layers: options.layers }),
    },
    toggles: WITHOUT_ROBUSTNESS,
    results,
    failures,
  };
}

/** Measured once for each target, with robustness and without. */
async function boundsOf(device: GPUDevice, target: string, robustness: boolean): Promise<DeviceBounds> {
  const key = `${target} ${String(robustness)}`;
  const known = measuredBounds.get(key);
  if (known !== undefined) return known;
  const bounds = await measureBounds(device, target, timing);
  measuredBounds.set(key, bounds);
  return bounds;
}

async function measureOne(
  one: BenchCase,
  runs: readonly BenchRun[],
  robustness: boolean,
  results: Result[],
  failures: Failure[],
): Promise<void> {
  const failed = (run: BenchRun, error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    failures.push({ id: runId(one, run), robustness, message });
    console.error(`FAILED ${runId(one, run)}: ${message}`);
  };
  try {
    const { adapter } = options;
    const found = await requestAdapter({ robustness, unsafeApis: true, ...(adapter && { adapter }) });
    const device = await deviceOf(found.adapter);
    await measureCase(
      one,
      runs,
      device,
      {
        ...timing,
        robustness,
        targets: options.targets,
        tuning,
        besideUntuned,
        beside,
        bounds: (on, target) => boundsOf(on, target, robustness),
      },
      {
        result(result) {
          results.push(result);
          console.error(
            `${result.id}, robustness ${robustness ? "on" : "off"}: ${timeOf(result).toFixed(3)} ms`,
          );
        },
        failed,
      },
    );
  } catch (error) {
    for (const run of runs) failed(run, error);
  }
}

/** Set when the benchmarks are bundled, for machines without the repository. */
declare const BENCH_COMMIT: string | undefined;

function commit(): string {
  if (typeof BENCH_COMMIT === "string") return BENCH_COMMIT;
  const git = (...args: readonly string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  try {
    const changes = git("status", "--porcelain", "--", ":!node_modules") === "" ? "" : "+changes";
    return git("rev-parse", "--short=12", "HEAD") + changes;
  } catch {
    return "unknown";
  }
}
