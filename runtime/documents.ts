/** Documents of any lengths, one after the other in time: cut into pieces, and where each lies in them. */
import { ChunkField, PACKED_INPUTS, SpanField, StepField } from "./bundle-format.js";

/** A run of steps of all documents together, and what the packed program is told of it. */
export interface DocumentPiece {
  /** Steps before it, and in it, of all documents together. */
  readonly begin: number;
  readonly count: number;
  /** What `PACKED_INPUTS` name, but for `wanted`. */
  readonly tables: ReadonlyMap<string, Uint32Array<ArrayBuffer>>;
  /** No document has more steps in the piece; a power of two, so that few sizes occur. */
  readonly longest: number;
  /** No more documents have steps in it; a power of two too. */
  readonly documents: number;
  /** Documents that end here, and their last step's place in the piece. */
  readonly ended: readonly { readonly document: number; readonly at: number }[];
  /** Documents with steps here, and how many. */
  readonly taken: readonly { readonly document: number; readonly steps: number }[];
}

/**
 * The pieces of at most `most` steps of documents of those lengths; a document may span several. `positions`: the steps that
 * each document has seen before. `chunk`: steps a chunk, if the program cuts documents.
 */
export function* documentPieces(
  lengths: readonly number[],
  positions: readonly number[],
  most: number,
  chunk?: number,
): Generator<DocumentPiece> {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let [document, done] = [0, 0];
  for (let begin = 0; begin < total;) {
    const count = Math.min(most, total - begin);
    const taken: Taken[] = [];
    const ended: { document: number; at: number }[] = [];
    for (let at = 0; at < count;) {
      const steps = Math.min((lengths[document] ?? 0) - done, count - at);
      if (steps > 0) taken.push({ document, steps, at, before: (positions[document] ?? 0) + done });
      at += steps;
      done += steps;
      if (done < (lengths[document] ?? 0)) continue;
      if (steps > 0) ended.push({ document, at: at - 1 });
      [document, done] = [document + 1, 0];
    }
    const longest = powerOfTwo(Math.max(...taken.map(({ steps }) => steps)));
    const documents = powerOfTwo(taken.length);
    const tables = tablesOf(taken, count, lengths.length, chunk);
    if (chunk !== undefined)
      tables.set(PACKED_INPUTS.chunks, chunksOf(taken, chunk, Math.floor(count / chunk) + documents));
    yield { begin, count, tables, longest, documents, ended, taken };
    begin += count;
  }
}

/** No less than n. */
const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

interface Taken {
  readonly document: number;
  readonly steps: number;
  /** Its first step's place in the piece. */
  readonly at: number;
  /** Steps that the document has seen before. */
  readonly before: number;
}

function tablesOf(
  taken: readonly Taken[],
  count: number,
  documents: number,
  chunk: number | undefined,
): Map<string, Uint32Array<ArrayBuffer>> {
  const width = Object.keys(StepField).length;
  const steps = new Uint32Array(count * width);
  const [spans, chunkSpans] = [new SpanTable(documents), new SpanTable(documents)];
  let chunks = 0;
  for (const { document, steps: length, at: begin, before } of taken) {
    spans.set(document, begin, length);
    for (let t = begin; t < begin + length; t++) {
      const row = t * width;
      steps[row + StepField.document] = document;
      steps[row + StepField.begin] = begin;
      steps[row + StepField.last] = begin + length - 1;
      steps[row + StepField.pos] = before + t - begin;
      if (chunk !== undefined) steps[row + StepField.chunk] = chunks + Math.floor((t - begin) / chunk);
    }
    if (chunk === undefined) continue;
    chunkSpans.set(document, chunks, Math.ceil(length / chunk));
    chunks += Math.ceil(length / chunk);
  }
  const tables = new Map<string, Uint32Array<ArrayBuffer>>([
    [PACKED_INPUTS.steps, steps],
    [PACKED_INPUTS.spans, spans.rows],
  ]);
  return chunk === undefined ? tables : tables.set(PACKED_INPUTS.chunkSpans, chunkSpans.rows);
}

class SpanTable {
  static readonly #width = Object.keys(SpanField).length;
  readonly rows: Uint32Array<ArrayBuffer>;

  constructor(documents: number) {
    this.rows = new Uint32Array(documents * SpanTable.#width);
  }

  set(document: number, begin: number, count: number): void {
    const row = document * SpanTable.#width;
    this.rows[row + SpanField.begin] = begin;
    this.rows[row + SpanField.end] = begin + count;
    this.rows[row + SpanField.last] = begin + count - 1;
  }
}

/** A row for each chunk, and empty ones up to `count`. */
function chunksOf(taken: readonly Taken[], chunk: number, count: number): Uint32Array<ArrayBuffer> {
  const width = Object.keys(ChunkField).length;
  const rows = new Uint32Array(count * width);
  let begin = 0;
  for (const { document, steps, at } of taken) {
    const end = begin + Math.ceil(steps / chunk);
    for (let c = begin; c < end; c++) {
      const first = at + (c - begin) * chunk;
      rows[c * width + ChunkField.document] = document;
      rows[c * width + ChunkField.begin] = begin;
      rows[c * width + ChunkField.last] = end - 1;
      rows[c * width + ChunkField.first] = first;
      rows[c * width + ChunkField.end] = Math.min(first + chunk, at + steps);
    }
    begin = end;
  }
  return rows;
}
