/**
 * The packed program: `prefill` of documents of any lengths, which lie one after the other along time. A coordinate of
 * batch is a document. Values at a step lose the batch axis; those without time keep it, and are looked up by the step's
 * document where they meet. `prev`, convolutions and flips stay within the step's document, and what is summed over time
 * or a copy of it counts the positions of that document alone (docs/decisions/0010).
 */
import { InternalError } from "../diagnostics/internal-error.js";
import { NUMBERS } from "../3-graph/numbers.js";
import type { Origin } from "../3-graph/operation.js";
import { live, originOf, rewrite, type RewriteContext } from "../3-graph/rewrite.js";
import type {
  Axis,
  AxisId,
  Dimension,
  Equation,
  Graph,
  Input,
  Node,
  NodeId,
  Operation,
  Output,
  State,
  StateId,
} from "../3-graph/types.js";
import type { Span } from "../diagnostics/types.js";
import { PACKED_INPUTS, SpanField, StepField } from "../../runtime/bundle-format.js";
import { TAIL_COUNT, timeAxis } from "./programs.js";

/** The run-time number of steps that no document of a piece has more of. */
export const LONGEST = NUMBERS.longest;

/** The run-time number that no more documents have steps in a piece than. */
export const DOCUMENTS = NUMBERS.documents;

/** What a model has that cannot be told apart by documents. */
export interface Obstacle {
  readonly what: string;
  readonly spans: readonly Span[];
}

/** @param prefill the program for documents of one length. */
export function packedProgram(prefill: Graph): Graph | { readonly obstacle: Obstacle } {
  const batch = [...prefill.axes.values()].find(({ role }) => role === "batch")?.id;
  const time = timeAxis(prefill);
  if (batch === undefined || time === undefined) {
    const what = batch === undefined ? "it has no batch axis" : "it has no time axis";
    return { obstacle: { what, spans: [] } };
  }
  const packing = new Packing(prefill, batch, time);
  const obstacle = packing.obstacle();
  return obstacle === undefined ? packing.run() : { obstacle };
}

/** Whether a graph is a packed program's. */
export function isPacked(graph: Graph): boolean {
  return graph.inputs.some(({ name }) => name === PACKED_INPUTS.steps);
}

type Of<K extends Operation["kind"]> = Extract<Operation, { readonly kind: K }>;

class Packing {
  /** Of what the runtime says of each step, and of each document. */
  readonly stepField: AxisId;
  readonly spanField: AxisId;
  /** The window's axis, where outputs are. */
  readonly window: AxisId | undefined;

  constructor(
    private readonly graph: Graph,
    readonly batch: AxisId,
    readonly time: AxisId,
  ) {
    this.stepField = this.freshAxis("step_field");
    this.spanField = this.freshAxis("span_field");
    this.window = [...graph.axes.values()].find(({ size }) => isNumber(size, TAIL_COUNT))?.id;
  }

  private freshAxis(base: string): AxisId {
    let name = base;
    for (let k = 2; this.graph.axes.has(name as AxisId); k++) name = `${base}_${k}`;
    return name as AxisId;
  }

  /** Time, its copies, and the window: axes of steps. */
  private isTimely(axis: AxisId): boolean {
    const { size } = this.graph.axes.get(axis) ?? {};
    const steps = this.graph.axes.get(this.time)?.size;
    return axis === this.window || (typeof size === "object" && isNumber(steps, size.runtime));
  }

  timely(axes: readonly AxisId[]): readonly AxisId[] {
    return axes.filter((axis) => this.isTimely(axis));
  }

  /** What stands against packing, if something does. */
  obstacle(): Obstacle | undefined {
    const alive = live(this.graph);
    for (const node of this.graph.nodes) {
      const what = alive.nodes.has(node.id) ? this.mixes(node) : undefined;
      if (what !== undefined) return { what, spans: node.spans };
    }
    for (const { axes, along, spans, name, id } of this.graph.states)
      if (alive.states.has(id) && along === this.time && !axes.includes(this.batch))
        return { what: `the state \`${name}\` has no axis \`${this.batch}\``, spans };
    for (const { axes, spans, name } of this.graph.outputs)
      if (!axes.includes(this.batch))
        return { what: `the output \`${name}\` has no axis \`${this.batch}\``, spans };
    return undefined;
  }

  private mixes(node: Node): string | undefined {
    const runtime = (axis: AxisId): boolean => typeof this.graph.axes.get(axis)?.size === "object";
    const other = node.type.axes.find((axis) => runtime(axis) && axis !== this.batch && !this.isTimely(axis));
    if (other !== undefined) return `\`${other}\` is a copy of \`${this.batch}\``;
    const over = node.kind === "reduce" || node.kind === "dot" ? node.over : [];
    const axis = node.kind === "gather" || node.kind === "flip" ? [node.axis] : [];
    if ([...over, ...axis].includes(this.batch)) return `it mixes what \`${this.batch}\` separates`;
    if (node.kind === "slice" && this.isTimely(node.axis)) return `it takes a part of \`${node.axis}\``;
    return undefined;
  }

  run(): Graph {
    const plain = (id: AxisId, fields: object): [AxisId, Axis] => [
      id,
      { id, size: Object.keys(fields).length, role: "plain", spans: [] },
    ];
    const axes = new Map([
      ...this.graph.axes,
      plain(this.stepField, StepField),
      plain(this.spanField, SpanField),
    ]);
    const packed: Graph = {
      ...this.graph,
      axes,
      inputs: [...this.graph.inputs.map((input) => this.withoutBatch(input)), ...this.tables()],
      outputs: this.graph.outputs.map((output) => this.withoutBatch(output)),
      states: this.graph.states.map((state) => this.stateOf(state)),
    };
    return rewrite(packed, {
      visit: (node, context) => new Visit(this, node, context).node(),
      equation: (id, equation, context) => this.equationOf(id, equation, context),
      output: (output, context) => this.outputOf(output, context),
    });
  }

  /** What the runtime says of steps and documents. */
  private tables(): readonly Input[] {
    const table = (name: string, axes: readonly AxisId[]): Input => ({
      name,
      scalar: "index",
      axes,
      spans: [],
    });
    const wanted = this.window === undefined ? [] : [table(PACKED_INPUTS.wanted, [this.window])];
    return [
      table(PACKED_INPUTS.steps, [this.time, this.stepField]),
      table(PACKED_INPUTS.spans, [this.batch, this.spanField]),
      ...wanted,
    ];
  }

  /** An input or output with time: all documents in one row. */
  private withoutBatch<T extends Input | Output>(entry: T): T {
    if (this.timely(entry.axes).length === 0) return entry;
    return { ...entry, axes: this.others(entry.axes), ...this.dimensionsOf(entry) };
  }

  private others(axes: readonly AxisId[]): readonly AxisId[] {
    return axes.filter((axis) => axis !== this.batch);
  }

  private dimensionsOf({ axes, dimensions }: Input | Output): { readonly dimensions?: readonly Dimension[] } {
    if (dimensions === undefined) return {};
    let next = 0;
    const kept = dimensions.filter(({ primes }) => {
      const own = axes.slice(next, (next += primes));
      return !own.includes(this.batch);
    });
    return { dimensions: kept };
  }

  private stateOf(state: State): State {
    if (!this.isCarried(state.id)) return state;
    const { dimensions: _, ...rest } = state;
    return { ...rest, axes: this.others(state.axes) };
  }

  private equationOf(id: StateId, equation: Equation, context: RewriteContext): Equation | undefined {
    const state = this.graph.states[id];
    if (state === undefined || !this.isCarried(id)) return undefined;
    const tables = new Tables(this, context, { spans: state.spans });
    const value = tables.atStep(context.at(equation.value), this.time);
    return { kind: "discrete", value, documents: { axis: this.batch, spans: tables.spans() } };
  }

  private outputOf(output: Output, context: RewriteContext): NodeId {
    const value = context.at(output.value);
    const [at] = this.timely(output.axes);
    return at === undefined ? value : new Tables(this, context, { spans: output.spans }).atStep(value, at);
  }

  /** Whether each document carries a value of the state. */
  isCarried(id: StateId): boolean {
    return this.graph.states[id]?.along === this.time;
  }
}

const isNumber = (size: Axis["size"] | undefined, name: string): boolean =>
  typeof size === "object" && size.runtime === name;

/** Nodes that read what the runtime says of steps and documents. */
class Tables {
  constructor(
    private readonly packing: Packing,
    private readonly context: RewriteContext,
    private readonly origin: Origin,
  ) {}

  private add(operation: Operation): NodeId {
    return this.context.builder.add(operation, { spans: this.origin.spans });
  }

  private input(name: keyof typeof PACKED_INPUTS): NodeId {
    return this.add({ kind: "input", name: PACKED_INPUTS[name] });
  }

  spans(): NodeId {
    return this.input("spans");
  }

  /** index[axis, field], for the steps of time or a copy of it. */
  steps(axis: AxisId): NodeId {
    return this.renamed(this.input("steps"), axis);
  }

  private renamed(arg: NodeId, to: AxisId): NodeId {
    const from = this.packing.time;
    return from === to ? arg : this.add({ kind: "rename", arg, axes: [{ from, to }] });
  }

  /** index[axis], for the steps of time, of a copy, or of the window. */
  ofStep(field: keyof typeof StepField, axis: AxisId): NodeId {
    const { stepField, window } = this.packing;
    const arg = this.input("steps");
    const table = this.add({ kind: "slice", arg, axis: stepField, start: StepField[field], to: [] });
    return axis === window ? this.wanted(table) : this.renamed(table, axis);
  }

  /** index[batch]. */
  ofDocument(field: keyof typeof SpanField): NodeId {
    const { spanField } = this.packing;
    return this.add({ kind: "slice", arg: this.spans(), axis: spanField, start: SpanField[field], to: [] });
  }

  /** A value at the steps that the tail is asked for. */
  wanted(table: NodeId): NodeId {
    return this.add({ kind: "gather", table, axis: this.packing.time, index: this.input("wanted") });
  }

  /** A value that differs by document, for the documents of the steps. */
  atStep(value: NodeId, axis: AxisId): NodeId {
    const { batch } = this.packing;
    if (!this.context.builder.typeOf(value).axes.includes(batch)) return value;
    return this.add({ kind: "gather", table: value, axis: batch, index: this.ofStep("document", axis) });
  }

  /** Whether coordinates of `over` are steps of one document: that of the steps of `at`, else that of the batch's coordinate. */
  together(over: readonly AxisId[], at: AxisId | undefined): NodeId {
    const { batch } = this.packing;
    const own =
      at === undefined ? this.add({ kind: "coordinate", axis: batch }) : this.ofStep("document", at);
    const same = over.map((axis) =>
      this.add({ kind: "map", fn: "eq", args: [this.ofStep("document", axis), own] }),
    );
    return same.reduce((p, q) => this.add({ kind: "map", fn: "and", args: [p, q] }));
  }
}

/** One node of the packed graph. */
class Visit {
  private readonly tables: Tables;
  /** An axis of the node's own steps. */
  private readonly step: AxisId | undefined;

  constructor(
    private readonly packing: Packing,
    private readonly old: Node,
    private readonly context: RewriteContext,
  ) {
    this.tables = new Tables(packing, context, originOf(old));
    [this.step] = packing.timely(old.type.axes);
  }

  /** The new operand for an old one: at the documents of the node's own steps, if it has steps. */
  private readonly operand = (id: NodeId): NodeId => {
    const value = this.context.at(id);
    return this.step === undefined ? value : this.tables.atStep(value, this.step);
  };

  private add(operation: Operation): NodeId {
    return this.context.builder.add(operation, originOf(this.old));
  }

  node(): NodeId {
    const { old, packing, tables } = this;
    const operation = this.context.operation(old, this.operand);
    switch (operation.kind) {
      case "coordinate":
        return packing.timely([operation.axis]).length === 0
          ? this.add(operation)
          : tables.ofStep("pos", operation.axis);
      case "window":
        return tables.wanted(operation.arg);
      case "prev":
        return old.kind === "prev" && packing.isCarried(old.state)
          ? this.add({ ...operation, steps: tables.steps(packing.time) })
          : this.add(operation);
      case "conv":
        return this.add({ ...operation, steps: tables.steps(operation.along) });
      case "flip":
        return packing.timely([operation.axis]).length === 0
          ? this.add(operation)
          : this.add({ ...operation, steps: tables.steps(operation.axis) });
      case "reduce":
        return this.reduce(operation);
      case "dot":
        return this.dot(operation);
      case "gather":
        return this.gather(operation);
      default:
        return this.add(operation);
    }
  }

  private reduce(operation: Of<"reduce">): NodeId {
    const over = this.packing.timely(operation.over);
    if (over.length === 0) return this.add(operation);
    const together = this.tables.together(over, this.step);
    const where =
      operation.where === undefined
        ? together
        : this.context.builder.add(
            { kind: "map", fn: "and", args: [operation.where, together] },
            { spans: this.old.spans },
          );
    return this.add({ ...operation, where });
  }

  /** What other documents' steps would add is zero: in the operand that has the mask's axes anyway, if one has. */
  private dot(operation: Of<"dot">): NodeId {
    const { builder } = this.context;
    const over = this.packing.timely(operation.over);
    if (over.length === 0) return this.add(operation);
    const together = this.tables.together(over, this.step);
    const mask = builder.typeOf(together).axes;
    const shared = (id: NodeId): number =>
      builder.typeOf(id).axes.filter((axis) => mask.includes(axis)).length;
    const side = shared(operation.lhs) >= shared(operation.rhs) ? "lhs" : "rhs";
    const origin = { spans: this.old.spans };
    const zero = builder.add({ kind: "scalar", value: 0 }, origin);
    const masked = builder.add(
      { kind: "map", fn: "select", args: [together, operation[side], zero] },
      origin,
    );
    return this.add({ ...operation, [side]: masked });
  }

  /** Along time, an index counts from the document's first step. */
  private gather(operation: Of<"gather">): NodeId {
    if (this.packing.timely([operation.axis]).length === 0) return this.add(operation);
    const map = (fn: "add" | "min" | "max", ...args: readonly NodeId[]): NodeId =>
      this.context.builder.add({ kind: "map", fn, args }, { spans: this.old.spans });
    const [begin, last] = (["begin", "last"] as const).map((field) =>
      this.step === undefined ? this.tables.ofDocument(field) : this.tables.ofStep(field, this.step),
    );
    if (begin === undefined || last === undefined) throw new InternalError("packed", "two fields");
    const index = map("max", begin, map("min", last, map("add", begin, operation.index)));
    return this.add({ ...operation, index });
  }
}
