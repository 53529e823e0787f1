/** The stores of a scan's tile: four steps of a channel at a time. What they load is asked for before the tile's steps run. */
import type { ScanHoles, TileStores } from "../../../templates/kernels/scan.js";
import { code, join, name, variable, type Code } from "../../../templates/wgsl.js";
import { typeName, type BlockPrinter } from "../print-block.js";
import { vectorValue, type Environment, type Value } from "../print-scope.js";
import { dependsOn, freeVars } from "../traverse.js";
import type { Expr } from "../types.js";
import { exprsOf, isTrue, printFourStores } from "./printed.js";
import type { ScanFrame } from "./scan-frame.js";
import { pairStores } from "./scan-pairs.js";
import { secondOf, storesPairs } from "./channel-pair.js";

/** Registers of one invocation that hold what the stores of the present tile need. */
const MOST_PREFETCHED = 32;

export function tileStores(frame: ScanFrame): Pick<ScanHoles, "storedTiles" | "stores"> {
  const { kernel, shape, root, context } = frame;
  const read = new Set(exprsOf(kernel.stores).flatMap((expr) => [...freeVars(expr)]));
  const { pair } = frame;
  const inPairs = pair !== undefined && storesPairs(kernel, context);
  const storedTiles = frame.stagedFor(read, inPairs);
  const onlyT: Environment = new Map([["t", vectorValue(variable("t"))]]);
  const environment = new Map(onlyT);
  for (const each of storedTiles) environment.set(each.of, vectorValue(each.four));
  for (const each of kernel.reductions)
    environment.set(each.name, vectorValue(frame.reductionName(each.name)));
  if (inPairs) {
    for (const { of, second } of storedTiles)
      if (second !== undefined) environment.set(secondOf(of), vectorValue(second));
    for (const { name: of } of kernel.reductions)
      environment.set(secondOf(of), vectorValue(frame.reductionName(secondOf(of))));
    return { storedTiles, stores: pairStores(frame, pair, environment, MOST_PREFETCHED) };
  }
  const computed = new Set([...environment.keys()].filter((each) => each !== "t"));
  const values = kernel.stores
    .filter(({ when }) => when === undefined || isTrue(when))
    .map(({ value }) => value);
  const loadsOf = (printer: BlockPrinter): ReturnType<BlockPrinter["loads"]> =>
    printer.loads(values, (load) => !dependsOn(load, computed));
  const pieces = Math.ceil(shape.steps / 4 / shape.lanes);
  const registers = loadsOf(root.nested(onlyT)).reduce((sum, { value }) => sum + value.width, 0);
  const prefetch = registers > 0 && pieces * registers <= MOST_PREFETCHED;
  const ahead = new Map<number, ReadonlyMap<Expr, Value>>();
  const load: TileStores["load"] = (i) => {
    const printer = root.nested(onlyT);
    const declare: Code[] = [];
    const known = new Map<Expr, Value>();
    const takes = loadsOf(printer).map(({ load: of, value }) => {
      const next = { ...value, wgsl: variable<"f32">(context.names.take("ahead")) };
      known.set(of, next);
      declare.push(code`var ${next.wgsl}: ${name(typeName(of.type, value.width))};`);
      return code`${next.wgsl} = ${value.wgsl};`;
    });
    ahead.set(i, known);
    return { declare: join(declare), load: join([printer.flush(), ...takes]) };
  };
  const store: TileStores["store"] = (i, exists) => {
    const printer = root.nested(environment);
    for (const [of, value] of ahead.get(i) ?? []) printer.given(of, value);
    return printFourStores(context, printer, kernel.stores, exists);
  };
  return { storedTiles, stores: kernel.stores.length === 0 ? undefined : { prefetch, load, store } };
}
