import { Command, Option } from "commander";
import type { CompileOptions } from "../../compiler/compile.js";
import type { Bundle, Storage } from "../../runtime/bundle-format.js";
import type { Checkpoint } from "../../runtime/checkpoint.js";
import { axisNames } from "../../runtime/numbers.js";
import type { Outputs } from "../../runtime/outputs.js";
import type { Difference } from "../compare/distance.js";
import { outputErrors, type OutputError } from "../compare/outputs.js";
import { weightErrors, type WeightError, type WeightErrors } from "../compare/weights.js";
import type { AdapterName } from "../node/index.js";
import {
  collectSetting,
  collectTensor,
  parseTokens,
  weightsDtype,
  type Settings,
  type TensorReference,
} from "./arguments.js";
import { sourceOfBundle } from "./bundle-source.js";
import { compileModel } from "./compile-model.js";
import { InputError } from "./errors.js";
import { type Io, writeJson } from "./io.js";
import { ALLOW_EDITED, openModelFile } from "./model-file.js";
import { loadInputs, type RunInputs } from "./run-inputs.js";
import { runSequence } from "./run-sequence.js";
import { formatCount, plural } from "./summary.js";
import { formatTable } from "./table.js";

interface CompareOptions {
  readonly weights: string;
  readonly weightsDtype?: Storage;
  readonly input?: readonly TensorReference[];
  readonly tokens?: readonly number[];
  readonly set?: Settings;
  readonly allowEdited?: boolean;
  readonly adapter?: AdapterName;
  readonly experimental?: boolean;
  readonly json?: boolean;
}

const HELP = `
Of each tensor that the bundle does not store in f32: the error of its values, relative (the root of the
mean square, of that of the values) and the largest. With --tokens or --input the model also runs on this
machine's GPU, with its weights as they are stored and once more with all of them in f32, and the outputs
of all positions are compared: ‖got − f32‖ / ‖f32‖, and for logits how often the greatest is the same.

Examples:
  $ krait compare mamba.bundle --weights ./mamba-130m-hf                        of its weights
  $ krait compare mamba.bundle --weights ./mamba-130m-hf --tokens 510,5313,273  and of its logits
  $ krait compare mamba.bundle --weights ./mamba-130m-hf --weights-dtype int4   as if it were built so
`;

export function compareCommand(io: Io): Command {
  return new Command("compare")
    .summary("the error of weights in 16, 8 or 4 bits against f32")
    .description(
      "Compares a model's weights as a bundle stores them, and what it computes with them, with f32.",
    )
    .argument("<bundle-or-source>", "a bundle's folder, or Krait source")
    .requiredOption("--weights <dir-or-file>", "a checkpoint's folder, or a safetensors file")
    .addOption(weightsDtype("as the bundle has them"))
    .option("--input <name=file.safetensors:tensor>", "an input of the model (repeatable)", collectTensor)
    .option("--tokens <ids>", "token ids with commas between, in place of --input", parseTokens)
    .addOption(
      new Option("--adapter <name>", "where to run (see 'krait adapters')")
        .choices(["gpu", "software"])
        .env("KRAIT_ADAPTER"),
    )
    .option("--experimental", "let the GPU do what WebGPU has no standard for yet: matrix units")
    .option("--set <name=value>", "override a constant of a source (repeatable)", collectSetting)
    .option(...ALLOW_EDITED)
    .option("--json", "print all of it as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: CompareOptions) => compareModel(path, options, io));
}

async function compareModel(path: string, options: CompareOptions, io: Io): Promise<void> {
  const { stored, compileExact } = await bundlesOf(path, options, io);
  const { manifest } = stored;
  if (manifest.params.every(({ storage }) => storage === "f32"))
    throw new InputError(
      `all weights of ${path} are stored in f32: there is nothing to compare`,
      "Say as what they shall be compared with --weights-dtype, or build a bundle with it.",
    );
  const runs = options.tokens !== undefined || options.input !== undefined;
  const inputs = runs ? await loadInputs(manifest, options.input ?? [], options) : undefined;
  const { fileWeights } = await import("../node/index.js");
  const checkpoint = await fileWeights(options.weights);
  try {
    const weights = await weightErrors(manifest.params, checkpoint);
    const outputs =
      inputs && (await compareOutputs(stored, await compileExact(), inputs, checkpoint, options));
    if (options.json === true)
      writeJson(io, { ok: true, weights: weights.tensors, all: weights.all, ...(outputs && { outputs }) });
    else io.out(`${weightsText(weights)}${outputs === undefined ? "" : `\n${outputsText(outputs)}`}`);
  } finally {
    await checkpoint.close();
  }
}

interface Bundles {
  readonly stored: Bundle;
  /** The same model with weights in f32. */
  readonly compileExact: () => Promise<Bundle>;
}

async function bundlesOf(path: string, options: CompareOptions, io: Io): Promise<Bundles> {
  const file = await openModelFile(path, options);
  const { source, compileOptions } =
    file.kind === "bundle"
      ? sourceOfBundle(file.bundle)
      : { source: file.source, compileOptions: { set: options.set ?? {} } };
  const { storage: _storage, tuning: _tuning, ...same }: CompileOptions = compileOptions;
  const compileAs = async (weights: Storage): Promise<Bundle> =>
    (await compileModel(source, { ...same, weights }, io)).bundle;
  const asBuilt = file.kind === "bundle" && options.weightsDtype === undefined;
  return {
    stored: asBuilt ? file.bundle : await compileAs(options.weightsDtype ?? "f32"),
    compileExact: () => compileAs("f32"),
  };
}

/** One after the other, so that a device holds one model. */
async function compareOutputs(
  stored: Bundle,
  exact: Bundle,
  inputs: RunInputs,
  checkpoint: Checkpoint,
  options: CompareOptions,
): Promise<readonly OutputError[]> {
  const got = await run(stored, inputs, checkpoint, options);
  // Both by the same profile, so that they differ in weights alone; the exact one has no tuned targets.
  const [target] = got.target.split("@");
  const wanted = await run(exact, inputs, checkpoint, options, target);
  return outputErrors(stored.manifest, got.outputs, wanted.outputs);
}

async function run(
  bundle: Bundle,
  inputs: RunInputs,
  weights: Checkpoint,
  { allowEdited = false, adapter, experimental = false }: CompareOptions,
  target?: string,
): Promise<{ readonly outputs: Outputs; readonly target: string }> {
  const { requestDevice } = await import("../node/index.js");
  const { open } = await import("../../runtime/index.js");
  const device = await requestDevice({
    bundle,
    unsafeApis: experimental,
    ...(adapter !== undefined && { adapter }),
  });
  try {
    const model = await open(bundle, {
      device,
      weights,
      allowEdited,
      ...(target !== undefined && { target }),
    });
    const { manifest } = bundle;
    const session = await model.session({ batch: inputs.sizes[axisNames(manifest).batch] ?? 1 });
    const outputs = await runSequence(session, manifest, inputs, { all: true, byStep: false });
    return { outputs, target: model.target };
  } finally {
    device.destroy();
  }
}

/** Of more the worst are shown. */
const SHOWN = 24;

function weightsText({ tensors, all }: WeightErrors): string {
  const worst = [...tensors].sort((p, q) => q.relative - p.relative).slice(0, SHOWN);
  const row = ({ tensor, storage, values, relative, largest }: WeightError): readonly string[] => [
    ...[tensor, storage, formatCount(values)],
    ...differenceText({ relative, largest }),
  ];
  const values = tensors.reduce((sum, each) => sum + each.values, 0);
  const rows = [
    ["tensor", "type", "values", "error", "largest"],
    ...tensors.filter((each) => worst.includes(each)).map(row),
    [`all ${plural(tensors.length, "tensor")}`, "", formatCount(values), ...differenceText(all)],
  ];
  const rest = tensors.length - worst.length;
  const left = rest === 0 ? "" : `${plural(rest, "tensor")} with smaller errors left out: --json has all.\n`;
  return `${formatTable(rows, { right: [2, 3, 4] })}${left}`;
}

function outputsText(outputs: readonly OutputError[]): string {
  const rows = outputs.map(({ output, shape, difference, agreement }) => [
    `${output} [${shape.join(", ")}]`,
    ...(difference === undefined ? ["", ""] : differenceText(difference)),
    agreement === undefined ? "" : `${agreement.same} of ${agreement.of}`,
  ]);
  const heading = ["output", "error", "largest", "same choice"];
  return formatTable([heading, ...rows], { right: [1, 2, 3] });
}

const differenceText = ({ relative, largest }: Difference): readonly string[] => [
  relative === 0 ? "0" : `${(100 * relative).toPrecision(3)} %`,
  largest === 0 ? "0" : largest.toPrecision(3),
];
