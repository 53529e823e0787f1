/**
 * `scalarize`: the value of a node at one coordinate per axis, as an expression. Values in memory become loads, what the
 * kernel at hand computes is looked up, everything else is computed in place. This is the only meaning that the
 * operations of the graph have on the GPU.
 */
import { ChunkField, RUN_NUMBERS, StepField } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { AxisId, Graph, Node, NodeId, ReduceFn, StateId } from "../../3-graph/types.js";
import { identityValue } from "../expr.js";
import type { Expr } from "../types.js";
import { axisSize, constantSize, type Tensor, type Tensors } from "./buffers.js";
import { documentsOf, tableCoordinates, type DocumentSteps } from "./documents.js";
import { applyMap, selectValue } from "./complex.js";
import type { KernelScope, Value } from "./scope.js";

/** A coordinate (u32) for every axis of the value asked for. */
export type Coordinates = ReadonlyMap<AxisId, Expr>;

export interface ScalarizeContext {
  readonly graph: Graph;
  readonly tensors: Tensors;
  readonly scope: KernelScope;
  /** Whether a value lies in memory for this kernel to read. */
  readonly inMemory: (id: NodeId) => boolean;
  /** What the kernel has at hand: accumulators, staged values. Undefined: not at these coordinates. */
  readonly atHand?: (id: NodeId, at: Coordinates) => Value | undefined;
  /** Packed: the document all of whose steps the kernel runs over, so that it need not ask for each step's. */
  readonly document?: DocumentSteps;
}

/** The node's value at `at`. */
export function scalarize(id: NodeId, at: Coordinates, context: ScalarizeContext): Value {
  return new Scalarizer(context).value(id, at);
}

/** The time of a step of a chunk, of an axis that is cut, and the time at which the chunk's steps end. */
export function timeOf(
  node: Node & { kind: "unchunk" },
  at: Coordinates,
  context: ScalarizeContext,
): { readonly time: Expr; readonly end: Expr } {
  return new Scalarizer(context).timeOf(node, at);
}

class Scalarizer {
  private readonly memo = new Map<string, Value>();

  constructor(private readonly context: ScalarizeContext) {}

  private get e() {
    return this.context.scope.expr;
  }

  value(id: NodeId, at: Coordinates): Value {
    const node = this.node(id);
    const key = `${id} ${node.type.axes.map((axis) => this.e.idOf(this.coordinate(at, axis, node))).join(" ")}`;
    const known = this.memo.get(key);
    if (known !== undefined) return known;
    const value =
      this.context.atHand?.(id, at) ??
      (this.context.inMemory(id) ? this.stored(node, at) : this.compute(node, at));
    this.memo.set(key, value);
    return value;
  }

  /** A value that an earlier kernel stored; a truth is a number in memory. */
  private stored(node: Node, at: Coordinates): Value {
    const value = this.read(this.context.tensors.value(node.id), at);
    return node.type.scalar === "bool" ? { re: this.e.op("ne", value.re, this.e.u32(0)) } : value;
  }

  private node(id: NodeId): Node {
    const node = this.context.graph.nodes[id];
    if (node === undefined) throw new InternalError("lower", `no node %${id}`);
    return node;
  }

  private coordinate(at: Coordinates, axis: AxisId, node: Node): Expr {
    const size = axisSize(this.context.graph, axis);
    const found = at.get(axis);
    if (found !== undefined) return found;
    if (size === 1) return this.e.u32(0);
    throw new InternalError(
      "lower",
      `%${node.id} (${node.name ?? node.kind}) needs a coordinate along ${axis}`,
    );
  }

  private read(tensor: Tensor, at: Coordinates): Value {
    const coordinates = tensor.layout.map((extent) =>
      extent.axis === undefined ? this.e.u32(0) : (at.get(extent.axis) ?? this.e.u32(0)),
    );
    return this.context.scope.load(tensor, coordinates);
  }

  private compute(node: Node, at: Coordinates): Value {
    const { e } = this;
    const { tensors, graph } = this.context;
    switch (node.kind) {
      case "scalar":
        return { re: e.f32(node.value) };
      case "input":
        return this.read(tensors.input(node.name), at);
      case "param":
        return this.read(tensors.param(node.param), at);
      case "coordinate": {
        const coordinate = this.coordinate(at, node.axis, node);
        const { role, cut } = graph.axes.get(node.axis) ?? {};
        return {
          re:
            role === "time" && cut === undefined ? e.add(coordinate, e.number(RUN_NUMBERS.pos)) : coordinate,
        };
      }
      case "map":
        return applyMap(
          e,
          node.fn,
          node.args.map((arg) => this.value(arg, at)),
        );
      case "reduce":
        return this.reduction(node.fn, node.over, at, (inside) => {
          const value = this.value(node.arg, inside);
          if (node.where === undefined) return value;
          const nothing = e.literal(value.re.type, identityValue(node.fn, value.re.type));
          return selectValue(e, this.value(node.where, inside).re, value, { re: nothing });
        });
      case "dot":
        return this.reduction("sum", node.over, at, (inside) =>
          applyMap(e, "mul", [this.value(node.lhs, inside), this.value(node.rhs, inside)]),
        );
      case "gather": {
        const index = this.value(node.index, at).re;
        const last = e.sub(e.dim(axisSize(graph, node.axis)), e.u32(1));
        const row = index.type === "i32" ? e.op("u32", e.op("max", index, e.literal("i32", 0))) : index;
        return this.value(node.table, with_(at, node.axis, e.op("min", row, last)));
      }
      case "conv":
        return this.convolution(node, at);
      case "rename": {
        const inner = new Map(at);
        for (const { to } of node.axes) inner.delete(to);
        for (const { from, to } of node.axes) inner.set(from, this.coordinate(at, to, node));
        return this.value(node.arg, inner);
      }
      case "slice": {
        const part = e.flatten(
          node.to.map((axis) => ({ value: this.coordinate(at, axis, node), extent: axisSize(graph, axis) })),
        );
        return this.value(node.arg, with_(at, node.axis, e.add(part, node.start)));
      }
      case "concat":
        return this.joined(node, at);
      case "flip": {
        const coordinate = this.coordinate(at, node.axis, node);
        const size = e.dim(axisSize(graph, node.axis));
        const ends =
          node.steps === undefined
            ? e.sub(size, e.u32(1))
            : e.add(
                this.stepField(node.steps, coordinate, "begin"),
                this.stepField(node.steps, coordinate, "last"),
              );
        const mirrored = e.sub(ends, coordinate);
        return this.value(node.arg, with_(at, node.axis, mirrored));
      }
      case "window": {
        const inner = new Map(at);
        inner.delete(node.to);
        inner.set(node.from, e.add(this.coordinate(at, node.to, node), e.number(node.offset)));
        return this.value(node.arg, inner);
      }
      case "chunk":
        return this.chunked(node, at);
      case "unchunk": {
        const time = this.coordinate(at, node.of, node);
        const steps = constantSize(graph, node.steps);
        const { stepTable } = node;
        const begin = stepTable === undefined ? e.u32(0) : this.stepField(stepTable, time, "begin");
        const chunk = stepTable === undefined ? e.div(time, steps) : this.stepField(stepTable, time, "chunk");
        const inner = new Map(at).set(node.chunks, chunk).set(node.steps, e.mod(e.sub(time, begin), steps));
        return this.value(node.arg, inner);
      }
      case "prev":
        return this.previous(node, at);
      case "continuous":
      case "coefficient":
        throw new InternalError("lower", `${node.kind} is left after discretize`);
    }
  }

  private reduction(
    fn: ReduceFn,
    over: readonly AxisId[],
    at: Coordinates,
    body: (at: Coordinates) => Value,
  ): Value {
    const { e } = this;
    const sizes = over.map((axis) => axisSize(this.context.graph, axis));
    const part = (which: (value: Value) => Expr): Expr =>
      e.loop(
        fn,
        sizes.reduce<Expr>((p, size) => e.mul(p, e.dim(size)), e.u32(1)),
        (index) => {
          const coordinates = e.unflatten(index, sizes);
          const inside = new Map(at);
          over.forEach((axis, k) => inside.set(axis, coordinates[k] ?? index));
          return which(body(inside));
        },
        identifierOf(over),
      );
    const probe = body(new Map([...at, ...over.map((axis) => [axis, e.u32(0)] as const)]));
    if (probe.im === undefined) return { re: part((value) => value.re) };
    return { re: part((value) => value.re), im: part((value) => value.im ?? e.f32(0)) };
  }

  private joined(node: Node & { kind: "concat" }, at: Coordinates): Value {
    const { e } = this;
    const parts = this.context.graph.axes.get(node.axis)?.parts ?? [];
    const coordinate = this.coordinate(at, node.axis, node);
    const inPart = (k: number): Value => {
      const part = parts[k];
      const id = node.parts[k];
      if (part === undefined || id === undefined)
        throw new InternalError("lower", `${node.axis} has no part ${k}`);
      const offset = e.sub(e.op("max", coordinate, e.u32(part.start)), e.u32(part.start));
      const within = e.op("min", offset, e.u32(part.size - 1));
      const inner = new Map(at);
      inner.delete(node.axis);
      const sizes = part.axes.map((axis) => constantSize(this.context.graph, axis));
      e.unflatten(within, sizes).forEach((value, j) => {
        const axis = part.axes[j];
        if (axis !== undefined) inner.set(axis, value);
      });
      return this.value(id, inner);
    };
    let value = inPart(node.parts.length - 1);
    for (let k = node.parts.length - 2; k >= 0; k--) {
      const end = parts[k + 1]?.start ?? 0;
      value = selectValue(e, e.op("lt", coordinate, e.u32(end)), inPart(k), value);
    }
    return value;
  }

  private chunked(node: Node & { kind: "chunk" }, at: Coordinates): Value {
    const { e } = this;
    const { time, end } = this.timeOf(node, at);
    // A chunk beyond the last document's has no steps.
    const last = node.chunkTable === undefined ? end : e.op("max", end, e.u32(1));
    const inside = this.value(node.arg, with_(at, node.of, e.op("min", time, e.sub(last, 1))));
    if (node.past === undefined) return inside;
    return selectValue(e, e.op("lt", time, end), inside, { re: e.f32(node.past) });
  }

  /** The time of a step of a chunk, and the time at which its steps end. */
  timeOf(
    node: Node & { kind: "chunk" | "unchunk" },
    at: Coordinates,
  ): { readonly time: Expr; readonly end: Expr } {
    const { e } = this;
    const { graph } = this.context;
    const [chunk, step] = [node.chunks, node.steps].map((axis) => this.coordinate(at, axis, node));
    if (chunk === undefined || step === undefined) throw new InternalError("lower", "two axes");
    const { chunkTable } = node;
    if (chunkTable === undefined) {
      const time = e.add(e.mul(chunk, constantSize(graph, node.steps)), step);
      return { time, end: e.dim(axisSize(graph, node.of)) };
    }
    const field = (name: "first" | "end"): Expr =>
      this.value(chunkTable, tableCoordinates(graph, chunkTable, chunk, ChunkField[name], e)).re;
    return { time: e.add(field("first"), step), end: field("end") };
  }

  /** Σ_k w[k] · x[t − (K − 1) + k]; steps before this run come from the history, whose slot j is step j − (K − 1). */
  private convolution(node: Node & { kind: "conv" }, at: Coordinates): Value {
    const { e } = this;
    const taps = constantSize(this.context.graph, node.over);
    const time = this.coordinate(at, node.along, node);
    let sum: Value | undefined;
    for (let k = 0; k < taps; k++) {
      const weight = this.value(node.w, with_(at, node.over, e.u32(k)));
      const term = applyMap(e, "mul", [weight, this.delayed(node, at, time, taps - 1 - k, taps)]);
      sum = sum === undefined ? term : applyMap(e, "add", [sum, term]);
    }
    return sum ?? { re: e.f32(0) };
  }

  private delayed(
    node: Node & { kind: "conv" },
    at: Coordinates,
    time: Expr,
    delay: number,
    taps: number,
  ): Value {
    const { e } = this;
    if (delay === 0) return this.value(node.x, at);
    const begin = node.steps === undefined ? e.u32(0) : this.stepField(node.steps, time, "begin");
    const inRun = e.op("ge", time, e.add(begin, delay));
    const source = e.sub(e.op("max", time, e.u32(delay)), e.u32(delay));
    const slot = e.op("min", e.add(e.sub(time, begin), taps - 1 - delay), e.u32(taps - 2));
    const inside = this.value(node.x, with_(at, node.along, source));
    const before = this.carried(node.history, this.inDocument(node.history, node.steps, at, time), slot);
    return selectValue(e, inRun, inside, before);
  }

  /** What a packed program is told of a step. */
  private stepField(steps: NodeId, step: Expr, field: keyof typeof StepField): Expr {
    const { document } = this.context;
    const isOwn = document?.along === this.node(steps).type.axes[0];
    if (document !== undefined && isOwn && field !== "pos" && field !== "chunk") {
      if (field === "last") return this.e.sub(document.end, this.e.u32(1));
      return document[field];
    }
    return this.value(steps, tableCoordinates(this.context.graph, steps, step, StepField[field], this.e)).re;
  }

  /** The coordinates of what a state carried into a step's document. */
  private inDocument(state: StateId, steps: NodeId | undefined, at: Coordinates, step: Expr): Coordinates {
    const documents = documentsOf(this.context.graph.states[state]);
    if (documents === undefined || steps === undefined) return at;
    return with_(at, documents.axis, this.stepField(steps, step, "document"));
  }

  /** A carried state at its own coordinates; `slot` is the coordinate along the taps of a history. */
  private carried(state: StateId, at: Coordinates, slot?: Expr): Value {
    const tensor = this.context.tensors.state(state, "state");
    const coordinates = tensor.layout.map((extent, k) =>
      slot !== undefined && k === tensor.layout.length - 1
        ? slot
        : ((extent.axis === undefined ? undefined : at.get(extent.axis)) ?? this.e.u32(0)),
    );
    return this.context.scope.load(tensor, coordinates);
  }

  /** A state on no cycle, one step earlier: computed anew from what it is made of. */
  private previous(node: Node & { kind: "prev" }, at: Coordinates): Value {
    const { e } = this;
    const state = this.context.graph.states[node.state];
    if (state === undefined) throw new InternalError("lower", `no state #${node.state}`);
    const time = this.coordinate(at, state.along, node);
    const earlier = e.sub(e.op("max", time, e.u32(1)), e.u32(1));
    const begin = node.steps === undefined ? e.u32(0) : this.stepField(node.steps, time, "begin");
    const first = e.op("eq", time, begin);
    const before = this.carried(node.state, this.inDocument(node.state, node.steps, at, time));
    if (first.kind === "literal" && first.value === 1) return before;
    return selectValue(e, first, before, this.value(state.equation.value, with_(at, state.along, earlier)));
  }
}

const with_ = (at: Coordinates, axis: AxisId, value: Expr): Coordinates => new Map(at).set(axis, value);

const identifierOf = (axes: readonly AxisId[]): string =>
  axes.map((axis) => axis.replace(/[^A-Za-z0-9]/g, "_")).join("_");
