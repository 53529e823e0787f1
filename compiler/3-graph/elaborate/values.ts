/** What an expression means while the graph is built: a constant, or a tensor that the graph computes. */
import type { ConstantValue } from "../../../runtime/bundle-format.js";
import type { AxisId, NodeId } from "../types.js";

export type Value =
  /** Exact and without a type until it meets a tensor. */
  | { readonly kind: "constant"; readonly value: ConstantValue }
  | { readonly kind: "tensor"; readonly node: NodeId }
  /** The result of a mistake that was reported; whatever it meets becomes poison in silence. */
  | { readonly kind: "poison" };

export const POISON: Value = { kind: "poison" };

export const constant = (value: ConstantValue): Value => ({ kind: "constant", value });

export const tensor = (node: NodeId): Value => ({ kind: "tensor", node });

export const listAxes = (axes: readonly AxisId[]): string => `[${axes.join(", ")}]`;
