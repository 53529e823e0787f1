/** The size of every axis in one run: what the graph fixes, what the caller says, what inputs show. */
import type { AxisId, Graph } from "../3-graph/types.js";

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
    input.axes.forEach((axis, k) => {
      const size = graph.axes.get(axis)?.size;
      const shown = shape[k];
      if (typeof size !== "object" || shown === undefined) return;
      const known = numbers.get(size.runtime);
      if (known !== undefined && known !== shown)
        throw new Error(
          `interpret: input \`${input.name}\` says that \`${size.runtime}\` is ${shown}; it is ${known}`,
        );
      numbers.set(size.runtime, shown);
    });
  }
  const sizeOf = (axis: AxisId): number => {
    const size = graph.axes.get(axis)?.size;
    if (size === undefined) throw new Error(`interpret: no axis \`${axis}\``);
    if (typeof size === "number") return size;
    const known = numbers.get(size.runtime);
    if (known === undefined)
      throw new Error(`interpret: the size of \`${size.runtime}\` is in neither inputs nor sizes`);
    return known;
  };
  return { sizeOf, numbers };
}
