/** Runs the inputs of a file, in one prefill or step by step, and keeps what comes out. */
import type { Manifest } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import { type Outputs } from "../../runtime/outputs.js";
import { axisNames } from "../../runtime/numbers.js";
import { InputError } from "./errors.js";
import type { HostTensor } from "../../runtime/tensor.js";
import { inputsAt, type RunInputs, timeAxis } from "./run-inputs.js";
import { joinAxis } from "./tensors.js";

export interface SequenceOptions {
  /** Outputs of all positions, not of the last alone. */
  readonly all: boolean;
  /** One `step` a position, in place of a prefill. */
  readonly byStep: boolean;
  /** Of several sequences, which the inputs hold one after the other. */
  readonly lengths?: readonly number[];
}

export async function runSequence(
  session: Session,
  manifest: Manifest,
  { tensors, sizes }: RunInputs,
  { all, byStep, lengths }: SequenceOptions,
): Promise<Outputs> {
  const outputs = all ? "all" : "last";
  if (lengths !== undefined) {
    const whole = [...tensors].map(([name, { data }]) => [name, data] as const);
    return session.prefill(Object.fromEntries(whole), { outputs, lengths });
  }
  // A model whose inputs have no time still has its one step.
  const steps = sizes[axisNames(manifest).steps] ?? 1;
  if (!byStep) return session.prefill(inputsAt(manifest, tensors, 0, steps), { outputs });
  const kept: Outputs[] = [];
  for (let t = 0; t < steps; t++) {
    const outputs = await session.step(inputsAt(manifest, tensors, t, t + 1));
    if (!all) kept.length = 0;
    kept.push(outputs);
  }
  return joinSteps(manifest, kept);
}

/** One output of all steps: joined along time, or the last step's where it has no time. */
function joinSteps(manifest: Manifest, steps: readonly Outputs[]): Outputs {
  const joined: Record<string, HostTensor> = {};
  for (const entry of manifest.outputs) {
    const parts = steps.map((outputs) => outputs[entry.name]).filter((part) => part !== undefined);
    const last = parts.at(-1);
    if (last === undefined) throw new InputError(`there are no steps to run: the inputs are empty`);
    const axis = timeAxis(entry);
    joined[entry.name] = axis === undefined ? last : joinAxis(parts, axis);
  }
  return joined;
}
