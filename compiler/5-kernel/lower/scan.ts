/**
 * Recurrences whose state elements depend on their own past alone, or on sums over an inner axis that the lanes of a
 * channel can hold, as scan kernels: one dispatch, or three when time is cut into chunks (chunk-local states and decays;
 * carry over chunks; rescan from the carried states).
 *
 * Every value inside is sorted by what it depends on: not on time (invariant, in registers), on time and one of channel
 * and inner axis (staged in workgroup memory by tiles), on the state (computed each step), or on what the reductions
 * give (computed when a tile is stored).
 */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { ASSOCIATIVE } from "../../4-passes/classify.js";
import type { Group } from "../../4-passes/fuse.js";
import type { AxisId, Node, NodeId, State, StateId } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr, ScanKernel, Store } from "../types.js";
import { LONGEST_STAGED } from "../../4-passes/schedule.js";
import { axisSize, constantSize, product, type Tensor } from "./buffers.js";
import { stepsOf } from "./document-steps.js";
import { multiply } from "./complex.js";
import { carriedAxes, type DocumentSteps } from "./documents.js";
import { identifier, valueName } from "./names.js";
import {
  describe,
  resultStores,
  scalarizeContext,
  type LowerContext,
  type LoweredKernel,
} from "./context.js";
import { chunkingOf, dependentsOf, layoutOf, shapeOf, type Cut, type Layout } from "./scan-layout.js";
import { scalarize, type Coordinates, type ScalarizeContext } from "./scalarize.js";
import type { KernelScope, Value } from "./scope.js";
import { semiringOf, type Semiring } from "./semiring.js";
import { withinBindings } from "./within-bindings.js";

export function lowerScan(context: LowerContext, group: Group): readonly LoweredKernel[] {
  const layout = layoutOf(context, group);
  const tried: ScanLowering[] = [];
  const whole = withinBindings(context, (scope) => {
    const lowering = new ScanLowering(context, group, layout, scope);
    tried.push(lowering);
    return lowering.whole();
  });
  const { kernel } = whole;
  const isAffine = tried.at(-1)?.isAffine === true;
  const cuts = isAffine && group.class !== undefined && ASSOCIATIVE.has(group.class);
  const chunking = cuts && kernel.skeleton === "scan" ? chunkingOf(context, layout, kernel) : undefined;
  if (chunking === undefined) return [whole];
  const { when, numbers, cut } = chunking;
  const part = (build: (lowering: ScanLowering) => ScanKernel): LoweredKernel => ({
    ...withinBindings(context, (scope) => build(new ScanLowering(context, group, layout, scope))),
    when,
    numbers,
  });
  return [
    { ...whole, when: ["==", when, 0] },
    part((lowering) => lowering.local(cut)),
    part((lowering) => lowering.carry(cut)),
    part((lowering) => lowering.rescan(cut)),
  ];
}

type KernelState = ScanKernel["states"][number];

/** A state of the recurrence: one state of the kernel, or two for the parts of a complex one. */
interface Solved {
  readonly state: State;
  readonly inner: boolean;
  readonly parts: readonly KernelState[];
  readonly decay?: Value;
}

const withFinal = (state: KernelState, final: Store | undefined): KernelState =>
  final === undefined ? state : { ...state, final };

/** A value whose parts are each bound to a name of its own. */
const bindParts = ({ re, im }: Value, bind: (expr: Expr, suffix: string) => Expr): Value =>
  im === undefined ? { re: bind(re, "") } : { re: bind(re, "_re"), im: bind(im, "_im") };

const partOf = ({ re, im }: Value, k: number, e: ExprBuilder): Expr => (k === 0 ? re : (im ?? e.f32(0)));

class ScanLowering {
  private readonly e: ExprBuilder;
  private readonly names = new Set(["prev", "last"]);
  private readonly invariants: ScanKernel["invariants"][number][] = [];
  private readonly staged: ScanKernel["staged"][number][] = [];
  private readonly contractions: NonNullable<ScanKernel["contractions"]>[number][] = [];
  private readonly steps: ScanKernel["steps"][number][] = [];
  private readonly reductions: ScanKernel["reductions"][number][] = [];
  private readonly held = new Map<string, Value>();
  private readonly cycle: ReadonlySet<NodeId>;
  private readonly stateful: ReadonlySet<NodeId>;
  private readonly semiring: Semiring;
  /** Whether every state is a factor times its own past, and something. Known once a kernel is made. */
  isAffine = false;

  constructor(
    private readonly context: LowerContext,
    private readonly group: Group,
    private readonly layout: Layout,
    private readonly scope: KernelScope,
  ) {
    this.e = scope.expr;
    this.cycle = new Set(group.recurrence?.members ?? []);
    this.stateful = dependentsOf(context.graph, group);
    this.semiring = semiringOf(context.graph, group);
  }

  /** The scan from the carried states over all steps. */
  whole(): ScanKernel {
    const at = this.coordinates(undefined);
    const steps = axisSize(this.context.graph, this.layout.time);
    const states = this.states(
      at,
      (state) =>
        state.kind === "local"
          ? { re: this.e.f32(state.init) }
          : this.scope.load(this.tensor(state, "state"), this.place(state, at)),
      true,
    );
    const { begin, end } = this.documentOf(at) ?? { begin: this.e.u32(0), end: this.e.dim(steps) };
    return this.finish(at, states, { begin, end, leads: this.leads(), suffix: "" });
  }

  /** Each chunk from a state of nothing: its last state, and the product of its decays. Stores nothing else. */
  local(cut: Cut): ScanKernel {
    const at = this.coordinates(cut);
    const chunk = this.chunkIndex(cut);
    const { zero } = this.semiring;
    const states = this.solved(at, () => this.filled(zero), false).flatMap(
      ({ state, inner, parts, decay }) => {
        const last = this.filled("last");
        const chunked = (what: string): readonly (Store | undefined)[] =>
          this.scope.store(this.chunkTensor(state, what, cut), this.chunkPlace(state, at, chunk), last);
        const locals = chunked("local");
        const decays = chunked("decay");
        return [
          ...parts.map((part, k) => withFinal(part, locals[k])),
          ...this.products(parts, decay, inner).map((part, k) => withFinal(part, decays[k])),
        ];
      },
    );
    return this.finish(at, states, { ...this.chunkRange(cut, at), suffix: "_local", noResults: true });
  }

  /** The product of the decays so far, as states beside those whose decays they are. */
  private products(
    parts: readonly KernelState[],
    decay: Value | undefined,
    inner: boolean,
  ): readonly KernelState[] {
    if (decay === undefined) throw new InternalError("lower", "a chunk without decay");
    const { one, times } = this.semiring;
    const names = parts.map((part) => `${part.name}_decay`);
    const [re, im] = names.map((each) => this.e.variable(`prev_${each}`, "f32"));
    if (re === undefined) throw new InternalError("lower", "a state without parts");
    const product_ = times(decay, im === undefined ? { re } : { re, im }, this.e);
    return names.map((each, k) => {
      const next = `${each}_next`;
      this.steps.push({ name: next, inner, value: partOf(product_, k, this.e) });
      return { name: each, inner, initial: this.e.f32(k === 0 ? one : 0), next };
    });
  }

  /** A scan over chunks: the state before each chunk, and after the last. */
  carry(cut: Cut): ScanKernel {
    const { e, layout, scope, semiring } = this;
    const inner = this.innerSize();
    const channels = this.channels() * inner;
    const lead = e.variable("lead", "u32", this.leads());
    const flat = e.variable("channel", "u32", channels);
    const chunk = e.variable("t", "u32", cut.chunks);
    const at = new Map<AxisId, Expr>();
    this.spread(at, layout.lead, lead);
    this.spread(at, [...layout.channel, ...layout.inner], flat);
    const stores: Store[] = [];
    const states = layout.states.flatMap((state) => {
      const base = this.fresh(identifier(state.name));
      const names = this.parts().map((part) => this.part(base, part));
      const previous = this.valueOf(names.map((each) => e.variable(`prev_${each}`, "f32")));
      const read = (what: string): Value => {
        const loaded = scope.load(this.chunkTensor(state, what, cut), this.chunkPlace(state, at, chunk));
        return this.valueOf(
          names.map((each, k) => {
            const staged = this.fresh(`${each}_${what}`);
            this.staged.push({ name: staged, per: "channel", value: partOf(loaded, k, e) });
            return e.variable(staged, "f32");
          }),
        );
      };
      const next = semiring.plus(semiring.times(read("decay"), previous, e), read("local"), e);
      const before = this.valueOf(
        names.map((each, k) => {
          const reduction = this.fresh(`${each}_before_chunk`);
          this.reductions.push({ name: reduction, fn: "sum", value: partOf(previous, k, e) });
          return e.variable(reduction, "f32");
        }),
      );
      stores.push(
        ...scope.store(this.chunkTensor(state, "carry", cut), this.chunkPlace(state, at, chunk), before),
      );
      const finals = scope.store(this.tensor(state, "next"), this.place(state, at), this.filled("last"));
      const initial = scope.load(this.tensor(state, "state"), this.place(state, at));
      return names.map((each, k) => {
        const step = this.fresh(`${each}_next`);
        this.steps.push({ name: step, inner: true, value: partOf(next, k, e) });
        return withFinal({ name: each, inner: true, initial: partOf(initial, k, e), next: step }, finals[k]);
      });
    });
    const { name, notes } = describe(this.context, this.group);
    const kernel = {
      name: `${name}_carry`,
      notes,
      skeleton: "scan" as const,
      bindings: scope.finish().bindings,
      leads: this.leads(),
      channels,
      inner: 1,
      begin: e.u32(0),
      end: e.number(cut.chunks),
      invariants: [],
      staged: this.staged,
      states,
      steps: this.steps,
      reductions: this.reductions,
      stores,
    };
    return { ...kernel, schedule: this.context.schedules.scan(shapeOf(kernel)) };
  }

  /** Each chunk again, from the state before it. */
  rescan(cut: Cut): ScanKernel {
    const at = this.coordinates(cut);
    const chunk = this.chunkIndex(cut);
    const states = this.states(
      at,
      (state) => this.scope.load(this.chunkTensor(state, "carry", cut), this.chunkPlace(state, at, chunk)),
      false,
    );
    return this.finish(at, states, { ...this.chunkRange(cut, at), suffix: "_rescan" });
  }

  // Loops and coordinates.

  private leads(): Dim {
    return product(this.layout.lead.map((axis) => axisSize(this.context.graph, axis)));
  }

  private channels(): number {
    return this.layout.channel.reduce((p, axis) => p * constantSize(this.context.graph, axis), 1);
  }

  private innerSize(): number {
    return this.layout.inner.reduce((p, axis) => p * constantSize(this.context.graph, axis), 1);
  }

  private spread(at: Map<AxisId, Expr>, axes: readonly AxisId[], flat: Expr): void {
    const sizes = axes.map((axis) => axisSize(this.context.graph, axis));
    this.e.unflatten(flat, sizes).forEach((coordinate, k) => {
      const axis = axes[k];
      if (axis !== undefined) at.set(axis, coordinate);
    });
  }

  /** With a cut, `lead` counts chunks too, the chunk fastest. */
  private coordinates(cut: Cut | undefined): Coordinates {
    const { e, layout } = this;
    const at = new Map<AxisId, Expr>();
    const lead =
      cut === undefined
        ? e.variable("lead", "u32", this.leads())
        : e.div(e.variable("lead", "u32", ["*", this.leads(), cut.chunks]), e.number(cut.chunks));
    this.spread(at, layout.lead, lead);
    const over = (name: string, size: number): Expr =>
      size === 1 ? e.u32(0) : e.variable(name, "u32", size);
    this.spread(at, layout.channel, over("channel", this.channels()));
    this.spread(at, layout.inner, over("n", this.innerSize()));
    const steps = axisSize(this.context.graph, layout.time);
    at.set(layout.time, steps === 1 ? e.u32(0) : e.variable("t", "u32", steps));
    return at;
  }

  private chunkIndex(cut: Cut): Expr {
    const lead = this.e.variable("lead", "u32", ["*", this.leads(), cut.chunks]);
    return this.e.mod(lead, this.e.number(cut.chunks));
  }

  /** The steps of a lead's document, in a packed program. */
  private documentOf(at: Coordinates): DocumentSteps | undefined {
    const { documents, time } = this.layout;
    const document = documents && at.get(documents.axis);
    if (documents === undefined || document === undefined) return undefined;
    return stepsOf(documents, time, document, scalarizeContext(this.context, this.group, this.scope));
  }

  private values(at: Coordinates, atHand?: NonNullable<ScalarizeContext["atHand"]>): ScalarizeContext {
    return scalarizeContext(this.context, this.group, this.scope, atHand, this.documentOf(at));
  }

  private chunkRange(
    cut: Cut,
    at: Coordinates,
  ): { readonly begin: Expr; readonly end: Expr; readonly leads: Dim } {
    const { e } = this;
    const steps = e.number(cut.steps);
    const leads: Dim = ["*", this.leads(), cut.chunks];
    const offset = e.mul(this.chunkIndex(cut), steps);
    const document = this.documentOf(at);
    if (document === undefined) {
      const end = e.op("min", e.add(offset, steps), e.dim(axisSize(this.context.graph, this.layout.time)));
      return { begin: offset, end, leads };
    }
    const begin = e.op("min", e.add(document.begin, offset), document.end);
    return { begin, end: e.op("min", e.add(begin, steps), document.end), leads };
  }

  private tensor(state: State, which: "state" | "next"): Tensor {
    return this.context.tensors.state(state.id, which);
  }

  private place(state: State, at: Coordinates): readonly Expr[] {
    return carriedAxes(state).map((axis) => at.get(axis) ?? this.e.u32(0));
  }

  /** What the three kernels hand on: [lead, chunk, channel, inner] of a state. */
  private chunkTensor(state: State, what: string, cut: Cut): Tensor {
    const rest = state.axes.filter((axis) => !this.layout.lead.includes(axis));
    const extent = (axis: AxisId): Tensor["layout"][number] => ({
      axis,
      size: axisSize(this.context.graph, axis),
    });
    return {
      ref: {
        kind: "own",
        group: this.context.fusion.groups.indexOf(this.group),
        id: `${this.layout.states.indexOf(state)}.${what}`,
      },
      name: `${identifier(state.name)}_${what}`,
      layout: [...this.layout.lead.map(extent), { size: cut.chunks }, ...rest.map(extent)],
      complex: this.layout.complex,
      element: "f32",
    };
  }

  private chunkPlace(state: State, at: Coordinates, chunk: Expr): readonly Expr[] {
    const rest = state.axes.filter((axis) => !this.layout.lead.includes(axis));
    const coordinate = (axis: AxisId): Expr => at.get(axis) ?? this.e.u32(0);
    return [...this.layout.lead.map(coordinate), chunk, ...rest.map(coordinate)];
  }

  // Values.

  private node(id: NodeId): Node {
    const node = this.context.graph.nodes[id];
    if (node === undefined) throw new InternalError("lower", `no node %${id}`);
    return node;
  }

  private fresh(base: string): string {
    let name = base;
    for (let k = 2; this.names.has(name); k++) name = `${base}_${k}`;
    this.names.add(name);
    return name;
  }

  /** The states with their equations as step values, each with what the equation multiplies it by, if that is one thing. */
  private solved(at: Coordinates, initial: (state: State) => Value, keep: boolean): readonly Solved[] {
    const inStep = this.stepContext(at);
    const names = new Map(this.layout.states.map((state) => [state.id, this.fresh(identifier(state.name))]));
    const previousOf = (state: StateId): Value => {
      const name = names.get(state) ?? "state";
      return this.valueOf(
        this.parts().map((part) => this.e.variable(`prev_${this.part(name, part)}`, "f32")),
      );
    };
    for (const node of this.context.graph.nodes)
      if (node.kind === "prev" && this.cycle.has(node.id))
        this.held.set(String(node.id), previousOf(node.state));
    this.contract(at, inStep);
    const inOrder = [...this.layout.states].sort((p, q) => p.equation.value - q.equation.value);
    const found = new Map<StateId, Solved>();
    for (const state of inOrder) {
      const base = names.get(state.id) ?? "state";
      const next = scalarize(state.equation.value, at, inStep);
      const inner = state.axes.some((axis) => this.layout.inner.includes(axis));
      const start = initial(state);
      const finals: readonly Store[] =
        keep && state.kind !== "local"
          ? this.scope.store(this.tensor(state, "next"), this.place(state, at), this.filled("last"))
          : [];
      const parts = this.parts().map((part, k) => {
        const name = this.part(base, part);
        const step = this.fresh(`${name}_next`);
        this.steps.push({ name: step, inner, value: partOf(next, k, this.e) });
        return withFinal({ name, inner, initial: partOf(start, k, this.e), next: step }, finals[k]);
      });
      const value = this.valueOf(parts.map(({ next: step }) => this.e.variable(step, "f32")));
      const decay = this.semiring.factorOf(next, previousOf(state.id), this.e);
      found.set(state.id, { state, inner, parts, ...(decay && { decay }) });
      this.held.set(String(state.equation.value), value);
    }
    return this.layout.states.flatMap((state) => found.get(state.id) ?? []);
  }

  /** The sums over the inner axis that the equations read. */
  private contract(at: Coordinates, inStep: ScalarizeContext): void {
    for (const id of this.cycle) {
      const node = this.node(id);
      if (node.kind !== "dot" && node.kind !== "reduce") continue;
      const sum = bindParts(this.contracted(node, at, inStep), (value, suffix) => {
        const name = this.fresh(`${valueName(this.context.graph, id)}${suffix}`);
        this.contractions.push({ name, value });
        return this.e.variable(name, "f32");
      });
      this.held.set(String(id), sum);
    }
  }

  private states(at: Coordinates, initial: (state: State) => Value, keep: boolean): readonly KernelState[] {
    const solved = this.solved(at, initial, keep);
    this.isAffine = solved.every(({ decay }) => decay !== undefined);
    return solved.flatMap(({ parts }) => parts);
  }

  private parts(): readonly ("re" | "im")[] {
    return this.layout.complex ? ["re", "im"] : ["re"];
  }

  private part(name: string, part: "re" | "im"): string {
    return this.layout.complex ? `${name}_${part}` : name;
  }

  private valueOf([re, im]: readonly Expr[]): Value {
    if (re === undefined) throw new InternalError("lower", "a value without parts");
    return im === undefined ? { re } : { re, im };
  }

  /** A number and no imaginary part, or a var for each part. */
  private filled(of: number | string): Value {
    const { e } = this;
    return this.valueOf(
      this.parts().map((_, k) => (typeof of === "string" ? e.variable(of, "f32") : e.f32(k === 0 ? of : 0))),
    );
  }

  private stepContext(at: Coordinates): ScalarizeContext {
    return this.values(at, (id, here) => this.atStep(id, here, at));
  }

  /** What a step finds at hand: states, and values that do not depend on the state, hoisted as far as they go. */
  private atStep(id: NodeId, here: Coordinates, at: Coordinates): Value | undefined {
    const held = this.held.get(String(id));
    const node = this.node(id);
    if (node.type.axes.some((axis) => here.get(axis) !== at.get(axis))) return undefined;
    if (held !== undefined) return held;
    if (this.stateful.has(id) || node.kind === "scalar") return undefined;
    const where = this.hoist(node);
    if (where === undefined) return undefined;
    const value = scalarize(id, at, this.values(at));
    const bind = (expr: Expr, suffix: string): Expr => {
      if (expr.kind === "literal" || expr.kind === "number") return expr;
      const name = this.fresh(`${valueName(this.context.graph, node.id)}${suffix}`);
      if (where.kind === "invariant") this.invariants.push({ name, per: where.per, value: expr });
      else this.staged.push({ name, per: where.per, value: expr });
      return this.e.variable(name, expr.type);
    };
    const bound = bindParts(value, bind);
    this.held.set(String(id), bound);
    return bound;
  }

  /** Where a value without state is computed: before the scan, or while a tile is staged; undefined: in the step itself. */
  private hoist(
    node: Node,
  ):
    | { readonly kind: "invariant"; readonly per: "channel" | "element" }
    | { readonly kind: "staged"; readonly per: "channel" | "inner" }
    | undefined {
    const has = (axes: readonly AxisId[]): boolean =>
      axes.some((axis) => node.type.axes.includes(axis) && axisSize(this.context.graph, axis) !== 1);
    const inner = has(this.layout.inner);
    const channel = has(this.layout.channel);
    if (!node.type.axes.includes(this.layout.time))
      return { kind: "invariant", per: inner ? "element" : "channel" };
    if (node.type.scalar === "bool" || node.type.scalar === "index") return undefined;
    if (!inner) return { kind: "staged", per: "channel" };
    return channel || this.innerSize() > LONGEST_STAGED ? undefined : { kind: "staged", per: "inner" };
  }

  /** What a store finds at hand: the results of the reductions over the inner axis. */
  private atStore(id: NodeId, at: Coordinates): Value | undefined {
    const node = this.node(id);
    const known = this.held.get(`result ${id}`);
    if (known !== undefined) return known;
    const contraction = this.group.inner.length > 0 && (node.kind === "dot" || node.kind === "reduce");
    const direct = this.cycle.has(id);
    if ((!contraction && !direct) || !this.group.members.has(id)) return undefined;
    const inStep = this.stepContext(at);
    const value = contraction ? this.contracted(node, at, inStep) : scalarize(id, at, inStep);
    // A value of the cycle without the inner axis is the same for all of it.
    const same = direct && !contraction && this.innerSize() > 1;
    const fn = node.kind === "reduce" ? node.fn : same ? "max" : "sum";
    const bind = (expr: Expr, suffix: string): Expr => {
      const name = this.fresh(`${valueName(this.context.graph, node.id)}${suffix}_result`);
      this.reductions.push({ name, fn, value: expr });
      return this.e.variable(name, "f32");
    };
    const result = bindParts(value, bind);
    this.held.set(`result ${id}`, result);
    return result;
  }

  private contracted(node: Node, at: Coordinates, inStep: ScalarizeContext): Value {
    if (node.kind === "reduce") return scalarize(node.arg, at, inStep);
    if (node.kind !== "dot") throw new InternalError("lower", `%${node.id} is no contraction`);
    return multiply(this.e, scalarize(node.lhs, at, inStep), scalarize(node.rhs, at, inStep));
  }

  private finish(
    at: Coordinates,
    states: readonly KernelState[],
    range: {
      readonly begin: Expr;
      readonly end: Expr;
      readonly leads: Dim;
      readonly suffix: string;
      readonly noResults?: boolean;
    },
  ): ScanKernel {
    const inStore = this.values(at, (id) => this.atStore(id, at));
    const stores = range.noResults === true ? [] : resultStores(this.context, this.group, at, inStore);
    // Of a complex result, one part may be all that is stored.
    const stored = new Set(stores.flatMap(({ value }) => [...freeVars(value)]));
    const reductions = this.reductions.filter((each) => stored.has(each.name));
    const { name, notes } = describe(this.context, this.group);
    const kernel = {
      name: `${name}${range.suffix}`,
      notes,
      skeleton: "scan" as const,
      bindings: this.scope.finish().bindings,
      leads: range.leads,
      channels: this.channels(),
      inner: this.innerSize(),
      begin: range.begin,
      end: range.end,
      invariants: this.invariants,
      staged: this.staged,
      states,
      ...(this.contractions.length > 0 && { contractions: this.contractions }),
      steps: this.steps,
      reductions,
      stores,
    };
    return { ...kernel, schedule: this.context.schedules.scan(shapeOf(kernel)) };
  }
}
