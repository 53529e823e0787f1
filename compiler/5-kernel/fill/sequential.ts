import { sequential, type Statement } from "../../../templates/kernels/sequential.js";
import { u32, variable, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, type Value } from "../print-scope.js";
import type { Expr, SequentialKernel, SequentialStatement } from "../types.js";
import {
  coordinatesOf,
  dispatchOf,
  exprsOf,
  mapStore,
  printStores,
  productOf,
  type Filled,
} from "./printed.js";

export function fillSequential(kernel: SequentialKernel, context: ModuleContext): Filled {
  const { builder } = context;
  const { workgroup } = kernel.schedule;
  const { dispatch, folded, exact } = dispatchOf(kernel.leads);
  builder.variable("lead", "u32", kernel.leads);
  builder.variable("t", "u32", kernel.steps);
  const [lead, t] = [variable<"u32">(context.names.take("lead")), variable<"u32">(context.names.take("t"))];
  const constant = BlockPrinter.root(context, new Map(), []);
  const statement = (each: SequentialStatement, i: number, stepping: boolean): Statement => {
    const count = builder.dim(productOf(each.domain.map((extent) => extent.extent)));
    const elementVar = `element_${stepping ? "each" : "before"}_${i}`;
    const { replacements, hints } = coordinatesOf(
      context,
      builder.variable(elementVar, "u32", count),
      each.domain,
    );
    const stores = each.stores.map((store) =>
      mapStore(store, (expr) => builder.substitute(expr, replacements)),
    );
    const environment = new Map<string, Value>([
      ["lead", scalarValue(lead)],
      [elementVar, scalarValue(variable("element"))],
    ]);
    if (stepping) environment.set("t", scalarValue(t));
    const printer = BlockPrinter.root(context, environment, exprsOf(stores), hints);
    return { count: constant.u32(count), body: printStores(context, printer, stores) };
  };
  const rangePrinter = BlockPrinter.root(context, new Map([["lead", scalarValue(lead)]]), rangeExprs(kernel));
  const bound = (expr: Expr | undefined): Wgsl<"u32"> | undefined =>
    expr && rangePrinter.u32(builder.substitute(expr, new Map()));
  const begin = bound(kernel.range?.begin) ?? u32(0);
  const end = bound(kernel.range?.end) ?? constant.u32(builder.dim(kernel.steps));
  const body = sequential({
    workgroup,
    folded,
    lead,
    leads: exact ? undefined : constant.u32(builder.dim(kernel.leads)),
    t,
    begin,
    end,
    range: rangePrinter.flush(),
    before: kernel.before.map((each, i) => statement(each, i, false)),
    each: kernel.each.map((each, i) => statement(each, i, true)),
  });
  return { body, workgroup, workgroupBytes: 0, dispatch };
}

const rangeExprs = ({ range }: SequentialKernel): readonly Expr[] =>
  range === undefined ? [] : [range.begin, range.end];
