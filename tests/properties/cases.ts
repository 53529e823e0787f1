/** A drawn model with all that running it takes: sizes, numbers, a way to be compiled and to be cut. */
import fc from "fast-check";
import type { CompileOptions } from "../../compiler/compile.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { Values } from "../../compiler/interpret/index.js";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import { seeded, type Random } from "../support/random.js";
import { drawSource, type Drawn } from "./grammar/source.js";
import { GRID, RANGES, type Kind } from "./grammar/scope.js";

export interface Case extends Drawn {
  readonly batch: number;
  readonly steps: number;
  /** Of the numbers in inputs and parameters, and of how time is cut. */
  readonly seed: number;
  readonly options: CompileOptions;
}

const STEPS = [3, 1, 2, 5, 7, 16, 17, 23, 33, 40];
/** As costs say; never cut in time; always; recurrences as products of matrices; buffers cut small; few of them. */
const SCHEDULES = [
  {},
  { chunkBelow: 0 },
  { chunkBelow: 1e9, chunkFrom: 1 },
  { chunkBelow: 1e9, chunkFrom: 1, matrixChunk: 0 },
  { chunkBelow: 1e9, chunkFrom: 1, matrixChunk: 4 },
  { matrixChunk: 4 },
  { matrixChunk: 16 },
  { bindingBytes: 20_000 },
  { bindings: 6 },
] as const;

const genes = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: 65_535 }), { minLength, maxLength, size: "max" });

const drawnCases: fc.Arbitrary<Case> = fc
  .record({
    header: genes(24, 60),
    statements: fc.array(genes(16, 80), { minLength: 0, maxLength: 7, size: "max" }),
    outputs: genes(0, 20),
    batch: fc.constantFrom(1, 2, 3),
    steps: fc.constantFrom(...STEPS),
    seed: fc.nat({ max: 1_000_000 }),
    targets: fc.constantFrom(["baseline"], ["baseline"], ["large"]),
    schedule: fc.constantFrom(...SCHEDULES),
    weights: fc.constantFrom("f32" as const, "f32" as const, "bf16" as const, "f16" as const),
  })
  .map(({ batch, steps, seed, targets, schedule, weights, ...source }) => ({
    ...drawSource(source),
    batch,
    steps,
    seed,
    options: { targets, schedule, weights },
    [fc.toStringMethod]: () =>
      `${drawSource(source).text}# batch ${String(batch)}, ${String(steps)} steps, numbers of seed ${String(seed)}, ` +
      JSON.stringify({ targets, schedule, weights }),
  }));

/** Small numbers are simple choices, and no more likely for that. */
export const cases = fc.noBias(drawnCases);

export interface Numbers {
  readonly inputs: Readonly<Record<string, Values>>;
  readonly params: Readonly<Record<string, Values>>;
}

/** Multiples of 1/64 of few bits, so that every storage type and every device holds the same. */
export function drawNumbers(graph: Graph, { kinds, seed, batch, steps }: Case): Numbers {
  const random = seeded(seed);
  const sizeOf = (axis: string): number => {
    const found = [...graph.axes.values()].find(({ id }) => id === axis);
    if (typeof found?.size === "number") return found.size;
    return found?.role === "batch" ? batch : steps;
  };
  const kindOf = (name: string): Kind => kinds.get(name.split(".").at(-1) ?? "") ?? "signed";
  const inputs = graph.inputs.map((input): [string, Values] => {
    const { name, bound } = input;
    const shape = dimensionsOf(input).map((axes) => axes.reduce((size, axis) => size * sizeOf(axis), 1));
    const draw = bound === undefined ? drawer(kindOf(name)) : (r: Random) => r.integer(0, bound);
    return [name, random.tensor(shape, draw)];
  });
  const params = graph.params.map(({ name, shape, layout, scalar }): [string, Values] => {
    const stored = shape ?? layout.map(({ size }) => size);
    return [name, random.tensor(scalar === "c64" ? [...stored, 2] : stored, drawer(kindOf(name)))];
  });
  return { inputs: Object.fromEntries(inputs), params: Object.fromEntries(params) };
}

const drawer =
  (kind: Kind) =>
  (random: Random): number => {
    const [low, high] = RANGES[kind === "index" ? "signed" : kind];
    return random.integer(low * GRID, high * GRID + 1) / GRID;
  };

/** Lengths of pieces that add up to the steps. */
export function drawPieces(random: Random, steps: number): readonly number[] {
  const lengths: number[] = [];
  for (let left = steps; left > 0; left -= lengths.at(-1) ?? left)
    lengths.push(
      random.pick([1, 1, random.integer(1, left + 1)]) > left
        ? left
        : Math.min(left, random.pick([1, random.integer(1, left + 1)])),
    );
  return lengths;
}
