/** Random numbers from a seed, the same on every machine, so that a failing case can be run again. */

/** What a random tensor is given to a model as: row-major. */
export interface RandomTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface Random {
  /** Evenly from [low, high). */
  uniform(low?: number, high?: number): number;
  /** Gaussian, by Box and Muller. */
  normal(mean?: number, deviation?: number): number;
  /** A whole number from [low, high). */
  integer(low: number, high: number): number;
  pick<T>(items: readonly T[]): T;
  /** A tensor of independent draws; Gaussian unless `draw` says otherwise. */
  tensor(shape: readonly number[], draw?: (random: Random) => number): RandomTensor;
}

export function seeded(seed: number): Random {
  const next = generator(seed);
  const random: Random = {
    uniform: (low = 0, high = 1) => low + (high - low) * next(),
    normal: (mean = 0, deviation = 1) =>
      mean + deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    integer: (low, high) => low + Math.floor(next() * (high - low)),
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    tensor: (shape, draw = (r) => r.normal()) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return { shape, data: Float64Array.from({ length: count }, () => draw(random)) };
    },
  };
  return random;
}

/** A Weyl sequence put through a 32-bit mixer, two draws a number: 53 random bits in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  const bits = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  return () => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) / 2 ** 53;
}
