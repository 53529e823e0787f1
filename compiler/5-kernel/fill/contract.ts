import { InternalError } from "../../diagnostics/internal-error.js";
import {
  contractTiled,
  invocationsOf,
  tiledBytes,
  type Fetch,
} from "../../../templates/kernels/contract-tiled.js";
import { code, join, variable, wgsl, type Code, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { scalarValue, vectorValue, type Value } from "../print-scope.js";
import type { ContractKernel, Expr, TiledSchedule } from "../types.js";
import { fillMatrix } from "./contract-matrix.js";
import { finishElement, finishWords } from "./contract-finish.js";
import { fillRows } from "./contract-rows.js";
import { depthOf, isWhole, placeTiles, readingOrder, rebuilder } from "./contract-parts.js";
import type { Filled } from "./printed.js";
import { writesWords } from "./word-stores.js";

export function fillContract(kernel: ContractKernel, context: ModuleContext): Filled {
  const { schedule } = kernel;
  switch (schedule.kind) {
    case "tiled":
      return fillTiled(kernel, schedule, context);
    case "matrix":
      return fillMatrix(kernel, schedule, context);
    case "rows":
      return fillRows(kernel, schedule, context);
  }
}

function fillTiled(kernel: ContractKernel, shape: TiledSchedule, context: ModuleContext): Filled {
  const { builder } = context;
  if (kernel.along.length > 0)
    throw new InternalError("print-wgsl", `${kernel.name}: a tiled contraction sums nothing alongside`);
  const rebuild = rebuilder(kernel, context);
  const [a, b] = [rebuild(kernel.a), rebuild(kernel.b)];
  const constant = BlockPrinter.root(context, new Map(), []);
  const tile = { rows: shape.tileRows, cols: shape.tileCols };
  const finish = writesWords(kernel)
    ? { four: finishWords(kernel, tile, rebuild, context) }
    : { element: finishElement(kernel, tile, rebuild, context) };
  const fetch = (of: "row" | "col", value: Expr): Fetch => fetchOf(of, value, kernel, shape, context);
  const { place, dispatch } = placeTiles(kernel, tile, context);
  const body = contractTiled({
    shape,
    place,
    depth: depthOf(constant.u32(builder.dim(kernel.depth)), a, "k", kernel, shape.tileRows),
    a: fetch("row", a),
    b: fetch("col", b),
    finish,
  });
  return {
    body,
    workgroup: invocationsOf(shape),
    workgroupBytes: tiledBytes(shape),
    dispatch,
  };
}

/** Four rows (columns) at once. Past the edge the last one is read again, and past the end of k there is zero. */
function fetchOf(
  of: "row" | "col",
  value: Expr,
  kernel: ContractKernel,
  shape: TiledSchedule,
  context: ModuleContext,
): Fetch {
  const { builder } = context;
  const extent = of === "row" ? kernel.rows : kernel.cols;
  const whole = isWhole(extent, of === "row" ? shape.tileRows : shape.tileCols);
  const constant = BlockPrinter.root(context, new Map(), []);
  const depth = constant.u32(builder.dim(kernel.depth));
  const base = new Map<string, Value>([["batch", scalarValue(variable("batch"))]]);
  const outers = new Map<
    number,
    { printer: BlockPrinter; inner: BlockPrinter; four: Wgsl<"vec4f">; k: Wgsl<"u32"> }
  >();
  const prepare = (
    i: number,
    first: Wgsl<"u32">,
  ): { readonly binding: Code; readonly printer: BlockPrinter } => {
    const fours = variable<"vec4u">(context.names.take(`${of}s_${i}`));
    const indexes = wgsl<"vec4u">`${first} + vec4u(0u, 1u, 2u, 3u)`;
    const last = constant.u32(builder.sub(builder.dim(extent), 1));
    const clamped = whole ? indexes : wgsl<"vec4u">`min(${indexes}, vec4u(${last}))`;
    const printer = BlockPrinter.root(context, new Map([...base, [of, vectorValue(fours)]]), [value]);
    const k = variable<"u32">(context.names.take(`k_${i}`));
    const inner = printer.nested(new Map([["k", scalarValue(k)]]));
    outers.set(i, { printer, inner, four: inner.vec4f(value), k });
    return { binding: code`let ${fours} = ${clamped};`, printer };
  };
  return {
    along: readingOrder(of, value, context),
    outside: (i, first) => {
      const { binding, printer } = prepare(i, first);
      return join([binding, printer.flush()]);
    },
    value: (i, at) => {
      const prepared = outers.get(i);
      if (prepared === undefined)
        throw new InternalError("print-wgsl", "a piece is fetched before its rows are known");
      const { inner, four, k } = prepared;
      const wholeDepth = isWhole(kernel.depth, shape.tileDepth);
      const clamped = wholeDepth ? at : wgsl<"u32">`min(${at}, ${depth} - 1u)`;
      const kept = wholeDepth ? four : wgsl<"vec4f">`select(vec4f(0.0), ${four}, ${at} < ${depth})`;
      return { statements: join([code`let ${k} = ${clamped};`, inner.flush()]), value: kept };
    },
  };
}
