/** Work of a dispatch: operations on f32, and barriers. Edges of tiles, where some of it is thrown away, are left out. */
import type { Dim } from "../../runtime/bundle-format.js";
import { sharedSums } from "../5-kernel/shared-sums.js";
import { children, freeVars } from "../5-kernel/traverse.js";
import type { Expr, ExprOp, Kernel, ReduceKernel, ScanKernel } from "../5-kernel/types.js";
import { compile, type EvaluateDim } from "./evaluate.js";
import { exprsOf } from "../5-kernel/fill/printed.js";
import { spaceOf, type Hole, type Loop } from "./space.js";

export interface Operations {
  /** Sums, differences, products, quotients, least and greatest. */
  readonly arithmetic: number;
  /** Exponentials, logarithms, roots, sines and the like. */
  readonly transcendental: number;
}

const TRANSCENDENTAL: ReadonlySet<ExprOp> = new Set<ExprOp>([
  ...(["sqrt", "rsqrt", "pow", "exp", "exp2", "expm1", "log", "log1p"] as const),
  ...(["sin", "cos", "tanh", "erf", "phi", "turns", "turns_rest", "polar_re", "polar_im"] as const),
]);
const FREE: ReadonlySet<ExprOp> = new Set<ExprOp>(["select", "f32", "u32", "i32", "neg", "abs"]);

/** An operation of a hole counts once for every combination of the hole's coordinates; of a scan's, of those that it depends on. */
export function operationsOf(kernel: Kernel, dim: EvaluateDim): Operations {
  let [arithmetic, transcendental] = [foldsOf(kernel, dim), 0];
  const coordinates = kernel.skeleton === "scan" ? coordinatesOf(kernel) : undefined;
  for (const hole of spaceOf(kernel).holes) {
    const seen = new Set<Expr>();
    const enter = (expr: Expr, inside: readonly Loop[]): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      const loops =
        expr.kind === "loop" ? [...inside, { name: expr.index, begin: 0, end: expr.extent }] : inside;
      for (const child of children(expr)) enter(child, loops);
      if (expr.type !== "f32" || (expr.kind !== "op" && expr.kind !== "loop")) return;
      if (expr.kind === "op" && FREE.has(expr.op)) return;
      const vars =
        coordinates && new Set([...freeVars(expr)].flatMap((name) => coordinates.get(name) ?? [name]));
      const times = combinations(loops, vars, dim) * dim(hole.copies);
      if (expr.kind === "op" && TRANSCENDENTAL.has(expr.op)) transcendental += times;
      else arithmetic += times * (expr.kind === "op" && expr.op === "fma" ? 2 : 1);
    };
    for (const expr of [...hole.exprs, ...exprsOf(hole.stores)]) enter(expr, hole.loops);
  }
  return { arithmetic, transcendental };
}

/** The coordinates of each value that a scan binds. */
function coordinatesOf(kernel: ScanKernel): ReadonlyMap<string, readonly string[]> {
  const [channel, inner] = [["lead", "channel"], ["n"]];
  const step = (isInner: boolean): readonly string[] => ["t", ...channel, ...(isInner ? inner : [])];
  return new Map([
    ...kernel.invariants.map(
      ({ name, per }) => [name, per === "channel" ? channel : [...channel, ...inner]] as const,
    ),
    ...kernel.staged.map(
      ({ name, per }) => [name, per === "channel" ? step(false) : ["lead", "t", ...inner]] as const,
    ),
    ...kernel.states.map((state) => [`prev_${state.name}`, step(state.inner)] as const),
    ...kernel.steps.map((value) => [value.name, step(value.inner)] as const),
    ...[...(kernel.contractions ?? []), ...kernel.reductions].map(({ name }) => [name, step(false)] as const),
    ["last", [...channel, ...inner]],
  ]);
}

/** Sums that skeletons make themselves. */
function foldsOf(kernel: Kernel, dim: EvaluateDim): number {
  const all = (dims: readonly Dim[]): number =>
    dims.reduce<number>((product, each) => product * dim(each), 1);
  switch (kernel.skeleton) {
    case "contract":
      return all([kernel.batch, kernel.rows, kernel.cols, kernel.depth]) * (2 + kernel.along.length);
    case "reduce":
      return all([...kernel.domain, kernel.over].map(({ extent }) => extent)) * kernel.reductions.length;
    case "scan": {
      const loops = stepLoops(kernel);
      return loops === undefined ? 0 : combinations(loops.loops, undefined, dim) * kernel.reductions.length;
    }
    default:
      return 0;
  }
}

/** The hole of the reductions, which runs over everything. */
function stepLoops(kernel: Extract<Kernel, { skeleton: "scan" }>): Hole | undefined {
  return spaceOf(kernel).holes.find(({ loops }) => loops.length === 4);
}

/** How many combinations the coordinates have, or those among them that `vars` names. */
function combinations(
  loops: readonly Loop[],
  vars: ReadonlySet<string> | undefined,
  dim: EvaluateDim,
): number {
  const needed = new Set(vars ?? loops.map(({ name }) => name));
  const bounds = (loop: Loop): readonly Expr[] => [loop.begin, loop.end].filter(isExpr);
  for (const loop of [...loops].reverse())
    if (needed.has(loop.name))
      for (const bound of bounds(loop)) freeVars(bound).forEach((name) => needed.add(name));
  const own = loops.filter(({ name }) => needed.has(name));
  // A chunk's steps depend on its lead alone: everything before the last such bound is walked.
  const last = own.findLastIndex((loop) => bounds(loop).some((bound) => freeVars(bound).size > 0));
  const walkedNames = new Set<string>(last < 0 ? [] : [own[last]?.name ?? ""]);
  if (last >= 0)
    for (const bound of bounds(own[last] as Loop)) freeVars(bound).forEach((name) => walkedNames.add(name));
  const walked = own.filter(({ name }) => walkedNames.has(name));
  const slots = new Map(walked.map(({ name }, slot) => [name, slot]));
  const at = new Float64Array(walked.length);
  const value = (bound: Loop["end"]): number =>
    isExpr(bound) ? (compile(bound, slots, dim)?.(at) ?? 0) : dim(bound);
  const walk = (slot: number): number => {
    const loop = walked[slot];
    if (loop === undefined) return 1;
    const [begin, end] = [value(loop.begin), value(loop.end)];
    if (slot === walked.length - 1) return Math.max(0, end - begin);
    let total = 0;
    for (let i = begin; i < end; i++) {
      at[slot] = i;
      total += walk(slot + 1);
    }
    return total;
  };
  const rest = own.filter(({ name }) => !walkedNames.has(name));
  return rest.reduce((product, loop) => product * Math.max(0, value(loop.end) - value(loop.begin)), walk(0));
}

const isExpr = (bound: Loop["end"]): bound is Expr => typeof bound === "object" && !Array.isArray(bound);

/** Barriers that a workgroup waits at: the longest, where chunks of time differ. */
export function barriersOf(kernel: Kernel, dim: EvaluateDim): number {
  const tree = (lanes: number): number => (lanes === 1 ? 0 : 1 + Math.log2(lanes));
  switch (kernel.skeleton) {
    case "map":
      return 0;
    case "reduce":
      return phases(kernel) * tree(kernel.schedule.workgroup);
    case "contract": {
      const { schedule } = kernel;
      if (schedule.kind === "rows") return tree(schedule.lanes);
      return 2 * Math.ceil(dim(kernel.depth) / schedule.tileDepth);
    }
    case "scan": {
      const slots = new Map([["lead", 0]]);
      const [begin, end] = [kernel.begin, kernel.end].map((bound) => compile(bound, slots, dim));
      const first = Float64Array.of(0);
      const steps = (end?.(first) ?? 0) - (begin?.(first) ?? 0);
      const shared = sharedSums(kernel, kernel.schedule.lanes).length > 0 ? 1 : 0;
      return shared + 3 * Math.ceil(steps / kernel.schedule.steps);
    }
    case "sequential":
      return kernel.before.length + kernel.each.length * dim(kernel.steps);
  }
}

/** Reductions that read no other run together; those that read these come after. */
function phases({ reductions }: ReduceKernel): number {
  const phase = new Map<string, number>();
  for (const { name, body } of reductions) {
    const before = [...freeVars(body)].map((used) => phase.get(used) ?? 0);
    phase.set(name, 1 + Math.max(0, ...before));
  }
  return Math.max(0, ...phase.values());
}
