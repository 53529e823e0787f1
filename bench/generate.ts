/** Tokens that a model chooses itself and feeds back on the GPU: the host's time of one, and the same ones chosen by the host. */
import type { Inputs, Model, Session } from "../runtime/index.js";
import type { Recorder } from "../src/measure/recorder.js";
import { spreadOf, type Spread } from "../src/measure/spread.js";
import { timeKernels, type TimingOptions } from "../src/measure/timing.js";

/** Tokens of each sequence that are compared. */
const COMPARED = 48;
const MOST_RUNS = 8;

export interface Generated {
  /** Of one token of every sequence, many after the other. */
  readonly wall: Spread;
  readonly encodingMs: number;
  /** Of one token. */
  readonly launches: number;
  readonly kernels: Awaited<ReturnType<typeof timeKernels>>;
  readonly check: { readonly against: string; readonly error: number; readonly tolerance: number };
}

/** @param first the inputs of the first step: one token of each sequence. */
export async function measureGeneration(
  model: Model,
  recorder: Recorder,
  first: Inputs,
  { batch, steps }: { readonly batch: number; readonly steps: number },
  options: TimingOptions,
): Promise<Generated> {
  const session = await model.session({ batch, maxChunk: 1 });
  const recording = await recorder.record(() => generated(model, session, first, 1));
  const kernels = await timeKernels(recorder.real, recording, options);
  await session.reset();
  const own = await generated(model, session, first, Math.min(steps, COMPARED));
  await session.reset();
  const other = await chosenByHost(model, session, first, batch, Math.min(steps, COMPARED));
  const once = (): Promise<unknown> => generated(model, session, first, steps);
  for (const start = performance.now(); performance.now() - start < options.warmUpMs;) await once();
  recorder.encodingMs = 0;
  const runs = Math.min(options.runs, MOST_RUNS);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    await once();
    times.push((performance.now() - begin) / steps);
  }
  const encodingMs = recorder.encodingMs / runs / steps;
  session.destroy();
  const wrong = other.filter((token, i) => token !== own[i]).length;
  const check = { against: "steps that the host feeds", error: wrong / other.length, tolerance: 0 };
  return { wall: spreadOf(times), encodingMs, launches: recording.dispatches.length, kernels, check };
}

/** The model's input of tokens, and the output that is the next one. */
function namesOf({ inputs, outputs }: Model): { readonly token: string; readonly next: string } {
  const token = inputs.find(({ scalar }) => scalar === "index")?.name;
  const next = outputs.find(({ scalar }) => scalar === "index")?.name;
  if (token === undefined || next === undefined) throw new Error("the model chooses no tokens");
  return { token, next };
}

async function generated(model: Model, session: Session, first: Inputs, steps: number): Promise<number[]> {
  const { token, next } = namesOf(model);
  const tokens: number[] = [];
  const deliver = (outputs: Awaited<ReturnType<Session["step"]>>): void => {
    tokens.push(...(outputs[next]?.data ?? []));
  };
  await session.generate(first, { steps, feed: { [token]: next }, deliver });
  return tokens;
}

/** From what the model says of every token. */
async function chosenByHost(
  model: Model,
  session: Session,
  first: Inputs,
  batch: number,
  steps: number,
): Promise<number[]> {
  const { token } = namesOf(model);
  const tokens: number[] = [];
  let inputs = first;
  for (let step = 0; step < steps; step++) {
    const { logits } = await session.step(inputs, { names: ["logits"] });
    const data = logits?.data ?? new Float32Array();
    const words = data.length / batch;
    const chosen = Uint32Array.from({ length: batch }, (_, b) => {
      let best = 0;
      for (let i = 0; i < words; i++)
        if ((data[b * words + i] ?? NaN) > (data[b * words + best] ?? NaN)) best = i;
      return best;
    });
    tokens.push(...chosen);
    inputs = { [token]: chosen };
  }
  return tokens;
}
