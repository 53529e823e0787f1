/** How tiles for matrix units are brought: in pieces of eight neighbours, as words of f16, or of f32 that become such. */
import { fourOfWord, loadWord, type BindingDeclaration } from "../../../templates/accessors.js";
import type { FetchEight, Piece } from "../../../templates/kernels/contract-matrix.js";
import { WORD } from "../../../templates/subgroup-matrix.js";
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
import type { ModuleContext } from "../module-context.js";
import { addNeeded } from "../needed.js";
import { BlockPrinter, typeName } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { freeVars } from "../traverse.js";
import type { Expr } from "../types.js";
import { isZeroPastRow } from "../zero-past-row.js";
import { guarded } from "./contract-finish.js";
import type { Load } from "./whole-words.js";

/** One side of the product along a stretch of k: a piece of it has eight coordinates of `run`, and one of the other. */
export interface OperandOf {
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

/** Past the edge of rows (columns) the last ones are read again; past the end of k there is zero. */
export function fetchOf(operand: OperandOf, context: ModuleContext): FetchEight {
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
  const asWords = wordLoad(value, context);
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
    for (const { load, value: loaded } of loading.loads(
      [value],
      (load) => wordLoad(load, context) === undefined,
    )) {
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
  return [...needed].flatMap((expr) => {
    const load = wordLoad(expr, context);
    return load === undefined ? [] : [{ load, binding: context.binding(load.binding) }];
  });
}

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

/** The load of f16 that comes by whole words, if a value is one: of an operand, they can go as they are. */
function wordLoad(value: Expr, context: ModuleContext): Load | undefined {
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
