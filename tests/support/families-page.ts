/**
 * docs/families.md: a row for each family, as the tests find it. UPDATE_GOLDENS=1 writes a row anew; without it the row must
 * say what is found. Errors differ from device to device: a row states a bound, four times what was measured up to the
 * next power of ten, and what is measured must keep below it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { compile, type Compilation } from "../../compiler/compile.js";
import { choicesOf, type ChoiceText } from "../../compiler/explain/choices.js";
import type { EvaluateDim } from "../../compiler/explain/evaluate.js";
import { iterationsOf } from "../../compiler/explain/layers.js";
import { SourceText } from "../../compiler/explain/source.js";
import type { Graph, StateId } from "../../compiler/3-graph/types.js";
import { classify } from "../../compiler/4-passes/classify.js";
import { recurrences } from "../../compiler/4-passes/recurrences.js";
import type { LoweredKernel } from "../../compiler/5-kernel/lower/index.js";
import type { EmittedProgram, EmittedTarget } from "../../compiler/6-emit/target.js";
import type { Dim } from "../../runtime/bundle-format.js";
import { axisNames, Numbers, type AxisNames } from "../../runtime/numbers.js";

const PAGE = new URL("../../docs/families.md", import.meta.url);
const UPDATE = process.env["UPDATE_GOLDENS"] === "1";
const STEPS = 2048;

export interface FamilyRow {
  readonly family: string;
  /** Its source, from the repository's root. */
  readonly file: string;
  /** Sizes at which algorithms and launches are shown. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The largest relative error measured. */
  readonly error: number;
}

/** Holds a family's row to what the compiler makes of it and what was measured. */
export function expectRow(row: FamilyRow): void {
  const cells = cellsOf(row);
  if (UPDATE) {
    write([...cells, boundOf(row.error)]);
    return;
  }
  const written = rows().get(row.family);
  assert.ok(
    written !== undefined,
    `docs/families.md has no row for ${row.family}; UPDATE_GOLDENS=1 writes it`,
  );
  assert.deepEqual(written.slice(0, -1), cells, "docs/families.md differs; if it should, UPDATE_GOLDENS=1");
  const bound = Number(/^< (.*)$/.exec(written.at(-1) ?? "")?.[1]);
  assert.ok(
    row.error < bound,
    `${row.family} is off by ${String(row.error)}, docs/families.md says < ${String(bound)}`,
  );
}

/** The families that the page has. */
export const familiesOnPage = (): readonly string[] => [...rows().keys()];

function cellsOf({ family, file, sizes }: FamilyRow): readonly string[] {
  const source = {
    path: `${family}.krait`,
    text: readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"),
  };
  const { bundle, stages, diagnostics } = compile(source, { set: sizes, packed: true });
  assert.deepEqual(diagnostics, []);
  const compilation = stages as Compilation;
  const [target] = compilation.targets;
  assert.ok(bundle !== undefined && target !== undefined);
  const names = axisNames(bundle.manifest);
  const prefill = runOf(names, target, "prefill") ?? assert.fail("no prefill");
  const step = runOf(names, target, "step");
  const { model, prefill: written } = compilation.passes.programs;
  const choices = choicesOf(written, prefill.graph, prefill.dim, new SourceText([source]));
  const classes = new Map(
    recurrences(model).flatMap((recurrence) =>
      recurrence.states.map((id) => [nameOf(model, id), classify(model, recurrence).class]),
    ),
  );
  const how = algorithms(prefill, choices);
  return [
    `[${family}](../${file})`,
    Object.entries(sizes)
      .map(([name, size]) => `${name} ${String(size)}`)
      .join(", "),
    each(classes),
    each(new Map([...classes.keys()].map((state) => [state, how.get(state) ?? "with its reader"]))),
    launchesOf(compilation, prefill),
    step === undefined ? "none" : launchesOf(compilation, step),
    target.entry.packed === undefined ? "no" : "yes",
  ];
}

/** The kernels of a program that run for one sequence that wants the outputs of its last position. */
interface Run {
  readonly graph: Graph;
  readonly program: EmittedProgram;
  readonly dim: EvaluateDim;
  /** Of each group of fusion. */
  readonly kernels: readonly (readonly LoweredKernel[])[];
}

function runOf(names: AxisNames, target: EmittedTarget, name: "prefill" | "step"): Run | undefined {
  const entry = target.entry[name];
  if (entry === undefined) return undefined;
  const steps = name === "step" ? 1 : STEPS;
  const numbers = new Numbers(names, entry.numbers);
  const values = numbers.values({ batch: 1, steps, pos: 0, tailBegin: steps - 1, tailCount: 1 });
  const dim: EvaluateDim = (of) => numbers.compile(of)(values);
  const runs = (when: Dim | undefined): boolean => when === undefined || dim(when) !== 0;
  const program = target.programs.find((each) => each.name === name && runs(each.when));
  assert.ok(program !== undefined);
  const kernels = program.groups.map((group) => group.kernels.filter(({ when }) => runs(when)));
  return { graph: program.graph, program, dim, kernels };
}

const nameOf = ({ states }: Graph, id: StateId): string => (states[id]?.name ?? "").replace(/^.*\./, "");

/** `top: tropical; num, den: diagonal`; a lone one without its name. */
function each(byState: ReadonlyMap<string, string>): string {
  const states = new Map<string, string[]>();
  for (const [state, what] of byState) states.set(what, [...(states.get(what) ?? []), state]);
  if (states.size === 1) return [...states.keys()].join();
  return [...states].map(([what, names]) => `${names.join(", ")}: ${what}`).join("; ");
}

/** How each state is computed. */
function algorithms(
  { graph, program, kernels }: Run,
  choices: readonly ChoiceText[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [g, { group }] of program.groups.entries()) {
    const skeletons = (kernels[g] ?? []).map(({ kernel }) => kernel.skeleton);
    const scans = skeletons.filter((skeleton) => skeleton === "scan").length;
    for (const state of group.recurrence?.states ?? [])
      found.set(
        nameOf(graph, state),
        skeletons.includes("sequential") ? "sequential" : scans > 1 ? "scan cut in time" : "scan",
      );
  }
  for (const { states, chosen } of choices)
    if (chosen.chunk !== undefined)
      for (const state of states) found.set(state, `${chosen.algorithm}, chunks of ${String(chosen.chunk)}`);
  return found;
}

/** Of one layer, where the model has some; what layers of different kinds take is joined by "or". */
function launchesOf(compilation: Compilation, { program, kernels }: Run): string {
  const layers = new Map<string, number>();
  for (const [g, layer] of iterationsOf(compilation, program).entries()) {
    if (layer === undefined) continue;
    const key = `${layer.path} ${String(layer.number)}`;
    layers.set(key, (layers.get(key) ?? 0) + (kernels[g]?.length ?? 0));
  }
  if (layers.size === 0) return String(kernels.flat().length);
  return [...new Set([...layers.values()].sort((p, q) => p - q))].join(" or ");
}

function boundOf(error: number): string {
  assert.ok(error > 0 && error < 1e-5, `measured ${String(error)}`);
  const power = Math.ceil(Math.log10(4 * error));
  return `< 1e${String(Math.min(Math.max(power, -6), -5))}`;
}

const HEAD = `# Families

Written by the tests (tests/families, tests/numerics/checkpoints.test.ts; \`UPDATE_GOLDENS=1\` writes it anew), which hold every row.

Each family is Krait source: [templates/models](../templates/models) for those that \`krait import\` takes from checkpoints,
[tests/families/sources](../tests/families/sources) for the others. No compiler pass and no kernel knows any by name: the *class* of a recurrence
is read off its equations (SPEC.md, Classes), and the algorithm is what estimated costs say for one sequence of ${String(STEPS)} steps at the
*sizes* given, on target \`baseline\`. *Launches* are those of one layer, for \`prefill\` and for \`step\`; a model that looks ahead in time has no
\`step\`. *Packed*: documents of any lengths in one run. *Error* is ‖Krait − reference‖ / ‖reference‖ over the whole output at test sizes, whole, in pieces and
step by step; the reference is PyTorch for checkpoints, else plain loops over the paper's equations.

| family | sizes | class | prefill | launches | step | packed | error |
|---|---|---|---|---|---|---|---|
`;

/** By family, its cells. */
function rows(): Map<string, readonly string[]> {
  let text: string;
  try {
    text = readFileSync(PAGE, "utf8");
  } catch {
    return new Map();
  }
  const lines = text.split("\n").filter((line) => /^\| (?!family)/.test(line));
  return new Map(
    lines.map((line) => {
      const cells = line.slice(2, -2).split(" | ");
      return [/^\[(.*)\]/.exec(cells[0] ?? "")?.[1] ?? "", cells];
    }),
  );
}

function write(row: readonly string[]): void {
  const others = [...rows().values()].filter(([family]) => family !== row[0]);
  const lines = [...others, row].map((cells) => `| ${cells.join(" | ")} |\n`).sort();
  writeFileSync(PAGE, HEAD + lines.join(""));
}
