/**
 * Every invariant of a graph (SPEC.md § Graph, types.ts), checked anew after every pass, without the builder's help.
 * What fails here is a mistake of the compiler: it throws `InternalError` and names the node or table entry.
 */
import { operands } from "./operation.js";
import { OperationTable } from "./operation-table.js";
import type { Axis, AxisId, Dimension, Graph, Node, NodeId, State, TensorType } from "./types.js";
import { describe, makeValidation, type Validation } from "./validate-context.js";
import { checkOperation } from "./validate-operations.js";

/** Throws `InternalError` unless the graph is well formed. */
export function validate(graph: Graph): void {
  const validation = makeValidation(graph);
  checkAxes(validation);
  checkParams(validation);
  checkInterface(validation);
  checkStates(validation);
  checkNodes(validation);
  checkHistories(validation);
  checkContinuous(validation);
}

function checkAxes({ graph, axis, fail }: Validation): void {
  for (const [id, { id: own, size, role, parts, cut }] of graph.axes) {
    const what = `axis ${id}`;
    if (cut !== undefined) checkCut(id, cut, typeof size === "number", { axis, fail });
    if (own !== id) fail(what, `calls itself ${own}`);
    if (typeof size === "number" && !(Number.isInteger(size) && size >= 0)) fail(what, `size ${size}`);
    if (role === "batch" && typeof size === "number") fail(what, "a batch axis has a size of its own");
    if (parts === undefined) continue;
    let start = 0;
    for (const part of parts) {
      if (part.start !== start) fail(what, `a part starts at ${part.start}, not ${start}`);
      const product = part.axes.reduce((sum, a) => sum * numeric(axis(a, what).size), 1);
      if (product !== part.size) fail(what, `a part of size ${part.size} has axes of size ${product}`);
      start += part.size;
    }
    if (start !== size) fail(what, `parts of size ${start} in an axis of size ${JSON.stringify(size)}`);
  }
}

/** Steps are fixed, chunks are where what is cut is, and both cut one time axis. */
function checkCut(
  id: AxisId,
  cut: NonNullable<Axis["cut"]>,
  isFixed: boolean,
  { axis, fail }: Pick<Validation, "axis" | "fail">,
): void {
  const what = `axis ${id}`;
  if (axis(cut.of, what).role !== "time") fail(what, `cuts ${cut.of}, which is not time`);
  const isWhole = typeof axis(cut.of, what).size === "number";
  if (isFixed !== (cut.part === "steps" || isWhole))
    fail(what, `${cut.part} of ${isFixed ? "fixed" : "run-time"} size`);
  if (cut.part === "steps") return;
  const steps = axis(cut.steps, what).cut;
  if (steps?.part !== "steps" || steps.of !== cut.of) fail(what, `${cut.steps} are no steps of ${cut.of}`);
}

function numeric(size: Axis["size"]): number {
  return typeof size === "number" ? size : NaN;
}

function checkParams({ graph, axis, fail }: Validation): void {
  checkUnique(graph.params, "param", fail);
  graph.params.forEach((param, k) => {
    const what = `param ${param.name}`;
    if (param.id !== k) fail(what, `has id ${param.id} at place ${k}`);
    if ((param.sources.length === 0) !== (param.derived === true))
      fail(what, param.derived === true ? "is derived and has a source" : "has no source");
    const axes = param.layout.flatMap((slot) => slot.axis ?? []);
    if (new Set(axes).size !== axes.length) fail(what, "has an axis twice");
    for (const slot of param.layout) {
      const size = slot.axis === undefined ? slot.size : axis(slot.axis, what).size;
      if (size !== slot.size)
        fail(what, `axis ${slot.axis ?? ""} has size ${JSON.stringify(size)}, not ${slot.size}`);
      if (slot.axis === undefined && slot.size !== 1) fail(what, `a literal size of ${slot.size}`);
    }
    const count = param.layout.reduce((product, slot) => product * slot.size, 1);
    const { pieces } = param;
    if (pieces !== undefined && pieces.shape.reduce((p, q) => p * q, pieces.tensors.length) !== count)
      fail(what, `its ${pieces.tensors.length} tensors do not hold ${count} elements`);
    if (param.shape !== undefined && param.shape.reduce((p, q) => p * q, 1) !== count)
      fail(what, `its shape [${param.shape.join(", ")}] does not hold ${count} elements`);
  });
}

function checkUnique(
  entries: readonly { readonly name: string }[],
  what: string,
  fail: Validation["fail"],
): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) fail(`${what} ${name}`, "the name is taken");
    names.add(name);
  }
}

function checkInterface({ graph, axis, node, fail }: Validation): void {
  checkUnique(graph.inputs, "input", fail);
  checkUnique(graph.outputs, "output", fail);
  for (const input of graph.inputs) {
    const what = `input ${input.name}`;
    input.axes.forEach((id) => axis(id, what));
    if (new Set(input.axes).size !== input.axes.length) fail(what, "has an axis twice");
    checkDimensions(input, what, fail);
    if (input.bound !== undefined && !(input.scalar === "index" && input.bound >= 1))
      fail(what, `bound ${input.bound} for ${input.scalar}`);
  }
  for (const output of graph.outputs) {
    const what = `output ${output.name}`;
    output.axes.forEach((id) => axis(id, what));
    if (new Set(output.axes).size !== output.axes.length) fail(what, "has an axis twice");
    checkDimensions(output, what, fail);
    const { scalar } = node(output.value, what).type;
    if (output.bound !== undefined && !(scalar === "index" && output.bound >= 1))
      fail(what, `bound ${output.bound} for ${scalar}`);
    const extra = node(output.value, what).type.axes.filter((a) => !output.axes.includes(a));
    if (extra.length > 0) fail(what, `its value also has axes ${extra.join(", ")}`);
  }
}

/** Dimensions as the source declares them cover every axis once. */
function checkDimensions(
  entry: { readonly axes: readonly AxisId[]; readonly dimensions?: readonly Dimension[] },
  what: string,
  fail: Validation["fail"],
): void {
  const covered = entry.dimensions?.reduce((sum, { primes }) => sum + primes, 0) ?? entry.axes.length;
  if (covered !== entry.axes.length)
    fail(what, `its dimensions cover ${covered} of ${entry.axes.length} axes`);
}

function checkStates(validation: Validation): void {
  const { graph, axis, fail } = validation;
  checkUnique(graph.states, "state", fail);
  graph.states.forEach((state, k) => {
    const what = `state ${state.name}`;
    if (state.id !== k) fail(what, `has id ${state.id} at place ${k}`);
    if (axis(state.along, what).role !== "time") fail(what, `steps along ${state.along}, which is not time`);
    if (new Set(state.axes).size !== state.axes.length) fail(what, "has an axis twice");
    for (const id of state.axes) {
      const { role, cut } = axis(id, what);
      const inChunks = state.kind === "local" && cut?.part === "chunks";
      if (role === "time" && !inChunks) fail(what, `has the time axis ${id}`);
    }
    checkDimensions(state, what, fail);
    checkEquation(state, validation);
  });
}

/** A state holds what its equation gives: no axis may be lost, and no imaginary part. */
function checkEquation(state: State, { node, fail }: Validation): void {
  const what = `state ${state.name}`;
  const { equation } = state;
  const sides = equation.kind === "discrete" ? [equation.value] : [equation.value, equation.rhs];
  // A history has its x, and the taps beside x's axes.
  const axes = [...(state.kind === "history" ? state.axes.slice(0, -1) : state.axes), state.along];
  for (const side of sides) {
    const { type } = node(side, what);
    const extra = type.axes.filter((a) => !axes.includes(a));
    if (extra.length > 0) fail(what, `its equation %${side} also has axes ${extra.join(", ")}`);
    const isReal = type.scalar === "f32" && state.scalar !== "angle";
    if (!isReal && type.scalar !== state.scalar)
      fail(what, `is ${state.scalar}, its equation %${side} is ${type.scalar}`);
  }
  if (equation.kind === "continuous" && state.kind !== "state") fail(what, `a ${state.kind} with der`);
}

function checkNodes(validation: Validation): void {
  const { graph, node, fail } = validation;
  const seen = new OperationTable(graph.nodes);
  graph.nodes.forEach((entry, k) => {
    const what = entry;
    if (entry.id !== k) fail(what, `stands at place ${k}`);
    for (const id of operands(entry)) {
      node(id, what);
      if (id >= k) fail(what, `reads %${id}, which stands behind it`);
    }
    checkType(entry, checkOperation(entry, validation), validation);
    const twin = seen.findOrEnter(entry, k as NodeId);
    if (twin !== undefined) fail(what, `is the same as %${twin}`);
  });
}

function checkType(node: Node, expected: TensorType, { fail, isCanonical }: Validation): void {
  const { scalar, axes } = node.type;
  if (scalar !== expected.scalar) fail(node, `is typed ${scalar}, not ${expected.scalar}`);
  const same =
    axes === expected.axes ||
    (axes.every((a) => expected.axes.includes(a)) && expected.axes.every((a) => axes.includes(a)));
  if (!same) fail(node, `is typed [${axes.join(", ")}], not [${[...new Set(expected.axes)].join(", ")}]`);
  if (!isCanonical(axes)) fail(node, `its axes [${axes.join(", ")}] are not in canonical order`);
}

/** One convolution a history, which has x's axes without time, then the taps. */
function checkHistories({ graph, node, state, axis, fail }: Validation): void {
  const users = new Map<number, Node>();
  for (const entry of graph.nodes) {
    if (entry.kind !== "conv") continue;
    const what = entry;
    const history = state(entry.history, what);
    if (history.kind !== "history") fail(what, `its history ${history.name} is a ${history.kind}`);
    if (history.along !== entry.along) fail(what, `its history steps along ${history.along}`);
    if (history.equation.value !== entry.x)
      fail(what, `its history ${history.name} keeps %${history.equation.value}, not its x`);
    const taps = history.axes.at(-1) ?? fail(what, "its history has no axes");
    const lead = history.axes.slice(0, -1);
    const x = node(entry.x, what).type.axes.filter((a) => a !== entry.along);
    if (lead.length !== x.length || !x.every((a) => lead.includes(a)))
      fail(what, `x has axes [${x.join(", ")}], its history [${lead.join(", ")}]`);
    if (numeric(axis(taps, what).size) !== numeric(axis(entry.over, what).size) - 1)
      fail(what, `${taps} does not have one tap less than ${entry.over}`);
    const other = users.get(entry.history);
    if (other !== undefined) fail(what, `shares its history with ${describe(other)}`);
    users.set(entry.history, entry);
  }
}

/**
 * The continuous variable is known inside its own der alone. A coefficient stands for a part of its state's der and so
 * behind it: within a step nothing can depend on itself.
 */
function checkContinuous({ graph, state, fail }: Validation): void {
  if (!graph.nodes.some(({ kind }) => kind === "continuous" || kind === "coefficient")) return;
  const reaches = new Map<NodeId, ReadonlySet<number>>();
  for (const node of graph.nodes) {
    const found = new Set(operands(node).flatMap((id) => [...(reaches.get(id) ?? [])]));
    if (node.kind === "continuous") found.add(node.state);
    if (found.size > 0) reaches.set(node.id, found);
    if (node.kind !== "continuous" && node.kind !== "coefficient") continue;
    const what = node;
    const { equation } = state(node.state, what);
    if (equation.kind !== "continuous") fail(what, "its state has no der");
    else if (node.kind === "coefficient" && equation.rhs >= node.id)
      fail(what, `stands before %${equation.rhs}, the right-hand side that it is a part of`);
  }
  const closed = (root: NodeId, what: string, own?: number): void => {
    for (const id of reaches.get(root) ?? [])
      if (id !== own) fail(what, `%${root} reads the continuous variable ${graph.states[id]?.name ?? id}`);
  };
  for (const output of graph.outputs) closed(output.value, `output ${output.name}`);
  for (const { id, name, equation } of graph.states) {
    closed(equation.value, `state ${name}`);
    if (equation.kind === "continuous") closed(equation.rhs, `der(${name})`, id);
  }
}
