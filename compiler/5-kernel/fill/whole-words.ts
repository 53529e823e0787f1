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
export function splitsWords(exprs: readonly Expr[], k: string): boolean {
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

/** Whether an element that is read is one of four that a coordinate runs through, whole. */
export function isOfWords({ binding, index }: Load, ks: readonly string[], context: ModuleContext): boolean {
  const { builder } = context;
  return (
    context.binding(binding).element === "f32" &&
    ["row", "col", ...ks].some((name) => builder.isStrideOne(index, name, 4) && builder.isWholeIn(name, 4))
  );
}

/**
 * Declares f32 bindings so that are read four along k at a time, where whatever else reads them lies within words that the tensor
 * has whole.
 */
export function declareWords(
  exprs: readonly Expr[],
  written: ReadonlySet<string>,
  context: ModuleContext,
): void {
  const { builder } = context;
  if (!builder.isWholeIn("k", 4) || splitsWords(exprs, "k")) return;
  const words = new Map<string, boolean>();
  const others = new Set<string>(written);
  walk(exprs, (expr) => {
    if (expr.kind !== "load" || !isF32(expr, context)) return;
    if (builder.isStrideOne(expr.index, "k", 4)) words.set(expr.binding, true);
    else if (!isOfWords(expr, [], context)) others.add(expr.binding);
  });
  for (const binding of words.keys()) if (!others.has(binding)) context.declareWide(binding);
}
