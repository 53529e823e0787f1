/**
 * Products of few rows whose columns are of less than 32 bits: a lane takes 16 bytes of each of its columns at once. Quantized, those are
 * codes of one scale, which are multiplied as whole numbers, and their sum by the scale; what is read of a is shared by the columns of a lane.
 */
import { codesOfPiece, isQuantized, loadPiece, loadScale } from "../../../templates/quantized.js";
import { fourOfWord, loadWord, type BindingDeclaration } from "../../../templates/accessors.js";
import { ownOf, type Along, type Pieces } from "../../../templates/kernels/contract-rows.js";
import {
  binary,
  call,
  code,
  join,
  literal,
  variable,
  wgsl,
  type AnyWgsl,
  type Code,
  type Wgsl,
} from "../../../templates/wgsl.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { pieceOf } from "../schedules/usual-rows.js";
import { walk } from "../traverse.js";
import type { Expr } from "../types.js";
import { isWhole } from "./contract-parts.js";

/** What is read by pieces: a load of elements that are neighbours along k, from whole pieces on. */
export interface PieceLoad {
  readonly binding: BindingDeclaration;
  readonly index: Expr;
  readonly elements: number;
}

/**
 * Declares the binding of b to be read by pieces, where it can be. One of 16 bits is then read so alone, which needs k to have
 * whole pieces, and nothing else to read the binding.
 */
export function pieceLoad(
  b: Expr,
  { depth, others }: { readonly depth: Dim; readonly others: readonly Expr[] },
  context: ModuleContext,
): PieceLoad | undefined {
  if (b.kind !== "load") return undefined;
  const { element } = context.binding(b.binding);
  const elements = pieceOf(element);
  if (elements === undefined || !context.isStrideOne(b.index, "k", elements)) return undefined;
  if (!isQuantized(element)) {
    if (!isWhole(depth, elements) || reads(others, b.binding)) return undefined;
    context.declareWide(b.binding);
  }
  return { binding: context.binding(b.binding), index: b.index, elements };
}

function reads(exprs: readonly Expr[], binding: string): boolean {
  let found = false;
  walk(exprs, (expr) => (found ||= expr.kind === "load" && expr.binding === binding));
  return found;
}

interface Product {
  readonly a: Expr;
  readonly load: PieceLoad;
  /** Values of a row that are summed beside the products. */
  readonly along: readonly Expr[];
  readonly depth: Dim;
}

interface Block {
  /** Knows batch, and col where a lane has one alone. */
  readonly root: BlockPrinter;
  readonly context: ModuleContext;
  /** By column of a lane; undefined: the one that the root knows. */
  readonly columns: readonly (Wgsl<"u32"> | undefined)[];
  readonly rows: readonly { readonly row: Wgsl<"u32">; readonly sums: readonly Along[] }[];
}

/** The loop over pieces; undefined where k has none. */
export function printPieces({ a, load, along, depth }: Product, block: Block): Pieces | undefined {
  const { root, context, columns, rows } = block;
  const { builder } = context;
  const end = builder.mul(builder.div(builder.dim(depth), load.elements), load.elements);
  if (end.kind === "literal" && end.value === 0) return undefined;
  const read = readColumns(load, block);
  const ofRows = rows.map(({ row, sums }): RowOfPiece => ({
    printer: root.nested(new Map([["row", scalarValue(row)]])),
    columns: read.columns.flatMap((column, c) => {
      const sum = sums[c];
      return sum === undefined ? [] : [{ ...column, sum, part: taken<"f32">("part", context) }];
    }),
    beside: sums.slice(columns.length).map((sum, i) => ({ sum, body: along[i] ?? a })),
  }));
  const fours = Array.from({ length: load.elements / 4 }, (_, i) => printFour(i, a, load, ofRows, block));
  const all = ofRows.flatMap(({ columns: own }) => own);
  const body = join([
    ...ofRows.map(({ printer }) => printer.flush()),
    read.statements,
    ...all.map(({ part }) => code`var ${part} = 0.0;`),
    ...fours,
    ...all.map(({ sum, scale, part }) =>
      scale === undefined ? code`${ownOf(sum)} += ${part};` : code`${ownOf(sum)} += ${scale} * ${part};`,
    ),
  ]);
  return { elements: load.elements, end: BlockPrinter.root(context, new Map(), []).u32(end), body };
}

/** The k of a lane's piece. */
const FIRST = variable<"u32">("k_first");

interface Column {
  readonly piece: Wgsl<"vec4u">;
  /** Of codes. */
  readonly scale: Wgsl<"f32"> | undefined;
}

interface RowOfPiece {
  readonly printer: BlockPrinter;
  /** `part`: the sum of the piece's products, not scaled yet. */
  readonly columns: readonly (Column & { readonly sum: Along; readonly part: Wgsl<"f32"> })[];
  readonly beside: readonly { readonly sum: Along; readonly body: Expr }[];
}

const taken = <T extends "f32" | "vec4u">(wanted: string, { names }: ModuleContext): Wgsl<T> =>
  variable<T>(names.take(wanted));

/** A piece of each column, and its scale. */
function readColumns(
  { binding, index }: PieceLoad,
  { root, context, columns }: Block,
): { readonly columns: readonly Column[]; readonly statements: Code } {
  const atPiece = root.nested(new Map([["k", scalarValue(FIRST)]]), [index]);
  const read = columns.map((col) => {
    const printer = atPiece.nested(new Map(col === undefined ? [] : [["col", scalarValue(col)]]));
    const at = printer.bind(index, "at").wgsl as Wgsl<"u32">;
    if (!isQuantized(binding.element)) {
      const piece = taken<"vec4u">("piece", context);
      const load = code`let ${piece} = ${loadWord<"vec4u">(binding, at)};`;
      return { piece, scale: undefined, statements: join([printer.flush(), load]) };
    }
    const piece = taken<"vec4u">("codes", context);
    const scale = taken<"f32">("scale", context);
    const statements = code`
      let ${piece} = ${loadPiece(binding, at)};
      let ${scale} = ${loadScale(context.usesCodes(binding), at)};
    `;
    return { piece, scale, statements: join([printer.flush(), statements]) };
  });
  return { columns: read, statements: join([atPiece.flush(), ...read.map(({ statements }) => statements)]) };
}

/** The i-th four of a piece: rows share its codes, columns what is read of a. */
function printFour(
  i: number,
  a: Expr,
  { binding }: PieceLoad,
  rows: readonly RowOfPiece[],
  { root, context }: Block,
): Code {
  const k = variable<"vec4u">(context.names.take("k_four"));
  const first = i === 0 ? FIRST : binary<"u32">(FIRST, "+", literal("u32", 4 * i));
  const four: Value = { wgsl: k, width: 4, first };
  const printer = root.nested(new Map([["k", four]]));
  const codesOf = new Map<Wgsl<"vec4u">, AnyWgsl>();
  for (const { piece } of rows[0]?.columns ?? []) {
    const codes = fourOfPiece(binding, piece, i);
    codesOf.set(piece, rows.length === 1 ? codes : printer.name("four", vectorValue(codes)));
  }
  const products = rows.map(({ printer: ofRow, columns, beside }) => {
    const here = ofRow.nested(new Map([["k", four]]));
    const value = here.bindVector(a, "shared");
    const others = beside.map(({ sum, body }) => ({ sum, value: here.vec4f(body) }));
    return join([
      here.flush(),
      ...columns.map(
        ({ piece, part }) => code`${part} += ${call("dot", [value, codesOf.get(piece) ?? value])};`,
      ),
      ...others.map(({ sum, value: each }) => code`${ownOf(sum)} += ${call("dot", [each, ONES])};`),
    ]);
  });
  return join([code`let ${k} = ${binary(FIRST, "+", fourFrom(4 * i))};`, printer.flush(), ...products]);
}

function fourOfPiece(binding: BindingDeclaration, piece: Wgsl<"vec4u">, i: number): Wgsl<"vec4f"> {
  const { element } = binding;
  if (element === "f16" || element === "bf16") return fourOfWord(piece, i === 0 ? "low" : "high", element);
  return codesOfPiece(binding, piece, i);
}

const ONES = wgsl<"vec4f">`vec4f(1.0)`;

const fourFrom = (first: number): Wgsl<"vec4u"> =>
  call(
    "vec4u",
    [0, 1, 2, 3].map((i) => literal("u32", first + i)),
  );
