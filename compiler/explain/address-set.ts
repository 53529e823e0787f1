/** Sets of addresses as sorted runs: what a dispatch touches of a tensor is a few long runs, however many elements it has. */

/** Disjoint and not adjacent, in order: [start, end) at 2i and 2i + 1. */
export interface AddressSet {
  readonly runs: Float64Array;
}

/** More runs than this are not kept; `undefined` stands for such a set. */
export const MOST_RUNS = 2 ** 21;

export const EMPTY: AddressSet = { runs: new Float64Array(0) };

export function count({ runs }: AddressSet): number {
  let total = 0;
  for (let i = 0; i < runs.length; i += 2) total += (runs[i + 1] ?? 0) - (runs[i] ?? 0);
  return total;
}

/** The set of some whole numbers, in any order, as often as they come. */
export function ofValues(values: Float64Array): AddressSet {
  if (!isSorted(values)) values.sort();
  const runs = new RunList(16);
  for (const value of values) runs.push(value, value + 1);
  return runs.finish();
}

/** { a + b }: of the places of two independent groups of coordinates. Undefined if that is too many runs. */
export function sums(p: AddressSet, q: AddressSet): AddressSet | undefined {
  const [wide, narrow] = span(p) >= span(q) ? [p.runs, q.runs] : [q.runs, p.runs];
  const size = (wide.length / 2) * (narrow.length / 2);
  if (size > MOST_RUNS) return undefined;
  const starts = new RunList(size);
  const pairs: [number, number][] = [];
  let ordered = true;
  let last = -Infinity;
  for (let i = 0; i < wide.length; i += 2)
    for (let k = 0; k < narrow.length; k += 2) {
      const start = (wide[i] ?? 0) + (narrow[k] ?? 0);
      const end = (wide[i + 1] ?? 0) + (narrow[k + 1] ?? 0) - 1;
      if (ordered && start < last) {
        ordered = false;
        for (let r = 0; r < starts.length; r += 1) pairs.push(starts.at(r));
      }
      last = start;
      if (ordered) starts.push(start, end);
      else pairs.push([start, end]);
    }
  return ordered ? starts.finish() : ofRuns(pairs);
}

export function union(sets: readonly AddressSet[]): AddressSet {
  const [first, ...others] = sets;
  if (first === undefined) return EMPTY;
  return others.reduce(merge, first);
}

/** Those of the places start ≤ a < end, counted from `start`. */
export function within({ runs }: AddressSet, start: number, end: number): AddressSet {
  const kept = new RunList(16);
  for (let i = 0; i < runs.length; i += 2) {
    const [from, to] = [Math.max(runs[i] ?? 0, start), Math.min(runs[i + 1] ?? 0, end)];
    if (from < to) kept.push(from - start, to - start);
  }
  return kept.finish();
}

function merge({ runs: p }: AddressSet, { runs: q }: AddressSet): AddressSet {
  const merged = new RunList(Math.max(p.length, q.length));
  let [i, k] = [0, 0];
  while (i < p.length || k < q.length) {
    const fromP = k >= q.length || (i < p.length && (p[i] ?? 0) <= (q[k] ?? 0));
    if (fromP) {
      merged.push(p[i] ?? 0, p[i + 1] ?? 0);
      i += 2;
    } else {
      merged.push(q[k] ?? 0, q[k + 1] ?? 0);
      k += 2;
    }
  }
  return merged.finish();
}

function ofRuns(pairs: [number, number][]): AddressSet {
  pairs.sort(([a], [b]) => a - b);
  const runs = new RunList(pairs.length);
  for (const [start, end] of pairs) runs.push(start, end);
  return runs.finish();
}

const span = ({ runs }: AddressSet): number => (runs.at(-1) ?? 0) - (runs[0] ?? 0);

function isSorted(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) < (values[i - 1] ?? 0)) return false;
  return true;
}

/** Takes runs by their starts and joins those that touch or overlap. */
class RunList {
  private runs: Float64Array;
  private used = 0;

  constructor(expected: number) {
    this.runs = new Float64Array(2 * Math.min(Math.max(expected, 8), 2 ** 16));
  }

  get length(): number {
    return this.used / 2;
  }

  at(i: number): [number, number] {
    return [this.runs[2 * i] ?? 0, this.runs[2 * i + 1] ?? 0];
  }

  push(start: number, end: number): void {
    const { used } = this;
    const last = this.runs[used - 1] ?? -Infinity;
    if (used > 0 && start <= last) {
      if (end > last) this.runs[used - 1] = end;
      return;
    }
    if (used === this.runs.length) {
      const larger = new Float64Array(2 * used);
      larger.set(this.runs);
      this.runs = larger;
    }
    this.runs[used] = start;
    this.runs[used + 1] = end;
    this.used = used + 2;
  }

  finish(): AddressSet {
    return { runs: this.runs.slice(0, this.used) };
  }
}
