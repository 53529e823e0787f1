/**
 * Contractions over more banks than one kernel may bind: kernels take turns, each over a range of what is contracted.
 * The first leaves what it has in memory of the group's own, the next go on from there, the last has the result.
 */
import type { ReduceFn } from "../../3-graph/types.js";
import type { Expr, Extent, Store } from "../types.js";
import type { Tensor } from "./buffers.js";
import type { LowerContext } from "./context.js";
import type { KernelScope } from "./scope.js";

export interface Turn {
  /** Of which contraction, among the group's kernels. */
  readonly of: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** A contraction of a kernel: what its range of it came to. */
export interface Contracted {
  readonly fn: ReduceFn;
  readonly value: Expr;
}

const COMBINE = { sum: "add", max: "max", min: "min" } as const;

/**
 * The contractions with what the turns before have come to, and the stores of that for the next turn.
 * @param domain the vars of the kernel's results.
 */
export function takeTurn(
  context: LowerContext,
  scope: KernelScope,
  { of, isFirst, isLast }: Turn,
  contracted: readonly Contracted[],
  domain: readonly Extent[],
): { readonly values: readonly Expr[]; readonly stores: readonly Store[] } {
  const e = scope.expr;
  const tensor: Tensor = {
    ref: { kind: "own", group: context.group ?? -1, id: `so_far.${of}` },
    name: "so_far",
    layout: [{ size: contracted.length }, ...domain.map(({ extent }) => ({ size: extent }))],
    complex: false,
    element: contracted[0]?.value.type === "u32" ? "u32" : "f32",
  };
  const here = domain.map(({ var: name, extent }) =>
    extent === 1 ? e.u32(0) : e.variable(name, "u32", extent),
  );
  const values = contracted.map(({ fn, value }, k) =>
    isFirst ? value : e.op(COMBINE[fn], scope.load(tensor, [e.u32(k), ...here]).re, value),
  );
  const stores = isLast ? [] : values.flatMap((re, k) => scope.store(tensor, [e.u32(k), ...here], { re }));
  return { values, stores };
}
