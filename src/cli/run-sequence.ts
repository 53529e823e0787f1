/** Runs the inputs of a file, in one prefill or step by step, and keeps what comes out. */
import type { Manifest } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import { InputError } from "./errors.js";
import { inputsAt, type RunInputs, timeAxis } from "./run-inputs.js";
import { type HostTensor, joinAxis } from "./tensors.js";

export interface SequenceOptions {
  /** Outputs of all positions, not of the last alone. */
  readonly all: boolean;
  /** One `step` a position, in place of a prefill. */
  readonly byStep: boolean;
}

export type Outputs = Readonly<Record<string, HostTensor<Float32Array>>>;

export async function runSequence(
  session: Session,
  manifest: Manifest,
  { tensors, sizes }: RunInputs,
  { all, byStep }: SequenceOptions,
): Promise<Outputs> {
  const steps = stepCount(manifest, sizes);
  if (!byStep)
    return session.prefill(inputsAt(manifest, tensors, 0, steps), { outputs: all ? "all" : "last" });
  const kept: Outputs[] = [];
  for (let t = 0; t < steps; t++) {
    const outputs = await session.step(inputsAt(manifest, tensors, t, t + 1));
    if (!all) kept.length = 0;
    kept.push(outputs);
  }
  return joinSteps(manifest, kept);
}

/** Time steps of the inputs; 1 for a model whose inputs have no time. */
export function stepCount(manifest: Manifest, sizes: RunInputs["sizes"]): number {
  for (const entry of manifest.inputs) {
    const axis = timeAxis(entry);
    const size = axis === undefined ? undefined : entry.axes[axis]?.size;
    if (typeof size === "string") return sizes[size] ?? 1;
  }
  return 1;
}

/** One output of all steps: joined along time, or the last step's where it has no time. */
function joinSteps(manifest: Manifest, steps: readonly Outputs[]): Outputs {
  const joined: Record<string, HostTensor<Float32Array>> = {};
  for (const entry of manifest.outputs) {
    const parts = steps.map((outputs) => outputs[entry.name]).filter((part) => part !== undefined);
    const last = parts.at(-1);
    if (last === undefined) throw new InputError(`there are no steps to run: the inputs are empty`);
    const axis = timeAxis(entry);
    joined[entry.name] = axis === undefined ? last : joinAxis(parts, axis);
  }
  return joined;
}
