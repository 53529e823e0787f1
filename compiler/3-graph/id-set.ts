/** Sets of ids that count from 0: a mark for each id is several times faster than a Set of numbers. */

export class IdSet<Id extends number> {
  private readonly marks: Uint8Array;
  private count = 0;

  /** For ids below `capacity`. */
  constructor(capacity: number) {
    this.marks = new Uint8Array(capacity);
  }

  /** All ids below `capacity`. */
  static all<Id extends number>(capacity: number): IdSet<Id> {
    const set = new IdSet<Id>(capacity);
    set.marks.fill(1);
    set.count = capacity;
    return set;
  }

  get size(): number {
    return this.count;
  }

  has(id: Id): boolean {
    return this.marks[id] === 1;
  }

  add(id: Id): void {
    if (this.marks[id] !== 0) return;
    this.marks[id] = 1;
    this.count++;
  }

  /** In ascending order. */
  *[Symbol.iterator](): Generator<Id> {
    for (let id = 0; id < this.marks.length; id++) if (this.marks[id] === 1) yield id as Id;
  }
}
