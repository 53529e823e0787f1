/** Staged values of a scan: what the whole workgroup evaluates once for all that use it, a tile of steps ahead. */
import { innerInFours, type StagePass } from "../../../templates/kernels/scan.js";
import { code, join, name, variable, type Wgsl } from "../../../templates/wgsl.js";
import { typeName } from "../print-block.js";
import type { Value } from "../print-scope.js";
import { children, dependsOn } from "../traverse.js";
import type { Expr } from "../types.js";
import { valueOf, type ScanFrame } from "./scan-frame.js";

type Load = Extract<Expr, { kind: "load" }>;

/** Registers of one invocation that hold what the next tile needs. Doing without them costs up to three times the time. */
const MOST_PREFETCHED = 64;

/**
 * Loads of the steps to come are worth keeping in registers while there are few; a load behind a condition stays there.
 * What a piece covers: four steps of a channel, or up to four inner coordinates of a step.
 */
export function stagePass(frame: ScanFrame, per: "channel" | "inner"): StagePass {
  const { context, shape } = frame;
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
  );
  const prefetch = Math.ceil(pieces) * loads.size * (four ? 4 : 1) <= MOST_PREFETCHED;
  const environment = new Map<string, Value>([
    ["t", { wgsl: variable("t"), width: per === "channel" ? 4 : 1 }],
  ]);
  if (per === "inner") environment.set("n", { wgsl: variable("n"), width: inFours ? 4 : 1 });
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
      const values = [...loads.keys()].map(
        (load) => code`${register(load, i).wgsl} = ${valueOf(printer, load, width)};`,
      );
      return join([printer.flush(), ...values]);
    },
    values: (i) => {
      const inner = new Map(environment);
      if (prefetch) for (const [load, ahead] of loads) inner.set(ahead, register(load, i));
      const replaced = new Map<Expr, Expr>();
      if (prefetch)
        for (const [load, ahead] of loads) replaced.set(load, context.builder.variable(ahead, load.type));
      const exprs = staged.map((each) => context.builder.substitute(each.value, new Map(), replaced));
      const printer = frame.root.nested(inner, exprs);
      const values = exprs.map((expr) => valueOf(printer, expr, width) as Wgsl<"f32">);
      return { inside: printer.flush(), values };
    },
  };
}

/** Loads that depend on the vars and are made whatever the values are, each with a var for its result. */
function loadsAhead(values: readonly Expr[], vars: readonly string[]): ReadonlyMap<Load, string> {
  const found = new Map<Load, string>();
  const seen = new Set<Expr>();
  const enter = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.kind === "load") {
      if (dependsOn(expr, new Set(vars))) found.set(expr, `ahead ${found.size}`);
      return;
    }
    if (expr.kind === "loop") return;
    const operands = expr.kind === "op" && expr.op === "select" ? expr.args.slice(0, 1) : children(expr);
    for (const operand of operands) enter(operand);
  };
  for (const value of values) enter(value);
  return found;
}
