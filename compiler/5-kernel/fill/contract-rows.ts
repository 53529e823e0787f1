/** Products of few rows: lanes along k, each with a column or a few, whose a it computes once. */
import {
  contractRows,
  partialOf,
  type Along,
  type Row,
  type Share,
} from "../../../templates/kernels/contract-rows.js";
import {
  binary,
  call,
  code,
  join,
  nothing,
  variable,
  type Code,
  type Wgsl,
} from "../../../templates/wgsl.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, type Value } from "../print-scope.js";
import { walk } from "../traverse.js";
import type { ContractKernel, Expr, RowsSchedule, Store } from "../types.js";
import { printFourColumns } from "./contract-finish.js";
import { isWhole, rebuilder } from "./contract-parts.js";
import { pieceLoad, printPieces } from "./contract-pieces.js";
import { ceilDiv, dispatchOf, exprsOf, mapStore, printStores, productOf, type Filled } from "./printed.js";
import { declareWords } from "./whole-words.js";
import { writesWords } from "./word-stores.js";

export const invocationsOfRows = ({ lanes, cols, each = 1 }: Omit<RowsSchedule, "kind">): number =>
  (lanes * cols) / each;

/** Of workgroup memory: a number for each invocation and each of its sums. */
export function rowsBytes({ along }: ContractKernel, schedule: Omit<RowsSchedule, "kind">): number {
  const { each = 1, rows = 1 } = schedule;
  return 4 * invocationsOfRows(schedule) * (each + along.length) * rows;
}

export function fillRows(kernel: ContractKernel, schedule: RowsSchedule, context: ModuleContext): Filled {
  const { builder } = context;
  const { lanes } = schedule;
  const rebuild = rebuilder(kernel, context);
  const [a, b] = [rebuild(kernel.a), rebuild(kernel.b)];
  const holes: Holes = {
    acc: builder.op("mul", a, b),
    along: kernel.along.map(({ name, body }) => ({ name, body: rebuild(body) })),
    stores: kernel.stores.map((store) => mapStore(store, rebuild)),
    storesAlong: (kernel.storesAlong ?? []).map((store) => mapStore(store, rebuild)),
  };
  const all = [...exprsOf(holes.stores), ...exprsOf(holes.storesAlong)];
  const others = [a, ...holes.along.map(({ body }) => body), ...all];
  const load = pieceLoad(b, { depth: kernel.depth, others }, context);
  if (load !== undefined) {
    const written = new Set([...kernel.stores, ...(kernel.storesAlong ?? [])].map(({ binding }) => binding));
    declareWords(others, written, context, {
      run: "k",
      others: ["row", "col"],
    });
  }
  const bodies = [holes.acc, ...holes.along.map(({ body }) => body)];
  const isWide = widen(bodies, [...exprsOf(holes.storesAlong), ...exprsOf(holes.stores)], context);
  const place = placeGroups(kernel, schedule, context);
  const isOne = place.columns.length === 1;
  // A lane's only column is known outside the loop over k.
  const known = isOne ? ["batch", "col"] : ["batch"];
  const environment = new Map(known.map((each) => [each, scalarValue(variable(each))]));
  const root = BlockPrinter.root(context, environment, [
    ...bodies,
    ...exprsOf(holes.storesAlong),
    ...exprsOf(holes.stores),
  ]);
  const inRow = isWide || bodies.some((body) => readsPacked(body, context));
  const four: Value = {
    wgsl: variable("k_four"),
    width: 4,
    ...(inRow ? { first: variable<"u32">("k_first") } : {}),
  };
  const fours = root.nested(new Map([["k", four]]));
  const depth = builder.dim(kernel.depth);
  const step = load === undefined ? 4 * lanes : load.elements;
  const stepsEnd = builder.mul(builder.div(depth, step), step);
  const ones = stepsEnd === depth ? undefined : root.nested(new Map([["k", scalarValue(variable("k"))]]));
  const columns = isOne ? [undefined] : place.columns.map(({ col }) => col);
  const words = writesWords(kernel);
  const printers = { root, fours: load === undefined ? fours : undefined, ones, context, lanes, words };
  const rows = place.rows.map(({ row, exists }, r): Row => ({
    ...printRow(printers, holes, { row, suffix: place.rows.length === 1 ? "" : `_${r}`, columns }),
    exists,
  }));
  const constant = BlockPrinter.root(context, new Map(), []);
  const pieces =
    load &&
    printPieces(
      { a, load, along: holes.along.map(({ body }) => body), depth: kernel.depth },
      { root, context, columns, rows: place.rows.map(({ row }, r) => ({ row, sums: rows[r]?.sums ?? [] })) },
    );
  const inFours = load === undefined && !(stepsEnd.kind === "literal" && stepsEnd.value === 0);
  const inside = { fours: fours.flush(), ones: ones?.flush() ?? nothing };
  const end = constant.u32(depth);
  const invocations = invocationsOfRows(schedule);
  const body = contractRows({
    lanes,
    columns: invocations / lanes,
    folded: place.folded,
    count: place.count,
    outside: join([place.bindings, root.flush()]),
    fours: inFours ? { inside: inside.fours, end: constant.u32(stepsEnd) } : undefined,
    pieces,
    inRow,
    ones: ones && { inside: inside.ones, end },
    rows,
    columnsExist: place.columns.map(({ exists }) => exists),
    byFours: words && isOne,
    share: place.share && { ...place.share, depth: end },
  });
  const workgroupBytes = rowsBytes(kernel, schedule);
  return { body, workgroup: invocations, workgroupBytes, dispatch: place.dispatch };
}

/** What the kernel computes, in the shader's builder. */
interface Holes {
  /** The product of a and b at k. */
  readonly acc: Expr;
  readonly along: readonly { readonly name: string; readonly body: Expr }[];
  readonly stores: readonly Store[];
  readonly storesAlong: readonly Store[];
}

interface Printers {
  readonly root: BlockPrinter;
  /** In the loops over k, those that there are: by fours or by pieces, and one by one. */
  readonly fours: BlockPrinter | undefined;
  readonly ones: BlockPrinter | undefined;
  readonly context: ModuleContext;
  readonly lanes: number;
  /** Whether what is stored takes four columns at a time. */
  readonly words: boolean;
}

/** One row of a workgroup, for each column of a lane; undefined: the one that is known outside. */
function printRow(
  { root, fours, ones, context, lanes, words }: Printers,
  holes: Holes,
  {
    row,
    suffix,
    columns,
  }: {
    readonly row: Wgsl<"u32">;
    readonly suffix: string;
    readonly columns: readonly (Wgsl<"u32"> | undefined)[];
  },
): Omit<Row, "exists"> {
  const ofRow = new Map([["row", scalarValue(row)]]);
  const ofColumn = (col: Wgsl<"u32"> | undefined): Map<string, Value> =>
    new Map(col === undefined ? [] : [["col", scalarValue(col)]]);
  const taken = (wanted: string): Wgsl<"f32"> =>
    variable<"f32">(wanted === "acc" ? wanted : context.names.take(wanted));
  // Several rows share what they read of b inside the loop over k, several columns what they read of a.
  const [inFours, inOnes] = [fours?.nested(ofRow), ones?.nested(ofRow)];
  const sum = (
    name: string,
    body: Expr,
    [four, one]: readonly [BlockPrinter | undefined, BlockPrinter | undefined],
  ): Along => ({ name: taken(name), four: four?.vec4f(body), one: one?.f32(body) });
  const ofColumns = columns.map((col, c) => {
    if (col === undefined) return { acc: sum(`acc${suffix}`, holes.acc, [inFours, inOnes]), code: [] };
    const own = [inFours?.nested(ofColumn(col)), inOnes?.nested(ofColumn(col))] as const;
    const acc = sum(`acc_${c}`, holes.acc, own);
    return { acc, code: own.map((printer) => printer?.flush() ?? nothing) };
  });
  const along = holes.along.map(({ name, body }) => sum(`${name}${suffix}`, body, [inFours, inOnes]));
  const results = new Map(along.map((each, k) => [holes.along[k]?.name ?? "", scalarValue(each.name)]));
  const accs = ofColumns.map(({ acc }) => acc);
  const stores = words
    ? columns.map((col, c) => {
        const four = fourColumns(accs, c, lanes);
        if (four === undefined) return nothing;
        const acc = variable<"vec4f">(context.names.take("four"));
        const at = { row, col: col ?? variable<"u32">("col"), acc };
        return join([code`let ${acc} = ${four};`, printFourColumns(holes.stores, at, results, context)]);
      })
    : columns.map((col, c) => {
        const acc = accs[c]?.name ?? variable<"f32">("acc");
        const here = new Map([...ofRow, ...ofColumn(col), ["acc", scalarValue(acc)] as const, ...results]);
        return printStores(context, root.nested(here), holes.stores);
      });
  const atK = root.nested(new Map([...ofRow, ["k", scalarValue(variable("k"))]]));
  return {
    insideFours: join([inFours?.flush() ?? nothing, ...ofColumns.map(({ code: [own = nothing] }) => own)]),
    insideOnes: join([inOnes?.flush() ?? nothing, ...ofColumns.map(({ code: [, own = nothing] }) => own)]),
    sums: [...ofColumns.map(({ acc }) => acc), ...along],
    stores,
    storesAlong: holes.storesAlong.length === 0 ? nothing : printStores(context, atK, holes.storesAlong),
  };
}

/** The sums of four columns from a lane's c-th on, if a word begins with it. A lane's only column is one of four lanes' in a row. */
function fourColumns(sums: readonly Along[], c: number, lanes: number): Wgsl<"vec4f"> | undefined {
  const [only, ...more] = sums;
  if (only === undefined || c % 4 !== 0) return undefined;
  if (more.length > 0)
    return call(
      "vec4f",
      sums.slice(c, c + 4).map((sum) => sum.name),
    );
  return call(
    "vec4f",
    [0, 1, 2, 3].map((i) => partialOf(only, i * lanes)),
  );
}

interface Place {
  readonly dispatch: Filled["dispatch"];
  readonly folded: boolean;
  readonly count: Wgsl<"u32"> | undefined;
  readonly bindings: Code;
  readonly rows: readonly { readonly row: Wgsl<"u32">; readonly exists: Wgsl<"bool"> | undefined }[];
  readonly columns: readonly { readonly col: Wgsl<"u32">; readonly exists: Wgsl<"bool"> | undefined }[];
  readonly share: Omit<Share, "depth"> | undefined;
}

/** Which batch, rows and columns a workgroup has. Rows go fastest, so that workgroups at work together share what they read of b. */
function placeGroups(kernel: ContractKernel, schedule: RowsSchedule, context: ModuleContext): Place {
  const { builder } = context;
  const { cols: columns, each = 1, rows: together = 1 } = schedule;
  const [across, down] = [ceilDiv(kernel.cols, columns), ceilDiv(kernel.rows, together)];
  const groups = productOf([kernel.batch, across, down]);
  const { dispatch, folded, exact } = dispatchOf(groups);
  const element = builder.variable("element", "u32", groups);
  const [batch, acrossAt, downAt] = builder.unflatten(element, [kernel.batch, across, down]);
  if (batch === undefined || acrossAt === undefined || downAt === undefined)
    throw new InternalError("print-wgsl", "three coordinates");
  const own = builder.mul(builder.variable("column", "u32", columns / each), each);
  const firstCol = builder.add(builder.mul(acrossAt, columns), own);
  const cols = Array.from({ length: each }, (_, c) => builder.add(firstCol, c));
  const rows = Array.from({ length: together }, (_, r) => builder.add(builder.mul(downAt, together), r));
  const wholeColumns = isWhole(kernel.cols, columns);
  const wholeRows = together === 1 || isWhole(kernel.rows, together);
  const clamp = (at: Expr, extent: Dim, whole: boolean): Expr =>
    whole ? at : builder.op("min", at, builder.sub(builder.dim(extent), 1));
  const rowsAt = rows.map((row) => clamp(row, kernel.rows, wholeRows));
  const colsAt = cols.map((col) => clamp(col, kernel.cols, wholeColumns));
  const environment = new Map(["element", "column"].map((name) => [name, scalarValue(variable(name))]));
  const asked = [batch, ...rowsAt, ...rows, ...colsAt, ...cols];
  const isDealt = (kernel.storesAlong?.length ?? 0) > 0;
  const printer = BlockPrinter.root(context, environment, isDealt ? [...asked, acrossAt] : asked);
  const names = (what: string, count: number): readonly Wgsl<"u32">[] =>
    Array.from({ length: count }, (_, i) => variable<"u32">(count === 1 ? what : `${what}_${i}`));
  const [rowNames, colNames] = [names("row", together), names("col", each)];
  const lets = (of: readonly Wgsl<"u32">[], at: readonly Expr[]): readonly Code[] =>
    of.map((named, i) => code`let ${named} = ${printer.u32(at[i] ?? batch)};`);
  const bindings = [
    code`let batch = ${printer.u32(batch)};`,
    ...lets(rowNames, rowsAt),
    ...lets(colNames, colsAt),
  ];
  // By itself: it stands before everything else in the shader.
  const constant = BlockPrinter.root(context, new Map(), []);
  const limit = (extent: Dim): Wgsl<"u32"> => constant.u32(builder.dim(extent));
  const share = isDealt ? { at: printer.u32(acrossAt), of: limit(across) } : undefined;
  const existing = (value: Expr, extent: Dim, whole: boolean): Wgsl<"bool"> | undefined =>
    whole ? undefined : binary<"bool">(printer.u32(value), "<", limit(extent));
  const rowsExist = rows.map((row) => existing(row, kernel.rows, wholeRows));
  const columnsExist = cols.map((col) => existing(col, kernel.cols, wholeColumns));
  return {
    dispatch,
    folded,
    count: exact ? undefined : limit(groups),
    bindings: join([printer.flush(), ...bindings]),
    rows: rowNames.map((row, r) => ({ row, exists: rowsExist[r] })),
    columns: colNames.map((col, c) => ({ col, exists: columnsExist[c] })),
    share,
  };
}

/** Bindings of f32 that are read along k by words of four: one load brings 16 bytes. Returns whether there are any. */
function widen(bodies: readonly Expr[], stored: readonly Expr[], context: ModuleContext): boolean {
  const { builder } = context;
  const words = new Set<string>();
  const others = new Set<string>();
  const note = (exprs: readonly Expr[], inBodies: boolean): void => {
    walk(exprs, (expr) => {
      if (expr.kind !== "load" || context.binding(expr.binding).element !== "f32") return;
      const isWord = builder.isStrideOne(expr.index, "k", 4) && builder.isWholeIn("k", 4);
      if (!isWord) others.add(expr.binding);
      else if (inBodies) words.add(expr.binding);
    });
  };
  note(bodies, true);
  note(stored, false);
  const wide = [...words].filter((each) => !others.has(each));
  for (const each of wide) context.declareWide(each);
  return wide.length > 0;
}

function readsPacked(value: Expr, context: ModuleContext): boolean {
  let found = false;
  walk([value], (expr) => {
    if (expr.kind === "load" && context.isPacked(context.binding(expr.binding))) found = true;
  });
  return found;
}
