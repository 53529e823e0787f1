/** Loop nests over named axes: strides are worked out once, so that a recurrence can run the same nest at every step. */
import type { AxisId } from "../3-graph/types.js";
import { strideOf, type SizeOf, type View } from "./view.js";

/**
 * The innermost loop: for each operand its first position in `data` and the stride from one element to the next.
 * The arrays are reused; a body must not keep them.
 */
export type Body = (positions: readonly number[], count: number, strides: readonly number[]) => void;

/** Runs the body over the whole index space, at one step of the axis that the nest steps along. */
export type Nest = (step: number, body: Body) => void;

interface Dimension {
  readonly size: number;
  /** One an operand. */
  readonly strides: readonly number[];
}

/**
 * A nest over `axes` (the last is innermost) with the given operands. If `along` is one of the axes, it is not looped
 * over: the caller gives its coordinate as `step`. Else `step` is without effect.
 */
export function nest(
  axes: readonly AxisId[],
  operands: readonly View[],
  sizeOf: SizeOf,
  along?: AxisId,
): Nest {
  const dimensions = merge(
    axes
      .filter((axis) => axis !== along)
      .map((axis) => ({ size: sizeOf(axis), strides: operands.map((view) => strideOf(view, axis)) })),
  );
  const stepped = along !== undefined && axes.includes(along);
  const stepStrides = operands.map((view) => (stepped ? strideOf(view, along) : 0));
  const starts = operands.map((view) => view.offset);
  const inner = dimensions.at(-1) ?? { size: 1, strides: operands.map(() => 0) };
  const outer = dimensions.slice(0, -1);
  const rows = outer.reduce((product, { size }) => product * size, 1);
  const positions = starts.map(() => 0);
  const counters = outer.map(() => 0);

  return (step, body) => {
    if (inner.size === 0) return;
    for (let k = 0; k < positions.length; k++) positions[k] = (starts[k] ?? 0) + step * (stepStrides[k] ?? 0);
    for (let row = 0; row < rows; row++) {
      body(positions, inner.size, inner.strides);
      advance(outer, counters, positions);
    }
  };
}

/** Moves to the next row, as an odometer does; after the last row it stands at the first again. */
function advance(outer: readonly Dimension[], counters: number[], positions: number[]): void {
  for (let d = outer.length - 1; d >= 0; d--) {
    const dimension = outer[d];
    if (dimension === undefined) return;
    const next = (counters[d] ?? 0) + 1;
    const wraps = next === dimension.size;
    counters[d] = wraps ? 0 : next;
    const moved = wraps ? 1 - dimension.size : 1;
    for (let k = 0; k < positions.length; k++)
      positions[k] = (positions[k] ?? 0) + moved * (dimension.strides[k] ?? 0);
    if (!wraps) return;
  }
}

/** Drops dimensions of size one and joins neighbours that every operand walks evenly, so that inner loops are long. */
function merge(dimensions: readonly Dimension[]): readonly Dimension[] {
  const merged: Dimension[] = [];
  for (const dimension of dimensions) {
    if (dimension.size === 1) continue;
    const before = merged.at(-1);
    const even = before?.strides.every((s, k) => s === dimension.size * (dimension.strides[k] ?? 0));
    if (before !== undefined && even === true)
      merged[merged.length - 1] = { size: before.size * dimension.size, strides: dimension.strides };
    else merged.push(dimension);
  }
  return merged;
}

/** Copies `source`, broadcast, into `target`; `axes` are the target's. */
export function copier(
  axes: readonly AxisId[],
  target: View,
  source: View,
  sizeOf: SizeOf,
  along?: AxisId,
): (step: number) => void {
  const loops = nest(axes, [target, source], sizeOf, along);
  const out = target.data;
  const x = source.data;
  const complex = target.complex;
  const both = complex && source.complex;
  const body: Body = (positions, count, strides) => {
    let [o = 0, i = 0] = positions;
    const [so = 0, si = 0] = strides;
    for (let n = 0; n < count; n++, o += so, i += si) {
      out[o] = x[i] ?? 0;
      if (complex) out[o + 1] = both ? (x[i + 1] ?? 0) : 0;
    }
  };
  return (step) => {
    loops(step, body);
  };
}
