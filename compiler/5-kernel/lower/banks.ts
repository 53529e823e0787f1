/**
 * Banks: a constant tensor that is larger than one binding of the target may be lies in several buffers, each of which
 * holds some of its rows. A row is a coordinate of the tensor's leading dimensions, as few as it takes for a row to fit.
 */
import type { Storage } from "../../../runtime/bundle-format.js";
import { bytesOfBank, bytesOfElement, bytesOfElements, elementsOfWord } from "./element-layout.js";

export interface Banks {
  /** How many dimensions of the layout a row is a coordinate of. */
  readonly leading: number;
  /** Elements of a row; a complex one counts once. */
  readonly row: number;
  /** The first row of each bank, and behind them the number of rows. */
  readonly starts: readonly number[];
}

/** Which of a tensor's banks this is, and its first element. */
export interface Bank {
  readonly index: number;
  readonly begin: number;
}

/** Banks of a multiple of so many rows are cut into whole tiles. */
const TILE = 64;

/**
 * The banks of a tensor; undefined for one that fits.
 * @param sizes its dimensions, major first. @param element what it is made of; a complex element is `parts` of them.
 */
export function planBanks(
  sizes: readonly number[],
  { element, parts }: { readonly element: Storage | "u32"; readonly parts: 1 | 2 },
  limit: number,
): Banks | undefined {
  const productOf = (dims: readonly number[]): number => dims.reduce((p, q) => p * q, 1);
  if (bytesOfElements(element, productOf(sizes) * parts) <= limit) return undefined;
  for (let leading = 1; leading <= sizes.length; leading++) {
    const row = productOf(sizes.slice(leading));
    const unit = (row * parts) % elementsOfWord(element) === 0 ? 1 : 2;
    const most = mostRows(row * parts, unit, element, limit);
    if (most === 0) continue;
    // Banks end where the dimensions before the last one step, so that each is a range of that one.
    const inner = sizes[leading - 1] ?? 1;
    const outer = productOf(sizes.slice(0, leading - 1));
    const rows = rowsOf(inner, most, unit);
    const within = Array.from({ length: Math.ceil(inner / rows) }, (_, k) => k * rows);
    const starts = Array.from({ length: outer }, (_, at) => within.map((start) => at * inner + start)).flat();
    return { leading, row, starts: [...starts, outer * inner] };
  }
  return undefined;
}

/** How many rows a bank can have, in units. */
function mostRows(row: number, unit: number, element: Storage | "u32", limit: number): number {
  let rows = Math.floor(limit / (row * unit * bytesOfElement(element))) * unit;
  while (rows > 0 && bytesOfBank(element, rows * row) > limit) rows -= unit;
  return rows;
}

/** Rows of a bank: as equal as they can be, in whole tiles if those fit. */
function rowsOf(rows: number, most: number, unit: number): number {
  const even = Math.ceil(rows / Math.ceil(rows / most));
  const tiled = Math.ceil(even / TILE) * TILE;
  return tiled <= most ? tiled : Math.min(most, Math.ceil(even / unit) * unit);
}
