/** Products on matrix units: tiles are brought in words of eight neighbours, which become f16. */
import { loadWord } from "../../../templates/accessors.js";
import {
  contractMatrix,
  invocationsOfMatrix,
  matrixBytes,
  type Eight,
  type FetchEight,
} from "../../../templates/kernels/contract-matrix.js";
import { MATRIX_EXTENSIONS, WORD } from "../../../templates/subgroup-matrix.js";
import { code, join, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { freeVars, walk } from "../traverse.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import type { ContractKernel, Expr, MatrixSchedule } from "../types.js";
import { depthOf, finishElement, isWhole, placeTiles, readingOrder, rebuilder } from "./contract-parts.js";
import type { Filled } from "./printed.js";

export function fillMatrix(kernel: ContractKernel, shape: MatrixSchedule, context: ModuleContext): Filled {
  if (kernel.along.length > 0)
    throw new InternalError("print-wgsl", `${kernel.name}: matrix units sum nothing alongside`);
  for (const extension of MATRIX_EXTENSIONS) context.enable(extension);
  const rebuild = rebuilder(kernel, context);
  const [left, right] = [rebuild(kernel.a), rebuild(kernel.b)];
  const stretches = stretchesOf(kernel, [left, right], shape, context).map((stretch) => ({
    ...stretch,
    a: operandOf("row", left, stretch, kernel, shape, context),
    b: operandOf("col", right, stretch, kernel, shape, context),
  }));
  const stored = kernel.stores.flatMap(({ index, value, when }) =>
    [index, value, ...(when === undefined ? [] : [when])].map(rebuild),
  );
  const operands = stretches.flatMap(({ a, b }) => [a, b]);
  widen(operands, stored, context);
  const constant = BlockPrinter.root(context, new Map(), []);
  const tile = { rows: shape.tileRows, cols: shape.tileCols };
  const { place, dispatch } = placeTiles(kernel, tile, context);
  const body = contractMatrix({
    shape,
    place,
    stretches: stretches.map(({ extent, a, b }) => ({
      depth: depthOf(constant.u32(context.builder.dim(extent)), a.value, a.k, kernel, shape.tileRows),
      a: fetchOf(a, context),
      b: fetchOf(b, context),
    })),
    finish: finishElement(kernel, tile, rebuild, context),
  });
  return {
    body,
    workgroup: invocationsOfMatrix(shape),
    workgroupBytes: matrixBytes(
      shape,
      stretches.map(({ a, b }) => ({ a: a.along, b: b.along })),
    ),
    dispatch,
  };
}

/** Coordinates begin ≤ k < begin + extent, which the var of that name counts from 0. */
interface StretchOf {
  readonly k: string;
  readonly begin: number;
  readonly extent: Dim;
}

/** Where operands are joined along k, tiles lie on one side of the joint, and each side is read as if there were no other. */
function stretchesOf(
  kernel: ContractKernel,
  operands: readonly Expr[],
  shape: MatrixSchedule,
  context: ModuleContext,
): readonly StretchOf[] {
  const { depth } = kernel;
  const joints = new Set<number>();
  walk(operands, (expr) => {
    if (expr.kind !== "op" || expr.op !== "lt") return;
    const [index, end] = expr.args;
    if (index?.kind === "var" && index.name === "k" && end?.kind === "literal") joints.add(end.value);
  });
  const cuts = [...joints]
    .filter((joint) => joint > 0 && joint % shape.tileDepth === 0)
    .sort((p, q) => p - q);
  if (typeof depth !== "number" || cuts.length === 0) return [{ k: "k", begin: 0, extent: depth }];
  return [0, ...cuts].flatMap((begin, i, begins) => {
    const extent = Math.min(begins[i + 1] ?? depth, depth) - begin;
    const k = `k from ${begin}`;
    context.builder.variable(k, "u32", extent);
    return extent > 0 ? [{ k, begin, extent }] : [];
  });
}

/** One side of the product along a stretch of k: a piece of it has eight coordinates of `run`, and one of the other. */
interface OperandOf {
  readonly of: "row" | "col";
  readonly value: Expr;
  readonly along: "depth" | "side";
  readonly k: string;
  readonly run: string;
  /** Of rows (columns) and of k: how many there are, and whether tiles hold them without a rest. */
  readonly side: { readonly extent: Expr; readonly whole: boolean };
  readonly depth: { readonly extent: Expr; readonly whole: boolean };
  /** Whether the run's coordinates come in whole eights. */
  readonly eights: boolean;
}

function operandOf(
  of: "row" | "col",
  whole: Expr,
  { k, begin, extent }: StretchOf,
  kernel: ContractKernel,
  shape: MatrixSchedule,
  context: ModuleContext,
): OperandOf {
  const { builder } = context;
  const value =
    k === "k" ? whole : builder.substitute(whole, new Map([["k", builder.add(builder.variable(k), begin)]]));
  const along = readingOrder(of, value, context, k);
  const sides = of === "row" ? kernel.rows : kernel.cols;
  const tile = of === "row" ? shape.tileRows : shape.tileCols;
  const run = along === "depth" ? k : of;
  return {
    of,
    value,
    along,
    k,
    run,
    side: { extent: builder.dim(sides), whole: isWhole(sides, tile) },
    depth: { extent: builder.dim(extent), whole: isWhole(extent, shape.tileDepth) },
    eights: isWhole(along === "depth" ? extent : sides, WORD),
  };
}

/**
 * Bindings that are read by whole words are declared so: one load brings 16 bytes. f16 goes as it is, and then by words alone;
 * f32 may be read by elements too, where they are of words that lie within the tensor.
 */
function widen(operands: readonly OperandOf[], others: readonly Expr[], context: ModuleContext): void {
  const wide = new Map<string, { words: boolean; fits: boolean }>();
  const note = ({ binding }: Load, words: boolean, fits: boolean): void => {
    const before = wide.get(binding) ?? { words: false, fits: true };
    wide.set(binding, { words: before.words || words, fits: before.fits && (words || fits) });
  };
  const eachLoad = (exprs: readonly Expr[], visit: (load: Load) => void): void => {
    walk(exprs, (expr) => {
      if (expr.kind === "load") visit(expr);
    });
  };
  for (const operand of operands) {
    const whole = !splitsWords([operand.value], operand.k);
    eachLoad([operand.value], (load) =>
      note(load, whole && readsWords(load, operand, context), whole && isOfWords(load, [operand.k], context)),
    );
  }
  const whole = !splitsWords(others, "k");
  eachLoad(others, (load) => note(load, false, whole && isOfWords(load, [], context)));
  for (const [binding, { words, fits }] of wide) if (words && fits) context.declareWide(binding);
}

type Load = Extract<Expr, { kind: "load" }>;

const COMPARISONS: ReadonlySet<string> = new Set(["lt", "le", "gt", "ge", "eq", "ne"]);

/**
 * Whether a condition parts coordinates elsewhere than between words, as where tensors are joined: the one before may end
 * there, and its last elements lie in no whole word.
 */
function splitsWords(exprs: readonly Expr[], k: string): boolean {
  let found = false;
  walk(exprs, (expr) => {
    if (expr.kind !== "op" || !COMPARISONS.has(expr.op)) return;
    if (expr.args.some((arg) => arg.type === "f32") || !expr.args.some((arg) => arg.kind === "literal"))
      return;
    const [, end] = expr.args;
    if ((expr.op === "lt" || expr.op === "ge") && end?.kind === "literal" && end.value % 4 === 0) return;
    found ||= expr.args.some((arg) => ["row", "col", k].some((name) => freeVars(arg).has(name)));
  });
  return found;
}

function readsWords(load: Load, operand: OperandOf, context: ModuleContext): boolean {
  if (!operand.eights) return false;
  const { element } = context.binding(load.binding);
  if (element === "f32") return context.builder.isStrideOne(load.index, operand.run, 4);
  // As they are or not at all: what is computed with is read by fours, and bf16 is no f16.
  return (
    element === "f16" && load === operand.value && context.builder.isStrideOne(load.index, operand.run, WORD)
  );
}

/** Whether an element that is read is one of four that a coordinate runs through, whole. */
function isOfWords({ binding, index }: Load, ks: readonly string[], context: ModuleContext): boolean {
  const { builder } = context;
  return (
    context.binding(binding).element === "f32" &&
    ["row", "col", ...ks].some((name) => builder.isStrideOne(index, name, 4) && builder.isWholeIn(name, 4))
  );
}

/** Past the edge of rows (columns) the last ones are read again; past the end of k there is zero. */
function fetchOf(operand: OperandOf, context: ModuleContext): FetchEight {
  const pieces = new Map<number, (k: Wgsl<"u32">) => { statements: Code; value: Eight }>();
  return {
    along: operand.along,
    outside: (i, side) => {
      const piece = prepare(operand, i, side, context);
      pieces.set(i, piece.value);
      return piece.outside;
    },
    value: (i, k) => {
      const value = pieces.get(i);
      if (value === undefined)
        throw new InternalError("print-wgsl", "a piece is fetched before its rows are known");
      return value(k);
    },
  };
}

interface Prepared {
  readonly outside: Code;
  readonly value: (k: Wgsl<"u32">) => { readonly statements: Code; readonly value: Eight };
}

function prepare(operand: OperandOf, i: number, side: Wgsl<"u32">, context: ModuleContext): Prepared {
  const { value, of, along, k: depthVar } = operand;
  const asWords = isWords(value, context);
  const sides = new Coordinates(operand, "side", `${of}_${i}`, context);
  const ks = new Coordinates(operand, "depth", `k_${i}`, context);
  const environment = new Map([["batch", scalarValue(variable("batch"))]]);
  const roots = asWords === undefined ? [value] : [asWords.index];
  const root = BlockPrinter.root(context, environment, roots);
  const [first, second] = along === "side" ? sides.values(asWords) : [sides.one, sides.one];
  const low = root.nested(new Map([[of, first]]));
  const high = along === "side" ? root.nested(new Map([[of, second]])) : low;
  const [lowK, highK] = along === "depth" ? ks.values(asWords) : [ks.one, ks.one];
  const lowIn = low.nested(new Map([[depthVar, lowK]]));
  const highIn =
    along === "side" || asWords === undefined ? high.nested(new Map([[depthVar, highK]])) : lowIn;
  const read: Eight =
    asWords === undefined
      ? { kind: "values", low: lowIn.vec4f(value), high: highIn.vec4f(value) }
      : { kind: "words", words: loadWord(context.binding(asWords.binding), lowIn.u32(asWords.index)) };
  const outer = join([root.flush(), low.flush(), high.flush()]);
  const inner = join([lowIn.flush(), highIn.flush()]);
  return {
    outside: join([sides.bind(side, asWords !== undefined), outer]),
    value: (k) => ({
      statements: join([ks.bind(k, asWords !== undefined), inner]),
      value: operand.depth.whole ? read : zeroPastEnd(read, k, operand, context),
    }),
  };
}

/** The load of f16 that an operand is, where its words can go as they are. */
function isWords(value: Expr, context: ModuleContext): Extract<Expr, { kind: "load" }> | undefined {
  if (value.kind !== "load") return undefined;
  const binding = context.binding(value.binding);
  return binding.wide === true && binding.element === "f16" ? value : undefined;
}

/** A piece's coordinates along k or along its rows (columns): one, or eight from a first. */
class Coordinates {
  private readonly first: Wgsl<"u32">;
  readonly fours: readonly [Wgsl<"vec4u">, Wgsl<"vec4u">];
  private readonly isRun: boolean;
  private readonly extent: Wgsl<"u32">;

  constructor(
    private readonly operand: OperandOf,
    private readonly axis: "side" | "depth",
    name: string,
    context: ModuleContext,
  ) {
    this.isRun = operand.along === axis;
    this.first = variable(context.names.take(name));
    this.fours = [variable(context.names.take(`${name}_low`)), variable(context.names.take(`${name}_high`))];
    this.extent = BlockPrinter.root(context, new Map(), []).u32(operand[axis].extent);
  }

  get one(): Value {
    return scalarValue(this.first);
  }

  /** The two fours; of words, which go by their first coordinate, that. */
  values(words: Expr | undefined): readonly [Value, Value] {
    if (words !== undefined) return [this.one, this.one];
    const [low, high] = this.fours;
    if (!this.operand.eights) return [vectorValue(low), vectorValue(high)];
    const firstOfEight = this.first;
    return [
      { ...vectorValue(low), first: this.first, firstOfEight },
      { ...vectorValue(high), first: wgsl<"u32">`${this.first} + 4u`, firstOfEight },
    ];
  }

  bind(at: Wgsl<"u32">, asWords: boolean): Code {
    const { whole } = this.operand[this.axis];
    const { eights } = this.operand;
    const last = this.isRun ? (eights ? WORD : undefined) : 1;
    const clamped = whole || last === undefined ? at : wgsl<"u32">`min(${at}, ${this.extent} - ${last}u)`;
    const first = code`let ${this.first} = ${clamped};`;
    if (!this.isRun || asWords) return first;
    const four = (index: number): Wgsl<"vec4u"> => {
      const inRow =
        index === 0
          ? wgsl<"vec4u">`${this.first} + vec4u(0u, 1u, 2u, 3u)`
          : wgsl<"vec4u">`${this.first} + vec4u(4u, 5u, 6u, 7u)`;
      return whole || eights ? inRow : wgsl<"vec4u">`min(${inRow}, vec4u(${this.extent} - 1u))`;
    };
    return join([first, ...this.fours.map((name, index) => code`let ${name} = ${four(index)};`)]);
  }
}

function zeroPastEnd(
  read: Eight,
  k: Wgsl<"u32">,
  { along, eights, depth }: OperandOf,
  context: ModuleContext,
): Eight {
  const end = BlockPrinter.root(context, new Map(), []).u32(depth.extent);
  const exists = wgsl<"bool">`${k} < ${end}`;
  if (read.kind === "words")
    return { kind: "words", words: wgsl<"vec4u">`select(vec4u(0u), ${read.words}, ${exists})` };
  const kept = (four: Wgsl<"vec4f">, offsets: Wgsl<"vec4u">): Wgsl<"vec4f"> =>
    along === "side" || eights
      ? wgsl<"vec4f">`select(vec4f(0.0), ${four}, ${exists})`
      : wgsl<"vec4f">`select(vec4f(0.0), ${four}, ${k} + ${offsets} < vec4u(${end}))`;
  return {
    kind: "values",
    low: kept(read.low, wgsl<"vec4u">`vec4u(0u, 1u, 2u, 3u)`),
    high: kept(read.high, wgsl<"vec4u">`vec4u(4u, 5u, 6u, 7u)`),
  };
}
