/** Staged values of a scan: what the whole workgroup evaluates once for all that use it, a tile of steps ahead. */
import { innerInFours, type StagePass } from "../../../templates/kernels/scan.js";
import { code, join, name, variable, type Wgsl } from "../../../templates/wgsl.js";
import { typeName } from "../print-block.js";
import { foursFrom, scalarValue, type Value } from "../print-scope.js";
import type { ModuleContext } from "../module-context.js";
import { children, dependsOn, walk } from "../traverse.js";
import type { Expr } from "../types.js";
import { valueOf, type ScanFrame } from "./scan-frame.js";
import { stageWords } from "./scan-pairs.js";
import { stagesPairs } from "./channel-pair.js";

type Load = Extract<Expr, { kind: "load" }>;

/** Registers of one invocation that hold what the next tile needs. Doing without them costs up to three times the time. */
const MOST_PREFETCHED = 64;

/**
 * Loads of the steps to come are worth keeping in registers while there are few. A load behind a condition is made behind it,
 * unless that loads too: to know it would be to wait. What a piece covers: four steps of a channel, or up to four inner coordinates of a step.
 */
export function stagePass(frame: ScanFrame, per: "channel" | "inner"): StagePass {
  const { context, shape, pair } = frame;
  if (per === "channel" && pair !== undefined && stagesPairs(frame.kernel, context))
    return stageWords(frame, pair);
  const staged = frame.kernel.staged.filter((each) => each.per === per);
  const inFours = innerInFours(shape);
  const four = per === "channel" || inFours;
  const pieces =
    per === "channel"
      ? shape.steps / 4 / shape.lanes
      : (shape.steps * shape.inner) / (inFours ? 4 : 1) / (shape.channels * shape.lanes);
  const loads = loadsAhead(
    staged.map((each) => each.value),
    per === "channel" ? ["t"] : ["t", "n"],
    context,
  );
  const prefetch = Math.ceil(pieces) * loads.size * (four ? 4 : 1) <= MOST_PREFETCHED;
  const environment = new Map<string, Value>([
    ["t", { wgsl: variable("t"), width: per === "channel" ? 4 : 1 }],
  ]);
  if (per === "inner") environment.set("n", inFours ? foursFrom(variable("n")) : scalarValue(variable("n")));
  const width = four ? 4 : 1;
  const registers = new Map<string, Value>();
  const register = (load: Load, i: number): Value => {
    const key = `${context.builder.idOf(load)}.${i}`;
    const known = registers.get(key) ?? {
      wgsl: variable(context.names.take(`next_${load.binding}`)),
      width,
    };
    registers.set(key, known);
    return known;
  };
  return {
    tiles: staged.map((each) => frame.tile(each.name)),
    prefetch,
    declare: (i) =>
      join(
        [...loads.keys()].map(
          (load) => code`var ${register(load, i).wgsl}: ${name(typeName(load.type, width))};`,
        ),
      ),
    load: (i) => {
      const printer = frame.root.nested(environment);
      const values = [...loads].map(([load, { when }]) => {
        const loaded = when === undefined ? load : context.builder.select(when, load, zeroOf(load, context));
        return code`${register(load, i).wgsl} = ${valueOf(printer, loaded, width)};`;
      });
      return join([printer.flush(), ...values]);
    },
    values: (i) => {
      const inner = new Map(environment);
      if (prefetch) for (const [load, { ahead }] of loads) inner.set(ahead, register(load, i));
      const replaced = new Map<Expr, Expr>();
      if (prefetch)
        for (const [load, { ahead }] of loads) replaced.set(load, context.builder.variable(ahead, load.type));
      const exprs = staged.map((each) => context.builder.substitute(each.value, new Map(), replaced));
      const printer = frame.root.nested(inner, exprs);
      const values = exprs.map((expr) => valueOf(printer, expr, width) as Wgsl<"f32">);
      return { inside: printer.flush(), values };
    },
  };
}

interface Ahead {
  /** The var for its result. */
  readonly ahead: string;
  /** Where it is made at all; without, everywhere. */
  readonly when?: Expr;
}

/** Where a load is made that is not known without loading, or in a loop. */
const ELSEWHERE = "elsewhere";
type Where = Expr | typeof ELSEWHERE | undefined;

/** Loads that depend on the vars and whose being made is known without loading, wherever they are: always, or by one condition. */
function loadsAhead(
  values: readonly Expr[],
  vars: readonly string[],
  { builder }: ModuleContext,
): ReadonlyMap<Load, Ahead> {
  const names = new Set(vars);
  const found = new Map<Load, Set<Where>>();
  const seen = new Map<Where, Set<Expr>>();
  const enter = (expr: Expr, when: Where): void => {
    const before = seen.get(when) ?? new Set();
    if (before.has(expr)) return;
    seen.set(when, before.add(expr));
    if (expr.kind === "load") {
      if (dependsOn(expr, names)) found.set(expr, (found.get(expr) ?? new Set()).add(when));
      enter(expr.index, ELSEWHERE);
      return;
    }
    const [condition, ifTrue, ifFalse] = expr.kind === "op" && expr.op === "select" ? expr.args : [];
    if (condition === undefined || ifTrue === undefined || ifFalse === undefined) {
      for (const operand of children(expr)) enter(operand, expr.kind === "loop" ? ELSEWHERE : when);
      return;
    }
    enter(condition, when);
    const both = (also: Expr): Where => {
      if (when === ELSEWHERE || loadsAnything(condition)) return ELSEWHERE;
      return when === undefined ? also : builder.op("and", when, also);
    };
    enter(ifTrue, both(condition));
    enter(ifFalse, both(builder.op("not", condition)));
  };
  for (const value of values) enter(value, undefined);
  const ahead = [...found].flatMap(([load, conditions]): (readonly [Load, Expr | undefined])[] => {
    if (conditions.has(undefined)) return [[load, undefined]];
    const [only, ...others] = conditions;
    return others.length > 0 || only === ELSEWHERE ? [] : [[load, only]];
  });
  return new Map(
    ahead.map(([load, when], i): readonly [Load, Ahead] => [
      load,
      { ahead: `ahead ${i}`, ...(when !== undefined && { when }) },
    ]),
  );
}

function loadsAnything(expr: Expr): boolean {
  let loads = false;
  walk([expr], (each) => (loads ||= each.kind === "load"));
  return loads;
}

/** In place of what is not loaded. */
const zeroOf = (load: Load, { builder }: ModuleContext): Expr => builder.literal(load.type, 0);
