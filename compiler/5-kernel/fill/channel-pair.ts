/** A scan's expressions for two neighbouring channels, where words of 16-bit values have both; and which scans have such. */
import { isWrittenByWords } from "../../../templates/accessors.js";
import type { ModuleContext } from "../module-context.js";
import { walk } from "../traverse.js";
import type { Expr, ScanKernel } from "../types.js";
import { isScanOfPairs } from "./word-stores.js";

export type Load = Extract<Expr, { kind: "load" }>;

/** Var of a pair's first channel. */
export const PAIR = "pair";

/** A value of a pair's second channel that the skeleton binds, beside that of the first. */
export const secondOf = (of: string): string => `second ${of}`;

export const SIDES = [0, 1] as const;

/** The kernel's expressions, of channel, for the one or the other of a pair. */
export class ChannelPair {
  private readonly replacements: readonly [Map<string, Expr>, Map<string, Expr>];
  private readonly made = [new Map<Expr, Expr>(), new Map<Expr, Expr>()] as const;

  constructor(
    kernel: ScanKernel,
    private readonly context: ModuleContext,
  ) {
    const { builder } = context;
    const first = builder.variable(PAIR, "u32", kernel.channels);
    this.replacements = [new Map([["channel", first]]), new Map([["channel", builder.add(first, 1)]])];
    for (const { name: of, per, value } of kernel.invariants)
      if (per === "channel")
        SIDES.map((side) => this.of(value, side)).forEach((own, side) =>
          this.replacements[side]?.set(of, own),
        );
    const bound = [...kernel.staged.filter(({ per }) => per === "channel"), ...kernel.reductions];
    for (const each of bound)
      this.replacements[1].set(each.name, builder.variable(secondOf(each.name), "f32"));
    for (const made of this.made) made.clear();
  }

  of(expr: Expr, side: 0 | 1): Expr {
    return this.context.builder.substitute(expr, this.replacements[side], this.made[side]);
  }

  both(exprs: readonly Expr[]): readonly Expr[] {
    return exprs.flatMap((expr) => SIDES.map((side) => this.of(expr, side)));
  }

  /** Loads of which a word has both channels': those of each, by that of the first. */
  words(exprs: readonly Expr[]): ReadonlyMap<Expr, readonly [Load, Load]> {
    return new Map(
      [...wordLoads(exprs, this.context).keys()].map((load) => {
        const both = SIDES.map((side) => this.of(load, side)) as unknown as readonly [Load, Load];
        return [both[0], both];
      }),
    );
  }
}

/** Loads of 16 bits, whose words have a neighbour's too. */
export function wordLoads(
  exprs: readonly Expr[],
  context: ModuleContext,
): ReadonlyMap<Expr, readonly [Load]> {
  const found = new Map<Expr, readonly [Load]>();
  walk(exprs, (expr) => {
    if (isWord(expr, context)) found.set(expr, [expr]);
  });
  return found;
}

const isWord = (expr: Expr, context: ModuleContext): expr is Load => {
  if (expr.kind !== "load") return false;
  const { element } = context.binding(expr.binding);
  return (element === "f16" || element === "bf16") && context.isStrideOne(expr.index, "channel", 2);
};

/** Whether what is staged by channel comes in words. */
export const stagesPairs = (kernel: ScanKernel, context: ModuleContext): boolean =>
  isScanOfPairs(kernel, kernel.schedule) &&
  wordLoads(
    kernel.staged.flatMap(({ per, value }) => (per === "channel" ? [value] : [])),
    context,
  ).size > 0;

/** Whether what is stored goes in words. */
export const storesPairs = (kernel: ScanKernel, context: ModuleContext): boolean =>
  kernel.stores.some(({ binding }) => isWrittenByWords(context.binding(binding)));
