/** The size of every axis in one run: what the graph fixes, what the caller says, what inputs show. */
import type { AxisId, Dimension, Graph } from "../3-graph/types.js";

export interface Sizes {
  /** Throws for a run-time axis whose size nobody gave. */
  readonly sizeOf: (axis: AxisId) => number;
  /** Run-time sizes and numbers by name. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** Throws where an input contradicts `given` or another input. */
export function resolveSizes(
  graph: Graph,
  given: Readonly<Record<string, number>>,
  inputs: Readonly<Record<string, { readonly shape: readonly number[] }>>,
): Sizes {
  const numbers = new Map(Object.entries(given));
  for (const input of graph.inputs) {
    const shape = inputs[input.name]?.shape;
    if (shape === undefined) continue;
    dimensionsOf(input).forEach((axes, k) => {
      const shown = shape[k];
      const open = axes.flatMap((axis) => runtimeName(graph, axis) ?? []);
      const [name] = open;
      if (shown === undefined || name === undefined || open.length > 1) return;
      const fixed = axes.reduce((product, axis) => product * (fixedSize(graph, axis) ?? 1), 1);
      const known = numbers.get(name);
      if (known !== undefined && known * fixed !== shown)
        throw new Error(
          `interpret: input \`${input.name}\` says that \`${name}\` is ${shown / fixed}; it is ${known}`,
        );
      numbers.set(name, shown / fixed);
    });
  }
  const sizeOf = (axis: AxisId): number => {
    const size = graph.axes.get(axis)?.size;
    if (size === undefined) throw new Error(`interpret: no axis \`${axis}\``);
    if (typeof size === "number") return size;
    const cut = graph.axes.get(axis)?.cut;
    const known = numbers.get(size.runtime);
    if (known === undefined && cut?.part === "chunks") return Math.ceil(sizeOf(cut.of) / sizeOf(cut.steps));
    if (known === undefined)
      throw new Error(`interpret: the size of \`${size.runtime}\` is in neither inputs nor sizes`);
    return known;
  };
  return { sizeOf, numbers };
}

/** The axes of each dimension as callers see them: `d` of x[b, t, d] may stand for several. */
export function dimensionsOf(entry: {
  readonly axes: readonly AxisId[];
  readonly dimensions?: readonly Dimension[];
}): readonly (readonly AxisId[])[] {
  if (entry.dimensions === undefined) return entry.axes.map((axis) => [axis]);
  let next = 0;
  return entry.dimensions.map(({ primes }) => {
    next += primes;
    return entry.axes.slice(next - primes, next);
  });
}

/** Positions go by the axis's run-time size; in a program of fixed steps, by the axis itself. */
export function positionKey(graph: Graph, axis: AxisId): string {
  return runtimeName(graph, axis) ?? axis;
}

function runtimeName(graph: Graph, axis: AxisId): string | undefined {
  const size = graph.axes.get(axis)?.size;
  return typeof size === "object" ? size.runtime : undefined;
}

function fixedSize(graph: Graph, axis: AxisId): number | undefined {
  const size = graph.axes.get(axis)?.size;
  return typeof size === "number" ? size : undefined;
}
