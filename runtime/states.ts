/** A session's states: where they lie in the arenas, and what they start with. */
import { callersAxes, isAngle } from "./angles.js";
import { PARTS_AXIS, type Dim, type Manifest, type TargetEntry } from "./bundle-format.js";
import { evaluateDim } from "./dim.js";
import { KraitError } from "./errors.js";
import type { AxisNames } from "./numbers.js";
import { elements } from "./tensor.js";

export interface StatePlace {
  readonly name: string;
  /** As callers have it. */
  readonly shape: readonly number[];
  readonly init: number;
  /** What an element is made of: itself, real and imaginary part, or a fraction of a turn and what is left of it. */
  readonly elements: "real" | "complex" | "angle";
  /** Whether each sequence has its own: the batch is then the first axis. */
  readonly perMember: boolean;
  /** Bytes from the arena's start. */
  readonly offset: number;
  /** f32 elements in the arena. */
  readonly count: number;
}

export interface StateLayout {
  readonly bytes: number;
  readonly places: readonly StatePlace[];
}

/** Where the states of `batch` sequences lie. @throws KraitError R0105 for a state without a place, or outside. */
export function stateLayout(
  manifest: Manifest,
  target: TargetEntry,
  names: AxisNames,
  batch: number,
): StateLayout {
  const value = (dim: Dim): number => evaluateDim(dim, { [names.batch]: batch });
  const bytes = value(target.states.bytes);
  const offsets = new Map(target.states.places.map(({ state, offset }) => [state, value(offset)]));
  const places = manifest.states.map(({ name, axes, init }): StatePlace => {
    const count = elements(axes.map(({ size }) => value(size)));
    const shape = callersAxes(axes).map(({ size }) => value(size));
    const offset = offsets.get(name);
    if (offset === undefined || offset % 4 !== 0 || offset + count * 4 > bytes) {
      throw new KraitError("R0105", `The manifest has no room for the state "${name}".`);
    }
    const isComplex = axes.at(-1)?.name === PARTS_AXIS.complex;
    const kind = isComplex ? "complex" : isAngle(axes) ? "angle" : "real";
    return { name, shape, init, elements: kind, perMember: axes[0]?.size === names.batch, offset, count };
  });
  return { bytes, places };
}

/** @throws KraitError R0406 for a name that is none. */
export function findState(layout: StateLayout, name: string): StatePlace {
  const place = layout.places.find((state) => state.name === name);
  if (place !== undefined) return place;
  const names = layout.places.map((state) => state.name);
  const shown =
    names.length > 8 ? `${names.slice(0, 8).join(", ")}, … (${String(names.length)})` : names.join(", ");
  throw new KraitError("R0406", `The model has no state "${name}".`, {
    hint: names.length === 0 ? "It has none at all." : `Its states are ${shown}.`,
  });
}
