/** States of a run from files and to a file: those of the model, histories of convolutions and `prev`, and `pos`. */
import type { Manifest } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import type { TensorReference } from "./arguments.js";
import { InputError } from "./errors.js";
import { uninterrupted } from "./io.js";
import { signature, unknownName } from "./run-inputs.js";

/** Tokens seen so far, as the state file names it. */
const POSITION = "pos";

/** Starts a session in the states given; the others keep their initial values. */
export async function loadStates(
  session: Session,
  manifest: Manifest,
  references: readonly TensorReference[],
): Promise<void> {
  if (references.length === 0) return;
  const { readTensor } = await import("../node/index.js");
  const { pos, states } = await session.save();
  const changed = new Map(Object.entries(states));
  let position = pos;
  for (const { name, file, tensor } of references) {
    const { data, shape } = await readTensor(file, tensor);
    const place = `${file}:${tensor}`;
    if (name === POSITION) {
      position = readPosition(data, place);
      continue;
    }
    const entry = manifest.states.find((state) => state.name === name);
    if (entry === undefined) throw unknownName("state", name, [...manifest.states, { name: POSITION }]);
    const wanted = states[name]?.shape ?? [];
    if (shape.length !== wanted.length || shape.some((size, i) => size !== wanted[i])) {
      throw new InputError(
        `${place} has shape [${shape.join(", ")}]; the state ${signature(entry)} needs [${wanted.join(", ")}]`,
      );
    }
    changed.set(name, { shape: wanted, data: Float32Array.from(data) });
  }
  await session.restore({ pos: position, states: Object.fromEntries(changed) });
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
