/** What the ways to print a product share. */
import { groupAlongY } from "../../../templates/kernels/entry.js";
import { code, nothing, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue } from "../print-scope.js";
import { children, walk } from "../traverse.js";
import type { ContractKernel, Expr } from "../types.js";
import { isZeroPastRow } from "../zero-past-row.js";
import { ceilDiv, foldGroups, productOf, type Filled } from "./printed.js";

/** Brings the holes' expressions into the shader's builder, which knows how far their vars go. */
export function rebuilder(kernel: ContractKernel, context: ModuleContext): (expr: Expr) => Expr {
  const { builder } = context;
  builder.variable("batch", "u32", kernel.batch);
  builder.variable("row", "u32", kernel.rows);
  builder.variable("col", "u32", kernel.cols);
  builder.variable("k", "u32", kernel.depth);
  const made = new Map<Expr, Expr>();
  return (expr) => builder.substitute(expr, new Map(), made);
}

export const isWhole = (extent: ContractKernel["rows"], tile: number): boolean =>
  typeof extent === "number" && extent % tile === 0;

/** Whether an index goes from one value of the var to the next, and not from some of them to the next some: by their quotient. */
const varies = (index: Expr, name: string): boolean =>
  index.kind === "op" && index.op === "div"
    ? false
    : (index.kind === "var" && index.name === name) || children(index).some((part) => varies(part, name));

/**
 * Along what an operand is read: neighbours along k, or along its rows (columns), are neighbours in memory. What all rows share
 * is little, and decides only where nothing else lies either way.
 */
export function readingOrder(
  of: "row" | "col",
  value: Expr,
  context: ModuleContext,
  k = "k",
): "depth" | "side" {
  const found = { own: new Set<string>(), any: new Set<string>() };
  walk([value], (expr) => {
    if (expr.kind !== "load") return;
    const isOwn = varies(expr.index, k) && varies(expr.index, of);
    for (const name of [k, of]) {
      if (context.builder.strideOf(expr.index, name) !== 1) continue;
      found.any.add(name);
      if (isOwn) found.own.add(name);
    }
  });
  const contiguous = found.own.size > 0 ? found.own : found.any;
  return contiguous.has(k) || !contiguous.has(of) ? "depth" : "side";
}

/**
 * Which tile a workgroup has: columns along x; rows, then batch, along y and on along z. Nothing bounds how many there are: a
 * batch may be heads × chunks × sequences.
 */
export function placeTiles(
  kernel: ContractKernel,
  tile: { readonly rows: number; readonly cols: number },
  context: ModuleContext,
): { readonly place: Code; readonly dispatch: Filled["dispatch"] } {
  const { builder } = context;
  const tiles = ceilDiv(kernel.rows, tile.rows);
  const groups = productOf([kernel.batch, tiles]);
  const { dispatch, folded, exact } = foldGroups(groups);
  const [batch, rowTile] = builder.unflatten(builder.variable("tile", "u32", groups), [kernel.batch, tiles]);
  if (batch === undefined || rowTile === undefined) throw new InternalError("print-wgsl", "two coordinates");
  const constant = BlockPrinter.root(context, new Map(), []);
  const printer = BlockPrinter.root(context, new Map([["tile", scalarValue(variable("tile"))]]), [
    batch,
    rowTile,
  ]);
  const [batchAt, rowTileAt] = [printer.u32(batch), printer.u32(rowTile)];
  const place = code`
    let tile = ${groupAlongY(folded)};
    ${exact ? nothing : code`if (tile >= ${constant.u32(builder.dim(groups))}) { return; }`}
    ${printer.flush()}
    let batch = ${batchAt};
    let row_tile = ${rowTileAt};
  `;
  return { place, dispatch: [ceilDiv(kernel.cols, tile.cols), ...dispatch] };
}

/** How far a workgroup's tiles go along k: where the operand is zero past its row, no further than the tile's last row. */
export function depthOf(
  extent: Wgsl<"u32">,
  a: Expr,
  k: string,
  { rows }: ContractKernel,
  tileRows: number,
): Wgsl<"u32"> {
  const isOne = typeof rows === "number" && rows <= tileRows;
  if (isOne || !isZeroPastRow(a, k, "row")) return extent;
  return wgsl<"u32">`min(${extent}, (row_tile + 1u) * ${tileRows}u)`;
}
