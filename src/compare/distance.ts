/** How far numbers are from exact ones. */

export interface Difference {
  /** ‖got − exact‖ / ‖exact‖: the root mean square of the errors, of that of the values. */
  readonly relative: number;
  /** The largest |got − exact|. */
  readonly largest: number;
}

/** Of numbers that come in parts, in float64. */
export class Distance {
  #errors = 0;
  #values = 0;
  #largest = 0;

  add(got: ArrayLike<number>, exact: ArrayLike<number>): void {
    for (let i = 0; i < exact.length; i++) {
      const [value, wanted] = [got[i] ?? NaN, exact[i] ?? NaN];
      this.#values += wanted * wanted;
      // The same infinity twice, or no number twice, is no error.
      if (Object.is(value, wanted)) continue;
      const error = Math.abs(value - wanted);
      this.#errors += error * error;
      // NaN stays, which no comparison finds.
      this.#largest = Math.max(this.#largest, error);
    }
  }

  difference(): Difference {
    const relative = this.#errors === 0 ? 0 : Math.sqrt(this.#errors / this.#values);
    return { relative, largest: this.#largest };
  }
}
