import { isWrittenByWords } from "../../../templates/accessors.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { reduce, type Phase, type Reduction, type Taken } from "../../../templates/kernels/reduce.js";
import { binary, code, join, literal, u32, variable, type Code, type Wgsl } from "../../../templates/wgsl.js";
import { identityValue } from "../expr.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter, clampToFinite } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import { freeVars } from "../traverse.js";
import type { Expr, ReduceKernel, Store } from "../types.js";
import {
  coordinatesOf,
  dispatchOf,
  exprsOf,
  mapStore,
  printStores,
  productOf,
  type Filled,
} from "./printed.js";
import { printFours } from "./word-stores.js";

/** Places of a long axis that an invocation takes in together. With one at a time it would wait for each load. */
const TOGETHER = 8;
/** From so many for each invocation on. */
const LONG = 32;

export function fillReduce(kernel: ReduceKernel, context: ModuleContext): Filled {
  const { builder } = context;
  const { workgroup } = kernel.schedule;
  const groups = productOf(kernel.domain.map((each) => each.extent));
  const element = builder.variable("element", "u32", groups);
  builder.variable(kernel.over.var, "u32", kernel.over.extent);
  const { replacements, hints } = coordinatesOf(context, element, kernel.domain);
  const made = new Map<Expr, Expr>();
  const rebuild = (expr: Expr): Expr => builder.substitute(expr, replacements, made);
  const reductions = kernel.reductions.map((each) => ({
    ...each,
    body: rebuild(each.body),
    wgsl: variable<Reduced>(context.names.take(each.name)),
  }));
  const stores = kernel.stores.map((store) => mapStore(store, rebuild));
  const over = variable<"u32">(context.names.take(kernel.over.var));
  const environment = new Map<string, Value>([["element", scalarValue(variable("element"))]]);
  for (const each of reductions) environment.set(each.name, scalarValue(each.wgsl));
  const extent = builder.dim(kernel.over.extent);
  const root = BlockPrinter.root(
    context,
    environment,
    [...reductions.map((each) => each.body), ...exprsOf(stores)],
    hints,
  );
  const inLoop = (at: Wgsl<"u32"> = over): BlockPrinter =>
    root.nested(new Map([[kernel.over.var, scalarValue(at)]]));
  const stride = TOGETHER * workgroup;
  const depth = typeof kernel.over.extent === "number" ? kernel.over.extent : 0;
  const together =
    depth < LONG * workgroup
      ? []
      : Array.from({ length: TOGETHER }, (_, k) =>
          k === 0 ? over : binary<"u32">(over, "+", u32(k * workgroup)),
        );

  const phases = phasesOf(reductions).map((phase): Phase => {
    const taken = (at?: Wgsl<"u32">): Taken => {
      const loop = inLoop(at);
      const values = phase.map(({ body }) => (body.type === "u32" ? loop.u32(body) : loop.f32(body)));
      return { inside: loop.flush(), values };
    };
    const each = taken();
    return {
      each,
      together: together.map(taken),
      outside: root.flush(),
      reductions: phase.map(reductionOf),
    };
  });
  const isEach = (exprs: readonly Expr[]): boolean =>
    exprs.some((expr) => freeVars(expr).has(kernel.over.var));
  const each = stores.filter((store) => isEach(exprsOf([store])));
  const byFours = each.some(({ binding }) => isWrittenByWords(context.binding(binding)));
  const storeEach = byFours
    ? printEachFour(root, each, { over, of: kernel.over.var }, context)
    : printStores(context, inLoop(), each);
  const once = root.branch();
  const storeOnce = printStores(
    context,
    once,
    stores.filter((store) => !each.includes(store)),
  );
  const { dispatch, folded, exact } = dispatchOf(groups);
  const constant = BlockPrinter.root(context, new Map(), []);
  const body = reduce({
    workgroup,
    folded,
    count: exact ? undefined : constant.u32(builder.dim(groups)),
    over,
    extent: constant.u32(extent),
    whole: u32(depth - (depth % stride)),
    phases,
    between: root.flush(),
    storeOnce,
    storeEach,
    byFours,
  });
  return { body, workgroup, workgroupBytes: 4 * workgroup * reductions.length, dispatch };
}

/** Stores at four places in a row, from `over` on. */
function printEachFour(
  root: BlockPrinter,
  stores: readonly Store[],
  { over, of }: { readonly over: Wgsl<"u32">; readonly of: string },
  context: ModuleContext,
): Code {
  const four = variable<"vec4u">(context.names.take(`${of}_four`));
  const printer = root.nested(new Map([[of, { ...vectorValue(four), first: over }]]));
  return join([
    code`let ${four} = ${over} + vec4u(0u, 1u, 2u, 3u);`,
    printFours(context, printer, stores, of),
  ]);
}

type Reduced = Reduction["type"];
type Rebuilt = ReduceKernel["reductions"][number] & { readonly wgsl: Wgsl<Reduced> };

/** Whole numbers are reduced as such. */
function reductionOf({ fn, body, wgsl }: Rebuilt): Reduction {
  const type = body.type === "u32" ? "u32" : "f32";
  return {
    name: wgsl,
    fn,
    type,
    start: literal<Reduced>(type, clampToFinite(identityValue(fn, type), type)),
  };
}

/** A reduction that reads the result of another runs after it; the rest run together. */
function phasesOf(reductions: readonly Rebuilt[]): readonly (readonly Rebuilt[])[] {
  const phases: Rebuilt[][] = [];
  const done = new Map<string, number>();
  const names = new Set(reductions.map((each) => each.name));
  for (const each of reductions) {
    const needed = [...freeVars(each.body)].filter((name) => names.has(name));
    const after = needed.map((name) => done.get(name));
    if (after.includes(undefined))
      throw new InternalError("print-wgsl", `reduction ${each.name} reads one that comes later`);
    const phase = Math.max(0, ...after.map((at) => (at ?? 0) + 1));
    (phases[phase] ??= []).push(each);
    done.set(each.name, phase);
  }
  return phases;
}
