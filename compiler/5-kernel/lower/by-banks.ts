/**
 * Kernels that read or write a tensor in banks, which is larger than one binding may be: where a coordinate of the kernel's
 * domain decides the bank, the domain is cut so that each kernel has one; otherwise a kernel binds several banks and
 * chooses among them. Both are the same kernel, built over another part of its domain: that conditions on the bank
 * then hold or fail for good is left to the expressions' bounds.
 */
import type { ExprBuilder } from "../expr.js";
import { freeVars } from "../traverse.js";
import type { Expr, Extent, Kernel } from "../types.js";
import { bufferKey } from "./buffers.js";
import type { LowerContext, LoweredKernel } from "./context.js";
import type { KernelScope, RowAccess, Window } from "./scope.js";
import type { Turn } from "./turns.js";
import { attempt, fewerBindings, type Attempted } from "./within-bindings.js";

/** What of a group's work a kernel does. */
export interface Part {
  /** The coordinates of some of the kernel's vars: start ≤ i < start + size. The others have all of theirs. */
  readonly ranges: ReadonlyMap<string, { readonly start: number; readonly size: number }>;
  /** Where a range is of what is contracted: which. */
  readonly turn?: Turn;
}

const WHOLE: Part = { ranges: new Map() };

/** The coordinate that a var of a kernel's domain stands for: what begins at 0 in the kernel begins where its part does. */
export function coordinateOf(e: ExprBuilder, { var: name, extent }: Extent, part?: Part): Expr {
  const start = part?.ranges.get(name)?.start ?? 0;
  if (extent === 1) return e.u32(start);
  const own = e.variable(name, "u32", extent);
  return start === 0 ? own : e.add(own, start);
}

/** One kernel, or one for each part of its domain and window of banks that the target's limits make it take. */
export function byBanks(context: LowerContext, build: Build): readonly LoweredKernel[] {
  const whole = attempt((scope) => build(scope, WHOLE));
  if (whole.scope.banked().length === 0) return [fewerBindings(context, whole)];
  const parts = partsOf(whole.kernel, whole.scope);
  return parts.flatMap((part, k) => ofPart(context, build, part, parts.length === 1 ? undefined : String(k)));
}

type Build = (scope: KernelScope, part: Part) => Kernel;

/** The kernel of a part of the domain: whole, by windows of banks, or by turns. */
function ofPart(
  context: LowerContext,
  build: Build,
  part: Part,
  name: string | undefined,
): readonly LoweredKernel[] {
  const first = attempt((scope) => build(scope, part));
  const windows = byWindows(context, first, name);
  return windows.every((lowered) => isWithin(context, lowered))
    ? windows
    : (byTurns(context, build, part, first, name) ?? windows);
}

const isWithin = ({ schedules }: LowerContext, { buffers }: LoweredKernel): boolean =>
  buffers.length <= schedules.maxBindings;

/** Kernels over ranges of what is contracted, as few as keep to the target's bindings; undefined where no number of them does. */
function byTurns(
  context: LowerContext,
  build: Build,
  part: Part,
  { kernel, scope }: Attempted,
  name: string | undefined,
): readonly LoweredKernel[] | undefined {
  const contracted = contractedBy(kernel);
  if (contracted === undefined || typeof contracted.extent !== "number") return undefined;
  const cuts = cutsAlong(scope, contracted.var, contracted.extent);
  for (let turns = 2; turns < cuts.length; turns++) {
    const ends = Array.from(
      { length: turns + 1 },
      (_, k) => cuts[Math.round((k * (cuts.length - 1)) / turns)] ?? 0,
    );
    const lowered = ends.slice(0, -1).map((start, k) => {
      const range = { start, size: (ends[k + 1] ?? start) - start };
      const turn = { of: [kernel.name, name ?? ""].join("."), isFirst: k === 0, isLast: k === turns - 1 };
      const ranges = new Map(part.ranges).set(contracted.var, range);
      const made = attempt((inner) => build(inner, { ranges, turn }));
      return fewerBindings(context, made, { part: [name ?? "", "turn", k].join(".") });
    });
    if (lowered.every((each) => isWithin(context, each))) return lowered;
  }
  return undefined;
}

/** What a kernel contracts, one var for all of it. */
function contractedBy(kernel: Kernel): Extent | undefined {
  if (kernel.skeleton === "contract") return { var: "k", extent: kernel.depth };
  return kernel.skeleton === "reduce" ? kernel.over : undefined;
}

/** Kernels that bind as many banks as there is room for, one after the other; each stores what lies in its banks. */
function byWindows(
  context: LowerContext,
  first: Attempted,
  part: string | undefined,
): readonly LoweredKernel[] {
  const all = fewerBindings(context, first, { ...(part !== undefined && { part }) });
  const excess = all.buffers.length - context.schedules.maxBindings;
  const access = excess > 0 ? onlyAccess(first) : undefined;
  const bound = access === undefined ? [] : banksBound(first, access);
  const room = bound.length - excess;
  const [begin = 0] = bound;
  if (access === undefined || room < 1) return [all];
  return Array.from({ length: Math.ceil(bound.length / room) }, (_, k) => {
    const start = begin + k * room;
    const last = Math.min(start + room, begin + bound.length) - 1;
    const window: Window = { tensor: access.tensor, first: start, last };
    const which = [part ?? "", start].join(".");
    return fewerBindings(context, attempt(first.build, { window }), { window, part: which });
  });
}

/** The place at which a kernel reads the tensor that has most banks there, if it reads it at one place of its results' alone. */
function onlyAccess(attempted: Attempted): RowAccess | undefined {
  const { kernel, scope } = attempted;
  const results = new Set(domainOf(kernel).map((each) => each.var));
  const most = [...scope.banked()].sort(
    (p, q) => banksBound(attempted, q).length - banksBound(attempted, p).length,
  )[0];
  if (most === undefined || banksBound(attempted, most).length < 2) return undefined;
  const places = scope.banked().filter(({ tensor }) => bufferKey(tensor) === bufferKey(most.tensor));
  const alone = places.every(({ row }) => row === most.row);
  return alone && [...freeVars(most.row)].every((name) => results.has(name)) ? most : undefined;
}

/** Which banks of an access's tensor a kernel reads, in order. */
function banksBound({ scope }: Attempted, { tensor }: RowAccess): readonly number[] {
  const whole = JSON.stringify(tensor.ref);
  return scope
    .bound()
    .filter((bound) => bound.access === "read" && JSON.stringify(bound.tensor.ref) === whole)
    .flatMap((bound) => (bound.tensor.bank === undefined ? [] : [bound.tensor.bank.index]))
    .sort((p, q) => p - q);
}

/** The vars that say which of its results a kernel computes. */
function domainOf(kernel: Kernel): readonly Extent[] {
  switch (kernel.skeleton) {
    case "map":
    case "reduce":
      return kernel.domain;
    case "contract":
      return [
        { var: "batch", extent: kernel.batch },
        { var: "row", extent: kernel.rows },
        { var: "col", extent: kernel.cols },
      ];
    case "scan":
    case "sequential":
      return [];
  }
}

/** The domain cut wherever a var passes from one bank to the next. */
function partsOf(kernel: Kernel, scope: KernelScope): readonly Part[] {
  return domainOf(kernel).reduce<readonly Part[]>(
    (parts, { var: name, extent: size }) => {
      if (typeof size !== "number") return parts;
      const cuts = cutsAlong(scope, name, size);
      if (cuts.length === 2) return parts;
      const ranges = cuts.slice(0, -1).map((start, k) => ({ start, size: (cuts[k + 1] ?? size) - start }));
      return parts.flatMap((part) =>
        ranges.map((range) => ({ ranges: new Map(part.ranges).set(name, range) })),
      );
    },
    [WHOLE],
  );
}

/** Where a var passes from one bank to the next, with where it begins and ends. */
function cutsAlong(scope: KernelScope, name: string, size: number): readonly number[] {
  const starts = new Set(scope.banked().flatMap((access) => stepsAlong(scope.expr, access, name)));
  return [0, ...[...starts].filter((at) => at > 0 && at < size).sort((p, q) => p - q), size];
}

/** Where a var reaches the next bank, if the row is a multiple of it and something smaller than its stride. */
function stepsAlong(e: ExprBuilder, { tensor, row }: RowAccess, name: string): readonly number[] {
  const stride = e.strideOf(row, name);
  if (stride === undefined || stride < 1) return [];
  const zero = e.u32(0);
  const rest = e.substitute(row, new Map([[name, zero]]));
  const others = [...freeVars(rest)].map((other): [string, Expr] => [other, zero]);
  const least = e.substitute(rest, new Map(others));
  if (least.kind !== "literal" || !e.isLess(e.sub(rest, least), stride)) return [];
  return (tensor.banks?.starts ?? []).map((start) => Math.ceil((start - least.value) / stride));
}
