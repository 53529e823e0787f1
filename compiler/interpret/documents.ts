/** Packed programs: what `prev`, convolutions, flips and states are where time holds several documents one after the other. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { AxisId, Documents, NodeId, State } from "../3-graph/types.js";
import { ChunkField, SpanField, StepField } from "../../runtime/bundle-format.js";
import { copier } from "./nest.js";
import type { Scope } from "./run.js";
import { allocate, at, strideOf, type View } from "./view.js";

export function documentsOf(state: State): Documents | undefined {
  return state.equation.kind === "discrete" ? state.equation.documents : undefined;
}

/** The axes of what a state carries: a document each, where there are several. */
export function carriedAxes(state: State): readonly AxisId[] {
  const documents = documentsOf(state);
  return documents === undefined ? state.axes : [documents.axis, ...state.axes];
}

/** What has to be known before a state can be carried out. */
export function carriedFrom(state: State): readonly NodeId[] {
  const documents = documentsOf(state);
  const { value } = state.equation;
  return documents === undefined ? [value] : [value, documents.spans];
}

/** A row of whole numbers for each coordinate of a table's first axis. */
function rows(table: NodeId, scope: Scope): (coordinate: number, field: number) => number {
  const [row, field] = scope.graph.nodes[table]?.type.axes ?? [];
  if (row === undefined || field === undefined) throw new InternalError("interpret", `%${table} is no table`);
  return (coordinate, k) => {
    const view = scope.view(table);
    return view.data[view.offset + coordinate * strideOf(view, row) + k * strideOf(view, field)] ?? NaN;
  };
}

/** What a state held `back` steps before a step: of its document's steps in this run, else what that one carried in. */
export function earlier(
  state: State,
  steps: NodeId,
  value: View,
  scope: Scope,
): (step: number, back: number) => View {
  const documents = documentsOf(state);
  if (documents === undefined) throw new InternalError("interpret", `${state.name} has no documents`);
  const field = rows(steps, scope);
  const taps = state.kind === "history" ? state.axes.at(-1) : undefined;
  return (step, back) => {
    const begin = field(step, StepField.begin);
    if (step - back >= begin) return at(value, state.along, step - back);
    const before = at(scope.initial(state.id), documents.axis, field(step, StepField.document));
    if (taps === undefined) return before;
    return at(before, taps, scope.sizeOf(taps) + (step - begin) - back);
  };
}

/** The step that mirrors a step within its document. */
export function mirrored(steps: NodeId, scope: Scope): (step: number) => number {
  const field = rows(steps, scope);
  return (step) => field(step, StepField.begin) + field(step, StepField.last) - step;
}

/** A chunk's first step, and the one behind its last. */
export function chunkRanges(
  table: NodeId,
  scope: Scope,
): (chunk: number) => { readonly first: number; readonly end: number } {
  const field = rows(table, scope);
  return (chunk) => ({ first: field(chunk, ChunkField.first), end: field(chunk, ChunkField.end) });
}

/** Where a step lies in its document's chunks of `size` steps. */
export function chunkPlaces(
  table: NodeId,
  size: number,
  scope: Scope,
): (t: number) => { readonly chunk: number; readonly step: number } {
  const field = rows(table, scope);
  return (t) => ({ chunk: field(t, StepField.chunk), step: (t - field(t, StepField.begin)) % size });
}

/** What each document carries out: its last values, and of what it carried in as much as it has too few steps for. */
export function carriedByDocument(state: State, documents: Documents, scope: Scope): View {
  const span = rows(documents.spans, scope);
  const value = scope.view(state.equation.value);
  const before = scope.initial(state.id);
  const out = allocate(carriedAxes(state), state.scalar, scope.sizeOf);
  const taps = state.kind === "history" ? state.axes.at(-1) : undefined;
  const rest = state.axes.filter((axis) => axis !== taps);
  const slots = taps === undefined ? 1 : scope.sizeOf(taps);
  const slot = (view: View, k: number): View => (taps === undefined ? view : at(view, taps, k));
  for (let d = 0; d < scope.sizeOf(documents.axis); d++) {
    const [begin, end] = [span(d, SpanField.begin), span(d, SpanField.end)];
    for (let k = 0; k < slots; k++) {
      const step = end - slots + k;
      const source =
        step >= begin
          ? at(value, state.along, step)
          : slot(at(before, documents.axis, d), slots + step - begin);
      copier(rest, slot(at(out, documents.axis, d), k), source, scope.sizeOf)(0);
    }
  }
  return out;
}
