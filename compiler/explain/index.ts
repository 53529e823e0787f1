/**
 * What a program does and why: its kernels, what was fused in each and why not more, what a recurrence is, and what
 * moves at given sizes. Read from fusion's table and the kernels themselves.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import type { SourceFile } from "../diagnostics/types.js";
import type { Compilation } from "../compilation.js";
import type { EmittedProgram, EmittedTarget } from "../6-emit/target.js";
import type { Fusion, Group } from "../4-passes/fuse.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";
import { operands } from "../3-graph/rewrite.js";
import type { LoweredKernel } from "../5-kernel/lower/index.js";
import { printKernel } from "../5-kernel/print-kernel.js";
import type { EvaluateDim } from "./evaluate.js";
import { choicesOf, type ChoiceText } from "./choices.js";
import { iterationsOf, type Iteration } from "./layers.js";
import { barriersOf, operationsOf, type Operations } from "./operations.js";
import { boundariesOf, recurrenceOf, type RecurrenceText } from "./reasons.js";
import { SourceText, type SourceLine } from "./source.js";
import { bytesOfGroup, type BindingBytes, type Bytes } from "./bytes.js";
import { workgroupsOf } from "./traffic.js";

export type { ChoiceText } from "./choices.js";
export type { BindingBytes, Bytes } from "./bytes.js";
export type { Operations } from "./operations.js";
export type { RecurrenceText } from "./reasons.js";
export type { SourceLine } from "./source.js";

export interface Explanation {
  readonly model: string;
  readonly target: string;
  readonly program: EmittedProgram["name"];
  /** Dispatches of one run at these sizes. */
  readonly launches: number;
  readonly layers: readonly LayerExplanation[];
  /** Of recurrences that could be computed in more than one way. */
  readonly choices: readonly ChoiceText[];
  /** Bytes of all kernels, each as often as it is launched. */
  readonly bytes: Bytes;
  readonly kernels: readonly KernelExplanation[];
  /** Of all kernels of the program, explained or not. */
  readonly kernelIds: readonly string[];
}

/** The iterations of a `repeat` that launch the same kernels. */
export interface LayerExplanation {
  readonly path: string;
  readonly iterations: number;
  /** Dispatches of one of them. */
  readonly launches: number;
  readonly kernels: readonly string[];
}

/** A group of fusion: one kernel, the three of a recurrence that is cut in time, or one for each bank of a large constant. */
export interface KernelExplanation {
  readonly ids: readonly string[];
  /** How many groups of the program are this one over other data. */
  readonly times: number;
  readonly layer?: string;
  readonly computes: readonly SourceLine[];
  readonly recurrence?: RecurrenceText;
  readonly dispatches: readonly DispatchExplanation[];
  readonly bytes: Bytes;
  readonly boundaries: readonly {
    readonly value: string;
    readonly at: string;
    readonly to: readonly string[];
    readonly why: string;
  }[];
}

export interface DispatchExplanation extends Operations {
  readonly id: string;
  readonly skeleton: string;
  readonly schedule: Readonly<Record<string, string | number>>;
  readonly workgroups: number;
  /** Invocations a workgroup. */
  readonly invocations: number;
  /** Bytes of workgroup memory. */
  readonly onChip: number;
  /** That a workgroup waits at. */
  readonly barriers: number;
  readonly bindings: readonly BindingBytes[];
}

export interface ExplainOptions {
  readonly program: EmittedProgram["name"];
  /** Shader ids to explain; all if absent. */
  readonly kernel?: string;
  /** Sizes and other run-time numbers of the program. */
  readonly dim: EvaluateDim;
  readonly sources: readonly SourceFile[];
}

/** Undefined for a program that the model does not have. */
export function explain(
  compilation: Compilation,
  target: EmittedTarget,
  options: ExplainOptions,
): Explanation | undefined {
  const program = target.programs.find(
    ({ name, when }) => name === options.program && (when === undefined || options.dim(when) !== 0),
  );
  return program && new Explainer(compilation, target, program, options).explain();
}

class Explainer {
  private readonly source: SourceText;
  private readonly iterations: readonly (Iteration | undefined)[];
  /** Kernels that run at these sizes, by group. */
  private readonly active: readonly (readonly LoweredKernel[])[];
  private readonly ids: ReadonlyMap<LoweredKernel["kernel"], string>;
  /** The program before its recurrences were rewritten, if they may be. */
  private readonly written: Graph | undefined;

  constructor(
    compilation: Compilation,
    private readonly target: EmittedTarget,
    private readonly program: EmittedProgram,
    private readonly options: ExplainOptions,
  ) {
    this.source = new SourceText(options.sources);
    this.written = program.name === "prefill" ? compilation.passes.programs.prefill : undefined;
    this.iterations = iterationsOf(compilation, program);
    this.active = program.groups.map(({ kernels }) =>
      kernels.filter(({ when }) => when === undefined || options.dim(when) !== 0),
    );
    this.ids = shaderIds(target, this.active.flat());
  }

  explain(): Explanation {
    const { program, options } = this;
    // Groups that share their kernels are the same line of source in other layers.
    const alike = new Map<LoweredKernel["kernel"] | number, number[]>();
    this.active.forEach((kernels, g) => {
      const key = kernels[0]?.kernel ?? g;
      alike.set(key, [...(alike.get(key) ?? []), g]);
    });
    const all = [...alike.values()].map((groups) => this.kernel(groups));
    const wanted = options.kernel;
    const totals = (of: (bytes: Bytes) => number): number =>
      all.reduce((sum, each) => sum + each.times * of(each.bytes), 0);
    return {
      model: program.graph.name,
      target: this.target.entry.name,
      program: program.name,
      launches: this.active.flat().length,
      layers: this.layers(),
      choices:
        this.written === undefined
          ? []
          : choicesOf(this.written, program.graph, options.dim, this.source, {
              halves: this.target.entry.requires.matrices !== undefined,
            }),
      bytes: {
        read: totals(({ read }) => read),
        written: totals(({ written }) => written),
        least: totals(({ least }) => least),
        reread: totals(({ reread }) => reread ?? 0),
        atMost: all.some(({ bytes }) => bytes.atMost),
      },
      kernels: wanted === undefined ? all : all.filter(({ ids }) => ids.includes(wanted)),
      kernelIds: [...new Set(all.flatMap(({ ids }) => ids))],
    };
  }

  private kernel(groups: readonly number[]): KernelExplanation {
    const { program, source, options } = this;
    const [g = 0] = groups;
    const group = program.fusion.groups[g];
    const kernels = this.active[g] ?? [];
    if (group === undefined) throw new InternalError("explain", `no group ${g}`);
    const { bytes, bindings } = bytesOfGroup(kernels, options.dim);
    const recurrence = recurrenceOf(program.graph, group, source);
    const layer = this.iterations[g];
    const boundaries = boundariesOf(program.graph, program.fusion, g, source);
    return {
      ids: this.idsOf(g),
      times: groups.length,
      ...(layer === undefined ? {} : { layer: layer.path }),
      computes: source.lines(computed(program.graph, program.fusion, group)),
      ...(recurrence === undefined ? {} : { recurrence }),
      dispatches: kernels.map((lowered, k) => this.dispatch(lowered, bindings[k] ?? [])),
      bytes,
      boundaries: boundaries.map(({ to, ...rest }) => ({ ...rest, to: this.idsOf(to) })),
    };
  }

  private dispatch({ kernel }: LoweredKernel, bindings: readonly BindingBytes[]): DispatchExplanation {
    const { dim } = this.options;
    const id = this.ids.get(kernel) ?? kernel.name;
    const shader = this.target.entry.shaders.find((each) => each.id === id);
    const { kind: _, ...schedule } = { kind: "", ...kernel.schedule };
    return {
      id,
      skeleton: kernel.skeleton,
      schedule,
      workgroups: workgroupsOf(kernel, dim),
      invocations: shader?.workgroup.reduce((p, q) => p * q, 1) ?? 0,
      onChip: shader?.workgroupBytes ?? 0,
      barriers: barriersOf(kernel, dim),
      ...operationsOf(kernel, dim),
      bindings,
    };
  }

  private idsOf(g: number): readonly string[] {
    return (this.active[g] ?? []).map(({ kernel }) => this.ids.get(kernel) ?? kernel.name);
  }

  private layers(): readonly LayerExplanation[] {
    const found = new Map<string, { path: string; ids: string[] }>();
    this.iterations.forEach((iteration, g) => {
      if (iteration === undefined) return;
      const key = `${iteration.path} ${iteration.number}`;
      const entry = found.get(key) ?? { path: iteration.path, ids: [] };
      found.set(key, entry);
      entry.ids.push(...this.idsOf(g));
    });
    const layers = new Map<
      string,
      { path: string; iterations: number; launches: number; kernels: string[] }
    >();
    for (const { path, ids } of found.values()) {
      const key = `${path} ${ids.join()}`;
      const entry = layers.get(key) ?? { path, iterations: 0, launches: ids.length, kernels: ids };
      layers.set(key, { ...entry, iterations: entry.iterations + 1 });
    }
    return [...layers.values()];
  }
}

/** What a group computes: its members, and what they compute anew of what no kernel stores. */
function computed(graph: Graph, fusion: Fusion, group: Group): readonly Node[] {
  const members = [group, ...group.absorbed.map((each) => each.group)].flatMap((each) => [...each.members]);
  const found = new Set<NodeId>(members);
  const outputs = graph.outputs.filter(({ name }) => group.outputs.includes(name)).map(({ value }) => value);
  const carried = [group, ...group.absorbed.map((each) => each.group)]
    .flatMap(({ carries }) => carries)
    .map((id) => graph.states[id]?.equation.value)
    .filter((id) => id !== undefined);
  const pending = [...members, ...[...outputs, ...carried].filter((id) => !fusion.home.has(id))];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    found.add(id);
    const node = graph.nodes[id];
    if (node === undefined) continue;
    for (const operand of operands(node))
      if (!found.has(operand) && !fusion.home.has(operand)) pending.push(operand);
  }
  const leaves = new Set<Node["kind"]>([
    ...(["scalar", "input", "param", "coordinate"] as const),
    ...(["slice", "rename", "window", "chunk", "unchunk", "flip", "concat", "prev"] as const),
  ]);
  const shown = (node: Node | undefined): node is Node => node !== undefined && !leaves.has(node.kind);
  return [...found]
    .sort((p, q) => p - q)
    .map((id) => graph.nodes[id])
    .filter(shown);
}

/** The shader of each kernel: kernels that print alike share one. */
function shaderIds(
  target: EmittedTarget,
  lowered: readonly LoweredKernel[],
): ReadonlyMap<LoweredKernel["kernel"], string> {
  const known = new Map([...target.kernels].map(([id, kernel]) => [kernel, id]));
  const byText = new Map<string, string>();
  for (const { kernel } of lowered) {
    if (known.has(kernel)) continue;
    if (byText.size === 0) for (const [id, each] of target.kernels) byText.set(printKernel(each), id);
    known.set(kernel, byText.get(printKernel(kernel)) ?? kernel.name);
  }
  return known;
}
