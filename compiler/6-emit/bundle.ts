/** The bundle: manifest and files. Building twice gives identical bytes: no dates, no paths of the machine. */
import type { Compilation, CompileOptions } from "../compilation.js";
import { VERSION } from "../version.js";
import type { SourceFile } from "../diagnostics/types.js";
import { checkpointTensors } from "../3-graph/params.js";
import type { AxisId, Graph } from "../3-graph/types.js";
import {
  FORMAT,
  FORMAT_VERSION,
  PARTS_AXIS,
  type Activations,
  type AdapterTuning,
  type Bundle,
  type ConstantValue,
  type FileEntry,
  type Manifest,
  type OutputEntry,
  type TargetEntry,
} from "../../runtime/bundle-format.js";
import { hashOf } from "./shaders.js";
import { isPair } from "../5-kernel/lower/buffers.js";
import { axisEntries } from "./interface.js";
import { stateEntry } from "./states.js";
import { sourcePaths } from "./source-paths.js";
import { storageOf } from "./storage.js";
import type { EmittedTarget } from "./target.js";

export function emitBundle(
  compilation: Compilation,
  sources: readonly SourceFile[],
  options: CompileOptions,
): Bundle {
  const { passes, targets } = compilation;
  const { model, load } = passes.programs;
  const files = new Map<string, string>();
  const paths = sourcePaths(sources.map(({ path }) => path));
  const sourceEntries = sources.map((source, k): FileEntry => {
    const file = `sources/${paths[k] ?? k}`;
    files.set(file, source.text);
    return { file, sha256: hashOf(source.text) };
  });
  for (const target of targets) for (const [file, text] of target.files) files.set(file, text);

  const { weights = "f32", activations = "f32" } = options;
  const storage = storageOf(passes.programs, options);
  const manifest: Manifest = {
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    compiler: `krait ${VERSION}`,
    model: model.name,
    sources: sourceEntries,
    options: {
      set: settings(compilation, options),
      targets: targets.filter(({ tuned }) => tuned === undefined).map(({ entry }) => entry.name),
      weights,
      ...(options.storage && { storage: sorted(options.storage) }),
      ...(activations !== "f32" && { activations }),
      ...(options.packed === true && { packed: true }),
      ...tuningOf(targets, options),
    },
    constants: constantValues(compilation),
    inputs: model.inputs.map((input) => ({
      name: input.name,
      scalar: input.scalar === "index" ? input.scalar : activations,
      ...(input.bound === undefined ? {} : { bound: input.bound }),
      axes: axisEntries(model, input),
      ...timeOf(model, input.axes),
      ...(input.doc === undefined ? {} : { doc: input.doc }),
    })),
    outputs: model.outputs.map((output) => ({
      name: output.name,
      ...scalarOf(model, output, activations),
      axes: [
        ...axisEntries(model, output),
        ...(model.nodes[output.value]?.type.scalar === "c64" ? [{ name: PARTS_AXIS.complex, size: 2 }] : []),
      ],
      ...timeOf(model, output.axes),
      ...(output.doc === undefined ? {} : { doc: output.doc }),
    })),
    states: model.states.map((state) => stateEntry(model, state)),
    params: checkpointTensors(model, ...(load === undefined ? [] : [load])).map(
      ({ name, sources, shape, param }) => ({ name, sources, shape, storage: storage(param.name) }),
    ),
    targets: bestFirst(targets),
  };
  files.set("model.json", manifestText(manifest));
  return { manifest, files };
}

/** What an output's elements are, unless they are f32: complex numbers are pairs of f32. */
function scalarOf(
  { nodes }: Graph,
  { bound, value }: Graph["outputs"][number],
  activations: Activations,
): Pick<OutputEntry, "scalar" | "bound"> {
  if (bound !== undefined) return { scalar: "index", bound };
  const isReal = !isPair(nodes[value]?.type.scalar);
  return isReal && activations !== "f32" ? { scalar: activations } : {};
}

/** A tuned target is better than the one for all adapters, of which it is a variant. */
function bestFirst(targets: readonly EmittedTarget[]): readonly TargetEntry[] {
  const ordered: TargetEntry[] = [];
  let plain = 0;
  for (const { entry, tuned } of targets) {
    if (tuned === undefined) plain = ordered.push(entry) - 1;
    else ordered.splice(plain++, 0, entry);
  }
  return ordered;
}

/** What the model had use for. */
function tuningOf(
  targets: readonly EmittedTarget[],
  { tuning = [] }: CompileOptions,
): { readonly tuning?: readonly AdapterTuning[] } {
  const used = new Set(targets.flatMap(({ tuned = [] }) => [...tuned]));
  const kept = tuning
    .map(({ vendor, architecture, entries }) => ({
      vendor,
      architecture,
      entries: entries
        .filter((entry) => used.has(entry))
        .map(({ target, kernel, shape, schedule }) => ({ target, kernel, shape, schedule })),
    }))
    .filter(({ entries }) => entries.length > 0);
  return kept.length === 0 ? {} : { tuning: kept };
}

/** JSON has no infinity (a constant may be), but a number too large to be another: `1e999`. */
function manifestText(manifest: Manifest): string {
  const plain = JSON.stringify(manifest, undefined, 1);
  // An infinity is `null` there: without one, nothing need be looked at value by value, which takes ten times as long.
  if (!plain.includes("null")) return `${plain}\n`;
  const marked = (_key: string, value: unknown): unknown =>
    value === Infinity ? "\u0000inf" : value === -Infinity ? "\u0000-inf" : value;
  return `${JSON.stringify(manifest, marked, 1).replace(/"\\u0000(-?)inf"/g, "$1" + "1e999")}\n`;
}

function timeOf(graph: Graph, axes: readonly AxisId[]): { readonly time?: string } {
  const time = axes.find((axis) => graph.axes.get(axis)?.role === "time");
  return time === undefined ? {} : { time };
}

/** What must be set to build the same model again without the checkpoint's config.json. */
function settings(
  { tree, module }: Compilation,
  options: CompileOptions,
): Readonly<Record<string, ConstantValue>> {
  const found: Record<string, ConstantValue> = { ...options.set };
  if (options.config === undefined) return sorted(found);
  for (const declaration of tree.declarations) {
    if (declaration.kind !== "const") continue;
    for (const definition of declaration.definitions) {
      const value = module.constants.get(definition.name.name)?.value;
      if (definition.from.length > 0 && value !== undefined) found[definition.name.name] = value;
    }
  }
  return sorted(found);
}

function constantValues({ module }: Compilation): Readonly<Record<string, ConstantValue>> {
  const found: Record<string, ConstantValue> = {};
  for (const [name, { value }] of module.constants) if (value !== undefined) found[name] = value;
  return sorted(found);
}

function sorted<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).sort(([p], [q]) => (p < q ? -1 : p > q ? 1 : 0)));
}
