/**
 * WGSL as typed fragments. `wgsl` makes expressions and `code` makes statements; their holes take fragments, never raw
 * text, and a skeleton that asks for `Wgsl<"f32">` is not given a u32. Precedence, literals and non-finite numbers are
 * decided here and nowhere else.
 */

export type Scalar = "f32" | "u32" | "i32" | "bool";
export type Vector = "vec2f" | "vec4f" | "vec4u" | "vec4i" | "vec4<bool>" | "vec3u";
export type WgslType = Scalar | Vector;

declare const type: unique symbol;
declare const statements: unique symbol;
declare const identifier: unique symbol;

/** How tightly an expression's outermost operator binds. */
export const Precedence = {
  /** Comparison, logic, shifts, and whatever the printer did not take apart. */
  Loose: 0,
  Sum: 1,
  Product: 2,
  Unary: 3,
  Primary: 4,
} as const;

/** An expression of type T. */
export interface Wgsl<T extends WgslType> {
  readonly [type]: T;
  readonly text: string;
  readonly precedence: number;
}

/** Whole statements. */
export interface Code {
  readonly [statements]: true;
  readonly lines: readonly string[];
}

/** The name of a function, a struct or an array: not a value by itself. */
export interface Name {
  readonly [identifier]: true;
  readonly text: string;
}

/** Statements, and the value that stands after them. */
export interface Block<T extends WgslType> {
  readonly statements: Code;
  readonly value: Wgsl<T>;
}

/** An expression of whatever type. */
export type AnyWgsl = Wgsl<WgslType>;
/** Numbers are sizes and template constants, printed as abstract integers. */
type Hole = AnyWgsl | Name | number;

function fragment<T extends WgslType>(text: string, precedence: number): Wgsl<T> {
  return { text, precedence } as Wgsl<T>;
}

export function name(text: string): Name {
  if (!/^[A-Za-z_]\w*$/.test(text)) throw new Error(`"${text}" is not a WGSL name`);
  return { text } as Name;
}

/** A variable of the shader. */
export function variable<T extends WgslType>(text: string): Wgsl<T> {
  return fragment<T>(name(text).text, Precedence.Primary);
}

/** An expression. Holes are put in parentheses where the text around them could bind tighter. */
export function wgsl<T extends WgslType>(parts: TemplateStringsArray, ...holes: readonly Hole[]): Wgsl<T> {
  const text = parts.reduce((before, after, i) => {
    const hole = holes[i - 1];
    return before + (hole === undefined ? "" : fill(hole, before, after)) + after;
  });
  return fragment<T>(text, isPrimary(text) ? Precedence.Primary : Precedence.Loose);
}

/** Statements. A hole that is `Code` stands alone on its line and takes the line's indentation. */
export function code(parts: TemplateStringsArray, ...holes: readonly (Hole | Code)[]): Code {
  const text = parts.reduce((before, after, i) => {
    const hole = holes[i - 1];
    if (hole === undefined) return before + after;
    if (typeof hole === "number" || !("lines" in hole)) return before + fill(hole, before, after) + after;
    return (
      before + hole.lines.join("\n" + indentation(before)) + (hole.lines.length === 0 ? EMPTY : "") + after
    );
  });
  return dedent(text);
}

/** The blanks at the end of a text. From the end: a regular expression would begin at the beginning, for each hole anew. */
function indentation(before: string): string {
  let begin = before.length;
  while (begin > 0 && (before[begin - 1] === " " || before[begin - 1] === "\t")) begin--;
  return before.slice(begin);
}

/** Marks a hole that had no lines, so that its line goes too. */
const EMPTY = "\u0000";

function dedent(text: string): Code {
  const lines = text.split("\n").filter((line) => !line.includes(EMPTY) || line.trim() !== EMPTY);
  if (lines[0]?.trim() === "") lines.shift();
  if (lines.at(-1)?.trim() === "") lines.pop();
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const margin = Math.min(...indents, Infinity);
  return codeOf(
    lines.map((line) =>
      line
        .replaceAll(EMPTY, "")
        .slice(Number.isFinite(margin) ? margin : 0)
        .trimEnd(),
    ),
  );
}

function codeOf(lines: readonly string[]): Code {
  return { lines } as Code;
}

export const nothing: Code = codeOf([]);

export function join(parts: Iterable<Code>): Code {
  return codeOf([...parts].flatMap((part) => part.lines));
}

/** Declarations with a blank line between them; empty ones leave none. */
export function paragraphs(parts: Iterable<Code>): Code {
  const filled = [...parts].filter((part) => part.lines.length > 0);
  return codeOf(filled.flatMap((part, i) => (i === 0 ? part.lines : ["", ...part.lines])));
}

/** Free text, as a comment. */
export function comment(text: string): Code {
  return codeOf(text.split(/\r?\n|[\u2028\u2029\u0085\v\f]/).map((line) => `// ${line}`.trimEnd()));
}

export const render = (module: Code): string => module.lines.join("\n") + "\n";

function fill(hole: Hole, before: string, after: string): string {
  if (typeof hole === "number") {
    if (!Number.isSafeInteger(hole) || hole < 0)
      throw new Error(`${hole} in a hole: only sizes go in as numbers`);
    return String(hole);
  }
  if (!("precedence" in hole) || hole.precedence === Precedence.Primary) return hole.text;
  // The last characters alone: as long as the longest of the alternatives.
  const last = before.trimEnd().slice(-": u32 =".length);
  const enclosed = /(?:[(\[,]|[^=!<>]=|return|: u32 =)$/.test(last) && /^\s*[)\],;{]/.test(after);
  return enclosed ? hole.text : `(${hole.text})`;
}

/** A name, a literal, or calls, indexing and members with nothing outside their brackets. */
function isPrimary(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if ("([".includes(character)) depth += 1;
    else if (")]".includes(character)) depth -= 1;
    else if (depth === 0 && !/[\w.<>]/.test(character)) return false;
  }
  return !/[<>]/.test(text.replace(/\b(?:vec[234]|array|bitcast)<[\w<>, ]*>\(/g, "("));
}

type BinaryOperator =
  "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||" | "&" | "|" | ">>" | "<<";

const PRECEDENCE: Readonly<Partial<Record<BinaryOperator, number>>> = {
  "+": Precedence.Sum,
  "-": Precedence.Sum,
  "*": Precedence.Product,
  "/": Precedence.Product,
  "%": Precedence.Product,
};

export function binary<T extends WgslType>(left: AnyWgsl, operator: BinaryOperator, right: AnyWgsl): Wgsl<T> {
  const own = PRECEDENCE[operator] ?? Precedence.Loose;
  // Operators of one level associate to the left; those of the loosest do not mix in WGSL.
  const l = parenthesize(left, own === Precedence.Loose ? Precedence.Sum : own);
  return fragment<T>(`${l} ${operator} ${parenthesize(right, own + 1)}`, own);
}

export function negate<T extends WgslType>(value: Wgsl<T>): Wgsl<T> {
  return fragment<T>(`-${parenthesize(value, Precedence.Primary)}`, Precedence.Unary);
}

export function not<T extends "bool" | "vec4<bool>">(value: Wgsl<T>): Wgsl<T> {
  return fragment<T>(`!${parenthesize(value, Precedence.Primary)}`, Precedence.Unary);
}

export function call<T extends WgslType>(callee: string, args: readonly AnyWgsl[]): Wgsl<T> {
  return fragment<T>(`${callee}(${args.map((arg) => arg.text).join(", ")})`, Precedence.Primary);
}

export function component<T extends Scalar>(vector: AnyWgsl, index: 0 | 1 | 2 | 3): Wgsl<T> {
  return fragment<T>(
    `${parenthesize(vector, Precedence.Primary)}.${"xyzw".charAt(index)}`,
    Precedence.Primary,
  );
}

export function element<T extends WgslType>(array: Name, index: Wgsl<"u32">): Wgsl<T> {
  return fragment<T>(`${array.text}[${index.text}]`, Precedence.Primary);
}

function parenthesize(value: { readonly text: string; readonly precedence: number }, least: number): string {
  return value.precedence >= least ? value.text : `(${value.text})`;
}

/** The greatest magnitude that stands for infinity: WGSL has no literal for it, and compilers assume that there is none. */
export const INFINITY = 3.0e38;

export function literal<T extends Scalar>(of: T, value: number): Wgsl<T> {
  switch (of) {
    case "bool":
      return fragment<T>(value !== 0 ? "true" : "false", Precedence.Primary);
    case "u32":
      return fragment<T>(`${value}u`, Precedence.Primary);
    case "i32":
      return fragment<T>(
        value === -(2 ** 31) ? "i32(-2147483648)" : `${value}i`,
        value < 0 ? Precedence.Unary : Precedence.Primary,
      );
    default:
      return fragment<T>(
        f32Text(value),
        value < 0 || Object.is(value, -0) ? Precedence.Unary : Precedence.Primary,
      );
  }
}

export const f32 = (value: number): Wgsl<"f32"> => literal("f32", value);
export const u32 = (value: number): Wgsl<"u32"> => literal("u32", value);

/** The shortest decimal that reads back as the same 32-bit float. */
function f32Text(value: number): string {
  if (Number.isNaN(value)) throw new Error("a NaN reached a shader");
  const rounded = Math.fround(Math.min(Math.max(value, -INFINITY), INFINITY));
  for (let digits = 1; digits <= 9; digits += 1) {
    const text = String(Number(rounded.toPrecision(digits)));
    if (Math.fround(Number(text)) !== rounded) continue;
    const plain = Object.is(rounded, -0) ? "-0" : text.replace("e+", "e");
    return /[.e]/.test(plain) ? plain : `${plain}.0`;
  }
  throw new Error(`no decimal for ${value}`);
}
