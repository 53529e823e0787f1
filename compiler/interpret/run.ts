/** A run of the interpreter, as the rules of operations see it. */
import type { AxisId, Graph, NodeId, ParamId, StateId } from "../3-graph/types.js";
import type { SizeOf, View } from "./view.js";

/** What rules may know of the run. */
export interface Scope {
  readonly graph: Graph;
  readonly sizeOf: SizeOf;
  /** A run-time number by name: a window's offset. */
  number(name: string): number;
  /** The coordinate at which this run starts. */
  start(axis: AxisId): number;
  input(name: string): View;
  param(id: ParamId): View;
  /** What the state held before the first step. */
  initial(state: StateId): View;
  probe(state: StateId): View;
  /** The value of another node, placed. */
  view(id: NodeId): View;
}
