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

export interface ModelCaseOptions {
  /** Sizes that a software adapter computes in seconds. */
  readonly quick: boolean;
  /** Instead of the model's own. */
  readonly layers?: number;
}

export function modelCases({ quick, layers }: ModelCaseOptions): readonly BenchCase[] {
  if (quick) return [mamba("tiny", 97, 32, layers ?? 2, TINY_RUNS), long(97, 32, [64, 512])];
  return [
    ...SIZES.map(([name, width, depth]) =>
      mamba(name, VOCABULARY, width, layers ?? depth, name === "130m" ? SWEEP : RUNS),
    ),
    long(1000, 768, [131_072, 1_048_576]),
  ];
}

const prefill = (batch: number, steps: number): BenchRun => ({ kind: "prefill", batch, steps, wall: true });
const step = (batch: number): BenchRun => ({ kind: "step", batch, steps: 1, wall: true });

const TINY_RUNS = [prefill(2, 24), step(2)];
const RUNS = [prefill(1, 2048), step(1), step(8)];
const SWEEP = [
  ...[1, 8].flatMap((batch) => [512, 2048].map((steps) => prefill(batch, steps))),
  prefill(1, 128),
  prefill(1, 8192),
  ...[1, 2, 4, 8, 16, 64, 256].map(step),
];

function mamba(
  name: string,
  vocab: number,
  width: number,
  layers: number,
  runs: readonly BenchRun[],
): BenchCase {
  return {
    group: "model",
    name: `mamba-${name}`,
    source: { family: "mamba" },
    set: { vocab, width, layers },
    runs,
  };
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
