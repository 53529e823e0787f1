/** Graphs for tests, made by hand: shorthands over GraphBuilder. */
import { GraphBuilder } from "../../compiler/3-graph/build.js";
import type { AxisId, Graph, Input, MapFn, NodeId, State, StateId } from "../../compiler/3-graph/types.js";

export interface StateOptions {
  readonly scalar?: State["scalar"];
  readonly init?: number;
  readonly kind?: State["kind"];
  /** The time axis; default `t`. */
  readonly along?: string;
}

/** A builder whose axes go by their names; batch `b` and time `t` are there from the start. */
export class Sketch {
  readonly builder: GraphBuilder;

  constructor(name = "sketch") {
    this.builder = new GraphBuilder(name);
    this.builder.axis("b", { size: { runtime: "b" }, role: "batch", spans: [] });
    this.builder.axis("t", { size: { runtime: "t" }, role: "time", spans: [] });
  }

  axis(name: string, size: number): AxisId {
    return this.builder.axis(name, { size, role: "plain", spans: [] });
  }

  add(operation: Parameters<GraphBuilder["add"]>[0], name?: string): NodeId {
    return this.builder.add(operation, { spans: [], ...(name === undefined ? {} : { name }) });
  }

  input(name: string, axes: readonly string[], scalar: Input["scalar"] = "f32"): NodeId {
    this.builder.input({ name, scalar, axes: ids(axes), spans: [] });
    return this.add({ kind: "input", name });
  }

  /** Axes by name, literal sizes by number. */
  param(name: string, layout: readonly (string | 1)[], scalar: "f32" | "c64" = "f32"): NodeId {
    const slots = layout.map((slot) => {
      if (slot === 1) return { size: 1 };
      const { id, size } = this.builder.axisOf(slot as AxisId);
      if (typeof size !== "number") throw new Error(`param ${name}: ${slot} has a run-time size`);
      return { axis: id, size };
    });
    const param = this.builder.param({ name, sources: [name], layout: slots, scalar, spans: [] });
    return this.add({ kind: "param", param }, name);
  }

  number(value: number): NodeId {
    return this.add({ kind: "scalar", value });
  }

  map(fn: MapFn, ...args: readonly NodeId[]): NodeId {
    return this.add({ kind: "map", fn, args });
  }

  dot(lhs: NodeId, rhs: NodeId, ...over: readonly string[]): NodeId {
    return this.add({ kind: "dot", lhs, rhs, over: ids(over) });
  }

  sum(arg: NodeId, ...over: readonly string[]): NodeId {
    return this.add({ kind: "reduce", fn: "sum", arg, over: ids(over) });
  }

  state(name: string, axes: readonly string[], options: StateOptions = {}): StateId {
    return this.builder.state({
      kind: options.kind ?? "state",
      name,
      scalar: options.scalar ?? "f32",
      axes: ids(axes),
      along: (options.along ?? "t") as AxisId,
      init: options.init ?? 0,
      spans: [],
    });
  }

  prev(state: StateId): NodeId {
    return this.add({ kind: "prev", state });
  }

  define(state: StateId, value: NodeId): void {
    this.builder.define(state, { kind: "discrete", value });
  }

  /** der(state) = rhs, in the discrete form that `rule` makes of a and b. */
  der(state: StateId, rhs: (h: NodeId) => NodeId, rule: (a: NodeId, b: NodeId) => NodeId): NodeId {
    const right = rhs(this.add({ kind: "continuous", state }));
    const value = rule(
      this.add({ kind: "coefficient", state, of: "a" }),
      this.add({ kind: "coefficient", state, of: "b" }),
    );
    this.builder.define(state, { kind: "continuous", rhs: right, rule: "test", value });
    return value;
  }

  output(name: string, axes: readonly string[], value: NodeId): void {
    this.builder.output({ name, axes: ids(axes), value, spans: [] });
  }

  finish(): Graph {
    return this.builder.finish();
  }

  silu(x: NodeId): NodeId {
    return this.map("div", x, this.map("add", this.number(1), this.map("exp", this.map("neg", x))));
  }

  softplus(x: NodeId): NodeId {
    return this.map(
      "add",
      this.map("max", x, this.number(0)),
      this.map("log1p", this.map("exp", this.map("neg", this.map("abs", x)))),
    );
  }
}

function ids(names: readonly string[]): readonly AxisId[] {
  return names as readonly AxisId[];
}
