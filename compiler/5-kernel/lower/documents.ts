/** Packed programs: how states' time is divided, and where what the runtime says of it stands. */
import { type ChunkField, type SpanField, type StepField } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { AxisId, Documents, Graph, NodeId, State } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import type { Expr } from "../types.js";

/** How a state's time is divided, in a packed program. */
export function documentsOf(state: State | undefined): Documents | undefined {
  return state?.equation.kind === "discrete" ? state.equation.documents : undefined;
}

/** The axes of what a state carries, in memory: a document each first, where there are several. */
export function carriedAxes(state: State): readonly AxisId[] {
  const documents = documentsOf(state);
  return documents === undefined ? state.axes : [documents.axis, ...state.axes];
}

type Field<T> = T[keyof T];

/** Where a field of a row of a table (index[row, field]) stands. */
export function tableCoordinates(
  graph: Graph,
  table: NodeId,
  row: Expr,
  field: Field<typeof StepField> | Field<typeof SpanField> | Field<typeof ChunkField>,
  e: ExprBuilder,
): ReadonlyMap<AxisId, Expr> {
  const [rows, fields] = graph.nodes[table]?.type.axes ?? [];
  if (rows === undefined || fields === undefined) throw new InternalError("lower", `%${table} is no table`);
  return new Map([
    [rows, row],
    [fields, e.u32(field)],
  ]);
}

/** A document's first step in this run, and the one behind its last, along time or its chunks. */
export interface DocumentSteps {
  readonly along: AxisId;
  readonly document: Expr;
  readonly begin: Expr;
  readonly end: Expr;
}
