/** How many steps each sequence of a session has seen: all alike, unless a packed call or a reset set them apart. */
export class Positions {
  readonly each: readonly number[];

  constructor(each: readonly number[]) {
    this.each = each;
  }

  static start(batch: number): Positions {
    return new Positions(new Array<number>(batch).fill(0));
  }

  /** Of the sequence that has seen most. */
  get most(): number {
    return this.each.reduce((most, each) => Math.max(most, each), 0);
  }

  get areEqual(): boolean {
    return this.each.every((each) => each === this.each[0]);
  }

  /** After so many steps more of every sequence. */
  after(steps: number): Positions {
    return new Positions(this.each.map((each) => each + steps));
  }

  /** After steps of some sequences. */
  afterEach(taken: readonly { readonly document: number; readonly steps: number }[]): Positions {
    const each = [...this.each];
    for (const { document, steps } of taken) each[document] = (each[document] ?? 0) + steps;
    return new Positions(each);
  }

  /** Of those sequences, in that order. */
  of(members: readonly number[]): Positions {
    return new Positions(members.map((member) => this.each[member] ?? 0));
  }
}
