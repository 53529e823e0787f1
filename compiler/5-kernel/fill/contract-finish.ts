/** What becomes of a product's sums: stores of one element, or of four neighbouring columns in several rows at once. */
import { storeElement, storeWord, type BindingDeclaration } from "../../../templates/accessors.js";
import type { FinishFours } from "../../../templates/kernels/contract-matrix.js";
import {
  binary,
  code,
  component,
  join,
  variable,
  wgsl,
  type Code,
  type Wgsl,
} from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { freeVars } from "../traverse.js";
import type { ContractKernel, Expr, Store } from "../types.js";
import { isWhole } from "./contract-parts.js";
import { exprsOf, isTrue, mapStore, printStores } from "./printed.js";
import { printFours } from "./word-stores.js";

interface Tile {
  readonly rows: number;
  readonly cols: number;
}

/** Evaluates and stores one element of vars batch, row, col and acc, where tiles of these sizes have it. */
export function finishElement(
  kernel: ContractKernel,
  tile: Tile,
  rebuild: (expr: Expr) => Expr,
  context: ModuleContext,
): Code {
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const printer = BlockPrinter.root(
    context,
    new Map(["batch", "row", "col", "acc"].map((each) => [each, scalarValue(variable(each))])),
    exprsOf(stores),
  );
  return guarded(printStores(context, printer, stores), [
    inside(variable("row"), kernel.rows, tile.rows, context),
    inside(variable("col"), kernel.cols, tile.cols, context),
  ]);
}

/** The same of four columns, of which what is written of 16 bits takes words. */
export function finishWords(
  kernel: ContractKernel,
  tile: Tile,
  rebuild: (expr: Expr) => Expr,
  context: ModuleContext,
): Code {
  const at = { row: variable<"u32">("row"), col: variable<"u32">("col"), acc: variable<"vec4f">("acc") };
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  return guarded(printFourColumns(stores, at, new Map(), context), [
    inside(at.row, kernel.rows, tile.rows, context),
    inside(at.col, kernel.cols, tile.cols, context),
  ]);
}

/** Stores of four columns of a row, from `col` on, with their sums and what else is known of the row. */
export function printFourColumns(
  stores: readonly Store[],
  { row, col, acc }: { readonly row: Wgsl<"u32">; readonly col: Wgsl<"u32">; readonly acc: Wgsl<"vec4f"> },
  known: ReadonlyMap<string, Value>,
  context: ModuleContext,
): Code {
  const four = variable<"vec4u">(context.names.take("cols"));
  const environment = new Map<string, Value>([
    ...known,
    ["batch", scalarValue(variable("batch"))],
    ["row", scalarValue(row)],
    ["col", { ...vectorValue(four), first: col }],
    ["acc", vectorValue(acc)],
  ]);
  const printer = BlockPrinter.root(context, environment, exprsOf(stores));
  return join([
    code`let ${four} = ${col} + vec4u(0u, 1u, 2u, 3u);`,
    printFours(context, printer, stores, "col"),
  ]);
}

/** Whether four columns from a multiple of four are one word of every binding that is written, and written or not as one. */
export const storesFours = (
  { cols }: ContractKernel,
  stores: readonly Store[],
  context: ModuleContext,
): boolean =>
  isWhole(cols, 4) &&
  stores.every(
    (store) =>
      store.value.type === "f32" &&
      isFloat(context.binding(store.binding).element) &&
      context.builder.isStrideOne(store.index, "col", 4) &&
      (store.when === undefined || !freeVars(store.when).has("col")),
  );

const isFloat = (element: BindingDeclaration["element"]): boolean => ["f32", "f16", "bf16"].includes(element);

/** Evaluates four columns of several rows, and only then stores any: what is read for them comes at one time. */
export function finishFours(
  kernel: ContractKernel,
  tile: Tile,
  stores: readonly Store[],
  context: ModuleContext,
): FinishFours {
  return ({ rows, col, cols, sums }) => {
    const batch = new Map([["batch", scalarValue(variable("batch"))]]);
    const root = BlockPrinter.root(context, batch, exprsOf(stores));
    const four = root.nested(new Map([["col", { ...vectorValue(cols), first: col }]]));
    const conditions = [inside(col, kernel.cols, tile.cols, context)];
    const conditional = rows.map((row) => {
      const printer = root.nested(new Map([["row", scalarValue(row)]]));
      conditions.push(inside(row, kernel.rows, tile.rows, context));
      for (const { when } of stores)
        if (when !== undefined && !isTrue(when)) conditions.push(printer.bool(when));
      return printer;
    });
    const before = join([root.flush(), ...conditional.map((printer) => printer.flush())]);
    const pieces = rows.map((row, i) => {
      const acc = sums[i];
      if (acc === undefined) throw new InternalError("print-wgsl", "a sum for each row");
      const printer = four.nested(
        new Map([
          ["row", scalarValue(row)],
          ["acc", vectorValue(acc)],
        ]),
      );
      const writes = stores.map(({ binding, index, value }) => {
        const stored = printer.bindVector(value, "stored") as Wgsl<"vec4f">;
        const to = context.binding(binding);
        if (to.wide === true) return storeWord(to, printer.first(index), stored);
        const at = printer.first(index);
        return join(
          ([0, 1, 2, 3] as const).map((i) =>
            storeElement(to, wgsl<"u32">`${at} + ${i}u`, component<"f32">(stored, i)),
          ),
        );
      });
      return { evaluate: printer.flush(), write: join(writes) };
    });
    return {
      before,
      exists: conditions
        .filter((each) => each !== undefined)
        .reduce<Wgsl<"bool"> | undefined>(
          (all, each) => (all === undefined ? each : binary<"bool">(all, "&&", each)),
          undefined,
        ),
      body: join([
        root.flush(),
        four.flush(),
        ...pieces.map(({ evaluate }) => evaluate),
        ...pieces.map(({ write }) => write),
      ]),
    };
  };
}

function inside(
  of: Wgsl<"u32">,
  extent: ContractKernel["rows"],
  size: number,
  context: ModuleContext,
): Wgsl<"bool"> | undefined {
  if (isWhole(extent, size)) return undefined;
  const end = BlockPrinter.root(context, new Map(), []).u32(context.builder.dim(extent));
  return wgsl<"bool">`${of} < ${end}`;
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
