/** The blocks of a shader that is being printed: which names stand for what in each, and what was bound where. */
import { component, type AnyWgsl, type Code, type Wgsl } from "../../templates/wgsl.js";
import { InternalError } from "../diagnostics/internal-error.js";
import { dependsOn, freeVars } from "./traverse.js";
import type { Expr } from "./types.js";

/** What a var or an expression is called here, and whether it is one value or four. */
export interface Value {
  readonly wgsl: AnyWgsl;
  readonly width: 1 | 4;
  /** Four whole numbers that follow one another, the first of which is a multiple of four. */
  readonly first?: Wgsl<"u32">;
  /** Of eight in a row, from a multiple of eight, of which these are four: the first. */
  readonly firstOfEight?: Wgsl<"u32">;
}

export type Environment = ReadonlyMap<string, Value>;

export interface Scope {
  readonly parent: Scope | undefined;
  /** What depends on none of these names is bound further out. Undefined for a branch: nothing leaves it. */
  readonly indexes: ReadonlySet<string> | undefined;
  readonly environment: Environment;
  readonly bound: Map<Expr, Value>;
  /** What is evaluated here whichever way conditions go: a branch need not do it again. */
  readonly needed: Set<Expr>;
  readonly statements: Code[];
  /** Vars that are four in a row further out are their firsts here. */
  readonly hasFirsts?: boolean;
}

export const scalarValue = (wgsl: AnyWgsl): Value => ({ wgsl, width: 1 });
export const vectorValue = (wgsl: AnyWgsl): Value => ({ wgsl, width: 4 });
/** A var of four whole numbers that follow one another from a multiple of four. */
export const foursFrom = (four: Wgsl<"vec4u">): Value => ({
  wgsl: four,
  width: 4,
  first: component<"u32">(four, 0),
});

/** A block in another; a branch unless it binds indexes. */
export function scopeIn(
  parent: Scope | undefined,
  {
    indexes,
    environment = new Map(),
    statements = [],
  }: Partial<Pick<Scope, "environment" | "statements">> & {
    readonly indexes?: ReadonlySet<string>;
  } = {},
): Scope {
  return { parent, indexes, environment, bound: new Map(), needed: new Set(), statements };
}

export function tryLookUp(of: string, scope: Scope): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const value = at.environment.get(of);
    if (value !== undefined) return value;
  }
  return undefined;
}

export function lookUp(of: string, scope: Scope): Value {
  const value = tryLookUp(of, scope);
  if (value === undefined) throw new InternalError("print-wgsl", `nothing binds the var ${of} here`);
  return value;
}

export function findBound(expr: Expr, scope: Scope): Value | undefined {
  // Out of a place of firsts, four values are none of its own.
  let scalarsAlone = false;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const value = at.bound.get(expr);
    if (value !== undefined && !(scalarsAlone && value.width === 4)) return value;
    scalarsAlone ||= at.hasFirsts === true;
  }
  return undefined;
}

/** Out of every block on whose names the expression does not depend, but not out of a branch. */
export function homeOf(expr: Expr, scope: Scope): Scope {
  let home = scope;
  while (home.parent !== undefined && home.indexes !== undefined && !dependsOn(expr, home.indexes))
    home = home.parent;
  return home;
}

export function componentsOf(exprs: readonly Expr[], scope: Scope, i: 0 | 1 | 2 | 3): Environment {
  const environment = new Map<string, Value>();
  for (const each of exprs.flatMap((expr) => [...freeVars(expr)])) {
    const value = tryLookUp(each, scope);
    if (value?.width === 4) environment.set(each, scalarValue(component(value.wgsl, i)));
  }
  return environment;
}

/** The same place for the i-th of four: what is bound four wide there is its component. */
export function componentOf(scope: Scope, i: 0 | 1 | 2 | 3): Scope {
  const bound = new Map<Expr, Value>();
  for (const [expr, value] of scope.bound)
    bound.set(expr, value.width === 1 ? value : scalarValue(component(value.wgsl, i)));
  return { ...scope, parent: scope.parent && componentOf(scope.parent, i), bound };
}

/** The same place, where a var that is four in a row is its first, or the first of the eight that they are of. */
export function withFirsts(scope: Scope, ofEight = false): Scope {
  const environment = new Map<string, Value>();
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    for (const [each, { first, firstOfEight }] of at.environment) {
      const value = ofEight ? (firstOfEight ?? first) : first;
      if (value !== undefined && !environment.has(each)) environment.set(each, scalarValue(value));
    }
  }
  const indexes = new Set(environment.keys());
  return { ...scopeIn(scope, { indexes, environment, statements: scope.statements }), hasFirsts: true };
}
