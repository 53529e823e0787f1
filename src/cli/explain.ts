import { Command, InvalidArgumentError, Option } from "commander";
import type { Compilation } from "../../compiler/compile.js";
import { closest } from "../../compiler/diagnostics/suggest.js";
import type { Explanation } from "../../compiler/explain/index.js";
import type { Manifest, TargetEntry } from "../../runtime/bundle-format.js";
import { axisNames, Numbers } from "../../runtime/numbers.js";
import { collectSetting, type Settings } from "./arguments.js";
import { sourceOfBundle } from "./bundle-source.js";
import { compileModel } from "./compile-model.js";
import { InputError, UsageError } from "./errors.js";
import { explanationText } from "./explanation-text.js";
import { type Io, writeJson } from "./io.js";
import { SHOWN_STEPS } from "./launches.js";
import { ALLOW_EDITED, openModelFile } from "./model-file.js";

type Sizes = ReadonlyMap<string, number>;
type ProgramName = Explanation["program"];

interface ExplainOptions {
  readonly set?: Settings;
  readonly allowEdited?: boolean;
  readonly size?: Sizes;
  readonly program: ProgramName;
  readonly kernel?: string;
  readonly json?: boolean;
}

const HELP = `
For each kernel: the lines of source that it computes; what kind of recurrence it solves, and what in
the source makes it that; what it reads and writes, each element once a launch, against the least
that any program must move for the same; its operations; and for each value that goes through memory
to another kernel, why that kernel is not part of this one.

What other workgroups of a launch read again comes from caches for the most part. It is told apart.
Outputs are those of the last position, as when a prompt is read.

Examples:
  $ krait explain model.krait                            a prefill of ${SHOWN_STEPS[1]} steps, batch 1
  $ krait explain model.bundle --size b=4,t=512          of 4 sequences, 512 steps
  $ krait explain model.bundle --program step            one step
  $ krait explain model.bundle --kernel y_scan --json    one kernel, for a program to read
`;

export function explainCommand(io: Io): Command {
  return new Command("explain")
    .summary("say what was fused, why not more, and what moves")
    .description("Explains the kernels of a model: what was fused, why not more, and what each costs.")
    .argument("<bundle-or-source>", "a bundle's folder, or Krait source")
    .option("--set <name=value>", "override a constant of a source (repeatable)", collectSetting)
    .option("--size <name=n,…>", "sizes of the run-time axes, for example b=1,t=2048", parseSizes)
    .addOption(
      new Option("--program <name>", "what to explain")
        .choices(["prefill", "step", "load"])
        .default("prefill"),
    )
    .option("--kernel <name>", "explain one kernel")
    .option(...ALLOW_EDITED)
    .option("--json", "print it as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: ExplainOptions) => explainModel(path, options, io));
}

/** `b=1,t=2048`. */
function parseSizes(text: string, earlier: Sizes = new Map()): Sizes {
  const sizes = new Map(earlier);
  for (const part of text.split(",")) {
    const [, name, size] = /^\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (name === undefined || !(Number(size) >= 1 && Number(size) < 2 ** 32))
      throw new InvalidArgumentError("expected NAME=N with commas between, for example b=1,t=2048.");
    sizes.set(name, Number(size));
  }
  return sizes;
}

async function explainModel(path: string, options: ExplainOptions, io: Io): Promise<void> {
  const file = await openModelFile(path, options);
  const { source, compileOptions } =
    file.kind === "bundle"
      ? sourceOfBundle(file.bundle)
      : { source: file.source, compileOptions: { set: options.set ?? {} } };
  const { bundle, stages } = await compileModel(source, compileOptions, io);
  const compilation = stages as Compilation;
  const [target] = compilation.targets;
  if (target === undefined) throw new InputError("the model was compiled for no target");
  const { explain } = await import("../../compiler/explain/index.js");
  const { sizes, dim } = numbersOf(bundle.manifest, target.entry, options);
  const explanation = explain(compilation, target, {
    program: options.program,
    ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
    dim,
    sources: [source, ...compilation.module.uses],
  });
  if (explanation === undefined) throw noProgram(options.program);
  if (explanation.kernels.length === 0 && options.kernel !== undefined)
    throw noKernel(options.kernel, explanation);
  if (options.json) writeJson(io, { ...explanation, sizes: Object.fromEntries(sizes) });
  else io.out(explanationText(explanation, sizes, options.kernel !== undefined));
}

/** The run-time numbers of a run of these sizes that wants the outputs of its last position. */
function numbersOf(
  manifest: Manifest,
  target: TargetEntry,
  { program, size = new Map() }: ExplainOptions,
): { readonly sizes: Sizes; readonly dim: (dim: Parameters<Numbers["compile"]>[0]) => number } {
  const entry = target[program];
  if (entry === undefined) throw noProgram(program);
  const names = axisNames(manifest);
  const known = [
    ...(names.hasBatch ? [names.batch] : []),
    ...(names.hasTime && program === "prefill" ? [names.steps] : []),
  ];
  for (const name of size.keys()) {
    if (known.includes(name)) continue;
    const axes =
      known.length === 0
        ? "there is none here"
        : `here there ${known.length === 1 ? "is" : "are"} ${known.join(" and ")}`;
    throw new UsageError(`--size takes axes whose size is known when the model runs: ${axes}, no '${name}'`);
  }
  const batch = size.get(names.batch) ?? 1;
  const steps = program === "prefill" ? (size.get(names.steps) ?? SHOWN_STEPS[1]) : 1;
  const numbers = new Numbers(names, entry.numbers);
  const values = numbers.values({ batch, steps, pos: 0, tailBegin: steps - 1, tailCount: 1 });
  return {
    sizes:
      program === "load"
        ? new Map()
        : new Map(
            [
              [names.batch, batch],
              [names.steps, steps],
            ].filter(([name]) => known.includes(String(name))) as [string, number][],
          ),
    dim: (dim) => numbers.compile(dim)(values),
  };
}

function noProgram(name: ProgramName): InputError {
  const why = name === "step" ? "it looks ahead in time" : "nothing depends on parameters alone";
  return new InputError(`this model has no program '${name}': ${why}`);
}

function noKernel(name: string, { program, kernelIds }: Explanation): InputError {
  const guess = closest(name, kernelIds);
  const hint = guess === undefined ? "" : ` (did you mean '${guess}'?)`;
  return new InputError(
    `there is no kernel '${name}' in ${program} at these sizes${hint}`,
    `The kernels: ${kernelIds.join(", ")}`,
  );
}
