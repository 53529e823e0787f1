/**
 * The chunked matrix form of decaying outer products (Dao & Gu 2024, § 6; Yang et al. 2024), as a rewriting of the graph.
 *
 * Time is cut into chunks of L steps. Within a chunk y is a product of matrices, Σ_s' M[s, s']·x[s'] with
 * M[s, s'] = (q[s]·k[s'])·a[s' + 1]·…·a[s] for s' ≤ s; what chunks add to the state is one too; and the state steps from
 * chunk to chunk. All of it is ordinary operations of the graph: fusion and the product kernels do the rest.
 *
 * Where a decays the keys each by its own, M is Σ_key q·k·a…a, in blocks (within-chunk.ts).
 *
 * Products of decays are 2 to differences of cumulated logarithms, never quotients. A cumulated logarithm is a whole part
 * and a fraction, held as a complex number: in one f32 a strong decay would cost the weak ones after it their digits.
 */
import type { GraphBuilder } from "../../3-graph/build.js";
import { originOf, rewrite, type RewriteContext } from "../../3-graph/rewrite.js";
import type { Axis, AxisId, Graph, Node, NodeId, StateId } from "../../3-graph/types.js";
import type { Span } from "../../diagnostics/types.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { Arithmetic } from "./arithmetic.js";
import { ChunkEnd } from "./chunk-end.js";
import { withCopies, withCut, type Cut } from "./chunks.js";
import type { DecayForm, Outer, Read, Removal } from "./form.js";
import { logarithmOf } from "./logarithm.js";
import type { Factor } from "./terms.js";
import { solve, type Solution } from "./removal.js";
import { matrix, readWithin, type Put, type Reading } from "./within-chunk.js";

/** What one recurrence's parts share. */
interface Parts {
  readonly builder: GraphBuilder;
  readonly cut: Cut;
  /** The state before each chunk. */
  readonly before: NodeId;
  /** The state after each chunk. */
  readonly after: NodeId;
  /** Cumulated logarithms: up to and with a step, and before it. Absent: nothing decays. */
  readonly decays?: { readonly with: NodeId; readonly until: NodeId };
  /** All outer products that are put in. */
  readonly inputs: readonly Put[];
  /** What a recurrence of low rank contracts at each step, in chunks. */
  readonly removed?: NodeId;
}

export interface MatrixFormOptions {
  /**
   * For products of operands rounded to f16: what a chunk has put in and what it came with are read by one product, whose depth is that of
   * both, and cumulated logarithms are single numbers, whose rounding (2⁻¹⁴ where a chunk decays to 2⁻⁵¹²) is less than f16's.
   */
  readonly halves?: boolean;
}

/** The graph with these recurrences in matrix form, in chunks of `length` steps. */
export function inMatrixForm(
  original: Graph,
  forms: readonly DecayForm[],
  length: number,
  { halves = false }: MatrixFormOptions = {},
): Graph {
  const [first] = forms;
  if (first === undefined) return original;
  const { graph: inChunks, cut } = withCut(original, first.state.along, length);
  const turned = forms.flatMap((form) => (form.removal === undefined ? [] : form.key));
  const { graph: copied, copies } = withCopies(inChunks, new Set(turned));
  const joins = new Map(
    halves ? forms.filter(isJoinable).map((form) => [form.state.id, joinedAxis(copied, cut, form)]) : [],
  );
  const axes = new Map([...copied.axes, ...[...joins.values()].map((axis) => [axis.id, axis] as const)]);
  const graph = { ...copied, axes };
  const builderOf = (form: DecayForm, context: RewriteContext): Builder => {
    const join = joins.get(form.state.id)?.id;
    return new Builder(form, cut, copies, context, { halves, ...(join !== undefined && { join }) });
  };
  const byMember = new Map(forms.flatMap((form) => form.members.map((id) => [id, form] as const)));
  const byRead = new Map(
    forms.flatMap((form) => form.reads.map((read) => [read.node, { form, read }] as const)),
  );
  const byRemoval = new Map(forms.map((form) => [form.removal?.read.node, form] as const));
  const stepping = new Set<StateId>(forms.map(({ state }) => state.id));
  const made = new Map<StateId, Parts>();
  const partsOf = (form: DecayForm, context: RewriteContext): Parts => {
    const parts = made.get(form.state.id) ?? builderOf(form, context).parts();
    made.set(form.state.id, parts);
    return parts;
  };
  return rewrite(graph, {
    along: (state) => (stepping.has(state.id) ? cut.chunks : state.along),
    visit(node, context) {
      // What stood between the state and its contractions is not read any more.
      if (byMember.has(node.id)) return context.builder.add({ kind: "scalar", value: 0 }, { spans: [] });
      const removing = byRemoval.get(node.id);
      if (removing !== undefined) return builderOf(removing, context).removed(partsOf(removing, context));
      const found = byRead.get(node.id);
      if (found === undefined) return context.copy(node);
      const { form, read } = found;
      return builderOf(form, context).read(node, read, partsOf(form, context));
    },
    equation(id, _, context) {
      const parts = made.get(id);
      if (parts === undefined) return undefined;
      const { documents } = cut;
      if (documents === undefined) return { kind: "discrete", value: parts.after };
      const spans = context.builder.add({ kind: "input", name: documents.spans.name }, { spans: [] });
      return { kind: "discrete", value: parts.after, documents: { axis: documents.axis, spans } };
    },
  });
}

/** One decay for all keys, and one input: a step reads Σ_s' M[s, s']·x[s'] + Σ_key (a…a·q)·S, which is one sum. */
const isJoinable = (form: DecayForm): boolean =>
  form.isScalar && form.inputs.length === 1 && form.removal === undefined;

/** The steps of a chunk, then the keys. */
function joinedAxis(graph: Graph, { earlier, length }: Cut, form: DecayForm): Axis {
  const id = `${earlier}|${form.key.join("|")}` as AxisId;
  const size = form.key.reduce((product, key) => {
    const extent = graph.axes.get(key)?.size;
    if (typeof extent !== "number") throw new InternalError("matrix-form", `${key} has no fixed size`);
    return product * extent;
  }, 1);
  const parts = [
    { axes: [earlier], start: 0, size: length },
    { axes: form.key, start: length, size },
  ];
  return { id, size: length + size, role: "plain", parts, spans: form.state.spans };
}

/** A chunk's triangular system solved, and what it puts u in under. */
interface Solved extends Solution {
  readonly puts: readonly Put[];
}

/** p ⊗ u as outer products like others; nothing, where u is nothing. */
function removedBy(make: Arithmetic, { puts }: Solved, u: NodeId | undefined): readonly Put[] {
  return u === undefined ? [] : puts.map(({ key, rest }) => ({ key, rest: make.map("mul", rest, u) }));
}

class Builder {
  private readonly builder: GraphBuilder;
  private readonly spans: readonly Span[];
  private readonly make: Arithmetic;

  constructor(
    private readonly form: DecayForm,
    private readonly cut: Cut,
    /** A copy of each key axis, where keys meet keys. */
    private readonly copies: ReadonlyMap<AxisId, AxisId>,
    private readonly context: RewriteContext,
    private readonly options: { readonly halves: boolean; readonly join?: AxisId },
  ) {
    this.builder = context.builder;
    this.spans = form.state.spans;
    this.make = new Arithmetic(this.builder, this.spans);
  }

  /** The decays, the inputs, and the step from chunk to chunk: S = a…a·prev(S) + Σ_s (a…a·x[s]) ⊗ k[s]. */
  parts(): Parts {
    const { builder, cut, form, make } = this;
    const decays = this.decays();
    const end = new ChunkEnd(make, cut, form.isScalar, decays?.with);
    const inputs = form.inputs.map((input) => ({
      key: this.chunk(this.product(1, input.key)),
      rest: this.chunk(this.product(input.scale, input.rest)),
    }));
    const before = this.before();
    const shared = { builder, cut, before, ...(decays && { decays }) };
    const { removal } = form;
    if (removal === undefined) {
      const after = make.sum([end.kept(before), ...inputs.map((put) => end.sum(put))]);
      return { ...shared, after, inputs };
    }
    const solved = this.solved(removal, { decays, inputs });
    const moved = this.turned(solved, end, before);
    const after = make.sum([
      end.kept(before),
      moved,
      ...[...inputs, ...removedBy(make, solved, solved.U)].map((put) => end.sum(put)),
    ]);
    const ofState = make.dot(solved.W, before, ...form.key);
    const removed = solved.U === undefined ? ofState : make.map("add", ofState, solved.U);
    return { ...shared, after, inputs: [...inputs, ...removedBy(make, solved, removed)], removed };
  }

  /** What the chunk's steps remove of the state that it came with, at its end: a product of keys with keys, and of that with the state. */
  private turned({ W, puts }: Solved, end: ChunkEnd, before: NodeId): NodeId {
    const { cut, form, make } = this;
    const axes = form.key.map((axis) => ({ from: axis, to: this.copyOf(axis) }));
    const turns = puts.map((put) => {
      const { key, rest } = end.left(put);
      const turned = make.add({ kind: "rename", arg: key, axes });
      return make.dot(make.map("mul", rest, turned), W, cut.steps);
    });
    const arg = make.dot(make.sum(turns), before, ...form.key);
    return make.add({ kind: "rename", arg, axes: axes.map(({ from, to }) => ({ from: to, to: from })) });
  }

  private copyOf(axis: AxisId): AxisId {
    const copy = this.copies.get(axis);
    if (copy === undefined) throw new InternalError("matrix-form", `no copy of ${axis}`);
    return copy;
  }

  /** What a chunk's steps contract of the state, as W·S₀ + U. */
  private solved(
    { read, puts: outer }: Removal,
    { decays, inputs }: { readonly decays: Parts["decays"]; readonly inputs: readonly Put[] },
  ): Solved {
    const { builder, cut, form, make, spans } = this;
    // Past the end there is nothing to remove: what stands there must not grow.
    const puts = outer.map((put) => ({
      key: this.chunk(this.product(1, put.key), 0),
      rest: this.chunk(this.product(put.scale, put.rest)),
    }));
    const terms = read.terms.filter(({ of }) => of !== "none");
    const solution = solve({
      ...{ make, builder, cut, key: form.key, name: form.state.name, spans, inputs, puts },
      terms: terms.map((term) => ({
        reading: this.reading(term, "before", decays),
        outside: this.outside(term),
      })),
      free: read.terms.filter(({ of }) => of === "none").map((term) => this.chunk(this.free(term))),
    });
    return { ...solution, puts };
  }

  /** What a recurrence of low rank contracts at each step. */
  removed({ removed }: Parts): NodeId {
    if (removed === undefined) throw new InternalError("matrix-form", "nothing is removed");
    return this.make.unchunk(this.cut, removed);
  }

  private reading(term: Outer, of: "now" | "before", decays: Parts["decays"]): Reading {
    const q = this.chunk(this.product(1, term.key));
    if (decays === undefined) return { q, of };
    const late = of === "now" ? decays.with : decays.until;
    const { isScalar } = this.form;
    return { q, of, decays: { late, since: decays.with, until: decays.until, isScalar } };
  }

  /** The factors of a term that have no key axes; nothing: 1. */
  private outside(term: Outer): NodeId | undefined {
    if (term.rest.length === 0 && term.scale === 1) return undefined;
    return this.chunk(this.product(term.scale, term.rest));
  }

  /** prev(S), which steps along chunks now. */
  private before(): NodeId {
    const { graph } = this.context;
    const old = graph.nodes.find((node) => node.kind === "prev" && node.state === this.form.state.id);
    if (old === undefined) throw new InternalError("matrix-form", "a recurrence without prev");
    const operation = this.context.operation(old);
    const steps = this.make.chunkTable(this.cut);
    return this.make.add(
      operation.kind === "prev" && steps !== undefined ? { ...operation, steps } : operation,
    );
  }

  /** The logarithms of the decays cumulated within each chunk, by a recurrence along its steps. */
  private decays(): Parts["decays"] {
    const { builder, cut, form, spans } = this;
    const { graph, at } = this.context;
    const log = logarithmOf(form.decay.scale, form.decay.factors, { graph, builder, at, spans });
    if (log === undefined) return undefined;
    const each = this.chunk(log, 0);
    const { halves } = this.options;
    const state = builder.state({
      kind: "local",
      name: `${form.state.name}.decay`,
      scalar: halves ? "f32" : "c64",
      axes: builder.typeOf(each).axes.filter((axis) => axis !== cut.steps),
      along: cut.steps,
      init: 0,
      spans,
    });
    const until = this.make.add({ kind: "prev", state });
    const value = halves ? this.make.map("add", until, each) : this.wholeAndFraction(until, each);
    builder.rename(value, `${form.state.name}.decay`);
    builder.define(state, { kind: "discrete", value });
    return { with: value, until };
  }

  /** A sum and one number more, each as a whole part and a fraction. */
  private wholeAndFraction(until: NodeId, each: NodeId): NodeId {
    const whole = this.make.map("floor", each);
    const fraction = this.make.map("add", this.make.map("im", until), this.make.map("sub", each, whole));
    const carry = this.make.map("floor", fraction);
    const sum = this.make.map("add", this.make.map("add", this.make.map("re", until), whole), carry);
    return this.make.map("complex", sum, this.make.map("sub", fraction, carry));
  }

  /** The contraction in matrix form. */
  read(node: Node, read: Read, parts: Parts): NodeId {
    const cutTerms = read.terms.flatMap((term) =>
      term.of === "none" ? [] : this.term(term, term.of, parts),
    );
    const joined = this.make.unchunk(this.cut, this.make.sum(cutTerms));
    const free = read.terms.filter(({ of }) => of === "none").map((term) => this.free(term));
    const y = this.make.sum([joined, ...free]);
    const { name } = originOf(node);
    if (name !== undefined) this.builder.rename(y, name);
    return y;
  }

  /** One reading of the state: what the chunk itself has put in, and what it came with. */
  private term(term: Outer, of: "now" | "before", { before, decays, inputs }: Parts): readonly NodeId[] {
    const { cut, form, make } = this;
    const { join } = this.options;
    const reading = this.reading(term, of, decays);
    const [only] = inputs;
    const sums =
      join !== undefined && only !== undefined
        ? [this.joined(only, reading, before, join)]
        : [
            ...inputs.flatMap((input) => readWithin(make, cut, input, reading, form.key)),
            this.come(reading.q, before, reading.decays?.late),
          ];
    const outside = this.outside(term);
    return sums.map((value) => (outside === undefined ? value : make.map("mul", value, outside)));
  }

  /** Both by one product: what is left of the state multiplies the query, as it does the scores. */
  private joined({ key, rest }: Put, reading: Reading, before: NodeId, axis: AxisId): NodeId {
    const { cut, form, make } = this;
    const { q, decays } = reading;
    const left = decays === undefined ? q : make.map("mul", make.exponential(decays.late), q);
    const put = make.rename(rest, cut.steps, cut.earlier);
    return make.dot(
      make.add({ kind: "concat", parts: [matrix(make, cut, key, reading, form.key), left], axis }),
      make.add({ kind: "concat", parts: [put, before], axis }),
      axis,
    );
  }

  /** What is left at each step of the state that the chunk came with, read. */
  private come(q: NodeId, before: NodeId, late: NodeId | undefined): NodeId {
    const { form, make } = this;
    if (late === undefined) return make.dot(q, before, ...form.key);
    const left = make.exponential(late);
    return form.isScalar
      ? make.map("mul", left, make.dot(q, before, ...form.key))
      : make.dot(make.map("mul", q, left), before, ...form.key);
  }

  /** What a contraction adds up without the state: the factors without key axes leave the sum. */
  private free(term: Outer): NodeId {
    const { form } = this;
    const [first, ...others] = term.key;
    if (first === undefined) throw new InternalError("matrix-form", "a sum over nothing");
    const inside =
      others.length === 0
        ? this.make.add({ kind: "reduce", fn: "sum", arg: this.factor(first), over: form.key })
        : this.make.dot(this.factor(first), this.product(1, others), ...form.key);
    return this.make.map("mul", inside, this.product(term.scale, term.rest));
  }

  // Nodes.

  private chunk(arg: NodeId, past?: number): NodeId {
    return this.make.chunk(this.cut, arg, past);
  }

  private factor({ node, as }: Factor): NodeId {
    const value = this.context.at(node);
    if (as === "value") return value;
    if (as === "reciprocal") return this.make.map("recip", value);
    const [yes, no] = [this.make.number(1), this.make.number(0)];
    return this.make.map("select", value, ...(as === "where" ? [yes, no] : [no, yes]));
  }

  /** Narrow factors first, so that what has few axes is multiplied once for many elements. */
  private product(scale: number, factors: readonly Factor[]): NodeId {
    const values = factors.map((factor) => this.factor(factor));
    const width = (id: NodeId): number => this.builder.typeOf(id).axes.length;
    const sorted = [...(scale === 1 && values.length > 0 ? [] : [this.make.number(scale)]), ...values].sort(
      (p, q) => width(p) - width(q),
    );
    return sorted.reduce((x, y) => this.make.map("mul", x, y));
  }
}
