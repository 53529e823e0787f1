/** All that a session carries from one call to the next, on the host. */
import { KraitError } from "./errors.js";
import { anglesOf, restOf } from "./angles.js";
import type { Manifest } from "./bundle-format.js";
import { inputShape, type HeldInputs, type InputData, type Inputs } from "./inputs.js";
import type { AxisNames } from "./numbers.js";
import type { StateLayout, StatePlace } from "./states.js";
import { widenToF32 } from "./widen.js";
import { elements, shapeText, type HostTensor } from "./tensor.js";

/** All that a session carries, on the host: what `save` gives and `restore` takes. Plain data. */
export interface Snapshot {
  /** The model's identity (SPEC.md § Saved sessions). Left out, `restore` does not ask where the states come from. */
  readonly model?: string;
  /** Steps seen. */
  readonly pos: number;
  /** Of each sequence, where they have not all seen as many. */
  readonly positions?: readonly number[];
  /**
   * By call path; [batch, declared axes…], row-major; complex states end in an axis of size 2. Angles are in radians, between
   * −π and π, and have what f32 leaves of them beside them, as `NAME:rest`; left out, `restore` takes it for 0.
   */
  readonly states: Readonly<Record<string, HostTensor>>;
  /** Inputs without time that were given, by name; left out, those of the session that is restored hold on. */
  readonly inputs?: Readonly<Record<string, HeldTensor>>;
}

/** An input without time, as it was given. */
export interface HeldTensor {
  /** Numbers are f32, in whatever type they lie on the GPU. */
  readonly data: Exclude<InputData, Uint16Array>;
  readonly shape: readonly number[];
}

/** What a state holds, by the names that a snapshot has it under. */
export function stateTensors(
  { name, shape, elements: kind }: StatePlace,
  data: Float32Array,
): readonly [readonly [string, HostTensor], ...(readonly [string, HostTensor])[]] {
  if (kind !== "angle") return [[name, { data, shape }]];
  const { radians, rest } = anglesOf(data);
  return [
    [name, { data: radians, shape }],
    [restOf(name), { data: rest, shape }],
  ];
}

/** Copies of held inputs, with their shapes. */
export function heldTensors(
  { inputs }: Manifest,
  names: AxisNames,
  batch: number,
  held: HeldInputs,
): Readonly<Record<string, HeldTensor>> {
  const tensors = inputs.flatMap((entry): [string, HeldTensor][] => {
    const data = held.get(entry.name);
    if (data === undefined) return [];
    const shape = inputShape(entry, names, batch);
    if (!(data instanceof Uint16Array)) return [[entry.name, { data: data.slice(), shape }]];
    const wide = widenToF32(entry.scalar, new Uint8Array(data.buffer));
    return [[entry.name, { data: wide as Float32Array<ArrayBuffer>, shape }]];
  });
  return Object.fromEntries(tensors);
}

/** The other way round. */
export function heldData(tensors: Readonly<Record<string, HeldTensor>>): Inputs {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
}

/** @throws KraitError R0406 with everything about a snapshot that does not fit a session of the model `model`. */
export function checkSnapshot(layout: StateLayout, model: string, snapshot: Snapshot, batch: number): void {
  if (snapshot.model !== undefined && snapshot.model !== model) {
    throw new KraitError("R0406", "The snapshot is of another model.", {
      hint:
        "Its states mean what its own source and constants say. Open the bundle that it was saved from; or, if the " +
        "states mean the same in both, restore a copy without `model`.",
    });
  }
  const problems = [...misfits(layout, snapshot, batch)];
  if (problems.length === 0) return;
  const shown = problems.slice(0, 8).map((problem) => `  ${problem}`);
  if (problems.length > 8) shown.push(`  and ${String(problems.length - 8)} more`);
  throw new KraitError("R0406", `The snapshot does not fit the session:\n${shown.join("\n")}`, {
    hint: "It has to come from a session of the same model with the same batch.",
  });
}

function* misfits(
  layout: StateLayout,
  { pos, positions = [], states }: Snapshot,
  batch: number,
): Generator<string> {
  for (const seen of [pos, ...positions])
    if (!Number.isInteger(seen) || seen < 0 || seen >= 2 ** 32) yield `pos is ${String(seen)}`;
  if (positions.length > 0 && positions.length !== batch)
    yield `it has positions of ${String(positions.length)} sequences, the session ${String(batch)}`;
  const wanted = layout.places.flatMap(({ name, shape, elements: kind }) => {
    const rest = { name: restOf(name), shape, optional: true };
    return [{ name, shape, optional: false }, ...(kind === "angle" ? [rest] : [])];
  });
  const known = new Set(wanted.map(({ name }) => name));
  for (const name of Object.keys(states)) if (!known.has(name)) yield `"${name}" is no state of the model`;
  for (const { name, shape, optional } of wanted) {
    const given = states[name];
    if (given === undefined) {
      if (!optional) yield `"${name}" is missing`;
    } else if (shapeText(given.shape) !== shapeText(shape) || given.data.length !== elements(shape)) {
      yield `"${name}" is ${shapeText(given.shape)}, the session has ${shapeText(shape)}`;
    }
  }
}
