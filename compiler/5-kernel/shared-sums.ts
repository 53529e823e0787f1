/**
 * Sums that every lane of a scan's channel would make alike before the first step (the product of a short rank, a norm's
 * sum, where there is one step): the lanes share them, each a stretch of the summed axis.
 */
import { children, freeVars } from "./traverse.js";
import type { Expr, ScanKernel } from "./types.js";

export type Sum = Extract<Expr, { kind: "loop" }> & { readonly extent: { readonly kind: "literal" } };

/** Shorter ones are not worth a barrier. */
const FEWEST_OF_A_LANE = 4;
const OF_A_CHANNEL: ReadonlySet<string> = new Set(["lead", "channel"]);

/** Those that a kernel has with so many lanes a channel, each once. */
export function sharedSums(
  { invariants, staged }: Pick<ScanKernel, "invariants" | "staged">,
  lanes: number,
): readonly Sum[] {
  const found = new Set<Sum>();
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    // What a condition guards must not be read where it does not hold.
    if (seen.has(expr) || (expr.kind === "op" && expr.op === "select")) return;
    seen.add(expr);
    if (isShared(expr, lanes)) found.add(expr);
    else if (expr.kind !== "loop") children(expr).forEach(visit);
  };
  if (lanes > 1) for (const { value } of [...invariants, ...staged]) visit(value);
  return [...found];
}

const isShared = (expr: Expr, lanes: number): expr is Sum =>
  expr.kind === "loop" &&
  expr.fn === "sum" &&
  expr.type === "f32" &&
  expr.extent.kind === "literal" &&
  expr.extent.value >= FEWEST_OF_A_LANE * lanes &&
  [...freeVars(expr)].every((name) => OF_A_CHANNEL.has(name));
