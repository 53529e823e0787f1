/** The body that statements are added to, and what all bodies of a source share. */
import type { Draw } from "./draw.js";
import { union, without, type Value } from "./value.js";

/** How the numbers of an input or a parameter are drawn: exactly representable ones in every storage type. */
export type Kind =
  /** [-1, 1] */
  | "signed"
  /** [1/16, 15/16] */
  | "unit"
  /** [1/2, 3/2] */
  | "positive"
  /** Coordinates of an axis. */
  | "index";

export const RANGES: Readonly<Record<Exclude<Kind, "index">, readonly [number, number]>> = {
  signed: [-1, 1],
  unit: [1 / 16, 15 / 16],
  positive: [1 / 2, 3 / 2],
};
/** Numbers of all kinds are multiples of 1/64. */
export const GRID = 64;

/** The most elements of a value, but for batch and time. */
const MOST_ELEMENTS = 300;

/** What the bodies of one source share. */
export interface Source {
  /** Primes of fixed size. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Declarations at the top of the file, before and after the model. */
  readonly top: string[];
  readonly bottom: string[];
  /** Inputs and parameters, by the last part of their names. */
  readonly kinds: Map<string, Kind>;
  /** Names used, by their first letter. */
  readonly count: Map<string, number>;
  /** Whether values may depend on later steps. */
  readonly looksAhead: boolean;
}

export class Scope {
  readonly lines: string[] = [];
  readonly values: Value[] = [];

  constructor(
    readonly source: Source,
    /** Axes that the body is mapped over; all but batch cannot be named in it. */
    readonly ambient: readonly string[],
    /** Blocks and repeats around this body. */
    readonly depth: number,
  ) {}

  fresh(letter: string): string {
    const { count } = this.source;
    const k = (count.get(letter) ?? 0) + 1;
    count.set(letter, k);
    return `${letter}${String(k)}`;
  }

  say(line: string): void {
    this.lines.push(line);
  }

  keep(value: Value): Value {
    this.values.push(value);
    return value;
  }

  /** `name = expression`, and the value under its name. */
  define(value: Value, letter = "x"): Value {
    const text = this.fresh(letter);
    this.say(`${text} = ${value.text}`);
    return this.keep({ ...value, text });
  }

  size(axis: string): number {
    return this.source.sizes.get(axis.replaceAll("'", "")) ?? NaN;
  }

  /** Whether a value of these axes is small enough. */
  fits(axes: readonly string[], most = MOST_ELEMENTS): boolean {
    const sizes = axes.map((axis) => this.size(axis)).filter((size) => !Number.isNaN(size));
    return sizes.reduce((product, size) => product * size, 1) <= most;
  }

  /** The axes of fixed size that the body can name. */
  nameable(axes: readonly string[]): readonly string[] {
    return without(axes, ["b", "t", "t'", ...this.ambient]);
  }

  /** Every prime of fixed size that may be named here. */
  primes(): readonly string[] {
    return this.nameable([...this.source.sizes.keys()]);
  }

  /** A parameter of its own. */
  param(draw: Draw, axes: readonly string[], kind: Exclude<Kind, "index">): Value {
    const text = this.fresh(kind === "signed" ? "w" : kind === "unit" ? "u" : "a");
    this.source.kinds.set(text, kind);
    this.say(`param ${text}[${draw.shuffled(axes).join(", ")}]`);
    const [low, high] = RANGES[kind];
    return this.keep({ text, axes, scalar: "f32", low, high, bits: 8 });
  }

  /** Values known so far that satisfy, the newest first. */
  known(satisfies: (value: Value) => boolean): readonly Value[] {
    return this.values.filter(satisfies).reverse();
  }

  /** One of the values known so far, more likely a new one. */
  choose(draw: Draw, satisfies: (value: Value) => boolean): Value | undefined {
    const found = this.known(satisfies);
    if (found.length === 0) return undefined;
    return found[Math.min(draw.below(found.length), draw.below(found.length))];
  }

  /** Whether the values may stand in one elementwise expression. */
  meets(...values: readonly Pick<Value, "axes">[]): boolean {
    return this.fits(union(...values));
  }
}

export const isReal = ({ scalar }: Value): boolean => scalar === "f32";
export const inTime = ({ axes }: Value): boolean => axes.includes("t") && !axes.includes("t'");
