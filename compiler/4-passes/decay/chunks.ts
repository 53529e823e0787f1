/** Time cut into chunks of a fixed number of steps, the last of which may end early. */
import type { AxisId, Graph } from "../../3-graph/types.js";

export interface Cut {
  readonly of: AxisId;
  readonly chunks: AxisId;
  readonly steps: AxisId;
  /** A copy of `steps`: the step that another one looks back at. */
  readonly earlier: AxisId;
  readonly length: number;
}

/** The cut whose chunks and steps are both among the axes, and the axes with what it cuts in their place. */
export function uncut(
  graph: Graph,
  axes: readonly AxisId[],
): (Pick<Cut, "of" | "chunks" | "steps"> & { readonly axes: readonly AxisId[] }) | undefined {
  for (const chunks of axes) {
    const cut = graph.axes.get(chunks)?.cut;
    if (cut?.part !== "chunks" || !axes.includes(cut.steps)) continue;
    const { of, steps } = cut;
    return {
      of,
      chunks,
      steps,
      axes: axes.filter((axis) => axis !== steps).map((axis) => (axis === chunks ? of : axis)),
    };
  }
  return undefined;
}

/** The graph with the axes of a cut of `of` into chunks of `length` steps. */
export function withCut(
  graph: Graph,
  of: AxisId,
  length: number,
): { readonly graph: Graph; readonly cut: Cut } {
  const free = (base: string): AxisId => {
    let id = base as AxisId;
    for (let k = 2; graph.axes.has(id); k++) id = `${base}_${k}` as AxisId;
    return id;
  };
  const [chunks, steps, earlier] = [free(`${of}_chunk`), free(`${of}_step`), free(`${of}_step'`)];
  const spans = graph.axes.get(of)?.spans ?? [];
  const size = { runtime: `${chunks}s_${length}` };
  // Chunks come before steps in canonical order, so that a chunk lies in one piece in memory.
  const axes = new Map(graph.axes)
    .set(chunks, { id: chunks, size, role: "time", cut: { of, part: "chunks", steps }, spans })
    .set(steps, { id: steps, size: length, role: "time", cut: { of, part: "steps" }, spans })
    .set(earlier, { id: earlier, size: length, role: "plain", spans });
  return { graph: { ...graph, axes }, cut: { of, chunks, steps, earlier, length } };
}
