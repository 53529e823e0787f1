/** Time cut into chunks of a fixed number of steps, the last of which may end early. */
import { ChunkField, PACKED_INPUTS } from "../../../runtime/bundle-format.js";
import type { AxisId, Graph, Input } from "../../3-graph/types.js";

export interface Cut {
  readonly of: AxisId;
  readonly chunks: AxisId;
  readonly steps: AxisId;
  /** A copy of `steps`: the step that another one looks back at. */
  readonly earlier: AxisId;
  readonly length: number;
  /** In a packed program: each document is cut on its own, from its first step on. */
  readonly documents?: DocumentChunks;
  /** Where chunks are longer than a block: the steps of a chunk, cut once more. */
  readonly blocks?: Blocks;
}

/** What the runtime says of the chunks of documents. */
export interface DocumentChunks {
  /** Inputs: index[chunks, field] (`ChunkField`), and index[document, field] (`SpanField`) that counts chunks. */
  readonly chunks: Input;
  readonly spans: Input;
  /** One coordinate a document. */
  readonly axis: AxisId;
}

/** Blocks of steps within a chunk. */
export interface Blocks {
  readonly blocks: AxisId;
  readonly steps: AxisId;
  /** A copy of `steps`. */
  readonly earlier: AxisId;
  readonly length: number;
}

/**
 * Steps a block. Within one, decays between two steps are taken pair by pair; between blocks they are products of what has
 * decayed since a block began and until then.
 */
export const BLOCK = 16;

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

/** The graph with a copy of each axis, and what each axis' copy is. */
export function withCopies(
  graph: Graph,
  axes: Iterable<AxisId>,
): { readonly graph: Graph; readonly copies: ReadonlyMap<AxisId, AxisId> } {
  const all = new Map(graph.axes);
  const copies = new Map<AxisId, AxisId>();
  for (const axis of axes) {
    const copy = freeAxis(all, `${axis}'`);
    const { size, spans } = all.get(axis) ?? { size: 1, spans: [] };
    all.set(copy, { id: copy, size, role: "plain", spans });
    copies.set(axis, copy);
  }
  return { graph: { ...graph, axes: all }, copies };
}

function freeAxis(axes: Graph["axes"], base: string): AxisId {
  let id = base as AxisId;
  for (let k = 2; axes.has(id); k++) id = `${base}_${k}` as AxisId;
  return id;
}

type Free = (base: string) => AxisId;

/** The graph with the axes of a cut of `of` into chunks of `length` steps: of each document, if a run holds several. */
export function withCut(
  graph: Graph,
  of: AxisId,
  length: number,
): { readonly graph: Graph; readonly cut: Cut } {
  const free: Free = (base) => freeAxis(graph.axes, base);
  const whole = inChunks(graph, of, length, free);
  const documents = documentChunks(graph, whole.cut.chunks, free);
  if (documents === undefined) return whole;
  const { chunks, spans } = documents;
  const [, field] = chunks.axes;
  const axes = new Map(whole.graph.axes);
  if (field !== undefined)
    axes.set(field, { id: field, size: Object.keys(ChunkField).length, role: "plain", spans: [] });
  const inputs = [...graph.inputs, chunks, spans];
  return { graph: { ...whole.graph, axes, inputs }, cut: { ...whole.cut, documents } };
}

function documentChunks(graph: Graph, chunks: AxisId, free: Free): DocumentChunks | undefined {
  const spans = graph.inputs.find(({ name }) => name === PACKED_INPUTS.spans);
  const [axis] = spans?.axes ?? [];
  if (spans === undefined || axis === undefined) return undefined;
  return {
    chunks: {
      name: PACKED_INPUTS.chunks,
      scalar: "index",
      axes: [chunks, free("chunk_field")],
      spans: [],
    },
    spans: { ...spans, name: PACKED_INPUTS.chunkSpans },
    axis,
  };
}

function inChunks(
  graph: Graph,
  of: AxisId,
  length: number,
  free: Free,
): { readonly graph: Graph; readonly cut: Cut } {
  const [chunks, steps, earlier] = [free(`${of}_chunk`), free(`${of}_step`), free(`${of}_step'`)];
  const spans = graph.axes.get(of)?.spans ?? [];
  const size = { runtime: `${chunks}s_${length}` };
  // Chunks come before steps in canonical order, so that a chunk lies in one piece in memory.
  const axes = new Map(graph.axes)
    .set(chunks, { id: chunks, size, role: "time", cut: { of, part: "chunks", steps }, spans })
    .set(steps, { id: steps, size: length, role: "time", cut: { of, part: "steps" }, spans })
    .set(earlier, { id: earlier, size: length, role: "plain", spans });
  const cut = { of, chunks, steps, earlier, length };
  if (length <= BLOCK || length % BLOCK !== 0) return { graph: { ...graph, axes }, cut };
  const blocks = {
    blocks: free(`${of}_block`),
    steps: free(`${of}_block_step`),
    earlier: free(`${of}_block_step'`),
    length: BLOCK,
  };
  axes
    .set(blocks.blocks, {
      id: blocks.blocks,
      size: length / BLOCK,
      role: "time",
      cut: { of: steps, part: "chunks", steps: blocks.steps },
      spans,
    })
    .set(blocks.steps, {
      id: blocks.steps,
      size: BLOCK,
      role: "time",
      cut: { of: steps, part: "steps" },
      spans,
    })
    .set(blocks.earlier, { id: blocks.earlier, size: BLOCK, role: "plain", spans });
  return { graph: { ...graph, axes }, cut: { ...cut, blocks } };
}
