/** The state arena: every carried value of a session in one buffer, each at an offset that any binding may start at. */
import { PARTS_AXIS, type AxisEntry, type Dim, type StateEntry } from "../../runtime/bundle-format.js";
import { InternalError } from "../diagnostics/internal-error.js";
import { axisSize, isPair, product } from "../5-kernel/lower/buffers.js";
import { clampToFinite } from "../5-kernel/print-block.js";
import { axisEntries } from "./interface.js";
import type { Graph, State } from "../3-graph/types.js";

/** WebGPU's default minStorageBufferOffsetAlignment: valid on every device. */
export const ALIGNMENT = 256;

export interface StatePlan {
  readonly bytes: Dim;
  readonly places: ReadonlyMap<string, { readonly offset: Dim; readonly bytes: Dim }>;
}

/** Sequences' sizes are padded, and not the states', so that an offset is one product of the batch. */
export function planStates(graph: Graph): StatePlan {
  const places = new Map<string, { offset: Dim; bytes: Dim }>();
  const used = new Map<string, { runtime: readonly Dim[]; bytes: number }>();
  for (const state of graph.states) {
    const sizes = state.axes.map((axis) => axisSize(graph, axis));
    const runtime = sizes.filter((size) => typeof size !== "number");
    const each = sizes.reduce<number>(
      (p, size) => (typeof size === "number" ? p * size : p),
      isPair(state.scalar) ? 8 : 4,
    );
    const key = JSON.stringify(runtime);
    const region = used.get(key) ?? { runtime, bytes: 0 };
    places.set(state.name, { offset: regionOffset(region), bytes: product([...runtime, each]) });
    used.set(key, { runtime, bytes: region.bytes + Math.ceil(each / ALIGNMENT) * ALIGNMENT });
  }
  const regions = [...used.values()];
  let start: Dim = 0;
  const starts = new Map<string, Dim>();
  for (const region of regions) {
    starts.set(JSON.stringify(region.runtime), start);
    const size = product([...region.runtime, region.bytes]);
    start = start === 0 ? size : ["+", start, size];
  }
  for (const state of graph.states) {
    const runtime = state.axes
      .map((axis) => axisSize(graph, axis))
      .filter((size) => typeof size !== "number");
    const before = starts.get(JSON.stringify(runtime)) ?? 0;
    const place = places.get(state.name);
    if (place !== undefined && before !== 0)
      place.offset = place.offset === 0 ? before : ["+", before, place.offset];
  }
  return { bytes: start, places };

  function regionOffset(region: { readonly runtime: readonly Dim[]; readonly bytes: number }): Dim {
    return region.bytes === 0 ? 0 : product([...region.runtime, region.bytes]);
  }
}

/** The axis of what an element is made of. */
const PARTS: Readonly<Record<State["scalar"], readonly AxisEntry[]>> = {
  f32: [],
  c64: [{ name: PARTS_AXIS.complex, size: 2 }],
  angle: [{ name: PARTS_AXIS.angle, size: 2 }],
};

/** The axes of a state as callers have it: angles are numbers to them. */
export const callersAxes = ({ axes }: StateEntry): readonly AxisEntry[] =>
  axes.filter(({ name }) => name !== PARTS_AXIS.angle);

export function stateEntry(graph: Graph, state: State): StateEntry {
  if (state.kind === "local") throw new InternalError("emit", `nothing carries the state ${state.name}`);
  const axes = axisEntries(graph, state);
  const parts = PARTS[state.scalar];
  // JSON has no infinities; the shaders' are these too.
  const init = clampToFinite(state.init, "f32");
  return { name: state.name, kind: state.kind, axes: [...axes, ...parts], init };
}
