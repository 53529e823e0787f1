/** Parameters as a checkpoint holds them. */
import type { Graph, Param } from "./types.js";

/** One tensor of a checkpoint that a model reads. */
export interface CheckpointTensor {
  readonly name: string;
  /** Full checkpoint names, tried in order. */
  readonly sources: readonly string[];
  /** As stored; a complex parameter's ends in a dimension (re, im). */
  readonly shape: readonly number[];
  readonly param: Param;
}

/** The tensors that the graphs read, each once, sorted by name. */
export function checkpointTensors(...graphs: readonly Graph[]): readonly CheckpointTensor[] {
  const found = new Map<string, CheckpointTensor>();
  const known = new Set<string>();
  for (const param of graphs.flatMap((graph) => graph.params)) {
    if (param.derived === true || known.has(param.name)) continue;
    known.add(param.name);
    const stored = param.pieces?.shape ?? param.shape ?? param.layout.map(({ size }) => size);
    const shape = [...stored, ...(param.scalar === "c64" ? [2] : [])];
    for (const { name, sources } of param.pieces?.tensors ?? [param])
      found.set(name, { name, sources, shape, param });
  }
  return [...found.values()].sort((p, q) => (p.name < q.name ? -1 : 1));
}
