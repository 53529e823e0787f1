/**
 * The number of edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`:
 * Damerau–Levenshtein in its restricted form, where no part is edited twice.
 */
export function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let twoAbove = new Uint32Array(width);
  let above = Uint32Array.from({ length: width }, (_, column) => column);
  let current = new Uint32Array(width);
  const at = (row: Uint32Array, column: number): number => row[column] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    current[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replace = at(above, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(at(above, j) + 1, at(current, j - 1) + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, at(twoAbove, j - 2) + 1);
      }
      current[j] = best;
    }
    [twoAbove, above, current] = [above, current, twoAbove];
  }
  return at(above, b.length);
}

/** Edit distance takes time as the square of the length; nobody misspells a name this long. */
const LONGEST_NAME = 64;

/**
 * The candidate that `name` is most likely a misspelling of, if there is one: at most a third of its
 * letters differ (one, in short names). Case alone counts half. Among equals, the first.
 */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 0.5;
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) > limit) continue;
    const distance =
      candidate.toLowerCase() === name.toLowerCase()
        ? 0.5
        : name.length === 1
          ? Infinity // any other single letter is one edit away
          : editDistance(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
