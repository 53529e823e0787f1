/** Inputs made of earlier ones: pieces of text moved, doubled, dropped and replaced, and bytes changed. */
import type { Random } from "../support/random.js";

/** Where a seed is not longer: long inputs run slower and find little that short ones don't. */
const LONGEST = 4096;

const NUMBERS = [
  ..."0 1 -1 2 7 255 256 65535 65536 4294967295 4294967296 9007199254740991 9007199254740992".split(" "),
  ..."1e300 1e999 -0 0.5 1e-320 NaN Infinity null true \"\" [] {}".split(" "),
]; // prettier-ignore
const ODDITIES = [
  "\0",
  "\ufeff",
  "\r",
  "\r\n",
  "'",
  '"',
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  "__proto__",
  "é",
  "𝒳",
];

const wordsOf = (text: string): string[] => text.match(/\w+|\s+|[^\w\s]/g) ?? [];

export class Mutator {
  private readonly words: readonly string[];

  constructor(
    private readonly random: Random,
    seeds: readonly string[],
  ) {
    this.words = [...new Set(seeds.flatMap(wordsOf)), ...NUMBERS, ...ODDITIES];
  }

  /** One to eight changes of `input`; `other` is what it may be crossed with. */
  mutate(input: string, other: string): string {
    let words = wordsOf(input);
    const changes = 1 + this.random.integer(0, this.random.integer(1, 9));
    for (let i = 0; i < changes; i++) words = this.change(words, other);
    return words.join("").slice(0, Math.max(LONGEST, input.length));
  }

  private change(words: readonly string[], other: string): string[] {
    const { random } = this;
    const [from, to] = [random.integer(0, words.length + 1), random.integer(0, words.length + 1)].sort(
      (a, b) => a - b,
    ) as [number, number];
    const near = Math.min(words.length, from + random.integer(0, 6));
    switch (random.integer(0, 8)) {
      case 0:
        return words.toSpliced(from, near - from);
      case 1:
        return words.toSpliced(from, 0, this.word());
      case 2:
        return words.toSpliced(from, 1, this.word());
      case 3:
        return words.toSpliced(to, 0, ...words.slice(from, near));
      case 4:
        return words.toSpliced(from, 1, random.pick(NUMBERS));
      case 5: {
        const pieces = wordsOf(other);
        const at = random.integer(0, pieces.length + 1);
        return words.toSpliced(from, near - from, ...pieces.slice(at, at + random.integer(0, 24)));
      }
      case 6:
        return [...words.slice(0, near), ...words.slice(from)];
      default: {
        const text = words.join("");
        const at = random.integer(0, text.length + 1);
        const unit = String.fromCharCode(random.integer(0, random.pick([128, 65536])));
        return wordsOf(text.slice(0, at) + unit + text.slice(at + random.integer(0, 2)));
      }
    }
  }

  private word(): string {
    return this.random.pick(this.words);
  }
}
