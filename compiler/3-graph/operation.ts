/**
 * Operations by their fields: what they read, and how they are made anew over other nodes. Every pass asks this of every
 * node, so each kind's fields are written out: copies by spread and keys as text are several times slower.
 */
import type { Span } from "../diagnostics/types.js";
import type { Node, NodeId, Operation, ParamId, StateId, TensorType } from "./types.js";

/** Where a node comes from. */
export interface Origin {
  readonly spans: readonly Span[];
  readonly name?: string;
}

/** The nodes an operation reads. */
export function operands(operation: Operation): readonly NodeId[] {
  switch (operation.kind) {
    case "scalar":
    case "input":
    case "param":
    case "coordinate":
    case "continuous":
    case "coefficient":
      return NONE;
    case "prev":
      return given(operation.steps);
    case "map":
      return operation.args;
    case "reduce":
      return operation.where === undefined ? [operation.arg] : [operation.arg, operation.where];
    case "dot":
      return [operation.lhs, operation.rhs];
    case "gather":
      return [operation.table, operation.index];
    case "conv":
      return [operation.x, operation.w, ...given(operation.steps)];
    case "flip":
      return [operation.arg, ...given(operation.steps)];
    case "rename":
    case "slice":
    case "window":
      return [operation.arg];
    case "chunk":
      return [operation.arg, ...given(operation.chunkTable)];
    case "unchunk":
      return [operation.arg, ...given(operation.stepTable), ...given(operation.chunkTable)];
    case "concat":
      return operation.parts;
  }
}

const NONE: readonly NodeId[] = [];
const given = (id: NodeId | undefined): readonly NodeId[] => (id === undefined ? NONE : [id]);

/** What takes the place of what an operation refers to. */
export interface References {
  readonly node: (id: NodeId) => NodeId;
  readonly param: (id: ParamId) => ParamId;
  readonly state: (id: StateId) => StateId;
}

/** The operation alone, of a node or by itself, with all that it refers to replaced. */
export function withReferences(op: Operation, { node: at, param, state }: References): Operation {
  switch (op.kind) {
    case "scalar":
      return { kind: "scalar", value: op.value };
    case "input":
      return { kind: "input", name: op.name };
    case "param":
      return { kind: "param", param: param(op.param) };
    case "coordinate":
      return { kind: "coordinate", axis: op.axis };
    case "prev":
      return op.steps === undefined
        ? { kind: "prev", state: state(op.state) }
        : { kind: "prev", state: state(op.state), steps: at(op.steps) };
    case "continuous":
      return { kind: "continuous", state: state(op.state) };
    case "coefficient":
      return { kind: "coefficient", state: state(op.state), of: op.of };
    case "map":
      return { kind: "map", fn: op.fn, args: op.args.map(at) };
    case "reduce":
      return op.where === undefined
        ? { kind: "reduce", fn: op.fn, arg: at(op.arg), over: op.over }
        : { kind: "reduce", fn: op.fn, arg: at(op.arg), over: op.over, where: at(op.where) };
    case "dot":
      return { kind: "dot", lhs: at(op.lhs), rhs: at(op.rhs), over: op.over };
    case "gather":
      return { kind: "gather", table: at(op.table), axis: op.axis, index: at(op.index) };
    case "conv": {
      const { kind, along, over, steps } = op;
      const convolved = { kind, x: at(op.x), w: at(op.w), along, over, history: state(op.history) };
      return steps === undefined ? convolved : { ...convolved, steps: at(steps) };
    }
    case "rename":
      return { kind: "rename", arg: at(op.arg), axes: op.axes };
    case "slice":
      return { kind: "slice", arg: at(op.arg), axis: op.axis, start: op.start, to: op.to };
    case "flip":
      return op.steps === undefined
        ? { kind: "flip", arg: at(op.arg), axis: op.axis }
        : { kind: "flip", arg: at(op.arg), axis: op.axis, steps: at(op.steps) };
    case "window":
      return { kind: "window", arg: at(op.arg), from: op.from, to: op.to, offset: op.offset };
    case "chunk": {
      const { kind, of, chunks, steps, past, chunkTable } = op;
      return {
        ...{ kind, arg: at(op.arg), of, chunks, steps, ...(past === undefined ? {} : { past }) },
        ...(chunkTable === undefined ? {} : { chunkTable: at(chunkTable) }),
      };
    }
    case "unchunk": {
      const { kind, of, chunks, steps, stepTable, chunkTable } = op;
      return {
        ...{ kind, arg: at(op.arg), of, chunks, steps },
        ...(stepTable === undefined ? {} : { stepTable: at(stepTable) }),
        ...(chunkTable === undefined ? {} : { chunkTable: at(chunkTable) }),
      };
    }
    case "concat":
      return { kind: "concat", parts: op.parts.map(at), axis: op.axis };
  }
}

const same = <T>(id: T): T => id;

/** The operation alone, with every operand replaced. */
export const withOperands = (op: Operation, at: (id: NodeId) => NodeId): Operation =>
  withReferences(op, { node: at, param: same, state: same });

/** An operation's own fields, without what makes it a node. */
export const operationOf = (node: Node): Operation => withOperands(node, same);

/** Where a node comes from, to give to the node that takes its place. */
export function originOf(node: Node): Origin {
  return node.name === undefined ? { spans: node.spans } : { spans: node.spans, name: node.name };
}

/** An operation as a node. An input's name is the operation's own. */
export function nodeOf(op: Operation, id: NodeId, type: TensorType, { spans, name }: Origin): Node {
  const node: Node & { name?: string } = unnamed(op, id, type, spans);
  if (name !== undefined && node.kind !== "input") node.name = name;
  return node;
}

function unnamed(op: Operation, id: NodeId, type: TensorType, spans: readonly Span[]): Node {
  switch (op.kind) {
    case "scalar":
      return { kind: "scalar", value: op.value, id, type, spans };
    case "param":
      return { kind: "param", param: op.param, id, type, spans };
    case "map":
      return { kind: "map", fn: op.fn, args: op.args, id, type, spans };
    case "dot":
      return { kind: "dot", lhs: op.lhs, rhs: op.rhs, over: op.over, id, type, spans };
    case "rename":
      return { kind: "rename", arg: op.arg, axes: op.axes, id, type, spans };
    case "slice":
      return { kind: "slice", arg: op.arg, axis: op.axis, start: op.start, to: op.to, id, type, spans };
    case "coefficient":
      return { kind: "coefficient", state: op.state, of: op.of, id, type, spans };
    // The others are few, or have fields that may be absent.
    default:
      return { ...op, id, type, spans };
  }
}
