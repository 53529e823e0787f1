import { Command } from "commander";
import { activationsDtype, collect, collectSetting, type Settings, weightsDtype } from "./arguments.js";
import { compileModel } from "./compile-model.js";
import type { Activations, Storage } from "../../runtime/bundle-format.js";
import { type Io, writeJson } from "./io.js";
import { readSource } from "./model-file.js";
import { describeModel, describeSignature, describeTarget } from "./summary.js";
import { saveBundle, TYPES } from "./save-bundle.js";
import { shippedTunings } from "./shipped-tuning.js";
import { TUNING, tuningOption } from "./tuning-file.js";
import { reportTuning, useText } from "./tuning-summary.js";

interface BuildOptions {
  readonly set?: Settings;
  readonly target?: readonly string[];
  readonly output: string;
  readonly types?: boolean;
  readonly weightsDtype?: Storage;
  readonly activationsDtype?: Activations;
  readonly packed?: boolean;
  readonly tuning?: readonly string[];
  readonly json?: boolean;
}

const help = (): string => `
A bundle is a folder: model.json (the manifest), kernels/*.wgsl and the sources. It holds no
weights; they are read when it runs. An older bundle of that name is replaced, whole, at the end.
With --weights-dtype int8 or int4, matrices are quantized when a checkpoint is loaded: every 32
values in a row share a scale. Everything else is kept in f32.
With --activations-dtype f16 or bf16, what the model takes and gives, and what its kernels hand
to each other, is rounded to 16 bits in memory, and half of it moves; states stay f32.

With --types it has model.ts too, whose open() stands for that of krait/runtime, and makes a wrong
name, type or shape a mistake that TypeScript reports. With --tuning it has a target more for each
adapter that 'krait tune' measured, which runs there; everywhere else the others do. Measured already,
and named without a path: ${shippedTunings().join(", ")}.

Examples:
  $ krait build model.krait -o model.bundle
  $ krait build model.krait --set layers=2 --set 'layer_types=["a","b"]' -o small.bundle
  $ krait build model.krait --target matrix --target baseline --tuning nvidia-h100 -o model.bundle
  $ krait run model.bundle --weights weights.safetensors --input u=data.safetensors:u --output y.safetensors
`;

export function buildCommand(io: Io): Command {
  return new Command("build")
    .summary("compile a model to a bundle")
    .description("Compiles a model to a bundle: a manifest and readable WGSL kernels.")
    .argument("<model.krait>", "Krait source")
    .requiredOption("-o, --output <dir>", "the bundle's folder")
    .option("--set <name=value>", "override a constant of the model (repeatable)", collectSetting)
    .option(
      "--target <name>",
      "a target profile: baseline, large or matrix (repeatable, best first; default: baseline)",
      collect,
    )
    .addOption(weightsDtype("f32"))
    .addOption(activationsDtype())
    .option("--packed", "add the program for sequences of different lengths in one run")
    .option(...TUNING)
    .option(...TYPES)
    .option("--json", "print what was built as JSON on standard output")
    .addHelpText("after", help)
    .action((path: string, options: BuildOptions) => build(path, options, io));
}

async function build(path: string, options: BuildOptions, io: Io): Promise<void> {
  const compileOptions = {
    set: options.set ?? {},
    ...(options.target === undefined ? {} : { targets: options.target }),
    ...(options.weightsDtype !== undefined && { weights: options.weightsDtype }),
    ...(options.activationsDtype !== undefined && { activations: options.activationsDtype }),
    packed: options.packed ?? false,
    ...tuningOption(options.tuning),
  };
  const { bundle, stages } = await compileModel(readSource(path), compileOptions, io);
  await saveBundle(bundle, options.output, options.types);
  const { manifest } = bundle;
  const tuning = reportTuning(compileOptions.tuning, stages.targets, io);
  if (options.json) {
    writeJson(io, { ok: true, bundle: options.output, model: manifest.model, ...(tuning && { tuning }) });
    return;
  }
  const lines = [
    `${options.output}: ${describeModel(manifest)}`,
    `  ${describeSignature(manifest)}`,
    ...manifest.targets.map((target) => `  ${describeTarget(manifest, target)}`),
    ...(tuning ?? []).map((use) => `  ${useText(use)}`),
  ];
  io.out(`${lines.join("\n")}\n`);
}
