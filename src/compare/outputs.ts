/** How far a model's outputs are from those of the same model with weights in f32. */
import type { Manifest, OutputEntry } from "../../runtime/bundle-format.js";
import type { Outputs } from "../../runtime/outputs.js";
import { Distance, type Difference } from "./distance.js";

/** How often two runs chose alike. */
export interface Agreement {
  readonly same: number;
  readonly of: number;
}

export interface OutputError {
  readonly output: string;
  readonly shape: readonly number[];
  /** Absent for whole numbers. */
  readonly difference?: Difference;
  /** Of logits: where the greatest one stands. Of whole numbers: themselves. */
  readonly agreement?: Agreement;
}

export function outputErrors(manifest: Manifest, got: Outputs, exact: Outputs): readonly OutputError[] {
  return manifest.outputs.flatMap((entry): readonly OutputError[] => {
    const [mine, other] = [got[entry.name], exact[entry.name]];
    if (mine === undefined || other === undefined) return [];
    const [output, { shape }] = [entry.name, other];
    if (entry.scalar === "index") return [{ output, shape, agreement: agreement(mine.data, other.data, 1) }];
    const distance = new Distance();
    distance.add(mine.data, other.data);
    const logits = isLogits(entry, manifest) && {
      agreement: agreement(mine.data, other.data, shape.at(-1) ?? 1),
    };
    return [{ output, shape, difference: distance.difference(), ...logits }];
  });
}

/** Scores over what an input chooses from. */
const isLogits = ({ axes }: OutputEntry, { inputs }: Manifest): boolean =>
  inputs.some(({ scalar, bound }) => scalar === "index" && bound === axes.at(-1)?.size);

function agreement(got: ArrayLike<number>, exact: ArrayLike<number>, words: number): Agreement {
  const of = exact.length / words;
  let same = 0;
  for (let row = 0; row < of; row++) {
    const alike =
      words === 1
        ? got[row] === exact[row]
        : greatest(got, row * words, words) === greatest(exact, row * words, words);
    if (alike) same++;
  }
  return { same, of };
}

/** Where the greatest of `count` values from `begin` on stands; of equal ones the first. */
function greatest(values: ArrayLike<number>, begin: number, count: number): number {
  let best = begin;
  for (let i = begin; i < begin + count; i++) if ((values[i] ?? NaN) > (values[best] ?? NaN)) best = i;
  return best - begin;
}
