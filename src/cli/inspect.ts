import { Command } from "commander";
import type { CompileOptions } from "../../compiler/compile.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle, Manifest, ShaderEntry, TargetEntry } from "../../runtime/bundle-format.js";
import { collectSetting, type Settings } from "./arguments.js";
import { compileModel } from "./compile-model.js";
import { InputError, UsageError } from "./errors.js";
import { type Io, writeJson } from "./io.js";
import { loadSource, openModelFile } from "./model-file.js";
import { describeModel, describeSignature } from "./summary.js";
import { formatTable } from "./table.js";

interface InspectOptions {
  readonly set?: Settings;
  readonly stage?: string;
  readonly kernel?: string;
  readonly json?: boolean;
}

const HELP = `
Without --stage or --kernel it lists the kernels: which source values each computes, and how often
each program launches it. A bundle embeds its sources and constants, so every stage can be shown
from it again.

Examples:
  $ krait inspect model.bundle                        the kernels
  $ krait inspect model.bundle --kernel mixer_h       one kernel's WGSL
  $ krait inspect model.krait --stage elaborate       the graph as the source says it
  $ krait inspect model.krait --stage discretize      with every der(…) equation in discrete form
  $ krait inspect model.krait --stage help            the names of all stages
`;

export function inspectCommand(io: Io): Command {
  return new Command("inspect")
    .summary("show what a model was compiled to")
    .description("Shows the kernels of a model, or what stands after any stage of the compiler.")
    .argument("<bundle-or-source>", "a bundle's folder, or Krait source")
    .option("--set <name=value>", "override a constant of a source (repeatable)", collectSetting)
    .option("--stage <name>", "print what stands after this stage, as text")
    .option("--kernel <name>", "print one kernel; without --stage, its WGSL")
    .option("--json", "print the list of kernels as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: InspectOptions) => inspectModel(path, options, io));
}

async function inspectModel(path: string, options: InspectOptions, io: Io): Promise<void> {
  if (options.stage !== undefined) return inspectStage(path, options, options.stage, io);
  const file = await openModelFile(path);
  if (file.kind === "bundle" && options.set !== undefined) {
    throw new UsageError("--set is for sources; a bundle's constants were fixed when it was built");
  }
  const bundle =
    file.kind === "bundle" ? file.bundle : await compileModel(file.source, { set: options.set ?? {} }, io);
  if (options.kernel !== undefined) io.out(kernelText(bundle, options.kernel));
  else if (options.json) writeJson(io, describeKernels(bundle.manifest));
  else io.out(listKernels(bundle.manifest));
}

async function inspectStage(path: string, options: InspectOptions, stage: string, io: Io): Promise<void> {
  const { inspect, stageNames } = await import("../../compiler/compile.js");
  if (!stageNames.includes(stage)) {
    const { closest } = await import("../../compiler/diagnostics/suggest.js");
    const names = `The stages, in order: ${stageNames.join(", ")}.`;
    if (stage === "help") return io.out(`${names}\n`);
    const guess = closest(stage, stageNames);
    throw new UsageError(
      `there is no stage '${stage}'${guess !== undefined ? ` (did you mean '${guess}'?)` : ""}\n${names}`,
    );
  }
  const file = await openModelFile(path);
  const { source, compileOptions } =
    file.kind === "bundle"
      ? sourceOfBundle(file.bundle)
      : { source: file.source, compileOptions: { set: options.set ?? {}, loadSource } };
  // Compiling first shows the diagnostics of a model that has errors.
  await compileModel(source, compileOptions, io);
  const shown = { stage, ...(options.kernel === undefined ? {} : { kernel: options.kernel }) };
  const text = await inspect(source, compileOptions, shown);
  io.out(text.endsWith("\n") ? text : `${text}\n`);
}

/** What the compiler was given when it built a bundle. The constants stand for the config.json that they came from. */
function sourceOfBundle(bundle: Bundle): { source: SourceFile; compileOptions: CompileOptions } {
  const { sources, constants, options } = bundle.manifest;
  const main = sources[0]?.file;
  const text = main === undefined ? undefined : bundle.files.get(main);
  if (main === undefined || text === undefined) throw new InputError("the bundle embeds no source");
  const load = (path: string): SourceFile | undefined => {
    const found = bundle.files.get(path);
    return found === undefined ? undefined : { path, text: found };
  };
  const { targets, weights, storage } = options;
  const compileOptions = { set: constants, targets, weights, loadSource: load, ...(storage && { storage }) };
  return { source: { path: main, text }, compileOptions };
}

/** The WGSL of the kernel of this id or label: the first target's, which is the best. */
function kernelText(bundle: Bundle, name: string): string {
  const shaders = bundle.manifest.targets.flatMap((target) => target.shaders);
  const shader = shaders.find(({ id, label, file }) => id === name || label === name || file === name);
  const text = shader === undefined ? undefined : bundle.files.get(shader.file);
  if (text !== undefined) return text;
  const names = [...new Set(shaders.map(({ id }) => id))];
  throw new InputError(`there is no kernel '${name}'`, `The kernels: ${names.join(", ")}`);
}

interface KernelUse {
  readonly shader: ShaderEntry;
  readonly launches: Readonly<Record<"load" | "prefill" | "tail" | "step", number>>;
}

function kernelUses(target: TargetEntry): readonly KernelUse[] {
  const count = (dispatches: readonly { shader: string }[], id: string): number =>
    dispatches.filter(({ shader }) => shader === id).length;
  return target.shaders.map((shader) => ({
    shader,
    launches: {
      load: count(target.load.body, shader.id),
      prefill: count(target.prefill.body, shader.id),
      tail: count(target.prefill.tail, shader.id),
      step: target.step ? count([...target.step.body, ...target.step.tail], shader.id) : 0,
    },
  }));
}

function describeKernels(manifest: Manifest): unknown {
  return {
    model: manifest.model,
    compiler: manifest.compiler,
    targets: manifest.targets.map((target) => ({
      name: target.name,
      kernels: kernelUses(target).map(({ shader, launches }) => ({
        id: shader.id,
        label: shader.label,
        file: shader.file,
        workgroup: shader.workgroup,
        workgroupBytes: shader.workgroupBytes,
        bindings: shader.bindings.map(({ name }) => name),
        launches,
      })),
    })),
  };
}

function listKernels(manifest: Manifest): string {
  const parts = [`${describeModel(manifest)}\n${describeSignature(manifest)}\n`];
  for (const target of manifest.targets) {
    const rows = kernelUses(target).map(({ shader, launches }) => [
      shader.id,
      ...[launches.load, launches.prefill, launches.tail, launches.step].map((n) =>
        n === 0 ? "·" : String(n),
      ),
      shader.workgroup.filter((size, i) => i === 0 || size > 1).join("×"),
      shader.label,
    ]);
    const total = (key: keyof KernelUse["launches"]): string =>
      String(kernelUses(target).reduce((sum, { launches }) => sum + launches[key], 0));
    const heads = ["kernel", "load", "prefill", "tail", "step", "workgroup", "computes"];
    const sums = ["launches", total("load"), total("prefill"), total("tail"), total("step"), "", ""];
    const right = [1, 2, 3, 4, 5];
    parts.push(`target ${target.name}\n${formatTable([heads, ...rows, sums], { indent: 2, right })}`);
  }
  return parts.join("\n");
}
