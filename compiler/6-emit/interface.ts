/** Shapes as callers see them: products of axes are one dimension, as the source declares them. */
import type { AxisId, Dimension, Graph } from "../3-graph/types.js";
import { axisSize, product } from "../5-kernel/lower/buffers.js";
import type { AxisEntry } from "../../runtime/bundle-format.js";

export interface Shaped {
  readonly axes: readonly AxisId[];
  readonly dimensions?: readonly Dimension[];
}

export function axisEntries(graph: Graph, { axes, dimensions }: Shaped): readonly AxisEntry[] {
  const each = dimensions ?? axes.map((name): Dimension => ({ name, primes: 1 }));
  let next = 0;
  return each.map(({ name, primes }) => {
    const covered = axes.slice(next, next + primes);
    next += primes;
    return { name, size: product(covered.map((axis) => axisSize(graph, axis))) };
  });
}
