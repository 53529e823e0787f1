import { InternalError } from "../../diagnostics/internal-error.js";
import { contractRows, type Row } from "../../../templates/kernels/contract-rows.js";
import {
  contractTiled,
  invocationsOf,
  tiledBytes,
  type Fetch,
} from "../../../templates/kernels/contract-tiled.js";
import { binary, code, join, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { walk } from "../traverse.js";
import type { ContractKernel, Expr, RowsSchedule, TiledSchedule } from "../types.js";
import { fillMatrix } from "./contract-matrix.js";
import { depthOf, finishElement, isWhole, placeTiles, readingOrder, rebuilder } from "./contract-parts.js";
import { ceilDiv, dispatchOf, exprsOf, mapStore, printStores, productOf, type Filled } from "./printed.js";

export function fillContract(kernel: ContractKernel, context: ModuleContext): Filled {
  const { schedule } = kernel;
  switch (schedule.kind) {
    case "tiled":
      return fillTiled(kernel, schedule, context);
    case "matrix":
      return fillMatrix(kernel, schedule, context);
    case "rows":
      return fillRows(kernel, schedule, context);
  }
}

function fillTiled(kernel: ContractKernel, shape: TiledSchedule, context: ModuleContext): Filled {
  const { builder } = context;
  if (kernel.along.length > 0)
    throw new InternalError("print-wgsl", `${kernel.name}: a tiled contraction sums nothing alongside`);
  const rebuild = rebuilder(kernel, context);
  const [a, b] = [rebuild(kernel.a), rebuild(kernel.b)];
  const constant = BlockPrinter.root(context, new Map(), []);
  const tile = { rows: shape.tileRows, cols: shape.tileCols };
  const finish = finishElement(kernel, tile, rebuild, context);
  const fetch = (of: "row" | "col", value: Expr): Fetch => fetchOf(of, value, kernel, shape, context);
  const { place, dispatch } = placeTiles(kernel, tile, context);
  const body = contractTiled({
    shape,
    place,
    depth: depthOf(constant.u32(builder.dim(kernel.depth)), a, "k", kernel, shape.tileRows),
    a: fetch("row", a),
    b: fetch("col", b),
    finish,
  });
  return {
    body,
    workgroup: invocationsOf(shape),
    workgroupBytes: tiledBytes(shape),
    dispatch,
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
    along: readingOrder(of, value, context),
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
  const { lanes, cols: columns, rows: together = 1 } = schedule;
  const rebuild = rebuilder(kernel, context);
  const sums = [
    { name: "acc", body: builder.op("mul", rebuild(kernel.a), rebuild(kernel.b)) },
    ...kernel.along.map((each) => ({ name: each.name, body: rebuild(each.body) })),
  ];
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const exprs = [...sums.map((sum) => sum.body), ...exprsOf(stores)];
  const place = placeGroups(kernel, columns, together, context);
  const environment = new Map(["batch", "col"].map((each) => [each, scalarValue(variable(each))]));
  const root = BlockPrinter.root(context, environment, exprs);
  const inRow = sums.some((sum) => readsPacked(sum.body, context));
  const four: Value = {
    wgsl: variable("k_four"),
    width: 4,
    ...(inRow ? { first: variable<"u32">("k_first") } : {}),
  };
  const fours = root.nested(new Map([["k", four]]));
  const ones = root.nested(new Map([["k", scalarValue(variable("k"))]]));
  const rows = place.rows.map(({ row, exists }, r): Row => {
    const ofRow: [string, Value] = ["row", scalarValue(row)];
    const named = sums.map((sum) => {
      const wanted = together === 1 ? sum.name : `${sum.name}_${r}`;
      return { ...sum, wgsl: variable<"f32">(wanted === "acc" ? wanted : context.names.take(wanted)) };
    });
    // One row's coordinate is known outside the loop over k; several rows share what they read of b inside it.
    const [inFours, inOnes] = [fours.nested(new Map([ofRow])), ones.nested(new Map([ofRow]))];
    const alongs = named.map((sum) => ({
      name: sum.wgsl,
      four: inFours.vec4f(sum.body),
      one: inOnes.f32(sum.body),
    }));
    const storing = root.nested(
      new Map([ofRow, ...named.map((sum): [string, Value] => [sum.name, scalarValue(sum.wgsl)])]),
    );
    return {
      insideFours: inFours.flush(),
      insideOnes: inOnes.flush(),
      sums: alongs,
      stores: printStores(context, storing, stores),
      exists,
    };
  });
  const constant = BlockPrinter.root(context, new Map(), []);
  const depth = builder.dim(kernel.depth);
  const foursEnd = builder.mul(builder.div(depth, 4 * lanes), 4 * lanes);
  const none = foursEnd.kind === "literal" && foursEnd.value === 0;
  const inside = { fours: fours.flush(), ones: ones.flush() };
  const body = contractRows({
    lanes,
    columns,
    folded: place.folded,
    count: place.count,
    outside: join([place.bindings, root.flush()]),
    fours: none ? undefined : { inside: inside.fours, end: constant.u32(foursEnd) },
    inRow,
    ones: foursEnd === depth ? undefined : { inside: inside.ones, end: constant.u32(depth) },
    rows,
    columnExists: place.columnExists,
  });
  const workgroupBytes = 4 * lanes * columns * sums.length * together;
  return { body, workgroup: lanes * columns, workgroupBytes, dispatch: place.dispatch };
}

/** Which batch, rows and columns a workgroup has. Rows go fastest, so that workgroups at work together share what they read of b. */
function placeGroups(kernel: ContractKernel, columns: number, together: number, context: ModuleContext) {
  const { builder } = context;
  const [across, down] = [ceilDiv(kernel.cols, columns), ceilDiv(kernel.rows, together)];
  const groups = productOf([kernel.batch, across, down]);
  const { dispatch, folded, exact } = dispatchOf(groups);
  const element = builder.variable("element", "u32", groups);
  const [batch, acrossAt, downAt] = builder.unflatten(element, [kernel.batch, across, down]);
  if (batch === undefined || acrossAt === undefined || downAt === undefined)
    throw new InternalError("print-wgsl", "three coordinates");
  const lastOf = (extent: Dim): Expr => builder.sub(builder.dim(extent), 1);
  const col = builder.add(builder.mul(acrossAt, columns), builder.variable("column", "u32", columns));
  const wholeColumns = isWhole(kernel.cols, columns);
  const rows = Array.from({ length: together }, (_, r) => builder.add(builder.mul(downAt, together), r));
  const wholeRows = together === 1 || isWhole(kernel.rows, together);
  const clamped = rows.map((row) => (wholeRows ? row : builder.op("min", row, lastOf(kernel.rows))));
  const colClamped = wholeColumns ? col : builder.op("min", col, lastOf(kernel.cols));
  const environment = new Map(["element", "column"].map((each) => [each, scalarValue(variable(each))]));
  const printer = BlockPrinter.root(context, environment, [batch, ...clamped, ...rows, colClamped, col]);
  const rowNames = rows.map((_, r) => variable<"u32">(together === 1 ? "row" : `row_${r}`));
  const bindings = [
    code`let batch = ${printer.u32(batch)};`,
    ...clamped.map((row, r) => code`let ${rowNames[r] ?? variable<"u32">("row")} = ${printer.u32(row)};`),
    code`let col = ${printer.u32(colClamped)};`,
  ];
  // By itself: it stands before everything else in the shader.
  const constant = BlockPrinter.root(context, new Map(), []);
  const limit = (extent: Dim): Wgsl<"u32"> => constant.u32(builder.dim(extent));
  const existing = (value: Expr, extent: Dim, whole: boolean): Wgsl<"bool"> | undefined =>
    whole ? undefined : binary<"bool">(printer.u32(value), "<", limit(extent));
  const rowExists = rows.map((row) => existing(row, kernel.rows, wholeRows));
  const columnExists = existing(col, kernel.cols, wholeColumns);
  return {
    dispatch,
    folded,
    count: exact ? undefined : limit(groups),
    bindings: join([printer.flush(), ...bindings]),
    rows: rowNames.map((row, r) => ({ row, exists: rowExists[r] })),
    columnExists,
  };
}

function readsPacked(value: Expr, context: ModuleContext): boolean {
  let found = false;
  walk([value], (expr) => {
    if (expr.kind === "load" && context.isPacked(context.binding(expr.binding))) found = true;
  });
  return found;
}
