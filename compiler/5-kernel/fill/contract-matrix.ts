/** Products on matrix units: tiles are brought in words of eight neighbours, which become f16. */
import { isWrittenByWords } from "../../../templates/accessors.js";
import {
  contractMatrix,
  invocationsOfMatrix,
  matrixBytes,
} from "../../../templates/kernels/contract-matrix.js";
import { MATRIX_EXTENSIONS, WORD } from "../../../templates/subgroup-matrix.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { isZeroPastRow } from "../zero-past-row.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { walk } from "../traverse.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import type { ContractKernel, Expr, MatrixSchedule, Store } from "../types.js";
import { finishElement, finishFours, finishWords, storesFours } from "./contract-finish.js";
import { fetchOf, type OperandOf } from "./contract-fetch.js";
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
