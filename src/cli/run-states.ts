/** States of a run from files and to a file: those of the model, histories of convolutions and `prev`, and `pos`. */
import type { Manifest } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import { evaluateDim } from "../../runtime/dim.js";
import { axisNames } from "../../runtime/numbers.js";
import type { HostTensor } from "../../runtime/tensor.js";
import type { TensorReference } from "./arguments.js";
import { InputError } from "./errors.js";
import { uninterrupted } from "./io.js";
import { signature, unknownName } from "./run-inputs.js";

/** Tokens seen so far, as the state file names it. */
const POSITION = "pos";

export interface GivenStates {
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
    const wanted = entry.axes.map(({ size }) => evaluateDim(size, numbers));
    if (shape.length !== wanted.length || shape.some((size, i) => size !== wanted[i])) {
      throw new InputError(
        `${place} has shape [${shape.join(", ")}]; the state ${signature(entry)} needs [${wanted.join(", ")}]`,
      );
    }
    states[name] = { shape, data: Float32Array.from(data) };
  }
  return { states, ...(pos !== undefined && { pos }) };
}

/** Starts a session in the states given; the others keep their initial values. */
export async function startFrom(session: Session, given: GivenStates): Promise<void> {
  const initial = await session.save();
  await session.restore({ pos: given.pos ?? initial.pos, states: { ...initial.states, ...given.states } });
}

/** Everything that the session carries, so that another run can go on from here. */
export async function saveStates(session: Session, file: string): Promise<void> {
  const { writeSafetensors } = await import("../node/index.js");
  const { pos, states } = await session.save();
  const position = { shape: [1], data: Uint32Array.of(pos) };
  await uninterrupted(() => writeSafetensors(file, { ...states, [POSITION]: position }));
}

function readPosition(data: ArrayLike<number>, place: string): number {
  const [value] = Array.from(data);
  if (data.length !== 1 || value === undefined || !Number.isSafeInteger(value) || value < 0) {
    throw new InputError(`${place} is no position: pos is one whole number, the steps seen so far`);
  }
  return value;
}

/** `--state-in FILE.safetensors` stands for all the states in it. */
export function allStates(file: string, manifest: Manifest): readonly TensorReference[] {
  const names = [...manifest.states.map(({ name }) => name), POSITION];
  return names.map((name) => ({ name, file, tensor: name }));
}
