/** The loop: an input that reaches what none before it reached is kept, and others are made of it. */
import { seeded } from "../support/random.js";
import { Mutator } from "./mutate.js";
import type { Target } from "./targets.js";

export interface Find {
  readonly input: string;
  readonly error: string;
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs kept for what they reached. */
  readonly corpus: number;
  /** Places reached, of those that `hits` counts. */
  readonly reached: number;
  /** The slowest input, in milliseconds. */
  readonly slowest: { readonly ms: number; readonly input: string };
  /** One for each kind of error. */
  readonly finds: readonly Find[];
}

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** How often each place of the instrumented code was reached (`instrument.ts`); without it, inputs are made of seeds alone. */
  readonly hits?: Uint8Array;
  /** Told before each run, so that one which never ends is known. */
  readonly before?: (input: string, run: number) => void;
}

export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const { runs, hits = new Uint8Array(0) } = options;
  const random = seeded(options.seed);
  const corpus = [...(await target.seeds())];
  const mutator = new Mutator(random, corpus);
  const seen = new Uint8Array(hits.length);
  const finds = new Map<string, Find>();
  let slowest = { ms: 0, input: "" };
  for (let run = 0; run < runs; run++) {
    const seed = corpus[run];
    const input = seed ?? mutator.mutate(random.pick(corpus), random.pick(corpus));
    options.before?.(input, run);
    hits.fill(0);
    const begin = performance.now();
    try {
      await target.run(input);
    } catch (error) {
      const kind = kindOf(error);
      const known = finds.get(kind);
      if (known === undefined || known.input.length > input.length) finds.set(kind, { input, error: kind });
    }
    const ms = performance.now() - begin;
    if (ms > slowest.ms) slowest = { ms, input };
    if (reachesMore(hits, seen) && seed === undefined) corpus.push(input);
  }
  const reached = seen.reduce((sum, bits) => sum + Number(bits !== 0), 0);
  return { runs, corpus: corpus.length, reached, slowest, finds: [...finds.values()] };
}

/** Counts in powers of two: a loop that runs once more is nothing new. */
function reachesMore(hits: Uint8Array, seen: Uint8Array): boolean {
  let more = false;
  for (let i = 0; i < hits.length; i++) {
    const count = hits[i] as number;
    if (count === 0) continue;
    const bit = 1 << (31 - Math.clz32(count));
    const known = seen[i] as number;
    if ((known & bit) !== 0) continue;
    seen[i] = known | bit;
    more = true;
  }
  return more;
}

/** Errors of one kind: the message without what differs from input to input, and the innermost places. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const places = lines.filter((line) => !line.includes("node:")).slice(0, 3);
  const message = error.message.replace(/\d+/g, "N").slice(0, 80);
  return `${error.name}: ${message}\n${places.join("\n")}`;
}
