/** Whole models of the released sizes, with weights that mean nothing. */
import type { BenchCase, BenchRun } from "../case.js";

const VOCABULARY = 50280;

/** name, width, layers */
const SIZES = [
  ["130m", 768, 24],
  ["370m", 1024, 48],
  ["790m", 1536, 48],
  ["1.4b", 2048, 48],
  ["2.8b", 2560, 64],
] as const;

/** How weights are stored; a case says it in its name, but for f32. */
const STORAGES = ["f32", "f16", "int8", "int4"] as const;

/** The paper's sizes by name, for cases of parts of the models. */
export const MODEL_SIZES = SIZES.map(([name, width]) => ({ name, width }));
export const MODEL_VOCABULARY = VOCABULARY;

export interface ModelCaseOptions {
  /** Sizes that a software adapter computes in seconds. */
  readonly quick: boolean;
  /** Instead of the model's own. */
  readonly layers?: number;
}

export function modelCases({ quick, layers }: ModelCaseOptions): readonly BenchCase[] {
  if (quick) {
    // Smaller weights would be kept in f32 whatever is asked for.
    const sizes: ModelSize = { name: "tiny", vocab: 137, width: 64, layers: layers ?? 2 };
    const tiny = STORAGES.map((weights) => mamba(sizes, weights, TINY_RUNS));
    return [...tiny, generation(tiny[0] as BenchCase, [generate(2, 40)]), long(97, 32, [64, 512])];
  }
  return [
    ...SIZES.flatMap(([name, width, depth]) =>
      STORAGES.flatMap((weights) => {
        const sizes = { name, vocab: VOCABULARY, width, layers: layers ?? depth };
        const isSwept = name === "130m";
        const model = mamba(sizes, weights, isSwept ? SWEEP : RUNS);
        return [
          model,
          generation(
            model,
            (isSwept ? [1, 8, 64, 256] : [1]).map((batch) => generate(batch, 256)),
          ),
        ];
      }),
    ),
    long(1000, 768, LENGTHS),
  ];
}

interface ModelSize {
  readonly name: string;
  readonly vocab: number;
  readonly width: number;
  readonly layers: number;
}

/** Time per token is to be the same at all of them. */
const LENGTHS = Array.from({ length: 11 }, (_, i) => 2 ** (10 + i));

/** Sequences that are decoded at once. */
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

const prefill = (batch: number, steps: number): BenchRun => ({ kind: "prefill", batch, steps, wall: true });
const step = (batch: number): BenchRun => ({ kind: "step", batch, steps: 1, wall: true });
const generate = (batch: number, steps: number): BenchRun => ({ kind: "generate", batch, steps });

const TINY_RUNS = [prefill(2, 24), step(2)];
const RUNS = [prefill(1, 2048), ...BATCHES.map(step)];
const SWEEP = [
  ...[1, 8].flatMap((batch) => [512, 2048].map((steps) => prefill(batch, steps))),
  prefill(1, 128),
  prefill(1, 8192),
  ...BATCHES.map(step),
];

function mamba(
  { name, ...set }: ModelSize,
  weights: (typeof STORAGES)[number],
  runs: readonly BenchRun[],
): BenchCase {
  return {
    group: "model",
    name: weights === "f32" ? `mamba-${name}` : `mamba-${name}-${weights}`,
    source: { family: "mamba" },
    set: { ...set },
    weights,
    runs,
  };
}

/** The model with a choice of the next token, generating. */
function generation(model: BenchCase, runs: readonly BenchRun[]): BenchCase {
  return { ...model, group: "generation", set: { ...model.set, greedy: true }, runs };
}

/** Memory must not grow with length, and time no faster than it. */
function long(vocab: number, width: number, lengths: readonly number[]): BenchCase {
  const runs = lengths.map((steps) => ({ kind: "stream", batch: 1, steps }) as const);
  return {
    group: "long",
    name: `mamba-${String(width)}-2-layers`,
    source: { family: "mamba" },
    set: { vocab, width, layers: 2 },
    runs,
  };
}
