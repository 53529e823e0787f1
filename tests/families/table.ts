/** Row-major numbers by their coordinates: what the families' plain loops are written with. */
export class Table {
  constructor(
    readonly shape: readonly number[],
    readonly data: Float64Array = new Float64Array(shape.reduce((product, size) => product * size, 1)),
  ) {}

  at(...place: readonly number[]): number {
    return this.data[this.flat(place)] ?? NaN;
  }

  set(value: number, ...place: readonly number[]): void {
    this.data[this.flat(place)] = value;
  }

  /** The numbers along the last axis. */
  row(...place: readonly number[]): number[] {
    return range(this.shape.at(-1) ?? 1).map((i) => this.at(...place, i));
  }

  setRow(values: readonly number[], ...place: readonly number[]): void {
    values.forEach((value, i) => {
      this.set(value, ...place, i);
    });
  }

  private flat(place: readonly number[]): number {
    return place.reduce((sum, i, k) => sum * (this.shape[k] ?? NaN) + i, 0);
  }
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);
export const dot = (a: readonly number[], b: readonly number[]): number =>
  sum(a.map((x, i) => x * (b[i] ?? NaN)));
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const softplus = (x: number): number => Math.log1p(Math.exp(x));
/** rows · x, the rows of a table from `first` on. */
export const product = (rows: Table, x: readonly number[], count: number, first = 0): number[] =>
  range(count).map((r) => dot(rows.row(first + r), x));
export const rmsNorm = (x: readonly number[], eps: number): number[] => {
  const scale = 1 / Math.sqrt(sum(x.map((v) => v * v)) / x.length + eps);
  return x.map((v) => v * scale);
};
export const softmax = (x: readonly number[]): number[] => {
  const top = Math.max(...x);
  const e = x.map((v) => Math.exp(v - top));
  return e.map((v) => v / sum(e));
};

/** Pairs (x[k], x[k + half]) turned by an angle each. */
export const rotateHalves = (x: readonly number[], angles: readonly number[]): number[] => {
  const half = angles.length;
  const turned = angles.map((a, k) => {
    const [re, im] = [x[k] ?? NaN, x[half + k] ?? NaN];
    return [re * Math.cos(a) - im * Math.sin(a), re * Math.sin(a) + im * Math.cos(a)] as const;
  });
  return [...turned.map(([re]) => re), ...turned.map(([, im]) => im)];
};

/** A matrix of zeros, as rows. */
export const zeros = (rows: number, columns: number): number[][] =>
  range(rows).map(() => range(columns).map(() => 0));
