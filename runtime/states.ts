/** A session's states: where they lie in the arenas, what they start with, and copies of them on the host. */
import type { Dim, Manifest, TargetEntry } from "./bundle-format.js";
import { evaluateDim } from "./dim.js";
import { KraitError } from "./errors.js";
import type { AxisNames } from "./numbers.js";
import { elements, shapeText, type HostTensor } from "./tensor.js";

/** All that a session carries from one call to the next, on the host. */
export interface Snapshot {
  /** Steps seen. */
  readonly pos: number;
  /** By call path; [batch, declared axes…], row-major; complex states end in an axis of size 2. */
  readonly states: Readonly<Record<string, HostTensor>>;
}

export interface StatePlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: number;
  readonly isComplex: boolean;
  /** Bytes from the arena's start. */
  readonly offset: number;
  /** f32 elements. */
  readonly count: number;
}

/** What the manifest calls the last axis of complex values; no name that a source could give. */
const COMPLEX_AXIS = "re, im";

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
    const shape = axes.map(({ size }) => value(size));
    const count = elements(shape);
    const offset = offsets.get(name);
    if (offset === undefined || offset % 4 !== 0 || offset + count * 4 > bytes) {
      throw new KraitError("R0105", `The manifest has no room for the state "${name}".`);
    }
    return { name, shape, init, isComplex: axes.at(-1)?.name === COMPLEX_AXIS, offset, count };
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

/** Writes every state's initial value. */
export function writeInitialStates(device: GPUDevice, arena: GPUBuffer, layout: StateLayout): void {
  const encoder = device.createCommandEncoder();
  encoder.clearBuffer(arena);
  device.queue.submit([encoder.finish()]);
  for (const { init, isComplex, offset, count } of layout.places) {
    if (init === 0) continue;
    const values = new Float32Array(count).fill(init);
    if (isComplex) for (let i = 1; i < count; i += 2) values[i] = 0; // re, im: an initial value is real
    device.queue.writeBuffer(arena, offset, values);
  }
}

/** @throws KraitError R0406 with everything about a snapshot that does not fit. */
export function checkSnapshot(layout: StateLayout, { pos, states }: Snapshot): void {
  const problems: string[] = [];
  if (!Number.isInteger(pos) || pos < 0 || pos >= 2 ** 32) problems.push(`pos is ${String(pos)}`);
  const known = new Set(layout.places.map(({ name }) => name));
  for (const name of Object.keys(states))
    if (!known.has(name)) problems.push(`"${name}" is no state of the model`);
  for (const { name, shape, count } of layout.places) {
    const given = states[name];
    if (given === undefined) problems.push(`"${name}" is missing`);
    else if (shapeText(given.shape) !== shapeText(shape) || given.data.length !== count) {
      problems.push(`"${name}" is ${shapeText(given.shape)}, the session has ${shapeText(shape)}`);
    }
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, 8).map((problem) => `  ${problem}`);
  if (problems.length > 8) shown.push(`  and ${String(problems.length - 8)} more`);
  throw new KraitError("R0406", `The snapshot does not fit the session:\n${shown.join("\n")}`, {
    hint: "It has to come from a session of the same model with the same batch.",
  });
}

export function writeSnapshot(
  queue: GPUQueue,
  arena: GPUBuffer,
  layout: StateLayout,
  snapshot: Snapshot,
): void {
  for (const { name, offset } of layout.places) {
    const tensor = snapshot.states[name];
    if (tensor !== undefined) queue.writeBuffer(arena, offset, tensor.data as Float32Array<ArrayBuffer>);
  }
}
