/**
 * Sets of addresses as sorted runs: what a dispatch touches of a tensor is a few long runs, however many elements it has.
 * Rows that are alike (a part of every row, along time) are one row and how often it comes, so that a set takes no more
 * for a long sequence than for a short one.
 */

/** More runs than this are not kept; `undefined` stands for such a set. */
export const MOST_RUNS = 2 ** 21;

export class AddressSet {
  /**
   * @param pattern disjoint and not adjacent, in order: [start, end) at 2i and 2i + 1.
   * @param period from one copy of the pattern to the next, which begins no earlier than this one ends.
   */
  constructor(
    readonly pattern: Float64Array,
    readonly period = 0,
    readonly times = 1,
  ) {}

  /** All runs, those of the copies one after the other. */
  get runs(): Float64Array {
    if (this.times === 1) return this.pattern;
    const runs = new RunList((this.pattern.length / 2) * this.times);
    for (let k = 0; k < this.times; k++)
      for (let i = 0; i < this.pattern.length; i += 2)
        runs.push((this.pattern[i] ?? 0) + k * this.period, (this.pattern[i + 1] ?? 0) + k * this.period);
    return runs.finish().pattern;
  }

  get runCount(): number {
    return (this.pattern.length / 2) * this.times;
  }

  get start(): number {
    return this.pattern[0] ?? 0;
  }

  get end(): number {
    return (this.pattern.at(-1) ?? 0) + (this.times - 1) * this.period;
  }
}

export const EMPTY = new AddressSet(new Float64Array(0));

export function count({ pattern, times }: AddressSet): number {
  let total = 0;
  for (let i = 0; i < pattern.length; i += 2) total += (pattern[i + 1] ?? 0) - (pattern[i] ?? 0);
  return total * times;
}

/** The set of some whole numbers, in any order, as often as they come. */
export function ofValues(values: Float64Array): AddressSet {
  if (!isSorted(values)) values.sort();
  const runs = new RunList(16);
  for (const value of values) runs.push(value, value + 1);
  return folded(runs.finish());
}

/** The same set: one run and how often it comes, if all are alike and as far apart. */
function folded(set: AddressSet): AddressSet {
  const { pattern: runs } = set;
  const [begin = 0, end = 0, next] = runs;
  if (next === undefined) return set;
  const period = next - begin;
  for (let i = 2; i < runs.length; i += 2) {
    const start = begin + (i / 2) * period;
    if (runs[i] !== start || runs[i + 1] !== start + end - begin) return set;
  }
  return new AddressSet(runs.slice(0, 2), period, runs.length / 2);
}

/** { a + k · stride: 0 ≤ k < times }. Undefined if that is too many runs. */
export function repeated(set: AddressSet, stride: number, times: number): AddressSet | undefined {
  if (times === 0 || set.pattern.length === 0) return EMPTY;
  if (times === 1 || stride === 0) return set;
  if (stride < 0) return repeated(shifted(set, stride * (times - 1)), -stride, times);
  const { pattern, period, times: own } = set;
  if (own === 1) {
    const extent = set.end - set.start;
    if (pattern.length === 2 && stride <= extent)
      return new AddressSet(Float64Array.of(set.start, set.end + stride * (times - 1)));
    if (stride >= extent) return new AddressSet(pattern, stride, times);
  }
  if (stride === own * period) return new AddressSet(pattern, period, own * times);
  const copies = new AddressSet(Float64Array.of(0, 1), stride, times);
  if (Math.max(set.runCount, times) > MOST_RUNS) return undefined;
  return sumsOfRuns(set.runs, copies.runs);
}

/** { a + b }: of the places of two independent groups of coordinates. Undefined if that is too many runs. */
export function sums(p: AddressSet, q: AddressSet): AddressSet | undefined {
  const base = sumsOfRuns(p.pattern, q.pattern);
  const [near, far] = p.period <= q.period ? [p, q] : [q, p];
  const rows = base && repeated(base, near.period, near.times);
  return rows && repeated(rows, far.period, far.times);
}

function sumsOfRuns(p: Float64Array, q: Float64Array): AddressSet | undefined {
  const [wide, narrow] = span(p) >= span(q) ? [p, q] : [q, p];
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

/** Undefined if that is too many runs. */
export function union(sets: readonly AddressSet[]): AddressSet | undefined {
  let all: AddressSet | undefined = EMPTY;
  for (const set of sets) all = all && unionOfTwo(all, set);
  return all;
}

function unionOfTwo(p: AddressSet, q: AddressSet): AddressSet | undefined {
  if (p.pattern.length === 0 || covers(q, p)) return q;
  if (q.pattern.length === 0 || covers(p, q)) return p;
  if (p.period === q.period && p.times === q.times) {
    const { pattern } = merge(p.pattern, q.pattern);
    const both = new AddressSet(pattern);
    if (p.times === 1) return both;
    if (both.end - both.start <= p.period) return repeated(both, p.period, p.times);
  }
  if (p.runCount + q.runCount > MOST_RUNS) return undefined;
  return merge(p.runs, q.runs);
}

/** Whether `p` is one run with all of `q` in it. */
const covers = (p: AddressSet, q: AddressSet): boolean =>
  p.runCount === 1 && p.start <= q.start && q.end <= p.end;

const shifted = ({ pattern, period, times }: AddressSet, by: number): AddressSet =>
  new AddressSet(
    pattern.map((place) => place + by),
    period,
    times,
  );

/** Those of the places start ≤ a < end, counted from `start`. Undefined if there were too many runs to go through. */
export function within(set: AddressSet, start: number, end: number): AddressSet | undefined {
  if (set.start >= start && set.end <= end) return start === 0 ? set : shifted(set, -start);
  if (set.runCount > MOST_RUNS) return undefined;
  const { runs } = set;
  const kept = new RunList(16);
  for (let i = 0; i < runs.length; i += 2) {
    const [from, to] = [Math.max(runs[i] ?? 0, start), Math.min(runs[i + 1] ?? 0, end)];
    if (from < to) kept.push(from - start, to - start);
  }
  return kept.finish();
}

function merge(p: Float64Array, q: Float64Array): AddressSet {
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

const span = (runs: Float64Array): number => (runs.at(-1) ?? 0) - (runs[0] ?? 0);

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
    return new AddressSet(this.runs.slice(0, this.used));
  }
}
