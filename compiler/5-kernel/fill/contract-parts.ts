/** What the ways to print a product share. */
import { binary, code, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter, scalarValue } from "../print-block.js";
import { walk } from "../traverse.js";
import type { ContractKernel, Expr } from "../types.js";
import { exprsOf, mapStore, printStores } from "./printed.js";

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

/** Along what an operand is read: neighbours along k, or along its rows (columns), are neighbours in memory. */
export const readingOrder = (
  of: "row" | "col",
  value: Expr,
  context: ModuleContext,
  k = "k",
): "depth" | "side" =>
  contiguousAlong(value, k, context) || !contiguousAlong(value, of, context) ? "depth" : "side";

/** Whether neighbouring values of the var are neighbours in memory, in every load that reads along it. */
function contiguousAlong(value: Expr, name: string, context: ModuleContext): boolean {
  let found = false;
  walk([value], (expr) => {
    if (expr.kind === "load" && context.builder.strideOf(expr.index, name) === 1) found = true;
  });
  return found;
}

/** Evaluates and stores one element of vars batch, row, col and acc, where tiles of these sizes have it. */
export function finishElement(
  kernel: ContractKernel,
  tile: { readonly rows: number; readonly cols: number },
  rebuild: (expr: Expr) => Expr,
  context: ModuleContext,
): Code {
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const constant = BlockPrinter.root(context, new Map(), []);
  const printer = BlockPrinter.root(
    context,
    new Map(["batch", "row", "col", "acc"].map((each) => [each, scalarValue(variable(each))])),
    exprsOf(stores),
  );
  const inside = (of: Wgsl<"u32">, extent: ContractKernel["rows"], size: number): Wgsl<"bool"> | undefined =>
    isWhole(extent, size) ? undefined : wgsl<"bool">`${of} < ${constant.u32(context.builder.dim(extent))}`;
  return guarded(printStores(context, printer, stores), [
    inside(variable("row"), kernel.rows, tile.rows),
    inside(variable("col"), kernel.cols, tile.cols),
  ]);
}

export function guarded(body: Code, conditions: readonly (Wgsl<"bool"> | undefined)[]): Code {
  const [first, second] = conditions.filter((each) => each !== undefined);
  if (first === undefined) return body;
  const condition = second === undefined ? first : binary<"bool">(first, "&&", second);
  return code`
    if (${condition}) {
      ${body}
    }
  `;
}
