/** Products on matrix units: tiles are brought in words of eight neighbours, which become f16. */
import {
  fourOfWord,
  isWrittenByWords,
  loadWord,
  type BindingDeclaration,
} from "../../../templates/accessors.js";
import {
  contractMatrix,
  invocationsOfMatrix,
  matrixBytes,
  type FetchEight,
  type Piece,
} from "../../../templates/kernels/contract-matrix.js";
import { MATRIX_EXTENSIONS, WORD } from "../../../templates/subgroup-matrix.js";
import {
  call,
  code,
  join,
  name,
  nothing,
  variable,
  wgsl,
  type Code,
  type Wgsl,
} from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { addNeeded } from "../needed.js";
import { isZeroPastRow } from "../zero-past-row.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter, typeName } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { freeVars, walk } from "../traverse.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import type { ContractKernel, Expr, MatrixSchedule, Store } from "../types.js";
import { finishElement, finishFours, finishWords, guarded, storesFours } from "./contract-finish.js";
import { depthOf, isWhole, placeTiles, readingOrder, rebuilder } from "./contract-parts.js";
import { exprsOf, mapStore, type Filled } from "./printed.js";
import { writesWords } from "./word-stores.js";
import { isF32, isOfWords, splitsWords, type Load } from "./whole-words.js";

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
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const operands = stretches.flatMap(({ a, b }) => [a, b]);
  const fours = widen(operands, stores, storesFours(kernel, stores, context), context);
  const constant = BlockPrinter.root(context, new Map(), []);
  const tile = { rows: shape.tileRows, cols: shape.tileCols };
  const { place, dispatch } = placeTiles(kernel, tile, context);
  const body = contractMatrix({
    shape,
    place,
    stretches: endingWithRows(stretches).map(({ extent, a, b }) => ({
      depth: depthOf(constant.u32(context.builder.dim(extent)), a.value, a.k, kernel, shape.tileRows),
      a: fetchOf(a, context),
      b: fetchOf(b, context),
    })),
    finish: writesWords(kernel)
      ? { four: finishWords(kernel, tile, rebuild, context) }
      : { element: finishElement(kernel, tile, rebuild, context) },
    finishFours: fours ? finishFours(kernel, tile, stores, context) : undefined,
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

/** Those that end with a tile's own rows go last: what they read is what its stores are most likely to read again. */
const endingWithRows = <T extends { readonly a: OperandOf }>(stretches: readonly T[]): readonly T[] => {
  const ends = ({ a }: T): number => (isZeroPastRow(a.value, a.k, "row") ? 1 : 0);
  return [...stretches].sort((p, q) => ends(p) - ends(q));
};

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
 * Bindings that are read or written by whole words are declared so: one access moves 16 bytes. f16 goes as it is, and then by
 * words alone; f32 may be read by elements too, where they are of words that lie within the tensor. Returns whether what is
 * stored by fours has its words.
 */
function widen(
  operands: readonly OperandOf[],
  stores: readonly Store[],
  fours: boolean,
  context: ModuleContext,
): boolean {
  const wide = new Map<string, { words: boolean; fits: boolean }>();
  const note = ({ binding }: { readonly binding: string }, words: boolean, fits: boolean): void => {
    const before = wide.get(binding) ?? { words: false, fits: true };
    wide.set(binding, { words: before.words || words, fits: before.fits && (words || fits) });
  };
  const eachLoad = (exprs: readonly Expr[], visit: (load: Load) => void): void => {
    walk(exprs, (expr) => {
      if (expr.kind === "load") visit(expr);
    });
  };
  for (const operand of operands) {
    const whole = !splitsWords([operand.value], ["row", "col", operand.k]);
    eachLoad([operand.value], (load) =>
      note(
        load,
        whole && readsWords(load, operand, context),
        whole && isOfWords(load, ["row", "col", operand.k], context),
      ),
    );
  }
  const others = exprsOf(stores);
  const whole = !splitsWords(others, ["row", "col", "k"]);
  eachLoad(others, (load) => {
    const words = fours && whole && isF32(load, context) && context.isStrideOne(load.index, "col", 4);
    note(load, words, whole && isOfWords(load, ["row", "col"], context));
  });
  if (fours) for (const store of stores) note(store, true, true);
  for (const [binding, { words, fits }] of wide) if (words && fits) context.declareWide(binding);
  const isWideStore = ({ binding }: Store): boolean => context.binding(binding).wide === true;
  // What shares words with its neighbours is never stored alone, whatever else is stored with it.
  return (
    fours &&
    (stores.every(isWideStore) || stores.some(({ binding }) => isWrittenByWords(context.binding(binding))))
  );
}

function readsWords(load: Load, operand: OperandOf, context: ModuleContext): boolean {
  if (!operand.eights) return false;
  const { element } = context.binding(load.binding);
  if (element === "f32") return context.builder.isStrideOne(load.index, operand.run, 4);
  return element === "f16" && context.builder.isStrideOne(load.index, operand.run, WORD);
}

/** Past the edge of rows (columns) the last ones are read again; past the end of k there is zero. */
function fetchOf(operand: OperandOf, context: ModuleContext): FetchEight {
  const atK = new Map<string, AtK>();
  return {
    along: operand.along,
    piece: (i, side, k) => {
      const known = atK.get(k.text);
      const at = known ?? { ks: new Coordinates(operand, "depth", `k_${i}`, context), loaded: new Map() };
      atK.set(k.text, at);
      const piece = pieceOf(operand, i, side, k, at, context);
      return known === undefined ? piece : { ...piece, place: nothing };
    },
  };
}

/** What pieces at the same k share: its names, and what is loaded for whichever row (column) they are at. */
interface AtK {
  readonly ks: Coordinates;
  /** By the k of a four, what it is of each load. */
  readonly loaded: Map<string, Map<Expr, Value>>;
}

function pieceOf(
  operand: OperandOf,
  i: number,
  side: Wgsl<"u32">,
  k: Wgsl<"u32">,
  { ks, loaded }: AtK,
  context: ModuleContext,
): Piece {
  const { value, of, along } = operand;
  const asWords = isWords(value, context);
  const sides = new Coordinates(operand, "side", `${of}_${i}`, context);
  const environment = new Map([["batch", scalarValue(variable("batch"))]]);
  const root = BlockPrinter.root(context, environment, [asWords?.index ?? value]);
  const [first, second] = along === "side" ? sides.values(asWords) : [sides.one, sides.one];
  const low = root.nested(new Map([[of, first]]));
  const high = along === "side" ? root.nested(new Map([[of, second]])) : low;
  const [lowK, highK] = along === "depth" ? ks.values(asWords) : [ks.one, ks.one];
  const four = (block: BlockPrinter, at: Value): FourAt => {
    const inside = new Map([[operand.k, at]]);
    const shared = loaded.get(at.wgsl.text) ?? new Map<Expr, Value>();
    loaded.set(at.wgsl.text, shared);
    return { loading: block.nested(inside), computing: block.nested(inside), shared };
  };
  const { declare, load, convert, read } =
    asWords !== undefined
      ? fetchWord(asWords, low.nested(new Map([[operand.k, lowK]])), context)
      : fetchFours(operand, [four(low, lowK), four(high, highK)], untilRow(operand, ks, sides), context);
  const kept = operand.depth.whole ? read : zeroPastEnd(read, k, operand, context);
  const bound = sides.bind(side, asWords !== undefined);
  return {
    outside: join([bound, root.flush(), low.flush(), high.flush(), declare]),
    place: ks.bind(k, asWords !== undefined),
    load,
    ...wordOf(kept, convert, context),
  };
}

/** Eight neighbours along k or along the side: f16 as they lie in memory, or f32 to be rounded. */
type Eight =
  | { readonly kind: "words"; readonly words: Wgsl<"vec4u"> }
  | { readonly kind: "values"; readonly low: Wgsl<"vec4f">; readonly high: Wgsl<"vec4f"> };

interface Fetched {
  readonly declare: Code;
  readonly load: Code;
  readonly convert: Code;
  readonly read: Eight;
}

function fetchWord(load: Load, printer: BlockPrinter, context: ModuleContext): Fetched {
  const words = variable<"vec4u">(context.names.take("next"));
  const word = loadWord(context.binding(load.binding), printer.u32(load.index));
  return {
    declare: code`var ${words}: vec4u;`,
    load: join([printer.flush(), code`${words} = ${word};`]),
    convert: nothing,
    read: { kind: "words", words },
  };
}

/** Four of the eight: where they are loaded, where they are computed from what was, and what is loaded for them already. */
interface FourAt {
  readonly loading: BlockPrinter;
  readonly computing: BlockPrinter;
  readonly shared: Map<Expr, Value>;
}

/** Where an operand is zero past its row, what is of the row alone need not be loaded there: whatever it was before will do. */
const untilRow = (
  { value, of, along, k }: OperandOf,
  ks: Coordinates,
  rows: Coordinates,
): Wgsl<"bool"> | undefined =>
  of === "row" && along === "depth" && isZeroPastRow(value, k, of)
    ? wgsl<"bool">`${ks.one.wgsl} <= ${rows.one.wgsl}`
    : undefined;

function fetchFours(
  { value, of }: OperandOf,
  fours: readonly [FourAt, FourAt],
  until: Wgsl<"bool"> | undefined,
  context: ModuleContext,
): Fetched {
  const declarations: Code[] = [];
  const loads: Code[] = [];
  const ofRow: Code[] = [];
  const [low, high] = fours;
  for (const { load, binding } of wordsOf(value, context)) {
    const word = variable<"vec4u">(context.names.take("next"));
    const index = low.loading.first(load.index);
    declarations.push(code`var ${word}: vec4u;`);
    (freeVars(load).has(of) ? ofRow : loads).push(
      low.loading.flush(),
      code`${word} = ${loadWord(binding, index)};`,
    );
    low.computing.given(load, vectorValue(fourOfWord(word, "low")));
    high.computing.given(load, vectorValue(fourOfWord(word, "high")));
  }
  for (const { loading, computing, shared } of fours) {
    const takes: Code[] = [];
    for (const { load, value: loaded } of loading.loads([value], (load) => !isWide(load, context))) {
      const known = shared.get(load);
      const next = known ?? { ...loaded, wgsl: variable<"f32">(context.names.take("next")) };
      computing.given(load, next);
      if (known !== undefined) continue;
      declarations.push(code`var ${next.wgsl}: ${name(typeName(load.type, next.width))};`);
      const isOfRow = freeVars(load).has(of);
      (isOfRow ? ofRow : takes).push(code`${next.wgsl} = ${loaded.wgsl};`);
      if (!isOfRow) shared.set(load, next);
    }
    const before = loading.flush();
    if (takes.length + ofRow.length > 0) loads.push(before, ...takes);
  }
  const read: Eight = {
    kind: "values",
    low: low.computing.vec4f(value),
    high: high.computing.vec4f(value),
  };
  return {
    declare: join(declarations),
    load: join([...loads, guarded(join(ofRow), [until])]),
    convert: join(fours.map(({ computing }) => computing.flush())),
    read,
  };
}

/** Loads of f16 that are made whatever the values are, and come by whole words. */
function wordsOf(
  value: Expr,
  context: ModuleContext,
): readonly { readonly load: Load; readonly binding: BindingDeclaration }[] {
  const needed = new Set<Expr>();
  addNeeded(value, needed);
  return [...needed].flatMap((expr) =>
    expr.kind === "load" && isWide(expr, context)
      ? [{ load: expr, binding: context.binding(expr.binding) }]
      : [],
  );
}

const isWide = (load: Expr, context: ModuleContext): boolean => {
  if (load.kind !== "load") return false;
  const { wide, element } = context.binding(load.binding);
  return wide === true && element === "f16";
};

/** The eight as a word of f16. */
function wordOf(read: Eight, convert: Code, { names }: ModuleContext): Pick<Piece, "convert" | "word"> {
  if (read.kind === "words") return { convert, word: read.words };
  const [low, high] = ["low", "high"].map((half) => variable<"vec4f">(names.take(half)));
  if (low === undefined || high === undefined) throw new InternalError("print-wgsl", "two halves");
  const pairs = [low, high].flatMap((four) => [
    wgsl<"u32">`pack2x16float(${four}.xy)`,
    wgsl<"u32">`pack2x16float(${four}.zw)`,
  ]);
  return {
    convert: join([convert, code`let ${low} = ${read.low};`, code`let ${high} = ${read.high};`]),
    word: call<"vec4u">("vec4u", pairs),
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
