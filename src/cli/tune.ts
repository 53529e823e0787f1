import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { InternalError } from "../../compiler/diagnostics/internal-error.js";
import type { Compilation, CompileOptions } from "../../compiler/compile.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { AdapterTuning, Bundle, Manifest } from "../../runtime/bundle-format.js";
import { axisNames } from "../../runtime/numbers.js";
import { adapterKind, chooseTarget } from "../../runtime/target.js";
import type { AdapterName, FoundAdapter } from "../node/index.js";
import type { RunSizes } from "../tune/runs.js";
import type { KernelResult, KernelTrial } from "../tune/tune-kernel.js";
import type { Progress, TuneOptions, TuneResult } from "../tune/tune.js";
import { collectSetting, parseCount, type Settings } from "./arguments.js";
import { sourceOfBundle } from "./bundle-source.js";
import { compileModel } from "./compile-model.js";
import { InputError, UsageError } from "./errors.js";
import { endedBySignals, type Io, uninterrupted, writeJson } from "./io.js";
import { ALLOW_EDITED, openModelFile } from "./model-file.js";
import { saveBundle } from "./save-bundle.js";
import { plural } from "./summary.js";
import { formatTable } from "./table.js";
import { merged, NOTHING_MEASURED, readTuning, tuningText, type TuningFile } from "./tuning-file.js";

type Sizes = ReadonlyMap<string, number>;

interface TuneCommandOptions {
  readonly output?: string;
  readonly apply?: boolean;
  readonly axes?: readonly Sizes[];
  readonly only?: string;
  readonly budget?: number;
  readonly exhaustive?: boolean;
  readonly runs: number;
  readonly target?: string;
  readonly set?: Settings;
  readonly allowEdited?: boolean;
  readonly adapter?: AdapterName;
  readonly experimental?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const HELP = `
Runs the model on this machine's GPU with made-up weights, in a prefill of the sizes given and a step,
and tries each kernel by other schedules: tiles, lanes, steps, workgroups. What each writes is compared
with what the default does. Schedules are tried neighbour by neighbour, from the default on, and from
what won for kernels of the same name, also in the file that is added to; with --exhaustive, all of
them. Kernels that take the most of the run come first, and the most of the --budget.

The tuning file has the fastest of each kernel and shape; one that exists is added to. --tuning FILE of
'krait build' and 'krait import' makes bundles that use it on such GPUs; --apply builds this bundle
again with it. Ctrl-C ends the measuring, and keeps what there is.

Examples:
  $ krait tune mamba.bundle -o tuning.json                      one sequence of 2048 steps, and its step
  $ krait tune mamba.bundle -o tuning.json --axes b=1,t=2048 --axes b=8,t=512 --axes b=64
  $ krait tune mamba.bundle -o tuning.json --only scan --budget 60
  $ krait tune mamba.bundle --apply
`;

export function tuneCommand(io: Io): Command {
  return new Command("tune")
    .summary("measure which schedules are the fastest here")
    .description("Measures the schedules of a model's kernels on this machine's GPU.")
    .argument("<bundle-or-source>", "a bundle's folder, or Krait source")
    .option("-o, --output <file.json>", "the tuning file to write, or to add to")
    .option("--apply", "build the bundle again, in its place, with what was measured")
    .option(
      "--axes <name=n,…>",
      "sizes of the run-time axes, for example b=1,t=2048 (repeatable)",
      collectSizes,
    )
    .option("--only <text>", "kernels whose names contain this")
    .option("--budget <seconds>", "stop after so many seconds, with what there is", parseCount)
    .option("--exhaustive", "measure every schedule")
    .option("--runs <n>", "runs of each schedule, of which the median counts", parseCount, 9)
    .option("--target <name>", "the target profile to tune (default: the model's best that runs here)")
    .addOption(
      new Option("--adapter <name>", "where to run (see 'krait adapters')")
        .choices(["gpu", "software"])
        .env("KRAIT_ADAPTER"),
    )
    .option(
      "--experimental",
      "let the GPU do what WebGPU has no standard for yet: matrix units, and exact timestamps",
    )
    .option("--set <name=value>", "override a constant of a source (repeatable)", collectSetting)
    .option(...ALLOW_EDITED)
    .option("--verbose", "print every schedule that is tried, with its time or why it was refused")
    .option("--json", "print what was measured as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: TuneCommandOptions) => tuneModel(path, options, io));
}

/** `b=1,t=2048`, repeated. */
function collectSizes(text: string, earlier: readonly Sizes[] = []): readonly Sizes[] {
  const sizes = new Map<string, number>();
  for (const part of text.split(",")) {
    const [, name, size] = /^\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (name === undefined || !(Number(size) >= 1 && Number(size) < 2 ** 32))
      throw new InvalidArgumentError("expected NAME=N with commas between, for example b=1,t=2048.");
    sizes.set(name, Number(size));
  }
  return [...earlier, sizes];
}

async function tuneModel(path: string, options: TuneCommandOptions, io: Io): Promise<void> {
  const { output, apply = false } = options;
  if (output === undefined && !apply)
    throw new UsageError("say where the result goes: -o FILE.json, or --apply to build the bundle with it");
  const file = await openModelFile(path, options);
  if (apply && file.kind === "source")
    throw new UsageError("--apply builds a bundle again, and this is a source");
  // A file that cannot be added to is found before anything is measured.
  const before = output !== undefined && existsSync(output) ? readTuning(output) : NOTHING_MEASURED;
  const { source, compileOptions } =
    file.kind === "bundle"
      ? sourceOfBundle(file.bundle)
      : { source: file.source, compileOptions: { set: options.set ?? {} } };
  const measuring = { ...options, winners: before.adapters.flatMap(({ entries }) => entries) };
  const { result, tuning } = await measureAll(source, compileOptions, measuring, io, async (found) => {
    if (output !== undefined)
      await uninterrupted(() => writeFile(output, tuningText(merged([before, found]))));
    if (apply && file.kind === "bundle") await applyTo(file, source, compileOptions, found, io);
  });
  report(result, tuning, options, io);
}

/** Measures, and gives what there is to `save` at the end, however that comes. */
async function measureAll(
  source: SourceFile,
  compileOptions: CompileOptions,
  options: TuneCommandOptions & Required<Pick<TuneOptions, "winners">>,
  io: Io,
  save: (tuning: TuningFile) => Promise<void>,
): Promise<{ readonly result: TuneResult; readonly tuning: TuningFile }> {
  const { target: only, experimental, adapter: wanted } = options;
  const targets = only === undefined ? {} : { targets: [only] };
  const { bundle, stages } = await compileModel(source, { ...withoutTuning(compileOptions), ...targets }, io);
  const sizes = runSizes(bundle.manifest, options.axes);
  const { requestAdapter, deviceOf } = await import("../node/index.js");
  const found = await requestAdapter({
    unsafeApis: experimental === true,
    ...(wanted === undefined ? {} : { adapter: wanted }),
  });
  const { name } = chooseTarget(bundle, found.adapter);
  const target = (stages as Compilation).targets.find(({ entry }) => entry.name === name);
  if (target === undefined) throw new InternalError("tune", `the target ${name} was not made`);
  const device = await deviceOf(found.adapter, {
    bundle,
    features: found.adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
  });
  const { tune } = await import("../tune/tune.js");
  const results: KernelResult[] = [];
  const tuning = (): TuningFile => fileOf(bundle.manifest.model, found, results);
  const clear = io.color ? "\r\u001b[K" : "";
  try {
    const result = await endedBySignals(async (signal) => {
      const measuring: TuneOptions = {
        sizes,
        exhaustive: options.exhaustive === true,
        winners: options.winners,
        ...(options.budget !== undefined && { budgetMs: 1000 * options.budget }),
        ...(options.only !== undefined && { only: options.only }),
        // A device in software has no clock that falls.
        timing: { runs: options.runs, warmUpMs: found.name === "gpu" ? 150 : 0 },
        isOver: () => signal.aborted,
        onTrial: (trial, progress) => {
          if (options.verbose === true) io.err(`${clear}${trialText(trial, progress)}\n`);
          if (io.color) io.err(`${clear}${progressText(progress)}`);
        },
        onResult: (one, progress) => {
          results.push(one);
          io.err(`${clear}${resultText(one, progress)}\n`);
        },
      };
      try {
        return await tune({ bundle, target }, device, measuring);
      } finally {
        if (results.length > 0) await save(tuning());
      }
    });
    return { result, tuning: tuning() };
  } finally {
    device.destroy();
  }
}

const withoutTuning = ({ tuning: _, ...options }: CompileOptions): CompileOptions => options;

/** By default one prompt of middling length; an axis that is left out has size 1, but time, which has that length. */
function runSizes(manifest: Manifest, axes: readonly Sizes[] = [new Map()]): readonly RunSizes[] {
  const names = axisNames(manifest);
  const known = [...(names.hasBatch ? [names.batch] : []), ...(names.hasTime ? [names.steps] : [])];
  return axes.map((sizes) => {
    for (const name of sizes.keys()) {
      if (known.includes(name)) continue;
      throw new UsageError(
        `--axes takes the axes whose size is known when the model runs (${known.join(", ") || "there is none"}), and '${name}' is not one`,
      );
    }
    const steps = names.hasTime ? (sizes.get(names.steps) ?? DEFAULT_STEPS) : 1;
    return { batch: sizes.get(names.batch) ?? 1, steps };
  });
}

const DEFAULT_STEPS = 2048;

function fileOf(
  model: string,
  { adapter, description }: FoundAdapter,
  results: readonly KernelResult[],
): TuningFile {
  const entries = results.map(({ launches: _, ...entry }) => ({
    ...entry,
    model,
    shape: { ...entry.shape },
    schedule: { ...entry.schedule },
  }));
  return {
    ...NOTHING_MEASURED,
    adapters: entries.length === 0 ? [] : [{ ...adapterKind(adapter.info), description, entries }],
  };
}

async function applyTo(
  { path, bundle }: { readonly path: string; readonly bundle: Bundle },
  source: SourceFile,
  compileOptions: CompileOptions,
  { adapters }: TuningFile,
  io: Io,
): Promise<void> {
  const tuning = together(bundle.manifest.options.tuning ?? [], adapters);
  const again = await compileModel(source, { ...compileOptions, tuning }, io);
  await saveBundle(again.bundle, path);
}

/** What a bundle has of other adapters and shapes stays. */
function together(
  before: readonly AdapterTuning[],
  after: readonly AdapterTuning[],
): readonly AdapterTuning[] {
  const isOf = (p: AdapterTuning, q: AdapterTuning): boolean =>
    p.vendor === q.vendor && p.architecture === q.architecture;
  const kept = before.map((one) => {
    const more = after.find((other) => isOf(one, other));
    return more === undefined ? one : { ...one, entries: [...one.entries, ...more.entries] };
  });
  return [...kept, ...after.filter((one) => !before.some((other) => isOf(one, other)))];
}

const shapeText = (shape: Readonly<Record<string, number>>): string =>
  Object.entries(shape)
    .map(([name, size]) => `${name} ${size}`)
    .join(", ");

const valuesText = (schedule: KernelResult["schedule"]): string =>
  Object.entries(schedule)
    .map(([name, value]) => (name === "kind" ? value : `${name} ${value}`))
    .join(", ");

function timeText(ms: number): string {
  if (ms < 1) return `${(1000 * ms).toPrecision(3)} µs`;
  return `${ms < 100 ? ms.toPrecision(3) : ms.toFixed(0)} ms`;
}

function progressText({ label, at, of, measured, space, best }: Progress): string {
  const so = best === undefined ? "" : `, best ${timeText(best.ms)}`;
  return `[${at}/${of}] ${label}: ${measured} of ${space}${so}`;
}

function trialText(trial: KernelTrial, { label, at, of }: Progress): string {
  const said = "ms" in trial ? timeText(trial.ms) : trial.refused;
  return `[${at}/${of}] ${label}: ${said} by ${valuesText({ ...trial.schedule })}`;
}

function resultText(result: KernelResult, { at, of }: Progress): string {
  const { label, shape, ms, defaultMs, measured, schedule } = result;
  const gain = ms < defaultMs ? `${timeText(defaultMs)} → ${timeText(ms)} by ${valuesText(schedule)}` : "";
  const said = gain === "" ? `${timeText(ms)}, the default is the fastest` : gain;
  return `[${at}/${of}] ${label} (${shapeText(shape)}): ${said} (${measured} measured)`;
}

function report(
  { results, trials, left, wrong }: TuneResult,
  tuning: TuningFile,
  { output, json = false, verbose = false }: TuneCommandOptions,
  io: Io,
): void {
  for (const each of wrong) io.err(`error: ${each}\n`);
  if (results.length === 0 && wrong.length === 0)
    throw new InputError(
      "nothing was measured",
      "Is there a kernel of that name (--only), and time (--budget)?",
    );
  if (json) {
    const ok = wrong.length === 0;
    writeJson(io, { ok, ...(output && { output }), ...tuning, ...(verbose && { trials }), left, wrong });
  } else {
    const rows = results.map(({ label, shape, ms, defaultMs, launches }) => [
      ...[label, shapeText(shape), String(launches), timeText(defaultMs), timeText(ms)],
      (defaultMs / ms).toFixed(2),
    ]);
    const heading = ["kernel", "shape", "launches", "default", "tuned", "×"];
    io.out(formatTable([heading, ...rows], { right: [2, 3, 4, 5] }));
    if (left > 0) io.out(`${plural(left, "kernel")} left: there was no time for them.\n`);
    if (output !== undefined) io.out(`${output}: ${plural(results.length, "entry", "entries")} written\n`);
  }
  if (wrong.length > 0)
    throw new InternalError(
      "tune",
      `${plural(wrong.length, "schedule")} of this device's kernels went wrong and were not chosen; please report this`,
    );
}
