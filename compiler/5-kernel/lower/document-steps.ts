/** Packed programs: the steps of a document, for kernels that run over each. */
import { SpanField } from "../../../runtime/bundle-format.js";
import type { AxisId, Documents } from "../../3-graph/types.js";
import type { Expr } from "../types.js";
import { tableCoordinates, type DocumentSteps } from "./documents.js";
import { scalarize, type ScalarizeContext } from "./scalarize.js";

/** @param along what the documents' spans count: time, or its chunks. */
export function stepsOf(
  documents: Documents,
  along: AxisId,
  document: Expr,
  context: ScalarizeContext,
): DocumentSteps {
  const { graph, scope } = context;
  const read = (field: 0 | 1): Expr =>
    scalarize(documents.spans, tableCoordinates(graph, documents.spans, document, field, scope.expr), context)
      .re;
  return { along, document, begin: read(SpanField.begin), end: read(SpanField.end) };
}
