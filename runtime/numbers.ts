/** The run-time numbers of a program: those that the runtime supplies, and those computed from them. */
import { RUN_NUMBERS, type Dim, type Manifest, type NumberEntry } from "./bundle-format.js";
import { compileDim, dimNames, type Evaluate } from "./dim.js";
import { KraitError } from "./errors.js";

/** What the runtime supplies for one run. */
export interface RunNumbers {
  /** Sequences. */
  readonly batch: number;
  /** Steps of this piece. */
  readonly steps: number;
  /** Steps seen before this piece. */
  readonly pos: number;
  /** The window of positions, within the piece, whose outputs the tail computes. */
  readonly tailBegin: number;
  readonly tailCount: number;
  /** A packed program's: no document of the piece has more steps. */
  readonly longest?: number;
  /** A packed program's: no more documents have steps in the piece. */
  readonly documents?: number;
}

/** What a manifest calls the batch and the steps: the sizes of those axes in its inputs. The others have fixed names. */
export interface AxisNames {
  readonly batch: string;
  readonly steps: string;
  /** Whether the model has such axes at all. */
  readonly hasBatch: boolean;
  readonly hasTime: boolean;
}

/** @throws KraitError R0105 where the manifest has run-time sizes beyond a batch and a time axis. */
export function axisNames(manifest: Manifest): AxisNames {
  const { inputs, outputs, states } = manifest;
  const times = new Set<string>();
  const others = new Set<string>();
  for (const { axes, time } of [...inputs, ...outputs]) {
    for (const axis of axes)
      if (typeof axis.size === "string") (axis.name === time ? times : others).add(axis.size);
  }
  for (const { axes } of states) for (const { size } of axes) if (typeof size === "string") others.add(size);
  times.delete(RUN_NUMBERS.tailCount);
  for (const name of times) others.delete(name);
  if (times.size > 1 || others.size > 1) {
    const names = [...times, ...others].join(", ");
    throw new KraitError(
      "R0105",
      `The manifest has more run-time sizes than a batch and a time axis: ${names}.`,
    );
  }
  const [[batch], [steps]] = [others, times].map((set) => [...set]) as [string[], string[]];
  // Where there is none its number is 1, and its name must not be the other's.
  return {
    batch: batch ?? (steps === "b" ? "t" : "b"),
    steps: steps ?? (batch === "t" ? "b" : "t"),
    hasBatch: batch !== undefined,
    hasTime: steps !== undefined,
  };
}

/** What the runtime supplies, in the order of the first slots. */
export function supplied(run: RunNumbers): readonly number[] {
  const { batch, steps, pos, tailBegin, tailCount, longest = steps } = run;
  const { documents = Math.min(batch, steps) } = run;
  return [batch, steps, pos, tailBegin, tailCount, longest, documents];
}

const SUPPLIED = 7;

export class Numbers {
  readonly #slots: ReadonlyMap<string, number>;
  readonly #derived: readonly Evaluate[];
  readonly #uniform: readonly { readonly name: string; readonly slot: number }[];
  /** For each derived slot, the supplied slots that it depends on. */
  readonly #sources = new Map<number, ReadonlySet<number>>();

  constructor(names: AxisNames, entries: readonly NumberEntry[]) {
    const { pos, tailBegin, tailCount, longest, documents } = RUN_NUMBERS;
    const supplied = [names.batch, names.steps, pos, tailBegin, tailCount, longest, documents];
    const slots = new Map(supplied.map((name, slot) => [name, slot]));
    this.#slots = slots;
    this.#derived = entries.flatMap(({ name, value }) => {
      if (value === undefined) return [];
      const evaluate = compileDim(value, slots);
      this.#sources.set(slots.size, this.sources([value]));
      slots.set(name, slots.size);
      return [evaluate];
    });
    this.#uniform = entries.map(({ name }) => {
      const slot = slots.get(name);
      if (slot === undefined) {
        throw new KraitError(
          "R0105",
          `The manifest wants a number "${name}", which this runtime does not supply.`,
        );
      }
      return { name, slot };
    });
  }

  /** The uniform block's size: whole 16-byte rows, at least one. */
  get uniformBytes(): number {
    return Math.max(16, Math.ceil(this.#uniform.length / 4) * 16);
  }

  compile(dim: Dim): Evaluate {
    return compileDim(dim, this.#slots);
  }

  /** The supplied numbers that these dims depend on, directly or through derived ones. */
  sources(dims: Iterable<Dim>): ReadonlySet<number> {
    const found = new Set<number>();
    for (const dim of dims) {
      for (const name of dimNames(dim)) {
        const slot = this.#slots.get(name);
        if (slot === undefined) continue;
        if (slot < SUPPLIED) found.add(slot);
        else for (const source of this.#sources.get(slot) ?? []) found.add(source);
      }
    }
    return found;
  }

  values(run: RunNumbers): Float64Array {
    const values = new Float64Array(SUPPLIED + this.#derived.length);
    values.set(supplied(run));
    for (const [i, evaluate] of this.#derived.entries()) values[SUPPLIED + i] = evaluate(values);
    return values;
  }

  /** The uniform block: u32 each, in the manifest's order. */
  uniform(values: Float64Array): Uint32Array<ArrayBuffer> {
    const block = new Uint32Array(this.uniformBytes / 4);
    for (const [i, { name, slot }] of this.#uniform.entries()) {
      const value = values[slot] as number;
      if (!(value >= 0 && value < 2 ** 32)) {
        throw new KraitError("R0105", `The number "${name}" is ${String(value)}, which is no u32.`);
      }
      block[i] = value;
    }
    return block;
  }
}
