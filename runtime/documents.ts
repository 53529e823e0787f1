/** Documents of any lengths, one after the other in time: cut into pieces, and where each lies in them. */
import { PACKED_INPUTS, SpanField, StepField } from "./bundle-format.js";

/** A run of steps of all documents together, and what the packed program is told of it. */
export interface DocumentPiece {
  /** Steps before it, and in it, of all documents together. */
  readonly begin: number;
  readonly count: number;
  /** What `PACKED_INPUTS` name, but for `wanted`. */
  readonly tables: ReadonlyMap<string, Uint32Array<ArrayBuffer>>;
  /** No document has more steps in the piece; a power of two, so that few sizes occur. */
  readonly longest: number;
  /** Documents that end here, and their last step's place in the piece. */
  readonly ended: readonly { readonly document: number; readonly at: number }[];
  /** Documents with steps here, and how many. */
  readonly taken: readonly { readonly document: number; readonly steps: number }[];
}

/**
 * The pieces of at most `most` steps of documents of those lengths; a document may span several. `positions`: the steps that
 * each document has seen before.
 */
export function* documentPieces(
  lengths: readonly number[],
  positions: readonly number[],
  most: number,
): Generator<DocumentPiece> {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let [document, done] = [0, 0];
  for (let begin = 0; begin < total;) {
    const count = Math.min(most, total - begin);
    const taken: { document: number; steps: number; at: number; before: number }[] = [];
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
    const longest = Math.max(...taken.map(({ steps }) => steps));
    yield {
      begin,
      count,
      tables: tablesOf(taken, count, lengths.length),
      longest: 2 ** Math.ceil(Math.log2(longest)),
      ended,
      taken,
    };
    begin += count;
  }
}

function tablesOf(
  taken: readonly { document: number; steps: number; at: number; before: number }[],
  count: number,
  documents: number,
): DocumentPiece["tables"] {
  const [width, sides] = [Object.keys(StepField).length, Object.keys(SpanField).length];
  const steps = new Uint32Array(count * width);
  const spans = new Uint32Array(documents * sides);
  for (const { document, steps: length, at: begin, before } of taken) {
    const [end, last] = [begin + length, begin + length - 1];
    spans[document * sides + SpanField.begin] = begin;
    spans[document * sides + SpanField.end] = end;
    spans[document * sides + SpanField.last] = last;
    for (let t = begin; t < end; t++) {
      const row = t * width;
      steps[row + StepField.document] = document;
      steps[row + StepField.begin] = begin;
      steps[row + StepField.last] = last;
      steps[row + StepField.pos] = before + t - begin;
    }
  }
  return new Map([
    [PACKED_INPUTS.steps, steps],
    [PACKED_INPUTS.spans, spans],
  ]);
}
