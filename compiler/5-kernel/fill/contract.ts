import { InternalError } from "../../diagnostics/internal-error.js";
import { contractRows, type Along } from "../../../templates/kernels/contract-rows.js";
import {
  contractTiled,
  invocationsOf,
  tiledBytes,
  type Fetch,
} from "../../../templates/kernels/contract-tiled.js";
import { binary, code, join, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter, scalarValue, vectorValue, type Value } from "../print-block.js";
import { walk } from "../traverse.js";
import type { ContractKernel, Expr, RowsSchedule, TiledSchedule } from "../types.js";
import { ceilDiv, dispatchOf, exprsOf, mapStore, printStores, productOf, type Filled } from "./printed.js";

export function fillContract(kernel: ContractKernel, context: ModuleContext): Filled {
  const { schedule } = kernel;
  return schedule.kind === "tiled"
    ? fillTiled(kernel, schedule, context)
    : fillRows(kernel, schedule, context);
}

function fillTiled(kernel: ContractKernel, shape: TiledSchedule, context: ModuleContext): Filled {
  const { builder } = context;
  if (kernel.along.length > 0)
    throw new InternalError("print-wgsl", `${kernel.name}: a tiled contraction sums nothing alongside`);
  const rebuild = rebuilder(kernel, context);
  const [a, b] = [rebuild(kernel.a), rebuild(kernel.b)];
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const constant = BlockPrinter.root(context, new Map(), []);
  const finishPrinter = BlockPrinter.root(
    context,
    new Map(["batch", "row", "col", "acc"].map((each) => [each, scalarValue(variable(each))])),
    exprsOf(stores),
  );
  const finish = guarded(printStores(context, finishPrinter, stores), [
    isWhole(kernel.rows, shape.tileRows)
      ? undefined
      : wgsl<"bool">`row < ${constant.u32(builder.dim(kernel.rows))}`,
    isWhole(kernel.cols, shape.tileCols)
      ? undefined
      : wgsl<"bool">`col < ${constant.u32(builder.dim(kernel.cols))}`,
  ]);
  const fetch = (of: "row" | "col", value: Expr): Fetch => fetchOf(of, value, kernel, shape, context);
  const body = contractTiled({
    shape,
    depth: constant.u32(builder.dim(kernel.depth)),
    a: fetch("row", a),
    b: fetch("col", b),
    finish,
  });
  return {
    body,
    workgroup: invocationsOf(shape),
    workgroupBytes: tiledBytes(shape),
    dispatch: [ceilDiv(kernel.cols, shape.tileCols), ceilDiv(kernel.rows, shape.tileRows), kernel.batch],
  };
}

/** Four rows (columns) at once. Past the edge the last one is read again, and past the end of k there is zero. */
function fetchOf(
  of: "row" | "col",
  value: Expr,
  kernel: ContractKernel,
  shape: TiledSchedule,
  context: ModuleContext,
): Fetch {
  const { builder } = context;
  const extent = of === "row" ? kernel.rows : kernel.cols;
  const whole = isWhole(extent, of === "row" ? shape.tileRows : shape.tileCols);
  const constant = BlockPrinter.root(context, new Map(), []);
  const depth = constant.u32(builder.dim(kernel.depth));
  const base = new Map<string, Value>([["batch", scalarValue(variable("batch"))]]);
  const outers = new Map<
    number,
    { printer: BlockPrinter; inner: BlockPrinter; four: Wgsl<"vec4f">; k: Wgsl<"u32"> }
  >();
  const prepare = (
    i: number,
    first: Wgsl<"u32">,
  ): { readonly binding: Code; readonly printer: BlockPrinter } => {
    const fours = variable<"vec4u">(context.names.take(`${of}s_${i}`));
    const indexes = wgsl<"vec4u">`${first} + vec4u(0u, 1u, 2u, 3u)`;
    const last = constant.u32(builder.sub(builder.dim(extent), 1));
    const clamped = whole ? indexes : wgsl<"vec4u">`min(${indexes}, vec4u(${last}))`;
    const printer = BlockPrinter.root(context, new Map([...base, [of, vectorValue(fours)]]), [value]);
    const k = variable<"u32">(context.names.take(`k_${i}`));
    const inner = printer.nested(new Map([["k", scalarValue(k)]]));
    outers.set(i, { printer, inner, four: inner.vec4f(value), k });
    return { binding: code`let ${fours} = ${clamped};`, printer };
  };
  return {
    along: contiguousAlong(value, "k", context) || !contiguousAlong(value, of, context) ? "depth" : "side",
    outside: (i, first) => {
      const { binding, printer } = prepare(i, first);
      return join([binding, printer.flush()]);
    },
    value: (i, at) => {
      const prepared = outers.get(i);
      if (prepared === undefined)
        throw new InternalError("print-wgsl", "a piece is fetched before its rows are known");
      const { inner, four, k } = prepared;
      const wholeDepth = isWhole(kernel.depth, shape.tileDepth);
      const clamped = wholeDepth ? at : wgsl<"u32">`min(${at}, ${depth} - 1u)`;
      const kept = wholeDepth ? four : wgsl<"vec4f">`select(vec4f(0.0), ${four}, ${at} < ${depth})`;
      return { statements: join([code`let ${k} = ${clamped};`, inner.flush()]), value: kept };
    },
  };
}

function fillRows(kernel: ContractKernel, schedule: RowsSchedule, context: ModuleContext): Filled {
  const { builder } = context;
  const { lanes, cols: columns } = schedule;
  const rebuild = rebuilder(kernel, context);
  const sums = [
    { name: "acc", body: builder.op("mul", rebuild(kernel.a), rebuild(kernel.b)) },
    ...kernel.along.map((each) => ({ name: each.name, body: rebuild(each.body) })),
  ];
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const groupsAcross = ceilDiv(kernel.cols, columns);
  const groups = productOf([kernel.batch, kernel.rows, groupsAcross]);
  const { dispatch, folded, exact } = dispatchOf(groups);
  const element = builder.variable("element", "u32", groups);
  const [batch, row, across] = builder.unflatten(element, [kernel.batch, kernel.rows, groupsAcross]);
  if (batch === undefined || row === undefined || across === undefined)
    throw new InternalError("print-wgsl", "three coordinates");

  const [k, four, first] = [variable<"u32">("k"), variable<"vec4u">("k_four"), variable<"u32">("k_first")];
  const wholeColumns = isWhole(kernel.cols, columns);
  const colExpr = builder.add(builder.mul(across, columns), builder.variable("column", "u32", columns));
  const atEdge = wholeColumns
    ? colExpr
    : builder.op("min", colExpr, builder.sub(builder.dim(kernel.cols), 1));
  const coordinates = BlockPrinter.root(
    context,
    new Map([
      ["element", scalarValue(variable("element"))],
      ["column", scalarValue(variable("column"))],
    ]),
    [batch, row, atEdge, colExpr],
  );
  const bindings = code`
    let batch = ${coordinates.u32(batch)};
    let row = ${coordinates.u32(row)};
    let col = ${coordinates.u32(atEdge)};
  `;
  const column = coordinates.u32(colExpr);
  const environment = new Map(["batch", "row", "col"].map((each) => [each, scalarValue(variable(each))]));
  const named = sums.map((sum) => ({
    ...sum,
    wgsl: variable<"f32">(sum.name === "acc" ? "acc" : context.names.take(sum.name)),
  }));
  for (const sum of named) environment.set(sum.name, scalarValue(sum.wgsl));
  const root = BlockPrinter.root(context, environment, [...sums.map((sum) => sum.body), ...exprsOf(stores)]);
  const inRow = sums.some((sum) => readsPacked(sum.body, context));
  const foursPrinter = root.nested(
    new Map([["k", { wgsl: four, width: 4, ...(inRow ? { first } : {}) } as Value]]),
  );
  const onesPrinter = root.nested(new Map([["k", scalarValue(k)]]));
  const alongs = named.map((sum): Along => ({
    name: sum.wgsl,
    four: foursPrinter.vec4f(sum.body),
    one: onesPrinter.f32(sum.body),
  }));
  const storePrinter = root.branch();
  const storeCode = printStores(context, storePrinter, stores);
  const constant = BlockPrinter.root(context, new Map(), []);
  const depth = builder.dim(kernel.depth);
  const foursEnd = builder.mul(builder.div(depth, 4 * lanes), 4 * lanes);
  const none = foursEnd.kind === "literal" && foursEnd.value === 0;
  const body = contractRows({
    lanes,
    columns,
    folded,
    count: exact ? undefined : constant.u32(builder.dim(groups)),
    outside: join([coordinates.flush(), bindings, root.flush()]),
    fours: none ? undefined : { k: four, first, inside: foursPrinter.flush(), end: constant.u32(foursEnd) },
    inRow,
    ones: foursEnd === depth ? undefined : { k, inside: onesPrinter.flush(), end: constant.u32(depth) },
    sums: alongs,
    stores: storeCode,
    columnExists: wholeColumns
      ? undefined
      : wgsl<"bool">`${column} < ${constant.u32(builder.dim(kernel.cols))}`,
  });
  return { body, workgroup: lanes * columns, workgroupBytes: 4 * lanes * columns * sums.length, dispatch };
}

function rebuilder(kernel: ContractKernel, context: ModuleContext): (expr: Expr) => Expr {
  const { builder } = context;
  builder.variable("batch", "u32", kernel.batch);
  builder.variable("row", "u32", kernel.rows);
  builder.variable("col", "u32", kernel.cols);
  builder.variable("k", "u32", kernel.depth);
  const made = new Map<Expr, Expr>();
  return (expr) => builder.substitute(expr, new Map(), made);
}

const isWhole = (extent: ContractKernel["rows"], tile: number): boolean =>
  typeof extent === "number" && extent % tile === 0;

/** Whether neighbouring values of the var are neighbours in memory, in every load that reads along it. */
function contiguousAlong(value: Expr, name: string, context: ModuleContext): boolean {
  let found = false;
  walk([value], (expr) => {
    if (expr.kind === "load" && context.builder.strideOf(expr.index, name) === 1) found = true;
  });
  return found;
}

function readsPacked(value: Expr, context: ModuleContext): boolean {
  let found = false;
  walk([value], (expr) => {
    if (expr.kind === "load" && context.isPacked(context.binding(expr.binding))) found = true;
  });
  return found;
}

function guarded(body: Code, conditions: readonly (Wgsl<"bool"> | undefined)[]): Code {
  const [first, second] = conditions.filter((each) => each !== undefined);
  if (first === undefined) return body;
  const condition = second === undefined ? first : binary<"bool">(first, "&&", second);
  return code`
    if (${condition}) {
      ${body}
    }
  `;
}
