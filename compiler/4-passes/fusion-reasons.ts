/** Why fusion did not go further: recorded as it decides, for `krait explain`. */
import type { AxisId, NodeId, StateId } from "../3-graph/types.js";

/** Why a kernel begins. */
export type Start =
  /** Its elements need sums over all of an axis. `alone`: why its reader does not compute it as it goes. */
  | { readonly kind: "product"; readonly alone: "long" | "readers" | "complex" }
  | { readonly kind: "reduction"; readonly alone: "rows" | "function" | "readers" }
  /** It reads other steps than its own. */
  | { readonly kind: "convolution" }
  /** It is made of delays of delays, and read at earlier steps by another. */
  | { readonly kind: "delay" }
  /** It reads where data says. */
  | { readonly kind: "gather" }
  /** `spills`: the reader of the state for which every step's state is stored, if it is. */
  | { readonly kind: "recurrence"; readonly spills?: NodeId }
  /** An output whose value is computed over other axes, or not by any kernel yet. */
  | { readonly kind: "output"; readonly name: string }
  /** The scan whose last member is `of` would bind more buffers than the target allows. */
  | { readonly kind: "relief"; readonly of: NodeId }
  /** It is dear to compute, and a product would compute it once for each of many copies. */
  | { readonly kind: "shared" }
  /** What one call hands to the next, where no kernel reads it over all of its axes. */
  | { readonly kind: "carry"; readonly state: StateId };

/** Why the kernel that stores what an elementwise value reads does not compute that value too: each reader does. */
export type Apart =
  /** It moves no data: a slice, another name. */
  | { readonly kind: "view" }
  /** It reads nothing that a kernel stores. */
  | { readonly kind: "leaf" }
  /** That kernel has a value for each point of other axes: it lacks some, or has more. */
  | { readonly kind: "axes"; readonly lacks: readonly AxisId[]; readonly has: readonly AxisId[] }
  /** It reads a value that is itself computed by its readers. */
  | { readonly kind: "through"; readonly operand: NodeId }
  /** To load it would cost as much as to compute it from what is stored anyway. */
  | { readonly kind: "cheap" };

export function apartByAxes(value: readonly AxisId[], domain: readonly AxisId[]): Apart {
  return {
    kind: "axes",
    lacks: value.filter((axis) => !domain.includes(axis)),
    has: domain.filter((axis) => !value.includes(axis)),
  };
}
