/** What a run hands to the next: states, histories and how far time has come. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Graph, State } from "../3-graph/types.js";
import { carriedAxes, carriedByDocument, documentsOf } from "./documents.js";
import { copier } from "./nest.js";
import type { Scope } from "./run.js";
import { positionKey } from "./sizes.js";
import type { Tensor } from "./types.js";
import { shapeOf, toTensor } from "./values.js";
import { allocate, at } from "./view.js";

/** What the state holds after the last step, in the order that callers see; an angle in radians, with all its turns. */
export function carried(state: State, scope: Scope): Tensor {
  const { sizeOf } = scope;
  const { along, axes } = state;
  const scalar = state.scalar === "angle" ? "f32" : state.scalar;
  const documents = documentsOf(state);
  if (documents !== undefined) {
    const all = carriedAxes(state);
    return toTensor(carriedByDocument(state, documents, scope), all, scalar, sizeOf);
  }
  const steps = sizeOf(along);
  const value = scope.view(state.equation.value);
  const before = scope.initial(state.id);
  const shape = shapeOf(state, sizeOf);
  if (state.kind !== "history") {
    const last = steps === 0 ? before : at(value, along, steps - 1);
    return { ...toTensor(last, axes, scalar, sizeOf), shape };
  }

  // The last taps of what was carried in, followed by every x.
  const taps = axes.at(-1);
  if (taps === undefined) throw new InternalError("interpret", `history ${state.name} has no axes`);
  const count = sizeOf(taps);
  const lead = axes.slice(0, -1);
  const out = allocate(axes, scalar, sizeOf);
  for (let tap = 0; tap < count; tap++) {
    const step = steps - count + tap;
    const source = step >= 0 ? at(value, along, step) : at(before, taps, count + step);
    copier(lead, at(out, taps, tap), source, sizeOf)(0);
  }
  return { scalar, axes, shape, data: out.data };
}

/** Positions after the run: every run-time time axis moves by its size. */
export function advance(
  graph: Graph,
  positions: Readonly<Record<string, number>>,
  numbers: ReadonlyMap<string, number>,
): Readonly<Record<string, number>> {
  const moved = { ...positions };
  for (const { id, role, size, cut } of graph.axes.values()) {
    if (role !== "time" || cut !== undefined) continue;
    const key = positionKey(graph, id);
    const steps = typeof size === "number" ? size : numbers.get(size.runtime);
    if (steps !== undefined) moved[key] = (positions[key] ?? 0) + steps;
  }
  return moved;
}
