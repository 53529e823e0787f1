/**
 * A graph as text: one node a line, under the source's names. Canonical: equal graphs print alike whatever their ids, so
 * that goldens hold still and stages can be compared line by line.
 */
import type { Axis, AxisId, Graph, MapFn, Node, NodeId, State, StateId, TensorType } from "./types.js";

/** The whole graph: axes, inputs, parameters, states with their equations, nodes, outputs. Ends in a newline. */
export function printGraph(graph: Graph): string {
  const context = makeContext(graph);
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["axes", table([...graph.axes.values()].map(printAxis))],
    ["inputs", table(graph.inputs.map((input) => printInput(input, context)))],
    ["params", table(graph.params.map((param) => printParam(param, context)))],
    ["states", graph.states.flatMap((state) => printState(state, context))],
    ["nodes", table(graph.nodes.flatMap((node) => printNode(node, context)))],
    ["outputs", table(graph.outputs.map((output) => printOutput(output, context)))],
  ];
  const text = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `${title}\n${lines.map((line) => `  ${line}\n`).join("")}`);
  return [`graph ${graph.name}\n`, ...text].join("\n");
}

interface PrintContext {
  readonly graph: Graph;
  /** How operands name a node. */
  readonly refs: ReadonlyMap<NodeId, string>;
}

/** Columns of a line; the last is not padded. */
type Row = readonly string[];

/** Rows with their columns lined up, within reason: a very long cell does not push all others away. */
function table(rows: readonly Row[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.slice(0, -1).forEach((cell, k) => {
      if (cell.length <= 72) widths[k] = Math.max(widths[k] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, k) => (k === row.length - 1 ? cell : cell.padEnd(widths[k] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * A node goes by the source's name for it, with `#2`, `#3` … where the source uses the name again (a rebound value,
 * another layer); others are numbered in order. Literals stand where they are used.
 */
function makeContext(graph: Graph): PrintContext {
  const used = new Map<string, number>();
  let unnamed = 0;
  const refs = graph.nodes.map((node): [NodeId, string] => {
    if (node.kind === "scalar") return [node.id, printNumber(node.value)];
    if (node.name === undefined) return [node.id, `%${unnamed++}`];
    const count = (used.get(node.name) ?? 0) + 1;
    used.set(node.name, count);
    return [node.id, count === 1 ? node.name : `${node.name}#${count}`];
  });
  return { graph, refs: new Map(refs) };
}

function printNumber(value: number): string {
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

function printAxis({ id, size, role, parts, cut }: Axis): Row {
  const extent = typeof size === "number" ? String(size) : `run-time ${size.runtime}`;
  const kind = cut !== undefined ? `${cut.part} of ${cut.of}` : role === "plain" ? "" : role;
  const joined = (parts ?? []).map((part) => `[${part.axes.join(", ")}] at ${part.start}`).join(" | ");
  return [id, extent, [kind, joined].filter((text) => text !== "").join(" ")];
}

/** `[b, t, d=128]`: run-time axes by name alone. */
function printAxes(axes: readonly AxisId[], { graph }: PrintContext): string {
  const each = axes.map((axis) => {
    const size = graph.axes.get(axis)?.size;
    return typeof size === "number" ? `${axis}=${size}` : axis;
  });
  return `[${each.join(", ")}]`;
}

function printType(type: TensorType, context: PrintContext): string {
  return `${type.scalar}${printAxes(type.axes, context)}`;
}

function printInput(input: Graph["inputs"][number], context: PrintContext): Row {
  const bound = input.bound === undefined ? "" : `(${input.bound})`;
  return [input.name, `${input.scalar}${bound}${printAxes(input.axes, context)}`];
}

function printParam(param: Graph["params"][number], { graph }: PrintContext): Row {
  const layout = param.layout.map((slot) =>
    slot.axis === undefined || graph.axes.get(slot.axis) === undefined
      ? String(slot.size)
      : `${slot.axis}=${slot.size}`,
  );
  const from = param.sources.map((source) => JSON.stringify(source)).join(" | ");
  return [
    param.name,
    `${param.scalar}[${layout.join(", ")}]`,
    param.derived === true ? "derived at load" : `from ${from}`,
  ];
}

function printState(state: State, context: PrintContext): readonly string[] {
  const { equation, name } = state;
  const kind = state.kind === "state" ? "" : `${state.kind} `;
  const init = state.init === 0 ? "" : ` init ${printNumber(state.init)}`;
  const type = printType({ scalar: state.scalar, axes: state.axes }, context);
  const documents = equation.kind === "discrete" ? equation.documents : undefined;
  const carried =
    documents === undefined
      ? ""
      : `  carried for each ${documents.axis}, over ${refOf(documents.spans, context)}`;
  const value = `  ${name} = ${refOf(equation.value, context)}${carried}`;
  const lines =
    equation.kind === "discrete"
      ? [value]
      : [`  der(${name}) = ${refOf(equation.rhs, context)}  by ${equation.rule}`, value];
  return [`${kind}${name}: ${type} along ${state.along}${init}`, ...lines];
}

function printNode(node: Node, context: PrintContext): readonly Row[] {
  if (node.kind === "scalar") return [];
  const { refs } = context;
  return [
    [refs.get(node.id) ?? "?", `= ${printOperation(node, context)}`, `: ${printType(node.type, context)}`],
  ];
}

function printOutput(output: Graph["outputs"][number], context: PrintContext): Row {
  const type = output.bound === undefined ? "" : `: index(${output.bound})`;
  return [`${output.name}${type}${printAxes(output.axes, context)}`, `= ${refOf(output.value, context)}`];
}

function refOf(id: NodeId, { refs }: PrintContext): string {
  return refs.get(id) ?? `%?${id}`;
}

function nameOf(id: StateId, { graph }: PrintContext): string {
  return graph.states[id]?.name ?? `#?${id}`;
}

/** Functions that the language writes between their operands. */
const INFIX: { readonly [F in MapFn]?: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
  pow: "^",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "and",
  or: "or",
};

/** The right-hand side, as close to the language as it gets. */
function printOperation(node: Node, context: PrintContext): string {
  const ref = (id: NodeId): string => refOf(id, context);
  const over = (axes: readonly AxisId[]): string =>
    `over ${axes.length === 1 ? axes.join() : `[${axes.join(", ")}]`}`;
  const within = (steps: NodeId | undefined): string => (steps === undefined ? "" : ` within ${ref(steps)}`);
  switch (node.kind) {
    case "scalar":
      return printNumber(node.value);
    case "input":
      return `input ${node.name}`;
    case "param":
      return `param ${context.graph.params[node.param]?.name ?? `#?${node.param}`}`;
    case "coordinate":
      return `pos(${node.axis})`;
    case "map": {
      const args = node.args.map(ref);
      const infix = INFIX[node.fn];
      return infix === undefined ? `${node.fn}(${args.join(", ")})` : args.join(` ${infix} `);
    }
    case "reduce": {
      const where = node.where === undefined ? "" : `, where ${ref(node.where)}`;
      return `${node.fn}(${ref(node.arg)}, ${over(node.over)}${where})`;
    }
    case "dot":
      return `dot(${ref(node.lhs)}, ${ref(node.rhs)}, ${over(node.over)})`;
    case "gather":
      return `${ref(node.table)}[${node.axis}: ${ref(node.index)}]`;
    case "conv":
      return (
        `causal_conv(${ref(node.x)}, ${ref(node.w)}, along ${node.along}, over ${node.over})` +
        ` after ${nameOf(node.history, context)}${within(node.steps)}`
      );
    case "rename":
      return `${ref(node.arg)}[${node.axes.map(({ from, to }) => `${from} -> ${to}`).join(", ")}]`;
    case "slice":
      return node.to.length === 0
        ? `${ref(node.arg)}[${node.axis}: ${node.start}]`
        : `${ref(node.arg)}[${node.axis} at ${node.start} -> ${node.to.length === 1 ? node.to.join() : `[${node.to.join(", ")}]`}]`;
    case "concat":
      return `concat(${node.parts.map(ref).join(", ")}, as ${node.axis})`;
    case "flip":
      return `flip(${ref(node.arg)}, along ${node.axis})${within(node.steps)}`;
    case "window":
      return `${ref(node.arg)}[${node.from} at ${node.offset} -> ${node.to}]`;
    case "chunk": {
      const past = node.past === undefined ? "" : `, past the end ${printNumber(node.past)}`;
      return `${ref(node.arg)}[${node.of} -> (${node.chunks}, ${node.steps})${past}]${within(node.chunkTable)}`;
    }
    case "unchunk":
      return `${ref(node.arg)}[(${node.chunks}, ${node.steps}) -> ${node.of}]${within(node.stepTable)}`;
    case "prev":
      return `prev(${nameOf(node.state, context)})${within(node.steps)}`;
    case "continuous":
      return `continuous(${nameOf(node.state, context)})`;
    case "coefficient":
      return `${node.of} of der(${nameOf(node.state, context)})`;
  }
}
