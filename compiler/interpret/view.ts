/** Strided views of float64 numbers: how the interpreter holds every value. */
import type { AxisId, ScalarType } from "../3-graph/types.js";

/**
 * A value as numbers in `data`, from `offset`, `strides` apart along each axis, all counted in numbers. An axis
 * without a stride is broadcast. Complex elements are two numbers, (re, im), and their strides count both.
 */
export interface View {
  readonly data: Float64Array;
  readonly offset: number;
  readonly strides: ReadonlyMap<AxisId, number>;
  readonly complex: boolean;
}

/** The size of every axis, in this run. */
export type SizeOf = (axis: AxisId) => number;

export function widthOf(scalar: ScalarType): 1 | 2 {
  return scalar === "c64" ? 2 : 1;
}

/** Strides of a contiguous row-major tensor, last axis fastest. */
export function rowMajor(
  axes: readonly AxisId[],
  sizeOf: SizeOf,
  width: number,
): { readonly strides: ReadonlyMap<AxisId, number>; readonly length: number } {
  const strides = new Map<AxisId, number>();
  let stride = width;
  for (const axis of [...axes].reverse()) {
    strides.set(axis, stride);
    stride *= sizeOf(axis);
  }
  return { strides, length: stride };
}

/** A new contiguous tensor of zeros. */
export function allocate(axes: readonly AxisId[], scalar: ScalarType, sizeOf: SizeOf): View {
  const width = widthOf(scalar);
  const { strides, length } = rowMajor(axes, sizeOf, width);
  return { data: new Float64Array(length), offset: 0, strides, complex: width === 2 };
}

/** One number for every element, along any axes. */
export function constant(value: number, scalar: ScalarType): View {
  const complex = scalar === "c64";
  return { data: Float64Array.of(value, 0), offset: 0, strides: new Map(), complex };
}

/** The stride along an axis; zero where the view is broadcast. */
export function strideOf(view: View, axis: AxisId): number {
  return view.strides.get(axis) ?? 0;
}

/** The view at one coordinate of an axis, which it loses. */
export function at(view: View, axis: AxisId, coordinate: number): View {
  const strides = new Map(view.strides);
  strides.delete(axis);
  return { ...view, offset: view.offset + coordinate * strideOf(view, axis), strides };
}

/** The view with coordinates of `axis` counted from `start`. */
export function from(view: View, axis: AxisId, start: number): View {
  return { ...view, offset: view.offset + start * strideOf(view, axis) };
}

/** The view with other axes in the place of one; `strides` count elements of that axis. */
export function replaceAxis(view: View, axis: AxisId, to: ReadonlyMap<AxisId, number>): View {
  const strides = new Map(view.strides);
  strides.delete(axis);
  for (const [id, count] of to) strides.set(id, count * strideOf(view, axis));
  return { ...view, strides };
}
