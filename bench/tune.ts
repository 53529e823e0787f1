/**
 * Tunes the models of the benchmarks into one file: `node dist/bench-tune.js -o FILE [--models 130m,1.4b] [--targets matrix,large]
 * [--budget SECONDS] [--fast]`. One layer more than two would change no kernel; eight keep weights out of caches.
 */
import { existsSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { compile } from "../compiler/compile.js";
import { merged, NOTHING_MEASURED, readTuning, tuningText, type TuningFile } from "../src/cli/tuning-file.js";
import { familySource } from "../src/families.js";
import { deviceOf, requestAdapter, type AdapterName } from "../src/node/index.js";
import { tune, type KernelResult, type RunSizes } from "../src/tune/tune.js";
import { modelCases } from "./cases/models.js";
import type { BenchCase } from "./case.js";

interface Options {
  readonly output: string;
  readonly models: string;
  readonly targets: string;
  readonly layers: string;
  readonly budget: string;
  readonly only?: string;
  readonly adapter?: AdapterName;
  readonly quick?: true;
  readonly fast?: true;
}

const options = new Command("bench-tune")
  .requiredOption("-o, --output <file.json>", "the tuning file to write, or to add to")
  .option(
    "--models <name,…>",
    "sizes of the paper, with `-f16` and the like for how weights are stored",
    "130m,370m,790m,1.4b,2.8b",
  )
  .option("--targets <name,…>", "target profiles to tune, one after the other", "matrix,large")
  .option("--layers <n>", "layers of each model", "8")
  .option("--budget <seconds>", "for each model and target", "120")
  .option("--only <text>", "kernels whose names contain this")
  .option("--adapter <name>", "gpu or software")
  .option("--quick", "a tiny model: shows that everything works")
  .option("--fast", "without robustness")
  .parse()
  .opts<Options>();

const SIZES: readonly RunSizes[] = [
  { batch: 1, steps: 2048 },
  { batch: 1, steps: 512 },
  { batch: 8, steps: 2048 },
  { batch: 8, steps: 1 },
  { batch: 64, steps: 1 },
  { batch: 256, steps: 1 },
];

const quick = options.quick === true;
const names = options.models.split(",");
const cases = modelCases({ quick, layers: quick ? 1 : Number(options.layers) }).filter(
  ({ group, name }) =>
    group === "model" && (quick ? name === "mamba-tiny" : names.some((each) => name.endsWith(`-${each}`))),
);
let file: TuningFile = existsSync(options.output) ? readTuning(options.output) : NOTHING_MEASURED;
for (const one of cases) for (const target of options.targets.split(",")) await tuneCase(one, target);
process.exit(0);

async function tuneCase({ name, source, set, weights }: BenchCase, targetName: string): Promise<void> {
  const text = "text" in source ? { path: `${name}.krait`, text: source.text } : familySource(source.family);
  if (text === undefined) throw new Error(`${name}: there is no such family`);
  const { bundle, stages } = compile(text, { set, targets: [targetName], ...(weights && { weights }) });
  const [target] = stages.targets ?? [];
  if (bundle === undefined || target === undefined) throw new Error(`${name} does not compile`);
  const found = await requestAdapter({
    unsafeApis: true,
    robustness: options.fast !== true,
    ...(options.adapter !== undefined && { adapter: options.adapter }),
  });
  const { adapter, description } = found;
  const device = await deviceOf(adapter, {
    bundle,
    features: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
  });
  const end = performance.now() + 1000 * Number(options.budget);
  console.log(
    `${name}, ${targetName}, on ${description}, robustness ${options.fast === true ? "off" : "on"}`,
  );
  const { left, wrong } = await tune({ bundle, target }, device, {
    sizes: quick ? [{ batch: 2, steps: 24 }] : SIZES,
    ...(options.only !== undefined && { only: options.only }),
    exhaustive: false,
    timing: { runs: quick ? 1 : 9, warmUpMs: found.name === "gpu" ? 150 : 0 },
    isOver: () => performance.now() > end,
    onResult: (result, { at, of }) => {
      console.log(lineOf(result, at, of));
      keep(result);
    },
  });
  for (const each of wrong) console.log(`WRONG ${each}`);
  if (left > 0) console.log(`${String(left)} kernels left: there was no time for them`);
  device.destroy();

  function keep({ launches: _, ...result }: KernelResult): void {
    const { vendor, architecture } = adapter.info;
    const entry = { ...result, shape: { ...result.shape }, schedule: { ...result.schedule } };
    const more = { vendor, architecture, description, entries: [entry] };
    file = merged([file, { ...NOTHING_MEASURED, adapters: [more] }]);
    writeFileSync(options.output, tuningText(file));
  }
}

function lineOf(result: KernelResult, at: number, of: number): string {
  const { label, shape, schedule, ms, defaultMs, measured } = result;
  const micros = (time: number): string => (1000 * time).toFixed(2);
  const gain = (defaultMs / ms).toFixed(3);
  const how = `${JSON.stringify(shape)}  ${micros(defaultMs)} → ${micros(ms)} µs, × ${gain}  ${JSON.stringify(schedule)}`;
  return `[${String(at)}/${String(of)}] ${label}  ${how}  (${String(measured)})`;
}
