/** How often a run launches each kernel: some dispatches are for few steps only, others for many. */
import type { Dispatch, Manifest, Program } from "../../runtime/bundle-format.js";
import { axisNames, Numbers } from "../../runtime/numbers.js";

/** The lengths of a prefill that are shown: a prompt, and a document. */
export const SHOWN_STEPS = [16, 2048] as const;

export interface RunSize {
  readonly batch: number;
  readonly steps: number;
}

/** The dispatches of one run that wants the outputs of its last position. */
export function launched(
  manifest: Manifest,
  program: Program,
  { batch, steps }: RunSize,
): readonly Dispatch[] {
  const numbers = new Numbers(axisNames(manifest), program.numbers);
  const values = numbers.values({ batch, steps, pos: 0, tailBegin: steps - 1, tailCount: 1 });
  return [...program.body, ...program.tail].filter(
    ({ when }) => when === undefined || numbers.compile(when)(values) !== 0,
  );
}
