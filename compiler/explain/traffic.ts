/**
 * What a dispatch reads and writes of each binding, from the expressions of its kernel: each distinct address once, and
 * once for every workgroup that touches it.
 *
 * An index is a sum of terms. Coordinates that share a term, a guard or a bound are enumerated together, and the sets of
 * places that independent ones give are added. What cannot be known from the kernel alone (a place that is read from
 * memory, as a gather's) counts as a different place every time, up to the size of what it is added to.
 */
import { children, freeVars } from "../5-kernel/traverse.js";
import type { Expr, ExprOp, Kernel, Store } from "../5-kernel/types.js";
import { count, EMPTY, ofValues, repeated, sums, union, type AddressSet } from "./address-set.js";
import { compile, type EvaluateDim } from "./evaluate.js";
import { spaceOf, type Deal, type Loop, type Space } from "./space.js";

export interface Touched {
  /** Elements, each once. */
  readonly distinct: number;
  /** Elements, each once for every workgroup that touches it; undefined where there are too many workgroups to tell. */
  readonly byWorkgroups: number | undefined;
  /** Their places; undefined where they depend on data, and `distinct` is the most that there can be. */
  readonly places: AddressSet | undefined;
}

export interface BindingTraffic {
  readonly binding: string;
  readonly reads: Touched;
  readonly writes: Touched;
}

interface Access {
  readonly binding: string;
  readonly kind: "read" | "write";
  readonly index: Expr;
  readonly loops: readonly Loop[];
  readonly guards: readonly Guard[];
}

interface Guard {
  readonly condition: Expr;
  readonly holds: boolean;
}

/** @param elements how many elements each binding has. */
export function trafficOf(
  kernel: Kernel,
  dim: EvaluateDim,
  elements: (binding: string) => number,
): readonly BindingTraffic[] {
  const space = spaceOf(kernel);
  const accesses = accessesOf(space);
  return kernel.bindings.map(({ name }) => {
    const touched = (kind: Access["kind"]): Touched => {
      const own = accesses.filter((each) => each.binding === name && each.kind === kind);
      return touchedBy(own, space.deals, dim, elements(name));
    };
    return { binding: name, reads: touched("read"), writes: touched("write") };
  });
}

/** Workgroups of a dispatch that have something to do. */
export function workgroupsOf(kernel: Kernel, dim: EvaluateDim): number {
  return spaceOf(kernel).deals.reduce((total, deal) => total * groupsOf(deal, dim), 1);
}

const groupsOf = ({ vars, block }: Deal, dim: EvaluateDim): number =>
  Math.ceil(vars.reduce((size, each) => size * dim(each.extent), 1) / block);

// What is accessed.

function accessesOf({ holes }: Space): readonly Access[] {
  const found: Access[] = [];
  for (const { loops, exprs, stores } of holes) {
    const seen = new Map<Expr, Set<string>>();
    const names = new Map<Expr, number>();
    const nameOf = (expr: Expr): number => {
      const name = names.get(expr) ?? names.size;
      names.set(expr, name);
      return name;
    };
    const enter = (expr: Expr, inside: readonly Loop[], guards: readonly Guard[]): void => {
      const key = guards.map(({ condition, holds }) => `${nameOf(condition)}${holds ? "+" : "-"}`).join();
      const keys = seen.get(expr) ?? new Set();
      if (keys.has(key) || keys.has("")) return;
      seen.set(expr, keys.add(key));
      if (expr.kind === "load")
        found.push({ binding: expr.binding, kind: "read", index: expr.index, loops: inside, guards });
      if (expr.kind === "op" && expr.op === "select") {
        const [condition, then, otherwise] = expr.args;
        if (condition === undefined || then === undefined || otherwise === undefined) return;
        enter(condition, inside, guards);
        enter(then, inside, [...guards, { condition, holds: true }]);
        enter(otherwise, inside, [...guards, { condition, holds: false }]);
        return;
      }
      const within_ =
        expr.kind === "loop" ? [...inside, { name: expr.index, begin: 0, end: expr.extent }] : inside;
      for (const child of children(expr)) enter(child, within_, guards);
    };
    for (const expr of exprs) enter(expr, loops, []);
    for (const store of stores) {
      const guards = guardsOf(store);
      if (store.when !== undefined) enter(store.when, loops, []);
      enter(store.index, loops, guards);
      enter(store.value, loops, guards);
      found.push({ binding: store.binding, kind: "write", index: store.index, loops, guards });
    }
  }
  return found;
}

const guardsOf = ({ when }: Store): readonly Guard[] =>
  when === undefined ? [] : [{ condition: when, holds: true }];

// Where it lies.

function touchedBy(
  accesses: readonly Access[],
  deals: readonly Deal[],
  dim: EvaluateDim,
  elements: number,
): Touched {
  if (accesses.length === 0) return { distinct: 0, byWorkgroups: 0, places: EMPTY };
  const placed = accesses.map((access) => placesOf(access, [], dim));
  const known = placed.flatMap((each) => (each.places === undefined ? [] : [each.places]));
  const exact = known.length === placed.length ? union(known) : undefined;
  const most = placed.reduce((total, each) => total + each.most, 0);
  const distinct = exact === undefined ? Math.min(most, elements) : count(exact);
  return { distinct, byWorkgroups: byWorkgroups(accesses, deals, dim, elements, distinct), places: exact };
}

/** Addresses of each workgroup apart: its number is put in front of the address. */
function byWorkgroups(
  accesses: readonly Access[],
  deals: readonly Deal[],
  dim: EvaluateDim,
  elements: number,
  distinct: number,
): number | undefined {
  const read = new Set(accesses.flatMap((access) => [...varsOf(access)]));
  let [alike, stride] = [1, elements];
  const digits: Digit[] = [];
  for (const deal of deals) {
    const groups = groupsOf(deal, dim);
    // All workgroups that differ in nothing that is read touch the same.
    if (!deal.vars.some((each) => read.has(each.var))) alike *= groups;
    else {
      digits.push({ deal, stride });
      stride *= groups;
    }
  }
  if (digits.length === 0) return distinct * alike;
  if (stride >= Number.MAX_SAFE_INTEGER) return undefined;
  const placed = accesses.map((access) => placesOf(inWorkgroups(access, digits), digits, dim));
  const known = placed.flatMap((each) => (each.places === undefined ? [] : [each.places]));
  const exact = known.length === placed.length ? union(known) : undefined;
  if (exact !== undefined) return count(exact) * alike;
  const most = placed.reduce((total, each) => total + each.most, 0) * alike;
  return Number.isFinite(most) ? most : undefined;
}

/** An access that does not have a coordinate is made by the workgroups of all its values. */
function inWorkgroups(access: Access, digits: readonly Digit[]): Access {
  const missing = digits
    .flatMap(({ deal }) => deal.vars)
    .filter((each) => !access.loops.some(({ name }) => name === each.var))
    .map((each): Loop => ({ name: each.var, begin: 0, end: each.extent }));
  return { ...access, loops: [...missing, ...access.loops] };
}

interface Digit {
  readonly deal: Deal;
  readonly stride: number;
}

/** The coordinates that an access depends on, through its index, its guards and their bounds. */
function varsOf({ index, guards, loops }: Access): ReadonlySet<string> {
  const found = new Set(
    [index, ...guards.map(({ condition }) => condition)].flatMap((expr) => [...freeVars(expr)]),
  );
  for (const loop of [...loops].reverse())
    if (found.has(loop.name))
      for (const bound of boundsOf(loop)) for (const name of freeVars(bound)) found.add(name);
  return found;
}

const isExpr = (bound: Loop["end"]): bound is Expr => typeof bound === "object" && !Array.isArray(bound);

const boundsOf = ({ begin, end }: Loop): readonly Expr[] => [begin, end].filter(isExpr);

/** A summand of an index, or a guard without one. */
interface Term {
  readonly vars: ReadonlySet<string>;
  readonly value?: (slots: ReadonlyMap<string, number>) => ((at: Float64Array) => number) | undefined;
  /** Where the value is factor · floor(i / block) of its one coordinate i. */
  readonly steps?: { readonly factor: number; readonly block: number };
  readonly guard?: Guard;
}

/** The places of one access; `most` bounds their number where they are not known. */
function placesOf(
  access: Access,
  digits: readonly Digit[],
  dim: EvaluateDim,
): { readonly places: AddressSet | undefined; readonly most: number } {
  const { constant, terms } = termsOf(access, digits, dim);
  let places: AddressSet | undefined = ofValues(Float64Array.of(constant));
  let most = 1;
  for (const group of components(access, terms)) {
    const found = progression(access.loops, group, dim) ?? enumerate(access.loops, group, dim);
    if (found.size === 0) return { places: EMPTY, most: 0 };
    places = places && found.places && sums(places, found.places);
    most *= found.size;
  }
  return { places, most: places === undefined ? most : count(places) };
}

function termsOf(
  { index, guards }: Access,
  digits: readonly Digit[],
  dim: EvaluateDim,
): { readonly constant: number; readonly terms: readonly Term[] } {
  const atoms = new Map<Expr, number>();
  const constant = linear(index, 1, atoms, dim);
  const terms: Term[] = [...atoms].map(([atom, factor]) => ({
    vars: freeVars(atom),
    ...(atom.kind === "var" && { steps: { factor, block: 1 } }),
    value: (slots) => {
      const evaluate = compile(atom, slots, dim);
      return evaluate && ((at) => factor * evaluate(at));
    },
  }));
  for (const guard of guards) terms.push({ vars: freeVars(guard.condition), guard });
  for (const { deal, stride } of digits) {
    const names = new Set(deal.vars.map((each) => each.var));
    const sizes = deal.vars.map((each) => dim(each.extent));
    terms.push({
      vars: names,
      ...(deal.vars.length === 1 && { steps: { factor: stride, block: deal.block } }),
      value: (slots) => (at) => {
        let place = 0;
        deal.vars.forEach(
          (each, i) => (place = place * (sizes[i] ?? 1) + (at[slots.get(each.var) ?? -1] ?? 0)),
        );
        return stride * Math.floor(place / deal.block);
      },
    });
  }
  return { constant, terms };
}

/** Adds factor · expr to `atoms`, and gives what of it is constant. */
function linear(expr: Expr, factor: number, atoms: Map<Expr, number>, dim: EvaluateDim): number {
  const constant = constantOf(expr, dim);
  if (constant !== undefined) return factor * constant;
  if (expr.kind === "op") {
    const [a, b] = expr.args;
    if (a !== undefined && b !== undefined) {
      if (expr.op === "add") return linear(a, factor, atoms, dim) + linear(b, factor, atoms, dim);
      if (expr.op === "sub") return linear(a, factor, atoms, dim) + linear(b, -factor, atoms, dim);
      const [left, right] = [constantOf(a, dim), constantOf(b, dim)];
      if (expr.op === "mul" && right !== undefined) return linear(a, factor * right, atoms, dim);
      if (expr.op === "mul" && left !== undefined) return linear(b, factor * left, atoms, dim);
    }
  }
  atoms.set(expr, (atoms.get(expr) ?? 0) + factor);
  return 0;
}

const NO_SLOTS: ReadonlyMap<string, number> = new Map();

function constantOf(expr: Expr, dim: EvaluateDim): number | undefined {
  if (freeVars(expr).size > 0) return undefined;
  return compile(expr, NO_SLOTS, dim)?.(new Float64Array(0));
}

/** Terms whose coordinates hang together, with all of these. */
interface Component {
  readonly vars: ReadonlySet<string>;
  readonly terms: readonly Term[];
}

function components(access: Access, terms: readonly Term[]): readonly Component[] {
  let found: { vars: Set<string>; terms: Term[] }[] = [];
  for (const term of terms) {
    const vars = new Set(term.vars);
    for (const loop of [...access.loops].reverse())
      if (vars.has(loop.name))
        for (const bound of boundsOf(loop)) for (const name of freeVars(bound)) vars.add(name);
    const merged = { vars, terms: [term] };
    found = found.filter((each) => {
      if (![...each.vars].some((name) => vars.has(name))) return true;
      each.vars.forEach((name) => vars.add(name));
      merged.terms.unshift(...each.terms);
      return false;
    });
    found.push(merged);
  }
  return found;
}

/** One coordinate between fixed bounds, in whose steps the places go on: whatever their number, they are a few sets that repeat. */
function progression(
  loops: readonly Loop[],
  { vars, terms }: Component,
  dim: EvaluateDim,
): { readonly places: AddressSet; readonly size: number } | undefined {
  const [own, ...others] = loops.filter(({ name }) => vars.has(name));
  if (own === undefined || others.length > 0) return undefined;
  const steps: NonNullable<Term["steps"]>[] = [];
  let range: Range | undefined = rangeOf(own, dim);
  for (const { steps: of, guard } of terms)
    if (guard !== undefined) range = range && narrowed(range, own.name, guard, dim);
    else if (of === undefined) return undefined;
    else steps.push(of);
  if (range === undefined) return undefined;
  const { begin, end } = range;
  const [block = 1, ...otherBlocks] = new Set(steps.flatMap((each) => (each.block > 1 ? [each.block] : [])));
  if (otherBlocks.length > 0 || (block > 1 && begin !== 0)) return undefined;
  const factor = (of: number): number =>
    steps.reduce((sum, each) => sum + (each.block === of ? each.factor : 0), 0);
  const size = Math.max(0, end - begin);
  const within = factor(1);
  const whole = Math.floor(size / block);
  const between = block > 1 ? within * block + factor(block) : within;
  const run = (times: number): AddressSet | undefined =>
    repeated(ofValues(Float64Array.of(within * begin)), within, times);
  const blocks = run(block);
  const rest = run(size - whole * block);
  const all = blocks && repeated(blocks, between, whole);
  const last = rest && sums(rest, ofValues(Float64Array.of(whole * between)));
  const places = all && last && union([all, last]);
  return places && { places, size: count(places) };
}

/** begin ≤ coordinate < end. */
interface Range {
  readonly begin: number;
  readonly end: number;
}

function rangeOf(loop: Loop, dim: EvaluateDim): Range | undefined {
  const [begin, end] = [loop.begin, loop.end].map((bound) =>
    isExpr(bound) ? constantOf(bound, dim) : dim(bound),
  );
  return begin === undefined || end === undefined ? undefined : { begin, end };
}

/** The part of a range in which a guard lets through; undefined for guards that are no bounds of the coordinate. */
function narrowed(
  range: Range,
  name: string,
  { condition, holds }: Guard,
  dim: EvaluateDim,
): Range | undefined {
  if (condition.kind !== "op") return undefined;
  const [a, b] = condition.args;
  if (a === undefined) return undefined;
  if (condition.op === "not") return narrowed(range, name, { condition: a, holds: !holds }, dim);
  if (b === undefined) return undefined;
  if (condition.op === (holds ? "and" : "or")) {
    const half = narrowed(range, name, { condition: a, holds }, dim);
    return half && narrowed(half, name, { condition: b, holds }, dim);
  }
  const comparison = COMPARISONS.get(condition.op);
  if (comparison === undefined) return undefined;
  const atoms = new Map<Expr, number>();
  const constant = linear(a, 1, atoms, dim) + linear(b, -1, atoms, dim) - comparison.more;
  const [[atom, factor] = [undefined, 0], ...others] = [...atoms].filter(([, of]) => of !== 0);
  if (atom?.kind !== "var" || atom.name !== name || others.length > 0) return undefined;
  // factor · coordinate + constant is below 0, or is not.
  const below = comparison.below === holds;
  const zero = -constant / factor;
  return below === factor > 0
    ? { ...range, end: Math.min(range.end, below ? Math.ceil(zero) : Math.floor(zero) + 1) }
    : { ...range, begin: Math.max(range.begin, below ? Math.floor(zero) + 1 : Math.ceil(zero)) };
}

/** a ∘ b as a − b − more < 0, or not: of whole numbers. */
const COMPARISONS: ReadonlyMap<ExprOp, { readonly below: boolean; readonly more: 0 | 1 }> = new Map([
  ["lt", { below: true, more: 0 }],
  ["ge", { below: false, more: 0 }],
  ["le", { below: true, more: 1 }],
  ["gt", { below: false, more: 1 }],
]);

/** More combinations than this are not enumerated. */
const MOST_COMBINATIONS = 2 ** 21;

function enumerate(
  loops: readonly Loop[],
  { vars, terms }: Component,
  dim: EvaluateDim,
): { readonly places: AddressSet | undefined; readonly size: number } {
  const own = loops.filter(({ name }) => vars.has(name));
  const slots = new Map(own.map(({ name }, slot) => [name, slot]));
  const evaluators = terms.flatMap(({ value }) => (value === undefined ? [] : [value(slots)]));
  const values = evaluators.filter((each) => each !== undefined);
  const guards = terms.flatMap(({ guard }) => {
    const test = guard && compile(guard.condition, slots, dim);
    return guard === undefined || test === undefined ? [] : [{ test, holds: guard.holds }];
  });
  const bounds = own.map(
    ({ begin, end }) => [begin, end].map((bound) => boundOf(bound, slots, dim)) as [Bound, Bound],
  );
  const at = new Float64Array(own.length);
  const most = own.reduce((product, { begin, end }) => product * valuesOf(begin, end, dim), 1);
  if (most > MOST_COMBINATIONS) return { places: undefined, size: most };
  const collected = new Collector();
  let walked = 0;
  const visit = (slot: number): void => {
    const bound = bounds[slot];
    if (bound === undefined) {
      walked += 1;
      for (const { test, holds } of guards) if ((test(at) !== 0) !== holds) return;
      let sum = 0;
      for (const value of values) sum += value(at);
      collected.add(sum);
      return;
    }
    const end = bound[1](at);
    for (let i = bound[0](at); i < end && walked <= MOST_COMBINATIONS; i++) {
      at[slot] = i;
      visit(slot + 1);
    }
  };
  visit(0);
  if (walked > MOST_COMBINATIONS) return { places: undefined, size: Infinity };
  if (values.length < evaluators.length) return { places: undefined, size: collected.size };
  const places = ofValues(collected.values());
  return { places, size: count(places) };
}

/** How many values a coordinate has; one where its bounds are those of a chunk, of which all together have them. */
const valuesOf = (begin: Loop["begin"], end: Loop["end"], dim: EvaluateDim): number =>
  isExpr(begin) || isExpr(end) ? (isExpr(end) ? (constantOf(end, dim) ?? 1) : 1) : dim(end) - dim(begin);

type Bound = (at: Float64Array) => number;

function boundOf(bound: Loop["end"], slots: ReadonlyMap<string, number>, dim: EvaluateDim): Bound {
  const constant = isExpr(bound) ? undefined : dim(bound);
  const evaluate = isExpr(bound) ? compile(bound, slots, dim) : undefined;
  return evaluate ?? (() => constant ?? 0);
}

/** Numbers, as they come. */
class Collector {
  private list = new Float64Array(1024);
  size = 0;

  add(value: number): void {
    if (this.size === this.list.length) {
      const larger = new Float64Array(2 * this.list.length);
      larger.set(this.list);
      this.list = larger;
    }
    this.list[this.size++] = value;
  }

  values(): Float64Array {
    return this.list.slice(0, this.size);
  }
}
