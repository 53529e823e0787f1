/** Greedy decoding: the token of the largest logit, again and again. */
import type { InputEntry, Manifest } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import { InputError } from "./errors.js";
import type { Outputs } from "../../runtime/outputs.js";

/** How tokens go round: chosen from which output, fed to which input. */
export interface Choice {
  readonly input: string;
  readonly output: string;
}

/**
 * Goes on from `outputs`, those of each prompt's last position, and yields a token of each sequence as they are chosen. The
 * last ones are not run through the model, so that the session has seen all tokens but them.
 */
export async function* generate(
  session: Session,
  { input, output }: Choice,
  outputs: Outputs,
  count: number,
): AsyncGenerator<readonly number[]> {
  let current = outputs;
  for (let i = 0; i < count; i++) {
    const logits = current[output];
    if (logits === undefined) throw new Error(`the session returned no output '${output}'`);
    const words = logits.data.length / session.batch;
    const tokens = Array.from({ length: session.batch }, (_, member) =>
      argmax(logits.data.subarray(member * words, (member + 1) * words)),
    );
    yield tokens;
    if (i < count - 1) current = await session.step({ [input]: Uint32Array.from(tokens) });
  }
}

/** The output to choose from: the one over the input's vocabulary, last of its axes. */
export function logitsOutput(manifest: Manifest, input: InputEntry): string {
  const found = manifest.outputs.filter(
    ({ axes, time }) => time !== undefined && axes.at(-1)?.size === input.bound,
  );
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) {
    throw new InputError(
      "--max-new is for language models: a model with one output of logits such as logits[b, t, v]",
      `Its outputs: ${manifest.outputs.map(({ name }) => name).join(", ")}.`,
    );
  }
  return only.name;
}

/** Where the largest value stands; of equal ones, the first. */
export function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}
