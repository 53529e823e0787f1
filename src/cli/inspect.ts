import { Command } from "commander";
import type { Compilation } from "../../compiler/compile.js";
import { closest } from "../../compiler/diagnostics/suggest.js";
import type { Bundle, Manifest, ShaderEntry, TargetEntry } from "../../runtime/bundle-format.js";
import { collectSetting, type Settings } from "./arguments.js";
import { sourceOfBundle } from "./bundle-source.js";
import { compileModel } from "./compile-model.js";
import { InputError, UsageError } from "./errors.js";
import { type Io, writeJson } from "./io.js";
import { launched, SHOWN_STEPS } from "./launches.js";
import { ALLOW_EDITED, openModelFile } from "./model-file.js";
import { describeModel, describeSignature, describeStorage } from "./summary.js";
import { formatTable } from "./table.js";

interface InspectOptions {
  readonly set?: Settings;
  readonly allowEdited?: boolean;
  readonly stage?: string;
  readonly kernel?: string;
  readonly json?: boolean;
}

const HELP = `
Without --stage or --kernel it lists the kernels: what each computes, and how often it is launched
when weights are loaded, in a prefill of so many steps, and in a step. A bundle embeds its sources
and constants, so every stage can be shown from it again.

Examples:
  $ krait inspect model.bundle                        the kernels
  $ krait inspect model.bundle --kernel y_scan        one kernel's WGSL
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
    .option(...ALLOW_EDITED)
    .option("--json", "print the list of kernels as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: InspectOptions) => inspectModel(path, options, io));
}

async function inspectModel(path: string, options: InspectOptions, io: Io): Promise<void> {
  if (options.stage !== undefined) return printStage(path, options, options.stage, io);
  const file = await openModelFile(path, options);
  const bundle =
    file.kind === "bundle"
      ? file.bundle
      : (await compileModel(file.source, { set: options.set ?? {} }, io)).bundle;
  if (options.kernel !== undefined) io.out(kernelText(bundle, options.kernel));
  else if (options.json) writeJson(io, describeKernels(bundle.manifest));
  else io.out(listKernels(bundle.manifest));
}

async function printStage(path: string, options: InspectOptions, stage: string, io: Io): Promise<void> {
  const { inspectStage, STAGES } = await import("../../compiler/inspect.js");
  if (!STAGES.includes(stage)) {
    const names = `The stages, in order: ${STAGES.join(", ")}.`;
    if (stage === "help") return io.out(`${names}\n`);
    const guess = closest(stage, STAGES);
    const hint = guess === undefined ? "" : ` (did you mean '${guess}'?)`;
    throw new UsageError(`there is no stage '${stage}'${hint}\n${names}`);
  }
  const file = await openModelFile(path, options);
  const { source, compileOptions } =
    file.kind === "bundle"
      ? sourceOfBundle(file.bundle)
      : { source: file.source, compileOptions: { set: options.set ?? {} } };
  const { bundle, stages } = await compileModel(source, compileOptions, io);
  const text = inspectStage(stages as Compilation, stage, options.kernel);
  if (text !== undefined) return io.out(text.endsWith("\n") ? text : `${text}\n`);
  if (options.kernel !== undefined) throw unknownKernel(bundle, options.kernel);
  throw new InputError(`this model has no stage '${stage}'`);
}

/** The WGSL of the kernel of this id or label: the first target's, which is the best. */
function kernelText(bundle: Bundle, name: string): string {
  const shaders = bundle.manifest.targets.flatMap((target) => target.shaders);
  const shader = shaders.find(({ id, label, file }) => id === name || label === name || file === name);
  const text = shader === undefined ? undefined : bundle.files.get(shader.file);
  if (text !== undefined) return text;
  throw unknownKernel(bundle, name);
}

function unknownKernel({ manifest }: Bundle, name: string): InputError {
  const names = [...new Set(manifest.targets.flatMap(({ shaders }) => shaders.map(({ id }) => id)))];
  const guess = closest(name, names);
  const hint = guess === undefined ? "" : ` (did you mean '${guess}'?)`;
  return new InputError(`there is no kernel '${name}'${hint}`, `The kernels: ${names.join(", ")}`);
}

interface KernelUse {
  readonly shader: ShaderEntry;
  /** Launches in each of `RUNS`, in their order. */
  readonly launches: readonly number[];
}

/** The runs whose launches are counted; all with batch 1. */
const RUNS = [
  { name: "load", program: "load", steps: 1 },
  ...SHOWN_STEPS.map((steps) => ({ name: `${steps} steps`, program: "prefill", steps }) as const),
  { name: "step", program: "step", steps: 1 },
] as const;

function kernelUses(manifest: Manifest, target: TargetEntry): readonly KernelUse[] {
  const runs = RUNS.map(({ program: name, steps }) => {
    const program = target[name];
    return program === undefined ? [] : launched(manifest, program, { batch: 1, steps });
  });
  return target.shaders.map((shader) => ({
    shader,
    launches: runs.map((dispatches) => dispatches.filter((dispatch) => dispatch.shader === shader.id).length),
  }));
}

function describeKernels(manifest: Manifest): unknown {
  return {
    model: manifest.model,
    compiler: manifest.compiler,
    inputs: manifest.inputs,
    outputs: manifest.outputs,
    states: manifest.states,
    params: manifest.params,
    targets: manifest.targets.map((target) => ({
      name: target.name,
      kernels: kernelUses(manifest, target).map(({ shader, launches }) => ({
        id: shader.id,
        label: shader.label,
        file: shader.file,
        workgroup: shader.workgroup,
        workgroupBytes: shader.workgroupBytes,
        bindings: shader.bindings.map(({ name }) => name),
        launches: Object.fromEntries(RUNS.map(({ name }, i) => [name, launches[i]])),
      })),
    })),
  };
}

function listKernels(manifest: Manifest): string {
  const parts = [`${describeModel(manifest)}\n${describeSignature(manifest)}\n${describeStorage(manifest)}`];
  for (const target of manifest.targets) {
    const uses = kernelUses(manifest, target);
    const rows = uses.map(({ shader, launches }) => [
      shader.id,
      ...launches.map((count) => (count === 0 ? "·" : String(count))),
      shader.workgroup.filter((size, i) => i === 0 || size > 1).join("×"),
      shader.label,
    ]);
    const sums = RUNS.map((_run, i) =>
      String(uses.reduce((sum, { launches }) => sum + (launches[i] ?? 0), 0)),
    );
    const table = [
      ["kernel", ...RUNS.map(({ name }) => name), "workgroup", "computes"],
      ...rows,
      ["launches, batch 1", ...sums],
    ];
    const right = [...RUNS.keys()].map((i) => i + 1);
    parts.push(`target ${target.name}\n${formatTable(table, { indent: 2, right })}`);
  }
  return parts.join("\n");
}
