/** Which bindings a product may read by whole words, of 16 bytes each. */
import type { ModuleContext } from "../module-context.js";
import { freeVars, walk } from "../traverse.js";
import type { Expr } from "../types.js";

export const isF32 = ({ binding }: Load, context: ModuleContext): boolean =>
  context.binding(binding).element === "f32";

export type Load = Extract<Expr, { kind: "load" }>;

const COMPARISONS: ReadonlySet<string> = new Set(["lt", "le", "gt", "ge", "eq", "ne"]);

/**
 * Whether a condition parts coordinates elsewhere than between words, as where tensors are joined: the one before may end
 * there, and its last elements lie in no whole word.
 */
export function splitsWords(exprs: readonly Expr[], coordinates: readonly string[]): boolean {
  let found = false;
  walk(exprs, (expr) => {
    if (expr.kind !== "op" || !COMPARISONS.has(expr.op)) return;
    if (expr.args.some((arg) => arg.type === "f32") || !expr.args.some((arg) => arg.kind === "literal"))
      return;
    const [, end] = expr.args;
    if ((expr.op === "lt" || expr.op === "ge") && end?.kind === "literal" && end.value % 4 === 0) return;
    found ||= expr.args.some((arg) => coordinates.some((name) => freeVars(arg).has(name)));
  });
  return found;
}

/** Whether an element that is read is one of four that a coordinate runs through, whole. */
export function isOfWords(
  { binding, index }: Load,
  coordinates: readonly string[],
  context: ModuleContext,
): boolean {
  const { builder } = context;
  return (
    context.binding(binding).element === "f32" &&
    coordinates.some((name) => builder.isStrideOne(index, name, 4) && builder.isWholeIn(name, 4))
  );
}

/**
 * Declares f32 bindings so that are read four along `run` at a time, where whatever else reads them lies within words that the tensor
 * has whole, along `others`.
 */
export function declareWords(
  exprs: readonly Expr[],
  written: ReadonlySet<string>,
  context: ModuleContext,
  { run, others }: { readonly run: string; readonly others: readonly string[] },
): void {
  const { builder } = context;
  if (!builder.isWholeIn(run, 4) || splitsWords(exprs, [...others, run])) return;
  const words = new Set<string>();
  const elements = new Set<string>(written);
  walk(exprs, (expr) => {
    if (expr.kind !== "load" || !isF32(expr, context)) return;
    if (builder.isStrideOne(expr.index, run, 4)) words.add(expr.binding);
    else if (!isOfWords(expr, others, context)) elements.add(expr.binding);
  });
  for (const binding of words) if (!elements.has(binding)) context.declareWide(binding);
}
