/** A statement without its bodies, from words to a document: brackets, lists, clauses and operators. */
import type { TokenType } from "chevrotain";
import * as t from "../1-parse/tokens.js";
import { type Doc, fill, group, indent, join, line } from "./doc.js";
import type { Word } from "./words.js";

interface Bracket {
  readonly open: Word;
  readonly items: readonly (readonly Node[])[];
  readonly commas: readonly Word[];
  readonly close: Word;
}

type Node = Word | Bracket;

const isBracket = (node: Node): node is Bracket => "open" in node;
const firstOf = (node: Node): TokenType => (isBracket(node) ? node.open.type : node.type);
const lastOf = (node: Node): TokenType => (isBracket(node) ? node.close.type : node.type);

/** A word with its comments; the first of a statement has those before it printed by the statement. */
export function wordDoc({ text, comments, trailing }: Word, first = false): Doc {
  const before = first ? [] : comments.map((comment): Doc => ({ kind: "own", comment: comment.text }));
  return [before, text, trailing.length === 0 ? "" : { kind: "trailing", comments: trailing }];
}

/** The words of a statement up to a `{` or its end. `first`: they begin the statement. */
export function phraseDoc(words: readonly Word[], first: boolean): Doc {
  const { items, commas } = new Reader(words).list(undefined);
  const docs = items.map((item, index) => itemDoc(item, { tight: false, first: first && index === 0 }));
  const parts = docs.map((doc, index) => withComma(doc, commas[index]));
  return fill(
    parts,
    commas.map(() => indent(line(" "))),
  );
}

const withComma = (doc: Doc, comma: Word | undefined): Doc =>
  comma === undefined ? doc : [doc, wordDoc(comma)];

/** Pairs brackets and splits lists at their commas. */
class Reader {
  private next = 0;

  constructor(private readonly words: readonly Word[]) {}

  list(closer: TokenType | undefined): Pick<Bracket, "items" | "commas"> & { readonly close?: Word } {
    const items: Node[][] = [];
    const commas: Word[] = [];
    let item: Node[] = [];
    for (;;) {
      const word = this.words[this.next++];
      if (word === undefined || word.type === closer) {
        if (item.length > 0 || commas.length > 0) items.push(item);
        return { items, commas, ...(word === undefined ? {} : { close: word }) };
      }
      const inner = t.closerOf(word.type);
      if (word.type === t.Comma) {
        commas.push(word);
        items.push(item);
        item = [];
      } else if (inner === undefined) {
        item.push(word);
      } else {
        const { close = word, ...list } = this.list(inner);
        item.push({ open: word, ...list, close });
      }
    }
  }
}

interface Context {
  /** `*`, `/` and `%` stand without spaces, as they do around. */
  readonly tight: boolean;
  /** The item begins with the first word of the statement. */
  readonly first: boolean;
}

function bracketDoc({ open, items, commas, close }: Bracket, tight: boolean): Doc {
  const opened = wordDoc(open);
  if (items.length === 0) return group([opened, indent(line("")), wordDoc(close)]);
  const docs = items.map((item, index) => withComma(itemDoc(item, { tight, first: false }), commas[index]));
  // A table of numbers is packed; what has names is easier to read one by one.
  const isTable = items.length > 1 && items.every((item) => item.every((node) => LITERALS.has(lastOf(node))));
  const lines = commas.map(() => line(" "));
  const list = isTable ? fill(docs, lines) : group(join(docs, line(" ")));
  return group([opened, indent([line(""), list]), line(""), wordDoc(close)]);
}

const LITERALS: ReadonlySet<TokenType> = new Set([t.NumberLiteral, t.StringLiteral, t.Minus]);

/** Clauses that may stand on a line of their own; the spaces before them if they do not. */
const CLAUSES: ReadonlyMap<TokenType, string> = new Map([
  [t.By, "  "],
  [t.From, " "],
  [t.With, " "],
]);

/** `name[axes] = expression by rule(step)`, an argument, a formal, a definition … */
function itemDoc(nodes: readonly Node[], { tight, first }: Context): Doc {
  const spaced = space(nodes, tight);
  const clauses: Spaced[][] = [[]];
  for (const each of spaced) {
    const type = firstOf(each.node);
    if (each !== spaced[0] && (CLAUSES.has(type) || type === t.FatArrow)) clauses.push([]);
    clauses.at(-1)?.push(each);
  }
  const [head = [], ...others] = clauses;
  const tails = others.map((clause): Doc => {
    const type = clause[0] === undefined ? t.From : firstOf(clause[0].node);
    const mark: Doc = type === t.From ? { kind: "mark" } : "";
    const before = CLAUSES.get(type);
    const separator: Doc = before === undefined ? { kind: "line", flat: "", hard: true } : line(before);
    return indent([separator, mark, chainDoc(clause, 0, false)]);
  });
  const start = chainDoc(head, 0, first);
  return tails.length === 0 ? start : group([start, tails]);
}

/** A node, the space before it, and whether what it encloses is tight. */
interface Spaced {
  readonly node: Node;
  readonly before: string;
  readonly tight: boolean;
  /** Of an infix operator: how loosely it binds; breaks are made at the loosest. */
  readonly level: number | undefined;
}

const LEVELS: ReadonlyMap<TokenType, number> = new Map([
  [t.Pipe, 0],
  [t.Or, 1],
  [t.And, 2],
  ...[t.EqualEqual, t.NotEqual, t.Less, t.LessEqual, t.Greater, t.GreaterEqual, t.In].map(
    (type): [TokenType, number] => [type, 3],
  ),
  [t.Plus, 4],
  [t.Minus, 4],
  [t.Star, 5],
  [t.Slash, 5],
  [t.Percent, 5],
]);
const ADDITIVE = 4;
const MULTIPLICATIVE = 5;

/** An infix or prefix operator, or a bracket or a comma before it, makes a `-` a sign. */
const isOperand = (node: Node | undefined): boolean =>
  node !== undefined && (isBracket(node) || OPERANDS.has(node.type));
const OPERANDS: ReadonlySet<TokenType> = new Set([
  ...[t.Identifier, t.NumberLiteral, t.StringLiteral, t.StackSlot],
]);

/** What a `[` or `(` follows without a space: `f(x)`, `w[d]`, `der(h)`, `(a | b)[_, m]`. */
const isBase = (node: Node): boolean => isOperand(node) || firstOf(node) === t.Der;

function space(nodes: readonly Node[], tightAround: boolean): Spaced[] {
  const levels = nodes.map((node, index) =>
    isBracket(node) || !isOperand(nodes[index - 1]) ? undefined : LEVELS.get(node.type),
  );
  const runs = runsOf(nodes, levels, tightAround);
  const isPower = (node: Node | undefined): boolean => node !== undefined && firstOf(node) === t.Caret;
  const binds = (index: number): boolean => {
    const node = nodes[index];
    return isPower(node) || (levels[index] === MULTIPLICATIVE && runs[index] === true);
  };
  return nodes.map((node, index) => ({
    node,
    level: levels[index],
    before: gap(nodes, levels, index, binds),
    tight: isBracket(node) && (tightAround || operators(nodes, levels, index).some(binds)),
  }));
}

/** For each node whether `*` is tight there: where `+` or `-` stands beside it, or all around is tight. */
function runsOf(
  nodes: readonly Node[],
  levels: readonly (number | undefined)[],
  tightAround: boolean,
): boolean[] {
  const tight: boolean[] = [];
  let start = 0;
  const close = (end: number): void => {
    const additive = levels.slice(start, end).includes(ADDITIVE);
    for (let at = start; at < end; at++) tight[at] = additive || tightAround;
    start = end;
  };
  nodes.forEach((node, index) => {
    const level = levels[index];
    const within =
      isBracket(node) || isOperand(node) || firstOf(node) === t.Caret || firstOf(node) === t.Minus;
    if (!within && (level === undefined || level < ADDITIVE)) close(index);
  });
  close(nodes.length);
  return tight;
}

/** Where the operators stand between which the operand of `nodes[index]` is: `-f(x)[v: 0]` is one operand. */
function operators(
  nodes: readonly Node[],
  levels: readonly (number | undefined)[],
  index: number,
): readonly number[] {
  const ends = (at: number): boolean => {
    const node = nodes[at];
    if (node === undefined || levels[at] !== undefined) return true;
    return !isOperand(node) && firstOf(node) !== t.Minus;
  };
  let [before, after] = [index - 1, index + 1];
  while (!ends(before)) before--;
  while (!ends(after)) after++;
  return [before, after];
}

function gap(
  nodes: readonly Node[],
  levels: readonly (number | undefined)[],
  index: number,
  binds: (index: number) => boolean,
): string {
  const [previous, node] = [nodes[index - 1], nodes[index]];
  if (previous === undefined || node === undefined) return "";
  const [before, type] = [lastOf(previous), firstOf(node)];
  if (binds(index) || binds(index - 1)) return "";
  if (type === t.Colon || type === t.Range || before === t.Range) return "";
  // A sign stands before its operand.
  if (before === t.Minus && levels[index - 1] === undefined) return "";
  if (isBracket(node) && isBase(previous)) return "";
  return " ";
}

/** An expression, broken after its loosest operators if it has no room. */
function chainDoc(nodes: readonly Spaced[], level: number, first: boolean): Doc {
  if (level > MULTIPLICATIVE) {
    return nodes.map(({ node, before, tight }, index): Doc => {
      const space = index === 0 ? "" : before;
      return [space, isBracket(node) ? bracketDoc(node, tight) : wordDoc(node, first && index === 0)];
    });
  }
  const parts: Doc[] = [];
  const between: Doc[] = [];
  let operand: Spaced[] = [];
  const operandDoc = (): Doc => chainDoc(operand, level + 1, first && parts.length === 0);
  nodes.forEach((each, index) => {
    if (each.level !== level || isBracket(each.node)) return void operand.push(each);
    parts.push([operandDoc(), each.before, wordDoc(each.node)]);
    between.push(indent(line(nodes[index + 1]?.before ?? "")));
    operand = [];
  });
  const last = operandDoc();
  return parts.length === 0 ? last : fill([...parts, last], between);
}
