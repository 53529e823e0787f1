/** Greedy decoding: the likeliest token, again and again. */
import type { InputEntry, Manifest, OutputEntry } from "../../runtime/bundle-format.js";
import type { Session } from "../../runtime/index.js";
import type { Outputs } from "../../runtime/outputs.js";
import { InputError } from "./errors.js";

/** How tokens go round: chosen by or from which output, fed to which input. */
export interface Choice {
  readonly input: string;
  readonly output: string;
  /** Whether the output is the token already: it is then fed back on the GPU. Else it has scores of each, and the host chooses. */
  readonly made: boolean;
}

/** Takes a token of each sequence; false: that was the last. */
export type Deliver = (tokens: readonly number[]) => boolean;

/**
 * Goes on from `outputs`, those of each prompt's last position, by `count` tokens of each sequence at most. The last ones
 * are not run through the model, so that the session has seen all tokens but them.
 */
export async function generate(
  session: Session,
  choice: Choice,
  outputs: Outputs,
  count: number,
  deliver: Deliver,
): Promise<void> {
  const { input, output } = choice;
  const tokens = chosen(session, choice, outputs);
  if (count === 0 || !deliver(tokens) || count === 1) return;
  const first = { [input]: Uint32Array.from(tokens) };
  const go = (outputs: Outputs): boolean => deliver(chosen(session, choice, outputs));
  if (choice.made) {
    await session.generate(first, { steps: count - 1, feed: { [input]: output }, deliver: go });
  } else {
    let next = await session.step(first);
    for (let i = 2; go(next) && i < count; i++)
      next = await session.step({ [input]: Uint32Array.from(chosen(session, choice, next)) });
  }
}

/** The tokens of each sequence. */
function chosen(session: Session, { output, made }: Choice, outputs: Outputs): readonly number[] {
  const data = outputs[output]?.data;
  if (data === undefined) throw new Error(`the session returned no output '${output}'`);
  if (made) return [...data];
  const words = data.length / session.batch;
  return Array.from({ length: session.batch }, (_, member) =>
    argmax(data.subarray(member * words, (member + 1) * words)),
  );
}

/** By the output that is a token, where there is one, as `next: index(v)[b, t]`; else from the scores of the vocabulary. */
export function choiceOf(manifest: Manifest, session: Session, input: InputEntry): Choice {
  const isNext = ({ scalar, bound = Infinity, axes, time }: OutputEntry): boolean =>
    scalar === "index" &&
    time === input.time &&
    bound <= (input.bound ?? Infinity) &&
    isSame(axes, input.axes);
  const [next, another] = manifest.outputs.filter(isNext);
  if (next !== undefined && another === undefined && canFeed(manifest, session))
    return { input: input.name, output: next.name, made: true };
  return { input: input.name, output: logitsOutput(manifest, input), made: false };
}

const isSame = (p: InputEntry["axes"], q: InputEntry["axes"]): boolean =>
  JSON.stringify(p) === JSON.stringify(q);

/** Sequences at different positions go on together where the model reads none. */
function canFeed({ targets }: Manifest, { positions }: Session): boolean {
  const isPositional = targets.some(({ step }) => step?.positional === true);
  return !isPositional || positions.every((each) => each === positions[0]);
}

/** The output to choose from: the one over the input's vocabulary, last of its axes. */
function logitsOutput(manifest: Manifest, input: InputEntry): string {
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
