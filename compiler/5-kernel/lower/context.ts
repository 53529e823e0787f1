/** What lowering one group of a program needs, and what it gives. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Span } from "../../diagnostics/types.js";
import type { Fusion, Group } from "../../4-passes/fuse.js";
import { uncut } from "../../4-passes/decay/chunks.js";
import type { AxisId, Graph, Node, NodeId } from "../../3-graph/types.js";
import type { Schedules } from "../../4-passes/schedule.js";
import type { Expr, Kernel, Store } from "../types.js";
import { type Tensor, type Tensors } from "./buffers.js";
import type { DocumentSteps } from "./documents.js";
import { identifier, valueName } from "./names.js";
import { scalarize, timeOf, type Coordinates, type ScalarizeContext } from "./scalarize.js";
import type { BoundBuffer, KernelScope } from "./scope.js";

/** A piece of source on one line, and where it begins: `mamba.krait:41`. */
export interface SourceLine {
  readonly place: string;
  readonly text: string;
}

export interface LowerContext {
  readonly graph: Graph;
  readonly fusion: Fusion;
  readonly tensors: Tensors;
  readonly schedules: Schedules;
  /** The group that is being lowered. */
  readonly group?: number;
  /** Values of the group's own that a kernel before the one at hand has stored. */
  readonly stored?: ReadonlySet<NodeId>;
  /** What stands at a span, for the comments of shaders. */
  readonly sourceAt: (span: Span) => SourceLine | undefined;
}

export interface LoweredKernel {
  readonly kernel: Kernel;
  /** What the kernel's bindings stand for, in their order. */
  readonly buffers: readonly BoundBuffer[];
  /** Kernels that must run before this one, whenever it runs. */
  readonly before?: readonly LoweredKernel[];
  /** Kernels that must run after it. */
  readonly after?: readonly LoweredKernel[];
  /** Left out at run time when this is 0. */
  readonly when?: Dim;
  /** Run-time numbers that the kernel's dispatch and expressions need besides the program's own. */
  readonly numbers?: readonly { readonly name: string; readonly value: Dim }[];
}

/** The context in which a group's expressions are made: what earlier groups stored is in memory. */
export function scalarizeContext(
  context: LowerContext,
  group: Group,
  scope: KernelScope,
  atHand?: NonNullable<ScalarizeContext["atHand"]>,
  document?: DocumentSteps,
): ScalarizeContext {
  const g = context.group ?? context.fusion.groups.indexOf(group);
  return {
    graph: context.graph,
    tensors: context.tensors,
    scope,
    inMemory: (id) => {
      const home = context.fusion.home.get(id);
      if (home !== undefined && home > g)
        throw new InternalError("lower", `%${id} is stored by group ${home}, and group ${g} reads it`);
      return (home !== undefined && home !== g) || context.stored?.has(id) === true;
    },
    ...(atHand === undefined ? {} : { atHand }),
    ...(document === undefined ? {} : { document }),
  };
}

/** The coordinates of a domain that has time cut in two, with that of time itself; past its end there is nothing to store. */
function withTime(
  group: Group,
  at: Coordinates,
  inner: ScalarizeContext,
): { readonly at: Coordinates; readonly time?: AxisId; readonly exists?: Expr } {
  const { graph, scope } = inner;
  const cut = uncut(graph, group.domain);
  const joins =
    cut && [...group.members].map((id) => graph.nodes[id]).find((node) => isUnchunk(node, cut.chunks));
  if (cut === undefined || joins?.kind !== "unchunk" || at.has(cut.of)) return { at };
  const { time, end } = timeOf(joins, at, inner);
  return { at: new Map(at).set(cut.of, time), time: cut.of, exists: scope.expr.op("lt", time, end) };
}

const isUnchunk = (node: Node | undefined, chunks: AxisId): boolean =>
  node?.kind === "unchunk" && node.chunks === chunks;

/** Stores of a group's values and outputs at the coordinates of its domain. */
export function resultStores(
  context: LowerContext,
  group: Group,
  domainAt: Coordinates,
  inner: ScalarizeContext,
): readonly Store[] {
  const stores: Store[] = [];
  const { at, time, exists } = withTime(group, domainAt, inner);
  const put = (tensor: Tensor, id: NodeId): void => {
    const coordinates = tensor.layout.map(
      (extent) => (extent.axis && at.get(extent.axis)) ?? inner.scope.expr.u32(0),
    );
    const when = tensor.layout.some(({ axis }) => axis !== undefined && axis === time) ? exists : undefined;
    stores.push(...inner.scope.store(tensor, coordinates, scalarize(id, at, inner), when));
  };
  for (const id of group.stores) put(context.tensors.value(id), id);
  for (const name of group.outputs) {
    const output = context.graph.outputs.find((o) => o.name === name);
    if (output !== undefined) put(context.tensors.output(name), output.value);
  }
  return stores;
}

/** A group with the members of what it computes of others. */
export function withAbsorbed(group: Group, absorbed: Group["absorbed"] = group.absorbed): Group {
  const members = [group, ...absorbed.map((each) => each.group)].flatMap((each) => [...each.members]);
  return { ...group, members: new Set(members) };
}

/** The kernel's name, from the values that it stores; and the source lines that it computes. */
export function describe(
  context: LowerContext,
  group: Group,
): { readonly name: string; readonly notes: Kernel["notes"] } {
  const [stored] = [...group.stores].reverse();
  const carried = group.carries[0] === undefined ? undefined : context.graph.states[group.carries[0]]?.name;
  const name =
    stored === undefined && group.members.size === 0 && carried !== undefined
      ? `${identifier(carried)}_after`
      : (group.outputs[0] ?? valueName(context.graph, stored ?? group.root));
  return { name: `${identifier(name)}_${group.kind}`, notes: sourceNotes(context, group) };
}

/** The lines of source that a group computes: its recurrence's states, its anchor, and every value with a name. */
function sourceNotes(context: LowerContext, group: Group): Kernel["notes"] {
  const lines = new Map<string, { text: string; span: Span }>();
  const note = (name: string | undefined, spans: readonly Span[]): void => {
    // What a function of the prelude computes is shown where the model calls it.
    for (const span of spans) {
      const source = context.sourceAt(span);
      if (source === undefined) continue;
      const text = `${source.place}  ${name === undefined ? "" : `${identifier(name)} = `}${source.text}`;
      lines.set(text, { text, span });
      return;
    }
  };
  for (const id of group.recurrence?.states ?? []) note(undefined, context.graph.states[id]?.spans ?? []);
  for (const id of [...group.members].sort((p, q) => p - q)) {
    const node = context.graph.nodes[id];
    if (node !== undefined && (node.name !== undefined || id === group.root)) note(node.name, node.spans);
  }
  return [...lines.values()];
}
