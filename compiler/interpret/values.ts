/** Numbers as callers have them, and as the interpreter does. */
import type { AxisId, ParamAxis, ScalarType } from "../3-graph/types.js";
import type { Tensor, Values } from "./types.js";
import { copier } from "./nest.js";
import { dimensionsOf } from "./sizes.js";
import { allocate, widthOf, type SizeOf, type View } from "./view.js";

/** How a caller's numbers lie: `slots` axis by axis, `shape` as the caller has it, where products are one dimension. */
export interface Layout {
  readonly slots: readonly ParamAxis[];
  readonly shape: readonly number[];
  readonly scalar: ScalarType;
}

/** A caller's numbers as a view; copies and widens them. */
export function fromValues(values: Values, { slots, shape, scalar }: Layout, what: string): View {
  const width = widthOf(scalar);
  const stored = width === 2 && values.shape.length === shape.length + 1 ? [...shape, 2] : shape;
  const count = width * shape.reduce((product, size) => product * size, 1);
  if (values.shape.join() !== stored.join() || values.data.length !== count)
    throw new Error(
      `interpret: ${what} has shape [${values.shape.join(", ")}] and ${values.data.length} numbers; ` +
        `expected [${shape.join(", ")}]${width === 2 ? " complex" : ""}`,
    );
  const strides = new Map<AxisId, number>();
  let stride: number = width;
  for (const slot of [...slots].reverse()) {
    if (slot.axis !== undefined) strides.set(slot.axis, stride);
    stride *= slot.size;
  }
  return { data: Float64Array.from(values.data), offset: 0, strides, complex: width === 2 };
}

/** The shape of an input, output or state as callers have it. */
export function shapeOf(entry: Parameters<typeof dimensionsOf>[0], sizeOf: SizeOf): readonly number[] {
  return dimensionsOf(entry).map((axes) => axes.reduce((product, axis) => product * sizeOf(axis), 1));
}

/** A view, broadcast over `axes` in that order. */
export function toTensor(view: View, axes: readonly AxisId[], scalar: ScalarType, sizeOf: SizeOf): Tensor {
  const out = allocate(axes, scalar, sizeOf);
  copier(axes, out, view, sizeOf)(0);
  return { scalar, axes, shape: axes.map(sizeOf), data: out.data };
}
