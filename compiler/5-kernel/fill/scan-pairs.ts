/**
 * Where values of 16 bits go in or out, words have those of two neighbouring channels. What is stored by channel is computed for
 * one and for the other by one invocation, four steps of each at a time, and so is what is staged where that leaves nobody idle.
 */
import { halfOfPairs, isWrittenByWords, loadPairs, storePair } from "../../../templates/accessors.js";
import type { StagePass, TileStores } from "../../../templates/kernels/scan.js";
import {
  code,
  component,
  join,
  name,
  variable,
  wgsl,
  type Code,
  type Wgsl,
} from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { typeName, type BlockPrinter } from "../print-block.js";
import { vectorValue, type Environment, type Value } from "../print-scope.js";
import { dependsOn } from "../traverse.js";
import type { Expr, ExprType, Store } from "../types.js";
import { SIDES, wordLoads, type ChannelPair, type Load } from "./channel-pair.js";
import { isTrue, mapStore, printFourStores } from "./printed.js";
import { valueOf, type ScanFrame } from "./scan-frame.js";

/** Registers of one invocation that hold what the next tile needs. */
const MOST_PREFETCHED = 64;

/** Something that is loaded for both channels of a piece, before its values are computed. */
interface Taken {
  readonly key: Expr;
  readonly type: ExprType;
  readonly width: 1 | 4;
  readonly wgsl: Value["wgsl"];
  /** Says what it stands for, once it is in a register. */
  readonly give: (printer: BlockPrinter, register: Value["wgsl"]) => void;
}

/** What the values load at four steps, whichever way conditions go. */
function take(
  frame: ScanFrame,
  printer: BlockPrinter,
  values: readonly Expr[],
  words: ReadonlyMap<Expr, readonly [Load, Load?]>,
  accepts: (load: Expr) => boolean,
): readonly Taken[] {
  const { context } = frame;
  const firsts = new Map(
    [...words.values()].flatMap((both) => both.map((load) => [load as Expr | undefined, both] as const)),
  );
  const wanted = new Map<Expr, readonly [Load, Load?]>();
  const others = printer.loads(values, (load) => {
    if (!accepts(load) || !dependsOn(load, STEP)) return false;
    const both = firsts.get(load);
    if (both !== undefined) wanted.set(both[0], both);
    return both === undefined;
  });
  const pairs = [...wanted.values()].map(([first, second]): Taken => {
    const binding = context.usesPairs(context.binding(first.binding));
    const at = printer.bindVector(first.index, "at") as Wgsl<"vec4u">;
    return {
      key: first,
      type: "u32",
      width: 4,
      wgsl: loadPairs(binding, at),
      give: (to, register) => {
        const read = register as Wgsl<"vec4u">;
        const low = second === undefined ? wgsl<"vec4u">`${read} >> vec4u(${OWN_HALF})` : read;
        to.given(first, vectorValue(halfOfPairs(binding, low, "low")));
        if (second !== undefined) to.given(second, vectorValue(halfOfPairs(binding, read, "high")));
      },
    };
  });
  return [
    ...pairs,
    ...others.map(({ load, value }): Taken => ({
      key: load,
      type: load.type,
      width: value.width,
      wgsl: value.wgsl,
      give: (to, register) => {
        to.given(load, { ...value, wgsl: register });
      },
    })),
  ];
}

/** By how many bits a channel's half of a word lies. */
const OWN_HALF = wgsl<"u32">`channel % 2u * 16u`;

const STEP: ReadonlySet<string> = new Set(["t"]);
const AT_FOUR: Environment = new Map([["t", vectorValue(variable("t"))]]);

/** Registers of pieces, which are filled in one place and read in another. */
class Registers {
  private readonly names = new Map<string, Value["wgsl"]>();

  constructor(private readonly context: ModuleContext) {}

  of({ key }: Taken, i: number): Value["wgsl"] {
    const known = `${this.context.builder.idOf(key)}.${i}`;
    const wanted = key.kind === "load" ? `next_${key.binding}` : "next";
    const found = this.names.get(known) ?? variable<"u32">(this.context.names.take(wanted));
    this.names.set(known, found);
    return found;
  }

  declare(taken: Taken, i: number): Code {
    return code`var ${this.of(taken, i)}: ${name(typeName(taken.type, taken.width))};`;
  }

  fill(taken: Taken, i: number): Code {
    return code`${this.of(taken, i)} = ${taken.wgsl};`;
  }
}

const sizeOf = (taken: readonly Taken[]): number => taken.reduce((sum, { width }) => sum + width, 0);

/** As the stage of f32 (scan-stage.ts): a piece is four steps of a channel, or of two. */
export function stageWords(frame: ScanFrame, pair: ChannelPair): StagePass {
  const { context, shape, root } = frame;
  const staged = frame.kernel.staged.filter(({ per }) => per === "channel");
  const single = staged.map(({ value }) => value);
  const pairs = shape.steps / 4 >= 2 * shape.lanes;
  const values = pairs ? pair.both(single) : single;
  const words = pairs ? pair.words(single) : wordLoads(single, context);
  const open = (): BlockPrinter => root.nested(AT_FOUR, values);
  const loads = (printer: BlockPrinter): readonly Taken[] => take(frame, printer, values, words, () => true);
  const pieces = Math.ceil(shape.steps / 4 / shape.lanes / (pairs ? 2 : 1));
  const all = loads(open());
  const prefetch = pieces * sizeOf(all) <= MOST_PREFETCHED;
  const registers = new Registers(context);
  return {
    ...(pairs && { pairs }),
    tiles: staged.map((each) => frame.tile(each.name)),
    prefetch,
    declare: (i) => join(all.map((taken) => registers.declare(taken, i))),
    load: (i) => {
      const printer = open();
      const fills = loads(printer).map((taken) => registers.fill(taken, i));
      return join([printer.flush(), ...fills]);
    },
    values: (i) => {
      const printer = open();
      if (prefetch) for (const taken of all) taken.give(printer, registers.of(taken, i));
      else
        for (const taken of loads(printer))
          taken.give(printer, printer.name("next", { wgsl: taken.wgsl, width: taken.width }));
      const found = values.map((value) => valueOf(printer, value, 4) as Wgsl<"vec4f">);
      return { inside: printer.flush(), values: found };
    },
  };
}

/** Stores of four steps of two channels. `environment` has what the skeleton binds for them. */
export function pairStores(
  frame: ScanFrame,
  pair: ChannelPair,
  environment: Environment,
  most: number,
): TileStores {
  const { kernel, context, shape, root } = frame;
  const isOwn = ({ binding, when }: Store): boolean =>
    isWrittenByWords(context.binding(binding)) || when === undefined || isTrue(when);
  const certain = kernel.stores.filter(isOwn).map(({ value }) => value);
  const values = pair.both(certain);
  const words = pair.words(certain);
  const computed = new Set([...environment.keys()].filter((each) => each !== "t"));
  const loads = (printer: BlockPrinter): readonly Taken[] =>
    take(frame, printer, values, words, (load) => !dependsOn(load, computed));
  const pieces = Math.ceil(shape.steps / 4 / shape.lanes / 2);
  const all = loads(root.nested(AT_FOUR, values));
  const prefetch = all.length > 0 && pieces * sizeOf(all) <= most;
  const registers = new Registers(context);
  return {
    pairs: true,
    prefetch,
    load: (i) => {
      const printer = root.nested(AT_FOUR, values);
      const fills = loads(printer).map((taken) => registers.fill(taken, i));
      return {
        declare: join(all.map((taken) => registers.declare(taken, i))),
        load: join([printer.flush(), ...fills]),
      };
    },
    store: (i, exists) => {
      const printer = root.nested(environment, values);
      if (prefetch) for (const taken of all) taken.give(printer, registers.of(taken, i));
      else
        for (const taken of loads(printer))
          taken.give(printer, printer.name("read", { wgsl: taken.wgsl, width: taken.width }));
      const [inWords, apart] = [true, false].map((isWords) =>
        kernel.stores.filter(({ binding }) => isWrittenByWords(context.binding(binding)) === isWords),
      );
      const each = (apart ?? []).flatMap((store) =>
        SIDES.map((side) => mapStore(store, (expr) => pair.of(expr, side))),
      );
      // In this order: what is bound for the ones is at hand for the others.
      const before = printFourStores(context, printer, each, exists);
      const written = (inWords ?? []).map((store) => writePair(printer, pair, store, exists, context));
      return join([before, ...written]);
    },
  };
}

function writePair(
  printer: BlockPrinter,
  pair: ChannelPair,
  { binding: of, index, value }: Store,
  exists: (k: number) => Wgsl<"bool">,
  context: ModuleContext,
): Code {
  const binding = context.binding(of);
  const [first, second] = SIDES.map((side) => printer.bindVector(pair.of(value, side), "stored"));
  const at = printer.bindVector(pair.of(index, 0), "at");
  if (first === undefined || second === undefined)
    throw new InternalError("print-wgsl", "a pair has two channels");
  const writes = ([0, 1, 2, 3] as const).map((k) => {
    const both = [component<"f32">(first, k), component<"f32">(second, k)] as const;
    return code`if (${exists(k)}) { ${storePair(binding, component<"u32">(at, k), both)} }`;
  });
  return join([printer.flush(), ...writes]);
}
