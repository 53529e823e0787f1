/** Nodes from values, and what is asked about them. */
import { describeConstant, typeOfConstant } from "../../2-analyze/constant-operations.js";
import { notTensor, scalarType } from "../../diagnostics/codes/shapes.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId, MapFn, NodeId, Operation, ScalarType } from "../types.js";
import { origin, report, type Env } from "./env.js";
import { listAxes, type Value } from "./values.js";

/** Adds an operation to the graph. */
export function add(env: Env, operation: Operation, span: Span): NodeId {
  return env.elaboration.builder.add(operation, origin(env, span));
}

/** The node of a value; a number becomes a scalar. Reports what can be neither; `undefined` for it and for poison. */
export function toNode(env: Env, value: Value, span: Span): NodeId | undefined {
  switch (value.kind) {
    case "tensor":
      return value.node;
    case "poison":
      return undefined;
    case "constant":
      if (typeof value.value === "number") return add(env, { kind: "scalar", value: value.value }, span);
      report(env, notTensor(span, `${typeOfConstant(value.value)}, ${describeConstant(value.value)}`));
      return undefined;
  }
}

/** Like `toNode`, of scalar type f32 or c64: whole numbers are converted, truths refused. */
export function toNumber(env: Env, value: Value, span: Span): NodeId | undefined {
  const node = toNode(env, value, span);
  if (node === undefined) return undefined;
  const { scalar } = env.elaboration.builder.typeOf(node);
  if (scalar === "index") return add(env, { kind: "map", fn: "float", args: [node] }, span);
  if (scalar !== "bool") return node;
  report(
    env,
    scalarType(
      span,
      "this operand",
      "a truth (bool)",
      "a number",
      "`select(condition, 1, 0)` makes it a number",
    ),
  );
  return undefined;
}

/** An elementwise function of nodes whose scalar types are already right. */
export function map(env: Env, fn: MapFn, args: readonly NodeId[], span: Span): NodeId {
  return add(env, { kind: "map", fn, args }, span);
}

export function scalarOf(env: Env, node: NodeId): ScalarType {
  return env.elaboration.builder.typeOf(node).scalar;
}

export function axesOf(env: Env, node: NodeId): readonly AxisId[] {
  return env.elaboration.builder.typeOf(node).axes;
}

/** `f32[b, t, m]` */
export function describe(env: Env, value: Value): string {
  switch (value.kind) {
    case "constant":
      return `the constant ${describeConstant(value.value)}`;
    case "tensor":
      return `${scalarOf(env, value.node)}${listAxes(axesOf(env, value.node))}`;
    case "poison":
      return "an error";
  }
}
