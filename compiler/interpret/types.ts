/** What the interpreter takes and gives. */
import type { AxisId, ScalarType } from "../3-graph/types.js";

/** Row-major numbers as a caller has them. Complex ones interleave (re, im); their shape may end in that 2. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * A result: contiguous and row-major over `axes`. `shape` is as callers see it: a product of axes is one dimension.
 * Complex elements are (re, im) pairs in `data`, which `shape` does not count.
 */
export interface Tensor {
  readonly scalar: ScalarType;
  readonly axes: readonly AxisId[];
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface InterpretOptions {
  /** By name, in the declared order of axes. */
  readonly inputs?: Readonly<Record<string, Values>>;
  /** By any of the parameter's checkpoint names, or its own, laid out as the checkpoint stores it. */
  readonly params?: Readonly<Record<string, Values>>;
  /** Carried in, by the state's name; a state that is absent starts from its `init`. */
  readonly states?: Readonly<Record<string, Values>>;
  /** Run-time sizes (`b`, `t`) and numbers (a window's offset) by name. Sizes that inputs show may be left out. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** How many steps came before, by the time axis's run-time size (its name where the size is fixed): `{ t: 37 }`. Default 0, the document's start. */
  readonly positions?: Readonly<Record<string, number>>;
}

export interface Interpretation {
  /** By name, in the declared order of axes. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** What the next run is given as `states`. */
  readonly states: Readonly<Record<string, Tensor>>;
  /** What the next run is given as `positions`. */
  readonly positions: Readonly<Record<string, number>>;
}
