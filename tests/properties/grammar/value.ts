/** What the generator knows of an expression: its axes, its type, and where its numbers lie. */
export interface Value {
  readonly text: string;
  /** Primes, batch and time among them; also those that a block is mapped over, which its body cannot name. */
  readonly axes: readonly string[];
  readonly scalar: "f32" | "c64" | "index" | "bool";
  /** Every element is from [low, high]; of a complex value the absolute value is. */
  readonly low: number;
  readonly high: number;
  /** Bits that hold every element exactly; Infinity where arithmetic rounds. */
  readonly bits: number;
}

/** Where rounding cannot change a result, comparisons, floors and ranks agree on every device. */
export const isExact = ({ bits }: Value): boolean => bits <= 20;

export const magnitude = ({ low, high }: Value): number => Math.max(Math.abs(low), Math.abs(high));

export const union = (...values: readonly Pick<Value, "axes">[]): readonly string[] => [
  ...new Set(values.flatMap(({ axes }) => axes)),
];

export const without = (axes: readonly string[], gone: readonly string[]): readonly string[] =>
  axes.filter((axis) => !gone.includes(axis));

/** A value of another text: an expression becomes the name that it was given. */
export const named = (value: Value, text: string): Value => ({ ...value, text });

/** The expression as an operand: in parentheses unless it is a name, a number or a call. */
export function atom({ text }: Pick<Value, "text">): string {
  return /^(\w+('*)|\d+\.\d+)$/.test(text) || isCall(text) ? text : `(${text})`;
}

/** `name(…)`, `name[…]` or chains of those, whose brackets hold all there is. */
function isCall(text: string): boolean {
  let rest = text.replace(/^[A-Za-z_]\w*/, "");
  if (rest === text || rest === "") return false;
  while (rest.length > 0) {
    if (!/^[([]/.test(rest)) return false;
    let depth = 0;
    let end = 0;
    for (const character of rest) {
      end++;
      if ("([".includes(character)) depth++;
      else if (")]".includes(character) && --depth === 0) break;
    }
    if (depth !== 0) return false;
    rest = rest.slice(end);
  }
  return true;
}

/** A number as Krait writes it. */
export function literal(value: number): string {
  return value < 0 ? `(-${literal(-value)})` : String(value);
}
