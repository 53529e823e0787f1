/**
 * The values inside a scan, each sorted by what it depends on: not on time (invariant, in registers), on time and one of
 * channel and inner axis (staged in workgroup memory by tiles), on the state (computed each step), or on what the
 * reductions give (computed when a tile is stored).
 */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import { LONGEST_STAGED } from "../../4-passes/schedule.js";
import type { AxisId, Node, NodeId, StateId } from "../../3-graph/types.js";
import type { Expr, ScanKernel } from "../types.js";
import { axisSize } from "./buffers.js";
import { multiply } from "./complex.js";
import { scalarizeContext, type LowerContext } from "./context.js";
import { stepsOf } from "./document-steps.js";
import type { DocumentSteps } from "./documents.js";
import { valueName } from "./names.js";
import { scalarize, type Coordinates, type ScalarizeContext } from "./scalarize.js";
import { dependentsOf, innerOf, type Layout } from "./scan-layout.js";
import type { KernelScope, Value } from "./scope.js";

type Invariant = ScanKernel["invariants"][number];
type Staged = ScanKernel["staged"][number];
type Reduction = ScanKernel["reductions"][number];

/** A value whose parts are each bound to a name of its own. */
const bindParts = ({ re, im }: Value, bind: (expr: Expr, suffix: string) => Expr): Value =>
  im === undefined ? { re: bind(re, "") } : { re: bind(re, "_re"), im: bind(im, "_im") };

export class ScanValues {
  readonly invariants: Invariant[] = [];
  readonly staged: Staged[] = [];
  /** The sums over the inner axis that the equations read. */
  readonly contractions: NonNullable<ScanKernel["contractions"]>[number][] = [];
  readonly reductions: Reduction[] = [];
  private readonly names = new Set(["prev", "last"]);
  private readonly held = new Map<NodeId, Value>();
  private readonly results = new Map<NodeId, Value>();
  private readonly cycle: ReadonlySet<NodeId>;
  private readonly stateful: ReadonlySet<NodeId>;

  constructor(
    private readonly context: LowerContext,
    private readonly group: Group,
    private readonly layout: Layout,
    private readonly scope: KernelScope,
  ) {
    this.cycle = new Set(group.recurrence?.members ?? []);
    this.stateful = dependentsOf(context.graph, group);
  }

  /** A name that nothing else in the kernel has. */
  fresh(base: string): string {
    let name = base;
    for (let k = 2; this.names.has(name); k++) name = `${base}_${k}`;
    this.names.add(name);
    return name;
  }

  /** Steps find the states of the step before at hand. */
  holdPrevious(previousOf: (state: StateId) => Value): void {
    for (const node of this.context.graph.nodes)
      if (node.kind === "prev" && this.cycle.has(node.id)) this.hold(node.id, previousOf(node.state));
  }

  /** From now on, they find this value at hand. */
  hold(id: NodeId, value: Value): void {
    this.held.set(id, value);
  }

  /** A value that is computed while a tile is staged, as steps read it. */
  stage(base: string, per: Staged["per"], value: Expr): Expr {
    const name = this.fresh(base);
    this.staged.push({ name, per, value });
    return this.scope.expr.variable(name, value.type);
  }

  /** What lanes of a channel reduce to, as stores read it. */
  reduce(base: string, fn: Reduction["fn"], value: Expr): Expr {
    const name = this.fresh(base);
    this.reductions.push({ name, fn, value });
    return this.scope.expr.variable(name, "f32");
  }

  /** How values become expressions in a step. */
  inStep(at: Coordinates): ScalarizeContext {
    return this.having(at, (id, here) => this.atStep(id, here, at));
  }

  /** How they do where a tile is stored. */
  inStore(at: Coordinates): ScalarizeContext {
    return this.having(at, (id) => this.atStore(id, at));
  }

  /** The steps of a lead's document, in a packed program. */
  documentOf(at: Coordinates): DocumentSteps | undefined {
    const { documents, time } = this.layout;
    const document = documents && at.get(documents.axis);
    if (documents === undefined || document === undefined) return undefined;
    return stepsOf(documents, time, document, scalarizeContext(this.context, this.group, this.scope));
  }

  /** Binds the sums over the inner axis that the equations read. */
  contract(at: Coordinates, inStep: ScalarizeContext): void {
    for (const id of this.cycle) {
      const node = this.node(id);
      if (node.kind !== "dot" && node.kind !== "reduce") continue;
      const sum = bindParts(this.contracted(node, at, inStep), (value, suffix) => {
        const name = this.fresh(`${valueName(this.context.graph, id)}${suffix}`);
        this.contractions.push({ name, value });
        return this.scope.expr.variable(name, "f32");
      });
      this.hold(id, sum);
    }
  }

  private having(at: Coordinates, atHand?: NonNullable<ScalarizeContext["atHand"]>): ScalarizeContext {
    return scalarizeContext(this.context, this.group, this.scope, atHand, this.documentOf(at));
  }

  private node(id: NodeId): Node {
    const node = this.context.graph.nodes[id];
    if (node === undefined) throw new InternalError("lower", `no node %${id}`);
    return node;
  }

  /** What a step finds at hand: states, and values that do not depend on the state, hoisted as far as they go. */
  private atStep(id: NodeId, here: Coordinates, at: Coordinates): Value | undefined {
    const held = this.held.get(id);
    const node = this.node(id);
    if (node.type.axes.some((axis) => here.get(axis) !== at.get(axis))) return undefined;
    if (held !== undefined) return held;
    if (this.stateful.has(id) || node.kind === "scalar") return undefined;
    const where = this.hoist(node);
    if (where === undefined) return undefined;
    const value = scalarize(id, at, this.having(at));
    const bind = (expr: Expr, suffix: string): Expr => {
      if (expr.kind === "literal" || expr.kind === "number") return expr;
      const base = `${valueName(this.context.graph, node.id)}${suffix}`;
      if (where.kind === "staged") return this.stage(base, where.per, expr);
      const name = this.fresh(base);
      this.invariants.push({ name, per: where.per, value: expr });
      return this.scope.expr.variable(name, expr.type);
    };
    const bound = bindParts(value, bind);
    this.hold(id, bound);
    return bound;
  }

  /** Where a value without state is computed: before the scan, or while a tile is staged; undefined: in the step itself. */
  private hoist(
    node: Node,
  ):
    | { readonly kind: "invariant"; readonly per: Invariant["per"] }
    | { readonly kind: "staged"; readonly per: Staged["per"] }
    | undefined {
    const has = (axes: readonly AxisId[]): boolean =>
      axes.some((axis) => node.type.axes.includes(axis) && axisSize(this.context.graph, axis) !== 1);
    const inner = has(this.layout.inner);
    const channel = has(this.layout.channel);
    if (!node.type.axes.includes(this.layout.time))
      return { kind: "invariant", per: inner ? "element" : "channel" };
    if (node.type.scalar === "bool" || node.type.scalar === "index") return undefined;
    if (!inner) return { kind: "staged", per: "channel" };
    return channel || innerOf(this.context.graph, this.layout) > LONGEST_STAGED
      ? undefined
      : { kind: "staged", per: "inner" };
  }

  /** What a store finds at hand: the results of the reductions over the inner axis. */
  private atStore(id: NodeId, at: Coordinates): Value | undefined {
    const node = this.node(id);
    const known = this.results.get(id);
    if (known !== undefined) return known;
    const contraction = this.group.inner.length > 0 && (node.kind === "dot" || node.kind === "reduce");
    const direct = this.cycle.has(id);
    if ((!contraction && !direct) || !this.group.members.has(id)) return undefined;
    const inStep = this.inStep(at);
    const value = contraction ? this.contracted(node, at, inStep) : scalarize(id, at, inStep);
    // A value of the cycle without the inner axis is the same for all of it.
    const same = direct && !contraction && innerOf(this.context.graph, this.layout) > 1;
    const fn = node.kind === "reduce" ? node.fn : same ? "max" : "sum";
    const result = bindParts(value, (expr, suffix) =>
      this.reduce(`${valueName(this.context.graph, node.id)}${suffix}_result`, fn, expr),
    );
    this.results.set(id, result);
    return result;
  }

  private contracted(node: Node, at: Coordinates, inStep: ScalarizeContext): Value {
    if (node.kind === "reduce") return scalarize(node.arg, at, inStep);
    if (node.kind !== "dot") throw new InternalError("lower", `%${node.id} is no contraction`);
    return multiply(this.scope.expr, scalarize(node.lhs, at, inStep), scalarize(node.rhs, at, inStep));
  }
}
