/** One kernel of a scan under construction: its coordinates, its states with their equations, and what it stores. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import type { AxisId, State, StateId } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr, ScanKernel, Store } from "../types.js";
import { axisSize, type Tensor } from "./buffers.js";
import { describe, resultStores, type LowerContext } from "./context.js";
import { carriedAxes } from "./documents.js";
import { identifier } from "./names.js";
import { scalarize, type Coordinates } from "./scalarize.js";
import { channelsOf, innerOf, leadsOf, shapeOf, type Layout } from "./scan-layout.js";
import { ScanValues } from "./scan-values.js";
import type { KernelScope, Value } from "./scope.js";
import { semiringOf, type Semiring } from "./semiring.js";

export type KernelState = ScanKernel["states"][number];

/** A state of the recurrence: one state of the kernel, or two for the parts of a complex one. */
export interface Solved {
  readonly state: State;
  readonly inner: boolean;
  readonly parts: readonly KernelState[];
  /** What the equation multiplies the state by, if that is one thing. */
  readonly decay?: Value;
}

export const withFinal = (state: KernelState, final: Store | undefined): KernelState =>
  final === undefined ? state : { ...state, final };

export const partOf = ({ re, im }: Value, k: number, e: ExprBuilder): Expr =>
  k === 0 ? re : (im ?? e.f32(0));

/** What a kernel of the scan loops over, and the end of its name. */
export interface Loops {
  readonly suffix: string;
  readonly leads: Dim;
  readonly begin: Expr;
  readonly end: Expr;
  /** Whether leads are chunks too, of which there are as many as channels leave idle. */
  readonly isCut?: true;
  /** Absent: the scan's own. */
  readonly channels?: number;
  readonly inner?: number;
}

export class ScanBuilder {
  readonly e: ExprBuilder;
  readonly values: ScanValues;
  readonly semiring: Semiring;
  /** Sequences, and heads of each. */
  readonly leads: Dim;
  readonly channels: number;
  readonly inner: number;
  private readonly steps: ScanKernel["steps"][number][] = [];

  constructor(
    readonly context: LowerContext,
    readonly group: Group,
    readonly layout: Layout,
    readonly scope: KernelScope,
  ) {
    const { graph } = context;
    this.e = scope.expr;
    this.values = new ScanValues(context, group, layout, scope);
    this.semiring = semiringOf(graph, group);
    this.leads = leadsOf(graph, layout);
    this.channels = channelsOf(graph, layout);
    this.inner = innerOf(graph, layout);
  }

  /** `lead`: which of the scan's leads a kernel's lead is. */
  coordinates(lead: Expr): Coordinates {
    const { e, layout } = this;
    const at = new Map<AxisId, Expr>();
    this.spread(at, layout.lead, lead);
    const over = (name: string, size: number): Expr =>
      size === 1 ? e.u32(0) : e.variable(name, "u32", size);
    this.spread(at, layout.channel, over("channel", this.channels));
    this.spread(at, layout.inner, over("n", this.inner));
    const steps = axisSize(this.context.graph, layout.time);
    at.set(layout.time, steps === 1 ? e.u32(0) : e.variable("t", "u32", steps));
    return at;
  }

  spread(at: Map<AxisId, Expr>, axes: readonly AxisId[], flat: Expr): void {
    const sizes = axes.map((axis) => axisSize(this.context.graph, axis));
    this.e.unflatten(flat, sizes).forEach((coordinate, k) => {
      const axis = axes[k];
      if (axis !== undefined) at.set(axis, coordinate);
    });
  }

  /** The states with their equations as step values, each with what the equation multiplies it by, if that is one thing. */
  solved(at: Coordinates, initial: (state: State) => Value, keep: boolean): readonly Solved[] {
    const inStep = this.values.inStep(at);
    const names = new Map(
      this.layout.states.map((state) => [state.id, this.values.fresh(identifier(state.name))]),
    );
    const previousOf = (state: StateId): Value => {
      const name = names.get(state) ?? "state";
      return this.valueOf(
        this.parts().map((part) => this.e.variable(`prev_${this.part(name, part)}`, "f32")),
      );
    };
    this.values.holdPrevious(previousOf);
    this.values.contract(at, inStep);
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
        const step = this.step(this.values.fresh(`${name}_next`), inner, partOf(next, k, this.e));
        return withFinal({ name, inner, initial: partOf(start, k, this.e), next: step }, finals[k]);
      });
      const value = this.valueOf(parts.map(({ next: step }) => this.e.variable(step, "f32")));
      const decay = this.semiring.decay?.factorOf(next, previousOf(state.id), this.e);
      found.set(state.id, { state, inner, parts, ...(decay && { decay }) });
      this.values.hold(state.equation.value, value);
    }
    return this.layout.states.flatMap((state) => found.get(state.id) ?? []);
  }

  /** A value of each step, by its name. */
  step(name: string, inner: boolean, value: Expr): string {
    this.steps.push({ name, inner, value });
    return name;
  }

  /** The kernel with its results, at the coordinates of its loops. */
  withResults(at: Coordinates, loops: Loops, solved: readonly Solved[]): ScanKernel {
    const stores = resultStores(this.context, this.group, at, this.values.inStore(at));
    return this.finish(
      loops,
      solved.flatMap(({ parts }) => parts),
      stores,
    );
  }

  finish(loops: Loops, states: readonly KernelState[], stores: readonly Store[]): ScanKernel {
    const { invariants, staged, contractions, reductions } = this.values;
    // Of a complex result, one part may be all that is stored.
    const stored = new Set(stores.flatMap(({ value }) => [...freeVars(value)]));
    const { name, notes } = describe(this.context, this.group);
    const kernel = {
      name: `${name}${loops.suffix}`,
      notes,
      skeleton: "scan" as const,
      bindings: this.scope.finish().bindings,
      leads: loops.leads,
      channels: loops.channels ?? this.channels,
      inner: loops.inner ?? this.inner,
      begin: loops.begin,
      end: loops.end,
      invariants,
      staged,
      states,
      ...(contractions.length > 0 && { contractions }),
      steps: this.steps,
      reductions: reductions.filter((each) => stored.has(each.name)),
      stores,
    };
    const shape = { ...shapeOf(kernel), ...(loops.isCut && { isCut: true }) };
    return { ...kernel, schedule: this.context.schedules.scan(shape) };
  }

  parts(): readonly ("re" | "im")[] {
    return this.layout.complex ? ["re", "im"] : ["re"];
  }

  part(name: string, part: "re" | "im"): string {
    return this.layout.complex ? `${name}_${part}` : name;
  }

  valueOf([re, im]: readonly Expr[]): Value {
    if (re === undefined) throw new InternalError("lower", "a value without parts");
    return im === undefined ? { re } : { re, im };
  }

  /** A number and no imaginary part, or a var for each part. */
  filled(of: number | string): Value {
    const { e } = this;
    return this.valueOf(
      this.parts().map((_, k) => (typeof of === "string" ? e.variable(of, "f32") : e.f32(k === 0 ? of : 0))),
    );
  }

  tensor(state: State, which: "state" | "next"): Tensor {
    return this.context.tensors.state(state.id, which);
  }

  place(state: State, at: Coordinates): readonly Expr[] {
    return carriedAxes(state).map((axis) => at.get(axis) ?? this.e.u32(0));
  }
}
