import { Command } from "commander";
import type { SourceTree } from "../../compiler/1-parse/ast.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Activations, Bundle, ConstantValue, Storage } from "../../runtime/bundle-format.js";
import { matchWeights } from "../../runtime/weights.js";
import { familyNames, familySource } from "../families.js";
import { activationsDtype, collectSetting, type Settings, weightsDtype } from "./arguments.js";
import { chooseStorage, type Config, readConfig } from "./checkpoint.js";
import { compileModel } from "./compile-model.js";
import { InputError } from "./errors.js";
import { type Io, writeJson } from "./io.js";
import { saveBundle, TYPES } from "./save-bundle.js";
import { describeModel, describeSignature, describeTarget } from "./summary.js";
import { TUNING, tuningOption } from "./tuning-file.js";
import { reportTuning, useText, type TuningUse } from "./tuning-summary.js";

interface ImportOptions {
  readonly output: string;
  readonly set?: Settings;
  readonly weightsDtype?: Storage;
  readonly activationsDtype?: Activations;
  readonly packed?: boolean;
  readonly greedy: boolean;
  readonly tuning?: readonly string[];
  readonly types?: boolean;
  readonly json?: boolean;
}

const help = (): string => `
Takes the family from "model_type" in config.json and compiles the family's Krait source
(templates/models/<model_type>.krait) with the constants of that config. Weights stay where they
are: 'run' reads them from the checkpoint. On the GPU they are kept as stored (f32, f16 or bf16),
small ones in f32. With --weights-dtype f16 or bf16 they are rounded to the nearest when they are
loaded; with int8 or int4, the matrices of products and lookups are quantized then: every 32 values in
a row share a scale; the rest is kept in f32.

Language models get an output 'next' beside 'logits': the likeliest next token, which 'run' feeds
back on the GPU. It costs two small launches; --no-greedy leaves it out.

With --types the bundle has model.ts too, as that of 'krait build --types'.

What a config leaves open the family's source decides, and its choice is printed; --set overrides it.

Families: ${familyNames().join(", ")}

Examples:
  $ krait import ./mamba-130m-hf -o mamba.bundle
  $ krait import ./mamba2-official -o mamba2.bundle --set norm_groups=8
  $ krait import ./mamba-130m-hf -o mamba.bundle --weights-dtype int4
  $ krait run mamba.bundle --weights ./mamba-130m-hf --tokens 510,5313 --max-new 16
`;

export function importCommand(io: Io): Command {
  return new Command("import")
    .summary("compile a checkpoint's model to a bundle")
    .description("Compiles the model of a checkpoint in Hugging Face's layout to a bundle.")
    .argument("<checkpoint-dir>", "the folder with config.json and model.safetensors")
    .requiredOption("-o, --output <dir>", "the bundle's folder")
    .option("--set <name=value>", "override a constant of the family's source (repeatable)", collectSetting)
    .addOption(weightsDtype("as the checkpoint has them"))
    .addOption(activationsDtype())
    .option("--packed", "add the program for sequences of different lengths in one run")
    .option("--no-greedy", "leave out the output 'next', by which the GPU goes on without the host")
    .option(...TUNING)
    .option(...TYPES)
    .option("--json", "print what was built as JSON on standard output")
    .addHelpText("after", help)
    .action((folder: string, options: ImportOptions) => importCheckpoint(folder, options, io));
}

async function importCheckpoint(folder: string, options: ImportOptions, io: Io): Promise<void> {
  const config = readConfig(folder);
  const { family, source } = familyOf(config, folder);
  const { fileWeights } = await import("../node/index.js");
  const checkpoint = await fileWeights(folder);
  const given = tuningOption(options.tuning);
  let bundle: Bundle;
  let tuning: readonly TuningUse[] | undefined;
  try {
    const {
      set = {},
      packed = false,
      weightsDtype: weights,
      activationsDtype: activations,
      greedy,
    } = options;
    const storage = weights === undefined ? chooseStorage(checkpoint.tensors.values()) : { weights };
    const compiled = await compileModel(
      source,
      {
        ...{ config: { ...config, krait: { greedy } }, set, packed, ...storage, ...given },
        ...(activations !== undefined && { activations }),
      },
      io,
    );
    ({ bundle } = compiled);
    tuning = reportTuning(given.tuning, compiled.stages.targets, io);
    for (const choice of choices(compiled.stages.tree, bundle.manifest.constants, set))
      io.err(`note: ${choice}\n`);
    const { unused } = matchWeights(bundle.manifest.params, checkpoint);
    if (unused.length > 0) io.err(`note: the model has no use for ${nameSome(unused)}\n`);
  } finally {
    await checkpoint.close();
  }
  await saveBundle(bundle, options.output, options.types);
  const { manifest } = bundle;
  if (options.json) {
    const { model } = manifest;
    return writeJson(io, { ok: true, bundle: options.output, model, family, ...(tuning && { tuning }) });
  }
  const lines = [
    `${options.output}: ${describeModel(manifest)}`,
    `  ${describeSignature(manifest)}`,
    ...manifest.targets.map((target) => `  ${describeTarget(manifest, target)}`),
    ...(tuning ?? []).map((use) => `  ${useText(use)}`),
    `Try it:  krait run ${options.output} --weights ${folder} --tokens 1,2,3 --max-new 16`,
  ];
  io.out(`${lines.join("\n")}\n`);
}

/** The constants that the family's author documented: what a config may leave open, and how it was decided. */
function choices(
  tree: SourceTree | undefined,
  constants: Readonly<Record<string, ConstantValue>>,
  set: Settings,
): readonly string[] {
  return (tree?.declarations ?? []).flatMap((statement) => {
    if (statement.kind !== "const" || statement.doc === undefined) return [];
    return statement.definitions
      .filter(({ name: { name } }) => !Object.hasOwn(set, name))
      .map(
        ({ name: { name } }) =>
          `${name} = ${JSON.stringify(constants[name])} (--set ${name}=…): ${statement.doc ?? ""}`,
      );
  });
}

function nameSome(tensors: readonly string[]): string {
  const shown = tensors.slice(0, 3).join(", ");
  return tensors.length > 3 ? `${shown} and ${tensors.length - 3} more tensors of the checkpoint` : shown;
}

function familyOf(config: Config, folder: string): { family: string; source: SourceFile } {
  const family = config["model_type"];
  const list = `Known families: ${familyNames().join(", ")}.`;
  if (typeof family !== "string") {
    throw new InputError(
      `${folder}/config.json does not say which family it is: it has no "model_type"`,
      list,
    );
  }
  const source = familySource(family);
  if (source === undefined) {
    const own = "For any other, write the model in Krait and compile it with 'krait build'.";
    throw new InputError(`no model of the family "${family}" comes with Krait`, `${list}\n${own}`);
  }
  return { family, source };
}
