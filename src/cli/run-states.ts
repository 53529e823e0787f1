/** States of a run from files and to a file: those of the model, histories of convolutions and `prev`, and `pos`. */
import { readFileSync } from "node:fs";
import type { Manifest } from "../../runtime/bundle-format.js";
import type { Session, Snapshot } from "../../runtime/index.js";
import { callersAxes, restOf } from "../../runtime/angles.js";
import { evaluateDim } from "../../runtime/dim.js";
import { axisNames } from "../../runtime/numbers.js";
import type { HostTensor } from "../../runtime/tensor.js";
import type { TensorReference } from "./arguments.js";
import { InputError } from "./errors.js";
import { uninterrupted } from "./io.js";
import { signature, unknownName } from "./run-inputs.js";

/** Steps seen so far, as `--state-in pos=…` names them. */
const POSITION = "pos";

export interface GivenStates {
  /** All that a session carried, from a state file. */
  readonly snapshot?: Snapshot;
  readonly states: Readonly<Record<string, HostTensor>>;
  /** Absent: the run begins where the states alone say. */
  readonly pos?: number;
}

/** Reads `--state-in` tensors and checks them against the model, for the batch that the inputs have. */
export async function readStates(
  manifest: Manifest,
  references: readonly TensorReference[],
  sizes: Readonly<Record<string, number>>,
): Promise<GivenStates> {
  const { readTensor } = await import("../node/index.js");
  const numbers = { [axisNames(manifest).batch]: 1, ...sizes };
  const states: Record<string, HostTensor> = {};
  let pos: number | undefined;
  for (const { name, file, tensor } of references) {
    const { data, shape } = await readTensor(file, tensor);
    const place = `${file}:${tensor}`;
    if (name === POSITION) {
      pos = readPosition(data, place);
      continue;
    }
    const entry = manifest.states.find((state) => state.name === name);
    if (entry === undefined) throw unknownName("state", name, [...manifest.states, { name: POSITION }]);
    const axes = callersAxes(entry.axes);
    const wanted = axes.map(({ size }) => evaluateDim(size, numbers));
    if (shape.length !== wanted.length || shape.some((size, i) => size !== wanted[i])) {
      throw new InputError(
        `${place} has shape [${shape.join(", ")}]; the state ${signature({ ...entry, axes })} needs [${wanted.join(", ")}]`,
      );
    }
    states[name] = { shape, data: Float32Array.from(data) };
  }
  return { states, ...(pos !== undefined && { pos }) };
}

/** Starts a session in the states given; the others keep their initial values, or those of the state file. */
export async function startFrom(session: Session, given: GivenStates): Promise<void> {
  const { pos, positions, ...base } = given.snapshot ?? (await session.save());
  // What was left of an angle is no part of the one that takes its place.
  const rests = new Set(Object.keys(given.states).map(restOf));
  const kept = Object.entries(base.states).filter(([name]) => !rests.has(name));
  await session.restore({
    ...base,
    ...(given.pos === undefined ? { pos, ...(positions && { positions }) } : { pos: given.pos }),
    states: { ...Object.fromEntries(kept), ...given.states },
  });
}

/** Everything that the session carries, so that another run can go on from here. */
export async function saveStates(session: Session, file: string): Promise<void> {
  const { serializeSnapshot } = await import("../../runtime/index.js");
  const { writeBytes } = await import("../node/index.js");
  const bytes = await serializeSnapshot(await session.save());
  await uninterrupted(() => writeBytes(file, bytes));
}

function readPosition(data: ArrayLike<number>, place: string): number {
  const [value] = Array.from(data);
  if (data.length !== 1 || value === undefined || !Number.isSafeInteger(value) || value < 0) {
    throw new InputError(`${place} is no position: pos is one whole number, the steps seen so far`);
  }
  return value;
}

/** Reads what `--state-out` wrote. */
export async function readStateFile(file: string): Promise<Snapshot> {
  const { parseSnapshot } = await import("../../runtime/index.js");
  return parseSnapshot(new Uint8Array(readFileSync(file)));
}
