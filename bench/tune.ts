/**
 * Tunes what the benchmarks measure into one file: `node dist/bench-tune.js -o FILE --cases model/mamba-1.4b-f16 --targets matrix
 * --budget 60 --fast`. What runs share is measured once; the file is added to, and what it has is where the search begins.
 */
import { appendFileSync, existsSync, renameSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { compile } from "../compiler/compile.js";
import { adapterKind } from "../runtime/target.js";
import { scheduleText } from "../compiler/5-kernel/schedules/space.js";
import { merged, NOTHING_MEASURED, readTuning, tuningText, type TuningFile } from "../src/cli/tuning-file.js";
import { familySource } from "../src/families.js";
import { deviceOf, requestAdapter, type AdapterName } from "../src/node/index.js";
import type { RunProgram } from "../src/tune/runs.js";
import type { KernelResult } from "../src/tune/tune-kernel.js";
import { tune, type Progress, type TuneResult } from "../src/tune/tune.js";
import { isAsked, runId, type BenchCase, type BenchRun } from "./case.js";
import { modelCases } from "./cases/models.js";
import { operationCases } from "./cases/operations.js";

interface Options {
  readonly output: string;
  readonly cases: string;
  readonly targets: string;
  readonly layers?: string;
  readonly budget: string;
  readonly runs: string;
  readonly only?: string;
  readonly trials?: string;
  readonly adapter?: AdapterName;
  readonly quick?: true;
  readonly fast?: true;
}

const options = new Command("bench-tune")
  .requiredOption("-o, --output <file.json>", "the tuning file to write, or to add to")
  .requiredOption("--cases <text,…>", "runs of the benchmarks, as for bench --only")
  .option("--targets <name,…>", "target profiles to tune, one after the other", "matrix,large")
  .option("--layers <n>", "layers of each model (default: as many as no cache holds)")
  .option("--budget <seconds>", "of all, from the start of the process", "600")
  .option("--runs <n>", "runs of each schedule, of which the median counts", "7")
  .option("--only <text>", "kernels whose names contain this")
  .option("--trials <file>", "a line to add to it for each kernel: every schedule that was tried")
  .option("--adapter <name>", "gpu or software")
  .option("--quick", "the small cases: shows that everything works")
  .option("--fast", "without robustness")
  .parse()
  .opts<Options>();

/** A case, and those of its runs that are asked for. */
interface Asked {
  readonly one: BenchCase;
  readonly runs: readonly BenchRun[];
}

/** Of a model's stacked weights more than a card's caches hold, as in the whole model. */
const LAYERS: Readonly<Record<string, number>> = { "130m": 24, "370m": 12, "790m": 8, "1.4b": 4, "2.8b": 3 };

const quick = options.quick === true;
const asked = together([...operationCases(quick), ...models()].flatMap(runsAskedFor));
if (asked.length === 0) throw new Error(`no run is called so: ${options.cases}`);
let file: TuningFile = existsSync(options.output) ? readTuning(options.output) : NOTHING_MEASURED;
const pairs = options.targets.split(",").flatMap((target) => asked.map((each) => ({ each, target })));
let runsLeft = pairs.reduce((sum, { each }) => sum + each.runs.length, 0);
for (const { each, target } of pairs) {
  // From the start of the process, which compiles and opens models too.
  const rest = 1000 * Number(options.budget) - performance.now();
  if (rest <= 0) console.log(`${each.one.name}, ${target}: there was no time`);
  else await tuneCase(each, target, (rest * each.runs.length) / runsLeft);
  runsLeft -= each.runs.length;
}
process.exit(0);

function models(): readonly BenchCase[] {
  if (quick) return modelCases({ quick, layers: 1 });
  const names = [...new Set(modelCases({ quick }).map(({ name }) => name))];
  const layersOf = (name: string): number =>
    Number(options.layers ?? LAYERS[/^mamba-([\d.]+[mb])/.exec(name)?.[1] ?? ""] ?? 2);
  return names.flatMap((name) =>
    modelCases({ quick, layers: layersOf(name) }).filter((each) => each.name === name),
  );
}

function runsAskedFor(one: BenchCase): readonly Asked[] {
  const texts = options.cases.split(",").map((text) => text.trim());
  const isTuned = ({ kind, pieces = 1 }: BenchRun): boolean =>
    (kind === "prefill" || kind === "step") && pieces === 1;
  const runs = one.runs.filter((run) => isTuned(run) && isAsked(runId(one, run), texts));
  return runs.length === 0 ? [] : [{ one, runs }];
}

/** Cases of one model that differ in their runs alone are one. */
function together(all: readonly Asked[]): readonly Asked[] {
  const found = new Map<string, Asked>();
  for (const { one, runs } of all) {
    const { source, set, weights, activations, schedule } = one;
    const key = JSON.stringify([source, set, weights, activations, schedule]);
    found.set(key, { one, runs: [...(found.get(key)?.runs ?? []), ...runs] });
  }
  return [...found.values()];
}

async function tuneCase({ one, runs }: Asked, targetName: string, budgetMs: number): Promise<void> {
  const begin = performance.now();
  const { name, source, set, weights, activations, schedule } = one;
  const text = "text" in source ? { path: `${name}.krait`, text: source.text } : familySource(source.family);
  if (text === undefined) throw new Error(`${name}: there is no such family`);
  const { bundle, stages } = compile(text, {
    ...{ set, targets: [targetName] },
    ...(weights && { weights }),
    ...(activations && { activations }),
    ...(schedule && { schedule }),
  });
  const [target] = stages.targets ?? [];
  if (bundle === undefined || target === undefined) throw new Error(`${name} does not compile`);
  const found = await requestAdapter({
    unsafeApis: true,
    robustness: options.fast !== true,
    ...(options.adapter !== undefined && { adapter: options.adapter }),
  });
  const { adapter, description } = found;
  const device = await deviceOf(adapter);
  console.log(
    `${name}, ${targetName}, ${(budgetMs / 1000).toFixed(1)} s, on ${description}, robustness ${options.fast === true ? "off" : "on"}`,
  );
  const result = await tune({ bundle, target }, device, {
    sizes: runs.map(({ kind, batch, steps }) => ({ batch, steps, program: kind as RunProgram })),
    timing: { runs: quick ? 1 : Number(options.runs), warmUpMs: found.name === "gpu" ? 100 : 0 },
    ...(options.only !== undefined && { only: options.only }),
    exhaustive: false,
    winners: file.adapters.flatMap(({ entries }) => entries),
    budgetMs: begin + budgetMs - performance.now(),
    isOver: () => false,
    onResult: (each, progress) => {
      console.log(lineOf(each, progress));
      keep(each);
    },
  });
  for (const each of result.wrong) console.log(`WRONG ${each}`);
  if (result.left > 0) console.log(`${String(result.left)} kernels left: there was no time for them`);
  if (options.trials !== undefined)
    appendFileSync(options.trials, trialLines(result, `${name} ${targetName}`));
  device.destroy();

  function keep({ launches: _, ...result }: KernelResult): void {
    const entry = { ...result, model: name, shape: { ...result.shape }, schedule: { ...result.schedule } };
    const more = { ...adapterKind(adapter.info), description, entries: [entry] };
    file = merged([file, { ...NOTHING_MEASURED, adapters: [more] }]);
    // Whole at all times: a process that has no time left is ended.
    writeFileSync(`${options.output}.part`, tuningText(file));
    renameSync(`${options.output}.part`, options.output);
  }
}

/** `{ of, label, shape, trials: [[schedule, microseconds or why it was refused], …] }`, a line a kernel. */
function trialLines({ trials }: TuneResult, of: string): string {
  const kernels = new Map<string, (readonly [string, number | string])[]>();
  for (const { label, shape, ...trial } of trials) {
    const key = JSON.stringify({ of, label, shape }).slice(0, -1);
    const said = "ms" in trial ? Number((1000 * trial.ms).toPrecision(4)) : trial.refused;
    kernels.set(key, [...(kernels.get(key) ?? []), [scheduleText(trial.schedule), said]]);
  }
  return [...kernels].map(([key, tried]) => `${key},"trials":${JSON.stringify(tried)}}\n`).join("");
}

function lineOf(result: KernelResult, { at, of }: Progress): string {
  const { label, shape, schedule, ms, defaultMs, measured } = result;
  const micros = (time: number): string => (1000 * time).toFixed(2);
  const gain = (defaultMs / ms).toFixed(3);
  const how = `${JSON.stringify(shape)}  ${micros(defaultMs)} → ${micros(ms)} µs, × ${gain}  ${JSON.stringify(schedule)}`;
  return `[${String(at)}/${String(of)}] ${label}  ${how}  (${String(measured)})`;
}
