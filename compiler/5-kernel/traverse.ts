/** Walking expressions: each function visits a shared subexpression once. */
import type { Expr } from "./types.js";

export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "literal":
    case "var":
    case "number":
      return [];
    case "load":
      return [expr.index];
    case "op":
      return expr.args;
    case "loop":
      return [expr.extent, expr.body];
  }
}

/** Calls `visit` for every distinct subexpression of `roots`, operands before users. */
export function walk(roots: Iterable<Expr>, visit: (expr: Expr) => void): void {
  const seen = new Set<Expr>();
  const enter = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    for (const child of children(expr)) enter(child);
    visit(expr);
  };
  for (const root of roots) enter(root);
}

const freeVariables = new WeakMap<Expr, ReadonlySet<string>>();
const NONE: ReadonlySet<string> = new Set();

/** Names of the vars that `expr` needs from outside: those of its loops are not among them. */
export function freeVars(expr: Expr): ReadonlySet<string> {
  const known = freeVariables.get(expr);
  if (known !== undefined) return known;
  const free = computeFreeVars(expr);
  freeVariables.set(expr, free);
  return free;
}

function computeFreeVars(expr: Expr): ReadonlySet<string> {
  if (expr.kind === "var") return new Set([expr.name]);
  const parts = children(expr)
    .map(freeVars)
    .filter((part) => part.size > 0);
  const [first] = parts;
  if (first === undefined) return NONE;
  if (parts.length === 1 && expr.kind !== "loop") return first;
  const union = new Set<string>();
  for (const part of parts) for (const name of part) union.add(name);
  if (expr.kind === "loop" && !freeVars(expr.extent).has(expr.index)) union.delete(expr.index);
  return union;
}

export const dependsOn = (expr: Expr, names: ReadonlySet<string>): boolean => {
  for (const name of freeVars(expr)) if (names.has(name)) return true;
  return false;
};

/** Names of the bindings that `roots` read. */
export function loadedBindings(roots: Iterable<Expr>): ReadonlySet<string> {
  const names = new Set<string>();
  walk(roots, (expr) => {
    if (expr.kind === "load") names.add(expr.binding);
  });
  return names;
}

/** Names of the run-time numbers that `roots` use. */
export function usedNumbers(roots: Iterable<Expr>): ReadonlySet<string> {
  const names = new Set<string>();
  walk(roots, (expr) => {
    if (expr.kind === "number") names.add(expr.name);
  });
  return names;
}
