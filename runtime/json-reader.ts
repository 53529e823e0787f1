/**
 * Reads JSON that is not trusted and whose form is known. What is of another form is refused where it begins, so that neither
 * depth nor length, nor a name that stands twice, is left for what comes after to find.
 */

/** Names are not longer, numbers neither: what is printed of them fits a message. */
const LONGEST_NAME = 4096;
const LONGEST_NUMBER = 32;
/** Of what is skipped: how deep, and how many values in all. */
const DEEPEST = 16;
const MOST_SKIPPED = 100_000;

const QUOTE = 34;
const BACKSLASH = 92;

export class JsonReader {
  readonly #text: string;
  readonly #refuse: (what: string) => never;
  #at = 0;
  #skipped = 0;

  /** @param refuse is told what is wrong: `it is not JSON …`. */
  constructor(text: string, refuse: (what: string) => never) {
    this.#text = text;
    this.#refuse = refuse;
  }

  /** The first character of what comes next; nothing at the end. */
  peek(): string {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return this.#text.charAt(this.#at);
      this.#at++;
    }
  }

  /** An object of at most `most` members; `member` reads the value of each. A key that stands twice is refused. */
  object(most: number, member: (key: string) => void): void {
    const known = new Set<string>();
    this.#items("{", "}", () => {
      const key = this.peek() === '"' ? this.string() : this.#notJson();
      if (known.has(key)) this.#refuse(`it has "${key}" twice`);
      known.add(key);
      if (known.size > most) this.#refuse(`it has more than ${String(most)} entries in one object`);
      this.#expect(":");
      member(key);
    });
  }

  /** A list of at most `most` items, each of which `item` reads. */
  list(most: number, item: () => void): void {
    let count = 0;
    this.#items("[", "]", () => {
      if (++count > most) this.#refuse(`it has a list of more than ${String(most)} items`);
      item();
    });
  }

  string(longest = LONGEST_NAME): string {
    this.#expect('"');
    const begin = this.#at;
    let escaped = false;
    for (let at = begin; ; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        return escaped ? this.#unescaped(begin - 1) : this.#text.slice(begin, at);
      }
      if (code === BACKSLASH) {
        escaped = true;
        at++;
      } else if (!(code >= 32)) return this.#notJson(); // a control character, or the end
      if (at - begin > longest) this.#refuse(`it has a name of more than ${String(longest)} characters`);
    }
  }

  /** A whole number from 0 that a double holds exactly; undefined for another number, or what is none. */
  whole(): number | undefined {
    if (!/[-\d]/.test(this.peek())) {
      this.skip();
      return undefined;
    }
    const text = this.#number();
    const value = Number(text);
    return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
  }

  /** Any value. */
  skip(depth = 0): void {
    if (depth > DEEPEST) this.#refuse("it is nested too deep");
    if (++this.#skipped > MOST_SKIPPED)
      this.#refuse(`it has more than ${String(MOST_SKIPPED)} values that nothing reads`);
    const inner = (): void => {
      this.skip(depth + 1);
    };
    const next = this.peek();
    if (next === "{") return this.object(Infinity, inner);
    if (next === "[") return this.list(Infinity, inner);
    if (next === '"') return void this.string(Infinity);
    const word = ["true", "false", "null"].find((known) => this.#text.startsWith(known, this.#at));
    if (word !== undefined) this.#at += word.length;
    else this.#number();
  }

  /** Nothing but space may follow. */
  end(): void {
    if (this.peek() !== "") this.#notJson();
  }

  #items(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.peek() === close) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      if (this.peek() !== ",") break;
      this.#at++;
    }
    this.#expect(close);
  }

  #number(): string {
    this.peek();
    const [text = ""] = /^[-+.\deE]*/.exec(this.#text.slice(this.#at, this.#at + LONGEST_NUMBER + 1)) ?? [];
    if (text.length > LONGEST_NUMBER)
      this.#refuse(`it has a number of more than ${String(LONGEST_NUMBER)} digits`);
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return this.#notJson();
    this.#at += text.length;
    return text;
  }

  #unescaped(quote: number): string {
    try {
      return JSON.parse(this.#text.slice(quote, this.#at)) as string;
    } catch {
      return this.#notJson();
    }
  }

  #expect(character: string): void {
    if (this.peek() !== character) this.#notJson();
    this.#at++;
  }

  #notJson(): never {
    return this.#refuse(`it is not JSON at character ${String(this.#at)}`);
  }
}
