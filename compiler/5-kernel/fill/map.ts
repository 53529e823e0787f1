/** One invocation an element; four, where words of 16-bit elements are written. */
import { map } from "../../../templates/kernels/map.js";
import { code, join, variable, type Code } from "../../../templates/wgsl.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Environment } from "../print-scope.js";
import type { Expr, Extent, MapKernel, Store } from "../types.js";
import {
  ceilDiv,
  coordinatesOf,
  dispatchOf,
  exprsOf,
  mapStore,
  printStores,
  productOf,
  type Filled,
} from "./printed.js";
import { declareWords } from "./whole-words.js";
import { printFours, writesWords } from "./word-stores.js";

export function fillMap(kernel: MapKernel, context: ModuleContext): Filled {
  const { builder } = context;
  const { workgroup } = kernel.schedule;
  const fours = writesWords(kernel) ? foursOf(kernel, context) : undefined;
  const domain = fours?.domain ?? kernel.domain;
  const count = productOf(domain.map((each) => each.extent));
  const element = builder.variable("element", "u32", count);
  const { replacements, hints } = coordinatesOf(context, element, domain);
  const made = new Map<Expr, Expr>();
  const stores = kernel.stores.map((store) =>
    mapStore(store, (expr) => builder.substitute(expr, replacements, made)),
  );
  const { dispatch, folded, exact } = dispatchOf(ceilDiv(count, workgroup));
  const environment = new Map([["element", scalarValue(variable("element"))]]);
  const first = fours && builder.mul(replacements.get(fours.quad) ?? element, 4);
  const whole = exact && typeof count === "number" && count % workgroup === 0;
  // The guard stands before everything else in the shader, so it is printed by itself.
  const limit = whole ? undefined : BlockPrinter.root(context, new Map(), []).u32(builder.dim(count));
  const body =
    fours === undefined || first === undefined
      ? printStores(context, BlockPrinter.root(context, environment, exprsOf(stores), hints), stores)
      : printInFours(fours.along, first, environment, stores, hints, context);
  return {
    body: map({ workgroup, folded, count: limit, body }),
    workgroup,
    workgroupBytes: 0,
    dispatch,
  };
}

/** A domain whose last axis goes by fours: what stands for that axis, and which is the var that runs over the four. */
interface Fours {
  readonly domain: readonly Extent[];
  readonly quad: string;
  readonly along: string;
}

function foursOf({ domain, name }: MapKernel, { builder }: ModuleContext): Fours {
  const last = domain.at(-1);
  if (last === undefined || typeof last.extent !== "number" || last.extent % 4 !== 0)
    throw new InternalError("print-wgsl", `${name} writes words, and has no axis of whole fours`);
  builder.variable(last.var, "u32", last.extent);
  const quad = `four of ${last.var}`;
  return { domain: [...domain.slice(0, -1), { var: quad, extent: last.extent / 4 }], quad, along: last.var };
}

/** Four elements in a row of an invocation, from `first` on. */
function printInFours(
  along: string,
  first: Expr,
  environment: Environment,
  stores: readonly Store[],
  hints: ReadonlyMap<Expr, string>,
  context: ModuleContext,
): Code {
  const [one, four] = [
    variable<"u32">(context.names.take(along)),
    variable<"vec4u">(context.names.take(`${along}_four`)),
  ];
  const written = new Set(stores.map(({ binding }) => binding));
  declareWords(exprsOf(stores), written, context, { run: along, others: [] });
  const own = BlockPrinter.root(context, environment, [first]);
  const value = own.u32(first);
  const printer = BlockPrinter.root(
    context,
    new Map([...environment, [along, { ...vectorValue(four), first: one }]]),
    exprsOf(stores),
    hints,
  );
  return join([
    own.flush(),
    code`let ${one} = ${value};`,
    code`let ${four} = ${one} + vec4u(0u, 1u, 2u, 3u);`,
    printFours(context, printer, stores, along),
  ]);
}
