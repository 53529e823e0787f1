import { Command, InvalidArgumentError, Option } from "commander";
import type { CompileOptions } from "../../compiler/compile.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import type { Model, Session } from "../../runtime/index.js";
import type { Outputs } from "../../runtime/outputs.js";
import { axisNames } from "../../runtime/numbers.js";
import type { AdapterName } from "../node/index.js";
import {
  collectSetting,
  collectTensor,
  parseCount,
  parseLengths,
  parseTensorReference,
  parseTokens,
  type Settings,
  type TensorReference,
} from "./arguments.js";
import { type CompiledSource, compileModel } from "./compile-model.js";
import { InputError, UsageError } from "./errors.js";
import { type Io, uninterrupted, writeJson } from "./io.js";
import { ALLOW_EDITED, openModelFile } from "./model-file.js";
import { EXACT_TIMES, type GivenBounds, parseBounds, timeFeatures } from "./profile-options.js";
import { loadInputs, type RunInputs, tokenInput } from "./run-inputs.js";
import { runSequence } from "./run-sequence.js";
import { type GivenStates, readStateFile, readStates, saveStates, startFrom } from "./run-states.js";
import { choiceOf, generate } from "./run-tokens.js";

interface RunOptions {
  readonly set?: Settings;
  readonly allowEdited?: boolean;
  readonly weights?: string;
  readonly input?: readonly TensorReference[];
  readonly tokens?: readonly number[];
  readonly lengths?: readonly number[];
  readonly maxNew?: number;
  readonly stop?: readonly number[];
  readonly output?: string;
  readonly all?: boolean;
  readonly byStep?: boolean;
  readonly stateIn?: readonly StateSource[];
  readonly stateOut?: string;
  readonly adapter?: AdapterName;
  readonly experimental?: boolean;
  readonly profile?: boolean;
  readonly trace?: string;
  readonly bounds?: GivenBounds;
  readonly json?: boolean;
}

/** One state from a tensor, or all of a state file. */
type StateSource = TensorReference | { readonly file: string };

const HELP = `
Inputs and states are tensors of safetensors files; outputs are written to one, under their names,
for the last position, or with --all for every one. States are named as 'krait inspect --json' and
the state file name them, and stored as [batch, axes of the state]. The state file of --state-out also
holds what convolutions and prev remember, the steps seen so far, and which model it is of.

With --tokens, a language model continues the tokens greedily and prints ids, one a line, as they come, until
there are enough, or each sequence has had an id of --stop. Where the model has an output of the next token,
as 'krait import' makes it, the GPU goes on without the host; else the host chooses from the logits.

With --lengths, inputs with time (or --tokens) hold several sequences one after the other, and have no batch
axis; so have outputs of --all. A bundle needs --packed for it when it is built. Continued, they go on side by
side: a line has an id of each, with tabs between.

With --profile, standard error has each kernel's time on the GPU, the lines of source that it computes,
what it moved and computed, and how near that is to what the device can do, measured just before the run.

Examples:
  $ krait run mamba.bundle --weights ./mamba-130m-hf --tokens 510,5313 --max-new 16
  $ krait run ema.krait --input x=data.safetensors:x --output y.safetensors --all
  $ krait run scan.krait --weights w.safetensors --input u=d.safetensors:u --output y.safetensors \\
      --state-in h=d.safetensors:h0 --state-out after.safetensors
  $ krait run scan.krait --weights w.safetensors --input u=more.safetensors:u --output y2.safetensors \\
      --state-in after.safetensors                    go on where that run ended
  $ krait run ema.krait --input x=all.safetensors:x --lengths 5,3,8 --output last.safetensors
  $ krait run mamba.bundle --weights ./mamba-130m-hf --tokens 510,5313 --profile --trace trace.json
`;

export function runCommand(io: Io): Command {
  return new Command("run")
    .summary("run a model on the GPU")
    .description("Runs a bundle, or a source compiled in memory, on a WebGPU adapter.")
    .argument("<bundle-or-source>", "a bundle's folder, or Krait source")
    .option("--weights <dir-or-file>", "a checkpoint's folder, or a safetensors file")
    .option("--input <name=file.safetensors:tensor>", "an input of the model (repeatable)", collectTensor)
    .option("--output <file.safetensors>", "where the outputs go")
    .option("--all", "outputs of all positions, not of the last alone")
    .option("--by-step", "run one step a position, in place of a prefill")
    .option(
      "--state-in <name=file:tensor>",
      "start from this state, or from a state file (repeatable)",
      collectState,
    )
    .option("--state-out <file>", "write all states after the run")
    .option("--tokens <ids>", "token ids with commas between, in place of --input", parseTokens)
    .option(
      "--lengths <counts>",
      "the steps of each of several sequences, with commas between: the inputs hold one after the other",
      parseLengths,
    )
    .option(
      "--max-new <count>",
      "how many tokens to continue with (default: 16 without --output)",
      parseCount,
    )
    .option("--stop <ids>", "end after one of these ids, with commas between", parseTokens)
    .addOption(
      new Option("--adapter <name>", "where to run (see 'krait adapters')")
        .choices(["gpu", "software", "null"])
        .env("KRAIT_ADAPTER"),
    )
    .option(
      "--profile",
      "say on standard error what each kernel took, moved and computed, and what bounds it",
    )
    .option(
      "--trace <file.json>",
      "write a timeline of GPU and host, for chrome://tracing or ui.perfetto.dev",
    )
    .option(
      "--bounds <copy=GB/s,…>",
      "with --profile, what the device can do: copy in GB/s, lanes and product in GFLOP/s (default: measured)",
      parseBounds,
    )
    .option(
      "--experimental",
      "let the GPU do what WebGPU has no standard for yet: matrix units, for bundles built for them",
    )
    .option("--set <name=value>", "override a constant of a source (repeatable)", collectSetting)
    .option(...ALLOW_EDITED)
    .option("--json", "print what was done as JSON on standard output, in place of ids")
    .addHelpText("after", HELP)
    .action((path: string, options: RunOptions) => run(path, options, io));
}

function collectState(text: string, earlier: readonly StateSource[] = []): readonly StateSource[] {
  if (!text.includes("=")) {
    if (!text.endsWith(".safetensors")) {
      throw new InvalidArgumentError("expected NAME=FILE:TENSOR, or the .safetensors file of --state-out.");
    }
    return [...earlier, { file: text }];
  }
  return [...earlier, parseTensorReference(text)];
}

async function run(path: string, options: RunOptions, io: Io): Promise<void> {
  checkOptions(options);
  const file = await openModelFile(path, options);
  const { lengths } = options;
  const compileOptions = { set: options.set ?? {}, packed: lengths !== undefined };
  const { bundle, compiled } =
    file.kind === "bundle"
      ? { bundle: file.bundle, compiled: undefined }
      : await compiledSource(file.source, compileOptions, io);
  if (lengths !== undefined) checkPacked(bundle, path);
  // Inputs and states are read and checked before the GPU is looked for: their mistakes are the likelier ones.
  const inputs = await loadInputs(bundle.manifest, options.input ?? [], options);
  const states = await readGivenStates(bundle, options, inputs);
  const { deviceOf, requestAdapter } = await import("../node/index.js");
  const isProfiled = options.profile === true || options.trace !== undefined;
  const found = await requestAdapter({
    unsafeApis: options.experimental === true,
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
    ...(isProfiled && { toggles: EXACT_TIMES }),
  });
  const device = await deviceOf(found.adapter, {
    bundle,
    ...(isProfiled && { features: timeFeatures(found.adapter) }),
  });
  const profiling = isProfiled
    ? new (await import("./run-profile.js")).Profiling(device, found, options)
    : undefined;
  try {
    const model = await openModel(bundle, profiling?.device ?? device, options);
    await profiling?.measureBounds(model.target);
    const said = await runModel(model, bundle, { inputs, states }, options, io);
    const profile = await profiling?.finish(bundle, model.target, compiled, io);
    if (options.json) writeJson(io, { ok: true, ...said, ...(profile && { profile }) });
  } finally {
    device.destroy();
  }
}

async function compiledSource(
  source: SourceFile,
  options: CompileOptions,
  io: Io,
): Promise<{ readonly bundle: Bundle; readonly compiled: CompiledSource }> {
  const compiled = { source, ...(await compileModel(source, options, io)) };
  return { bundle: compiled.bundle, compiled };
}

async function readGivenStates(
  { manifest }: Bundle,
  { stateIn = [] }: RunOptions,
  { sizes }: RunInputs,
): Promise<GivenStates> {
  const tensors = stateIn.filter((source) => "name" in source);
  const [file, another] = stateIn.filter((source) => !("name" in source));
  if (another !== undefined) throw new UsageError("--state-in takes one state file");
  const states = await readStates(manifest, tensors, sizes);
  return file === undefined ? states : { ...states, snapshot: await readStateFile(file.file) };
}

/** Said before a GPU is looked for. */
function checkPacked({ manifest }: Bundle, path: string): void {
  if (manifest.targets.some(({ packed }) => packed !== undefined)) return;
  throw new InputError(
    `${path} has no program for sequences of different lengths, which --lengths asks for`,
    "Build it again with --packed.",
  );
}

function checkOptions(options: RunOptions): void {
  const { output, stateOut, tokens, maxNew, stop, lengths, byStep, profile, trace, bounds } = options;
  if (bounds !== undefined && profile !== true && trace === undefined) {
    throw new UsageError("--bounds is what kernels are held to by --profile or --trace, which are missing");
  }
  if (lengths !== undefined && byStep === true) {
    throw new UsageError("--lengths runs sequences of different lengths in one prefill, not by steps");
  }
  if (lengths?.includes(0) === true && tokens !== undefined && output === undefined) {
    throw new UsageError("a sequence of no tokens cannot be continued: --lengths has a 0");
  }
  if (maxNew !== undefined && tokens === undefined) {
    throw new UsageError("--max-new continues the tokens of --tokens, which is missing");
  }
  if (stop !== undefined && tokens === undefined) {
    throw new UsageError("--stop ends what continues the tokens of --tokens, which is missing");
  }
  if (maxNew !== undefined && output !== undefined) {
    throw new UsageError("--output keeps what the model says of given tokens; it does not go with --max-new");
  }
  if (output === undefined && stateOut === undefined && tokens === undefined) {
    throw new UsageError("say where the outputs go: --output FILE.safetensors");
  }
}

async function openModel(
  bundle: Bundle,
  device: GPUDevice,
  { weights, allowEdited = false }: RunOptions,
): Promise<Model> {
  const { open } = await import("../../runtime/index.js");
  if (weights === undefined) {
    const [first] = bundle.manifest.params;
    if (first !== undefined) {
      throw new InputError(
        `the model has ${bundle.manifest.params.length} weight tensors, '${first.name}' and so on, and no weights are given`,
        "Name a checkpoint's folder or a safetensors file with --weights.",
      );
    }
    return open(bundle, { device, allowEdited });
  }
  const { fileWeights } = await import("../node/index.js");
  const checkpoint = await fileWeights(weights);
  try {
    return await open(bundle, { device, allowEdited, weights: checkpoint });
  } finally {
    await checkpoint.close();
  }
}

async function runModel(
  model: Model,
  bundle: Bundle,
  { inputs, states }: { readonly inputs: RunInputs; readonly states: GivenStates },
  options: RunOptions,
  io: Io,
): Promise<object> {
  const { manifest } = bundle;
  const batch = inputs.sizes[axisNames(manifest).batch] ?? 1;
  const session = await model.session({ batch });
  if (options.stateIn !== undefined) await startFrom(session, states);
  const continues = options.tokens !== undefined && options.output === undefined;
  const sequence = {
    all: !continues && options.all === true,
    byStep: options.byStep === true,
    ...(options.lengths !== undefined && { lengths: options.lengths }),
  };
  const outputs = await runSequence(session, manifest, inputs, sequence);
  if (options.output !== undefined) await saveOutputs(outputs, options.output);
  const generated = continues ? await printTokens(session, bundle, outputs, options, io) : undefined;
  if (options.stateOut !== undefined) await saveStates(session, options.stateOut);
  return { ...summary(outputs, options), ...(generated && { generated }) };
}

async function saveOutputs(outputs: Outputs, file: string): Promise<void> {
  const { writeSafetensors } = await import("../node/index.js");
  await uninterrupted(() => writeSafetensors(file, outputs));
}

async function printTokens(
  session: Session,
  { manifest }: Bundle,
  outputs: Outputs,
  { maxNew = 16, stop = [], json = false, lengths }: RunOptions,
  io: Io,
): Promise<readonly number[] | readonly (readonly number[])[]> {
  const choice = choiceOf(manifest, session, tokenInput(manifest));
  const lines: (readonly number[])[] = [];
  const going = new Set(Array.from({ length: session.batch }, (_, member) => member));
  await generate(session, choice, outputs, maxNew, (tokens) => {
    if (!json) io.out(`${tokens.join("\t")}\n`);
    lines.push(tokens);
    for (const [member, token] of tokens.entries()) if (stop.includes(token)) going.delete(member);
    return going.size > 0;
  });
  const sequences = Array.from({ length: session.batch }, (_, i) => lines.map((tokens) => tokens[i] ?? 0));
  return lengths === undefined ? (sequences[0] ?? []) : sequences;
}

function summary(outputs: Outputs, { output, stateOut }: RunOptions): object {
  const shapes = Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape]));
  return { ...(output && { output, shapes }), ...(stateOut && { stateOut }) };
}
