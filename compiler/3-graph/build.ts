/**
 * Smart constructors of the graph: the one place where a node's type is inferred (SPEC.md § Graph).
 *
 * Structurally equal nodes are one node. A builder is mutable until `finish`, which gives a readonly Graph; passes make
 * a new graph through a new builder (rewrite.ts) and never change an old one.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import { nodeOf, type Origin } from "./operation.js";
import { areLists, OperationTable } from "./operation-table.js";
import type {
  Axis,
  AxisId,
  Equation,
  Graph,
  Input,
  MapFn,
  Node,
  NodeId,
  Operation,
  Output,
  Param,
  ParamId,
  ScalarType,
  State,
  StateId,
  TensorType,
} from "./types.js";

/** A state whose equation may still be missing: it is declared before it is solved. */
export type StateDeclaration = Omit<State, "id" | "equation">;

const TRUTH = new Set<MapFn>(["eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"]);
const REAL_PART = new Set<MapFn>(["re", "im", "float", "abs", "radians"]);

/** The same for parameters that read the same tensor. */
const paramKey = ({ sources, name }: Omit<Param, "id">): string => sources[0] ?? name;

/** Whether two parameters read the same tensor in the same shape. */
function isSameParam(p: Omit<Param, "id">, q: Omit<Param, "id">): boolean {
  return (
    p.scalar === q.scalar &&
    (p.derived === true) === (q.derived === true) &&
    (p.derived !== true || p.name === q.name) &&
    areLists(p.sources, q.sources) &&
    p.layout.length === q.layout.length &&
    p.layout.every(({ axis, size }, k) => axis === q.layout[k]?.axis && size === q.layout[k]?.size)
  );
}

/** Functions of whole numbers that give a whole number. */
const WHOLE: ReadonlySet<MapFn> = new Set(["add", "sub", "mul", "mod", "min", "max", "select"]);

const SCALAR: TensorType = { scalar: "f32", axes: [] };

const without = (axes: readonly AxisId[], drop: readonly AxisId[]): readonly AxisId[] =>
  axes.filter((axis) => !drop.includes(axis));

function ascending(axes: readonly AxisId[], rank: (axis: AxisId) => number): boolean {
  for (let k = 1; k < axes.length; k++) {
    const [before, axis] = [axes[k - 1], axes[k]];
    if (before === undefined || axis === undefined || rank(before) >= rank(axis)) return false;
  }
  return true;
}

export class GraphBuilder {
  private readonly axisTable = new Map<AxisId, Axis>();
  private readonly nodeTable: Node[] = [];
  private readonly known = new OperationTable(this.nodeTable);
  private readonly stateTable: (StateDeclaration & { readonly id: StateId; equation?: Equation })[] = [];
  private readonly paramTable: Param[] = [];
  /** By `paramKey`. Empty until `param` is asked: a graph's own are adopted as they are. */
  private readonly knownParams = new Map<string, ParamId[]>();
  private readonly inputTable: Input[] = [];
  private readonly outputTable: Output[] = [];
  /** An axis's place in canonical order. */
  private readonly order = new Map<AxisId, number>();

  constructor(readonly name: string) {}

  /** Adds a prime axis. `name` is taken as the id where it is free, else with a suffix `_2`, `_3` … */
  axis(name: string, rest: Omit<Axis, "id">): AxisId {
    let id = name as AxisId;
    for (let k = 2; this.axisTable.has(id); k++) id = `${name}_${k}` as AxisId;
    const first = rest.role === "batch" ? 0 : rest.role === "time" ? 1 : 2;
    this.order.set(id, first * 1e6 + this.order.size);
    this.axisTable.set(id, { id, ...rest });
    return id;
  }

  /** The axis of that id; throws for one that was never added. */
  axisOf(id: AxisId): Axis {
    const axis = this.axisTable.get(id);
    if (axis === undefined) throw new InternalError("graph", `no axis \`${id}\``);
    return axis;
  }

  hasAxis(id: string): boolean {
    return this.axisTable.has(id as AxisId);
  }

  /** Axes as a set in canonical order: batch, time, then the others in the order in which they were added. */
  canonical(axes: Iterable<AxisId>): readonly AxisId[] {
    const rank = (id: AxisId): number => this.order.get(id) ?? 0;
    if (Array.isArray(axes) && ascending(axes as readonly AxisId[], rank)) return axes as readonly AxisId[];
    return [...new Set(axes)].sort((p, q) => rank(p) - rank(q));
  }

  /** Adds an operation, or finds the node that already computes it. A type that was inferred before is not inferred again. */
  add(operation: Operation, origin: Origin, inferred?: TensorType): NodeId {
    const id = this.nodeTable.length as NodeId;
    const found = this.known.findOrEnter(operation, id);
    if (found !== undefined) {
      const old = this.node(found);
      if (old.name === undefined && origin.name !== undefined)
        this.nodeTable[found] = { ...old, name: origin.name };
      return found;
    }
    this.nodeTable.push(nodeOf(operation, id, inferred ?? this.infer(operation), origin));
    return id;
  }

  /** Adds a node of another graph as it is: its place, operands, tables and type must be the same here. */
  adopt(node: Node): NodeId {
    const found = this.known.findOrEnter(node, node.id);
    if (found !== undefined) return found;
    this.nodeTable.push(node);
    return node.id;
  }

  /** How many nodes there are. */
  get size(): number {
    return this.nodeTable.length;
  }

  node(id: NodeId): Node {
    const node = this.nodeTable[id];
    if (node === undefined) throw new InternalError("graph", `no node %${id}`);
    return node;
  }

  typeOf(id: NodeId): TensorType {
    return this.node(id).type;
  }

  /** Names a value after the fact: the source assigned it. The first name stays. */
  rename(id: NodeId, name: string): void {
    const node = this.node(id);
    if (node.name === undefined) this.nodeTable[id] = { ...node, name };
  }

  /** Declares a state; `define` gives its equation. */
  state(declaration: StateDeclaration): StateId {
    const id = this.stateTable.length as StateId;
    this.stateTable.push({ ...declaration, id });
    return id;
  }

  stateOf(id: StateId): StateDeclaration & { readonly id: StateId; readonly equation?: Equation } {
    const state = this.stateTable[id];
    if (state === undefined) throw new InternalError("graph", `no state #${id}`);
    return state;
  }

  define(id: StateId, equation: Equation): void {
    const state = this.stateTable[id];
    if (state === undefined) throw new InternalError("graph", `no state #${id}`);
    if (state.equation !== undefined)
      throw new InternalError("graph", `state ${state.name} has two equations`);
    state.equation = equation;
  }

  /** Adds a parameter, or finds the one that reads the same tensor in the same shape. */
  param(param: Omit<Param, "id">): ParamId {
    if (this.knownParams.size === 0) for (const adopted of this.paramTable) this.enterParam(adopted);
    const same = this.knownParams.get(paramKey(param))?.find((id) => isSameParam(this.paramOf(id), param));
    if (same !== undefined) return same;
    const id = this.paramTable.length as ParamId;
    const added: Param = { ...param, id };
    this.paramTable.push(added);
    this.enterParam(added);
    return id;
  }

  private enterParam(param: Param): void {
    const alike = this.knownParams.get(paramKey(param));
    if (alike === undefined) this.knownParams.set(paramKey(param), [param.id]);
    else alike.push(param.id);
  }

  /** Adds a parameter of another graph, which has each of its own once. */
  adoptParam(param: Param): ParamId {
    if (this.knownParams.size > 0) return this.param(param);
    const id = this.paramTable.length as ParamId;
    this.paramTable.push(param.id === id ? param : { ...param, id });
    return id;
  }

  paramOf(id: ParamId): Param {
    const param = this.paramTable[id];
    if (param === undefined) throw new InternalError("graph", `no param #${id}`);
    return param;
  }

  input(input: Input): void {
    this.inputTable.push(input);
  }

  output(output: Output): void {
    this.outputTable.push(output);
  }

  /** The finished graph. Every state must have its equation. */
  finish(): Graph {
    const states = this.stateTable.map((state): State => {
      if (state.equation === undefined)
        throw new InternalError("graph", `state ${state.name} has no equation`);
      return { ...state, equation: state.equation };
    });
    return {
      name: this.name,
      axes: this.axisTable,
      nodes: this.nodeTable,
      states,
      params: this.paramTable,
      inputs: this.inputTable,
      outputs: this.outputTable,
    };
  }

  private infer(operation: Operation): TensorType {
    switch (operation.kind) {
      case "scalar":
        return SCALAR;
      case "input": {
        const input = this.inputTable.find((i) => i.name === operation.name);
        if (input === undefined) throw new InternalError("graph", `no input \`${operation.name}\``);
        return this.make(input.scalar, input.axes);
      }
      case "param": {
        const param = this.paramOf(operation.param);
        return this.make(
          param.scalar,
          param.layout.flatMap((slot) => (slot.axis === undefined ? [] : [slot.axis])),
        );
      }
      case "coordinate":
        return { scalar: "index", axes: [operation.axis] };
      case "map":
        return this.over(this.mapScalar(operation.fn, operation.args), operation.args, []);
      case "reduce": {
        this.need(operation.arg, operation.over, "reduce");
        const args = operation.where === undefined ? [operation.arg] : [operation.arg, operation.where];
        return this.over(this.typeOf(operation.arg).scalar, args, operation.over);
      }
      case "dot": {
        const { lhs, rhs, over } = operation;
        const [p, q] = [this.typeOf(lhs).axes, this.typeOf(rhs).axes];
        if (!over.every((axis) => p.includes(axis) || q.includes(axis)))
          throw new InternalError("graph", "dot over an axis of neither side");
        return this.over(this.mapScalar("mul", [lhs, rhs]), [lhs, rhs], over);
      }
      case "gather":
        this.need(operation.table, [operation.axis], "gather");
        return this.make(this.typeOf(operation.table).scalar, [
          ...without(this.typeOf(operation.table).axes, [operation.axis]),
          ...this.typeOf(operation.index).axes,
        ]);
      case "conv": {
        const { x, w, along, over } = operation;
        this.need(x, [along], "conv");
        this.need(w, [over], "conv");
        return this.over(this.mapScalar("mul", [x, w]), [x, w], [over]);
      }
      case "rename": {
        this.need(
          operation.arg,
          operation.axes.map((r) => r.from),
          "rename",
        );
        const to = new Map(operation.axes.map((r) => [r.from, r.to]));
        const type = this.typeOf(operation.arg);
        return this.make(
          type.scalar,
          type.axes.map((a) => to.get(a) ?? a),
        );
      }
      case "slice":
        this.need(operation.arg, [operation.axis], "slice");
        return this.make(this.typeOf(operation.arg).scalar, [
          ...without(this.typeOf(operation.arg).axes, [operation.axis]),
          ...operation.to,
        ]);
      case "concat": {
        const parts = this.axisOf(operation.axis).parts;
        const axes = operation.parts.flatMap((id, k) =>
          without(this.typeOf(id).axes, parts?.[k]?.axes ?? []),
        );
        return this.make(this.mapScalar("add", operation.parts), [...axes, operation.axis]);
      }
      case "flip":
        this.need(operation.arg, [operation.axis], "flip");
        return this.typeOf(operation.arg);
      case "window": {
        this.need(operation.arg, [operation.from], "window");
        const type = this.typeOf(operation.arg);
        return this.make(
          type.scalar,
          type.axes.map((a) => (a === operation.from ? operation.to : a)),
        );
      }
      case "chunk": {
        const type = this.typeOf(operation.arg);
        return this.make(type.scalar, [
          ...without(type.axes, [operation.of]),
          operation.chunks,
          operation.steps,
        ]);
      }
      case "unchunk": {
        const parts = [operation.chunks, operation.steps];
        this.need(operation.arg, parts, "unchunk");
        const type = this.typeOf(operation.arg);
        return this.make(type.scalar, [...without(type.axes, parts), operation.of]);
      }
      case "prev":
      case "continuous":
      case "coefficient": {
        const state = this.stateOf(operation.state);
        return this.make(state.scalar, [...state.axes, state.along]);
      }
    }
  }

  private make(scalar: ScalarType, axes: Iterable<AxisId>): TensorType {
    return { scalar, axes: this.canonical(axes) };
  }

  private need(id: NodeId, axes: readonly AxisId[], what: string): void {
    const missing = without(axes, this.typeOf(id).axes);
    if (missing.length > 0)
      throw new InternalError("graph", `${what}: %${id} has no axis ${missing.join(", ")}`);
  }

  /** The type with all axes of the nodes but some: the very type of one of them, in the common case that it is. */
  private over(scalar: ScalarType, ids: readonly NodeId[], less: readonly AxisId[]): TensorType {
    let widest = SCALAR;
    for (const id of ids) {
      const type = this.typeOf(id);
      if (type.axes.length > widest.axes.length) widest = type;
    }
    let axes: readonly AxisId[] = widest.axes;
    for (const id of ids) {
      const { axes: own } = this.typeOf(id);
      if (own === axes || own.every((axis) => widest.axes.includes(axis))) continue;
      axes = this.canonical(ids.flatMap((each) => this.typeOf(each).axes));
      break;
    }
    if (less.length > 0) axes = without(axes, less);
    return widest.scalar === scalar && widest.axes === axes ? widest : { scalar, axes };
  }

  /** The scalar type of an elementwise function of those arguments. */
  private mapScalar(fn: MapFn, args: readonly NodeId[]): ScalarType {
    if (TRUTH.has(fn)) return "bool";
    if (REAL_PART.has(fn)) return "f32";
    if (fn === "complex") return "c64";
    if (fn === "angle" || fn === "turn") return "angle";
    let common: ScalarType | "mixed" | undefined;
    // The condition of a select says nothing about its value.
    for (const id of fn === "select" ? args.slice(1) : args) {
      const { scalar } = this.typeOf(id);
      if (scalar === "c64") return "c64";
      common = common === undefined || common === scalar ? scalar : "mixed";
    }
    if (common === "index" && WHOLE.has(fn)) return "index";
    if (common === "bool" && fn === "select") return "bool";
    return "f32";
  }
}
