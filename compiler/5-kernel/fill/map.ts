import { map } from "../../../templates/kernels/map.js";
import { variable } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue } from "../print-scope.js";
import type { Expr, MapKernel } from "../types.js";
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

export function fillMap(kernel: MapKernel, context: ModuleContext): Filled {
  const { builder } = context;
  const { workgroup } = kernel.schedule;
  const count = productOf(kernel.domain.map((each) => each.extent));
  const element = builder.variable("element", "u32", count);
  const { replacements, hints } = coordinatesOf(context, element, kernel.domain);
  const made = new Map<Expr, Expr>();
  const stores = kernel.stores.map((store) =>
    mapStore(store, (expr) => builder.substitute(expr, replacements, made)),
  );
  const { dispatch, folded, exact } = dispatchOf(ceilDiv(count, workgroup));
  const printer = BlockPrinter.root(
    context,
    new Map([["element", scalarValue(variable("element"))]]),
    exprsOf(stores),
    hints,
  );
  const whole = exact && typeof count === "number" && count % workgroup === 0;
  // The guard stands before everything else in the shader, so it is printed by itself.
  const limit = whole ? undefined : BlockPrinter.root(context, new Map(), []).u32(builder.dim(count));
  const body = map({ workgroup, folded, count: limit, body: printStores(context, printer, stores) });
  return { body, workgroup, workgroupBytes: 0, dispatch };
}
