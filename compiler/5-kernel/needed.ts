/** Which parts of an expression are evaluated whichever way the conditions in it go. */
import { children } from "./traverse.js";
import type { Expr } from "./types.js";

/** Adds what is evaluated with an expression in any case: of a choice what both sides need, of a loop its extent. */
export function addNeeded(expr: Expr, needed: Set<Expr>): void {
  if (expr.kind === "literal" || expr.kind === "var" || expr.kind === "number" || needed.has(expr)) return;
  needed.add(expr);
  if (expr.kind === "loop") addNeeded(expr.extent, needed);
  else if (expr.kind === "op" && expr.op === "select") {
    const [condition] = expr.args;
    if (condition !== undefined) addNeeded(condition, needed);
    for (const each of neededByBoth(expr)) needed.add(each);
  } else for (const child of children(expr)) addNeeded(child, needed);
}

const inBothSides = new WeakMap<Expr, readonly Expr[]>();

/** What both sides of a choice need. */
function neededByBoth(select: Extract<Expr, { kind: "op" }>): readonly Expr[] {
  const known = inBothSides.get(select);
  if (known !== undefined) return known;
  const [yes, no] = select.args.slice(1).map((side) => {
    const needed = new Set<Expr>();
    addNeeded(side, needed);
    return needed;
  });
  const both = [...(yes ?? [])].filter((each) => no?.has(each) === true);
  inBothSides.set(select, both);
  return both;
}
