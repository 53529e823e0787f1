/** A matrix product as a kernel of the compiler's, with nothing around it. */
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import type { ContractKernel } from "../../compiler/5-kernel/types.js";
import type { Dim, Storage } from "../../runtime/bundle-format.js";

/**
 * y[rows, cols] = x[rows, depth] · w[cols, depth]ᵀ, by that schedule; bindings x, w, y.
 * @param fastest along which neighbours of w lie in memory: `cols` is w[depth, cols].
 */
export function product(
  sizes: { readonly rows: Dim; readonly cols: Dim; readonly depth: Dim },
  schedule: ContractKernel["schedule"],
  weights: Storage = "f32",
  inputs: Storage = "f32",
  fastest: "depth" | "cols" = "depth",
): ContractKernel {
  const e = new ExprBuilder();
  const [row, col, k] = [
    e.variable("row", "u32", sizes.rows),
    e.variable("col", "u32", sizes.cols),
    e.variable("k", "u32", sizes.depth),
  ];
  return {
    name: "product",
    skeleton: "contract",
    bindings: [
      { name: "x", access: "read", element: inputs },
      { name: "w", access: "read", element: weights },
      { name: "y", access: "read_write", element: "f32" },
    ],
    notes: [],
    batch: 1,
    ...sizes,
    a: e.load("x", e.add(e.mul(row, e.dim(sizes.depth)), k)),
    b: e.load(
      "w",
      fastest === "depth"
        ? e.add(e.mul(col, e.dim(sizes.depth)), k)
        : e.add(e.mul(k, e.dim(sizes.cols)), col),
    ),
    along: [],
    stores: [
      { binding: "y", index: e.add(e.mul(row, e.dim(sizes.cols)), col), value: e.variable("acc", "f32") },
    ],
    schedule,
  };
}
