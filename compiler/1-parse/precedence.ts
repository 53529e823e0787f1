/** From a flat run of operands and operators to a tree: the one place that knows how tightly operators bind. */
import * as syntax from "../diagnostics/codes/syntax.js";
import type { Diagnostic, Span } from "../diagnostics/types.js";
import { InternalError } from "../diagnostics/internal-error.js";
import type { BinaryOp, Expression, UnaryOp } from "./ast.js";

/** An operand's span is that of its parentheses, if it has any. */
export type Piece =
  | { readonly kind: "operand"; readonly value: Expression; readonly span: Span }
  | { readonly kind: "operator"; readonly text: string; readonly span: Span };

interface Binding {
  /** Operators of a higher level bind tighter. */
  readonly level: number;
  /** The least level that an operator in the right operand may have. */
  readonly right: number;
}

const leftAssociative = (level: number): Binding => ({ level, right: level + 1 });

const COMPARISON = 4;

/** SPEC.md § Grammar, from `or` to `^`. `^` takes a sign in its exponent: `2^-n`; `-x^2` is `-(x^2)`. */
const binaryBindings: Readonly<Record<BinaryOp, Binding>> = {
  or: leftAssociative(1),
  and: leftAssociative(2),
  "==": leftAssociative(COMPARISON),
  "!=": leftAssociative(COMPARISON),
  "<": leftAssociative(COMPARISON),
  "<=": leftAssociative(COMPARISON),
  ">": leftAssociative(COMPARISON),
  ">=": leftAssociative(COMPARISON),
  in: leftAssociative(COMPARISON),
  "+": leftAssociative(5),
  "-": leftAssociative(5),
  "*": leftAssociative(6),
  "/": leftAssociative(6),
  "%": leftAssociative(6),
  "^": { level: 8, right: 7 },
};

const unaryBindings: Readonly<Record<UnaryOp, Binding>> = {
  not: { level: 3, right: 3 },
  "-": { level: 7, right: 7 },
};

const isBinary = (text: string): text is BinaryOp => Object.hasOwn(binaryBindings, text);
const isUnary = (text: string): text is UnaryOp => Object.hasOwn(unaryBindings, text);

/** How tightly an operator binds; printers put parentheses where a child's level is below what its place asks for. */
export const binaryBinding = (op: BinaryOp): Binding => binaryBindings[op];
export const unaryBinding = (op: UnaryOp): Binding => unaryBindings[op];

/** `pieces` alternate as the grammar has it: any prefix operators, an operand, an infix operator, and so on. */
export function combine(pieces: readonly Piece[], report: (diagnostic: Diagnostic) => void): Expression {
  let next = 0;
  type Operand = Extract<Piece, { kind: "operand" }>;

  function operand(least: number, outer: string | undefined): Operand {
    const piece = pieces[next++];
    if (piece === undefined) throw new InternalError("parse", "an expression ends in an operator");
    if (piece.kind === "operand") return piece;
    const op = piece.text;
    if (!isUnary(op)) throw new InternalError("parse", `the operator ${op} stands before an operand`);
    const { level, right } = unaryBindings[op];
    if (level < least && outer !== undefined) report(syntax.parenthesesNeeded(piece.span, op, outer));
    const inner = run(right, op);
    const span = { ...piece.span, end: inner.span.end };
    return { kind: "operand", value: { kind: "unary", op, operand: inner.value, span }, span };
  }

  function run(least: number, outer: string | undefined): Operand {
    let left = operand(least, outer);
    let comparison: BinaryOp | undefined;
    for (;;) {
      const piece = pieces[next];
      if (piece === undefined || piece.kind === "operand" || !isBinary(piece.text)) return left;
      const op = piece.text;
      const { level, right } = binaryBindings[op];
      if (level < least) return left;
      if (level === COMPARISON) {
        if (comparison !== undefined) report(syntax.chainedComparison(piece.span, comparison, op));
        comparison = op;
      }
      next++;
      const second = run(right, op);
      const span = { ...left.span, end: second.span.end };
      const value: Expression = {
        kind: "binary",
        op,
        opSpan: piece.span,
        left: left.value,
        right: second.value,
        span,
      };
      left = { kind: "operand", value, span };
    }
  }

  return run(0, undefined).value;
}
