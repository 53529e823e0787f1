/**
 * Choices read from a list of whole numbers, so that a list is a model, and a shorter list or smaller numbers are a
 * simpler one: what shrinking needs. Past the end every choice is the first.
 */
export class Draw {
  private at = 0;

  constructor(private readonly genes: readonly number[]) {}

  /** 0 ≤ i < count. */
  below(count: number): number {
    const gene = this.genes[this.at++] ?? 0;
    return count <= 1 ? 0 : gene % count;
  }

  /** True once in `every`; false where nothing is left to read. */
  once(every: number): boolean {
    return this.below(every) === every - 1;
  }

  /** The first is the simplest. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error("nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  /** Each item with an even chance. */
  some<T>(items: readonly T[]): readonly T[] {
    return items.filter(() => this.once(2));
  }

  /** The items in another order. */
  shuffled<T>(items: readonly T[]): readonly T[] {
    const rest = [...items];
    return items.flatMap(() => rest.splice(this.below(rest.length), 1));
  }
}
