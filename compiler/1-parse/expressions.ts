/** Expressions and axis lists (SPEC.md § Grammar). */
import type { IToken } from "chevrotain";
import * as syntax from "../diagnostics/codes/syntax.js";
import type { Argument, AxisList, AxisSlot, Expression, PathString, Selector } from "./ast.js";
import { MOST_NESTED } from "./limits.js";
import { combine, type Piece } from "./precedence.js";
import { type GrammarRule, RecoveringParser } from "./recovery.js";
import * as t from "./tokens.js";

type AxisKeyword = Extract<Argument, { kind: "axis" }>["keyword"];
type ClauseKeyword = Extract<Argument, { kind: "clause" }>["keyword"];

/** Operands and operators of one expression: `combine` nests each operator in the one before. */
const MOST_PIECES = 2 * MOST_NESTED;

export abstract class ExpressionParser extends RecoveringParser {
  /** Set while the bounds of a `repeat` are read, where `at "…"` is the loop's and not a call's. */
  private inBounds = false;

  /** `from .. to`, as in `repeat`. */
  protected readonly bounds: GrammarRule<{ from: Expression; to: Expression }> = this.define("bounds", () => {
    this.ACTION(() => (this.inBounds = true));
    try {
      const from = this.SUBRULE(this.expression);
      this.take(t.Range, "`..`", "between the bounds of the range");
      return { from, to: this.SUBRULE2(this.expression) };
    } finally {
      this.inBounds = false;
    }
  });

  /** Operators are read as a flat run, which `combine` shapes: one rule for all levels of precedence. */
  protected readonly expression: GrammarRule<Expression> = this.define("expression", () => {
    const pieces: Piece[] = [];
    this.SUBRULE(this.operand, { ARGS: [pieces] });
    this.MANY(() => {
      pieces.push(this.operator(this.CONSUME(t.InfixOperator)));
      this.SUBRULE2(this.operand, { ARGS: [pieces] });
    });
    return this.ACTION(() => {
      const [first] = pieces;
      if (first !== undefined && pieces.length > MOST_PIECES)
        this.fail(syntax.nestedTooDeep({ ...first.span, end: this.spanFrom(first.span).end }, MOST_NESTED));
      return combine(pieces, (diagnostic) => this.report(diagnostic));
    });
  });

  private operator(token: IToken): Piece {
    // Another language's spelling keeps its image; its type says what it is here.
    const text = token.tokenType.PATTERN;
    return {
      kind: "operator",
      text: typeof text === "string" ? text : token.image,
      span: this.spanOf(token),
    };
  }

  /** Adds prefix operators and what they stand before. */
  protected readonly operand: GrammarRule<void, [Piece[]]> = this.define("operand", (pieces = []) => {
    this.MANY(() => {
      pieces.push(this.operator(this.CONSUME(t.PrefixOperator)));
    });
    const start = this.LA(1);
    let value = this.SUBRULE(this.primary);
    this.MANY2(() => {
      const selectors = this.SUBRULE(this.selection);
      value = { kind: "select", base: value, selectors, span: this.spanFrom(start) };
    });
    pieces.push({ kind: "operand", value, span: this.spanFrom(start) });
  });

  protected readonly primary: GrammarRule<Expression> = this.define("primary", () =>
    this.OR({
      DEF: [
        { ALT: () => this.number(this.CONSUME(t.NumberLiteral)) },
        { ALT: () => this.string(this.CONSUME(t.StringLiteral)) },
        { ALT: () => this.SUBRULE(this.nameOrCall) },
        {
          ALT: () => {
            const open = this.CONSUME(t.LeftParen);
            const inner = this.SUBRULE(this.expression);
            this.close(open, t.RightParen, "the parenthesis", "an operator or `)`");
            return inner;
          },
        },
        { ALT: () => this.SUBRULE(this.list) },
      ],
      ERR_MSG: "an expression",
    }),
  );

  private number(token: IToken): Expression {
    return {
      kind: "number",
      value: Number(token.image),
      integer: /^\d+$/.test(token.image),
      text: token.image,
      span: this.spanOf(token),
    };
  }

  private string(token: IToken): Expression {
    return { kind: "string", value: token.image.slice(1, -1), span: this.spanOf(token) };
  }

  protected readonly list: GrammarRule<Expression> = this.define("list", () => {
    const items: Expression[] = [];
    const open = this.CONSUME(t.LeftSquare);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => items.push(this.SUBRULE(this.expression)) });
    this.close(open, t.RightSquare, "the list", items.length === 0 ? "an item or `]`" : "`,` or `]`");
    return { kind: "list", items, span: this.spanFrom(open) };
  });

  protected readonly nameOrCall: GrammarRule<Expression> = this.define("nameOrCall", () => {
    const token = this.CONSUME(t.Identifier);
    const args = this.OPTION(() => this.SUBRULE(this.args, { ARGS: [token.image] }));
    const at = this.OPTION2({
      GATE: () => args !== undefined && !this.inBounds,
      DEF: () => {
        this.CONSUME(t.At);
        return this.path("the path of the call", 0);
      },
    });
    if (args === undefined) return { kind: "name", name: token.image, span: this.spanOf(token) };
    const call = { kind: "call", callee: this.ident(token), args, span: this.spanFrom(token) } as const;
    return at === undefined ? call : { ...call, at };
  });

  protected readonly args: GrammarRule<Argument[], [callee: string]> = this.define("args", (callee) => {
    const args: Argument[] = [];
    const open = this.CONSUME(t.LeftParen);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE(this.argument)) });
    const expected = args.length === 0 ? "an argument or `)`" : "`,` or `)`";
    this.close(open, t.RightParen, `the call of \`${callee}\``, expected);
    return args;
  });

  protected readonly argument: GrammarRule<Argument> = this.define("argument", () => {
    const start = this.LA(1);
    return this.OR({
      DEF: [
        {
          ALT: (): Argument => {
            const keyword = this.CONSUME(t.AxisKeyword).image as AxisKeyword;
            const axes = this.SUBRULE(this.oneOrMoreAxes);
            return { kind: "axis", keyword, axes, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Argument => {
            const keyword = this.CONSUME(t.ClauseKeyword).image as ClauseKeyword;
            const value = this.SUBRULE(this.expression);
            return { kind: "clause", keyword, value, span: this.spanFrom(start) };
          },
        },
        {
          GATE: () => this.nextIs(t.Colon, 2),
          ALT: (): Argument => {
            const name = this.ident(this.CONSUME(t.Identifier));
            this.CONSUME(t.Colon);
            const value = this.SUBRULE2(this.expression);
            return { kind: "named", name, value, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Argument => {
            const value = this.SUBRULE3(this.expression);
            return { kind: "value", value, span: this.spanFrom(start) };
          },
        },
      ],
      IGNORE_AMBIGUITIES: true,
      ERR_MSG: "an argument",
    });
  });

  protected readonly selection: GrammarRule<Selector[]> = this.define("selection", () => {
    const selectors: Selector[] = [];
    const open = this.CONSUME(t.LeftSquare);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => selectors.push(this.SUBRULE(this.selector)),
      ERR_MSG: "what to select, such as `axis: index` or `axis -> other`",
    });
    this.close(open, t.RightSquare, "the selection", "`,` or `]`");
    return selectors;
  });

  protected readonly selector: GrammarRule<Selector> = this.define("selector", () => {
    const start = this.LA(1);
    return this.OR({
      DEF: [
        {
          GATE: () => this.nextIs(t.Colon, 2),
          ALT: (): Selector => {
            const axis = this.ident(this.CONSUME(t.Identifier));
            this.CONSUME(t.Colon);
            const value = this.SUBRULE(this.expression);
            return { kind: "at", axis, value, span: this.spanFrom(start) };
          },
        },
        {
          GATE: () => this.nextIs(t.Arrow, 2),
          ALT: (): Selector => {
            const axis = this.ident(this.CONSUME2(t.Identifier));
            this.CONSUME(t.Arrow);
            const target = this.SUBRULE(this.axisOrGroup);
            return { kind: "to", axis, target, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Selector => {
            const value = this.SUBRULE2(this.expression);
            return { kind: "index", value, span: this.spanFrom(start) };
          },
        },
      ],
      IGNORE_AMBIGUITIES: true,
      ERR_MSG: "what to select, such as `axis: index` or `axis -> other`",
    });
  });

  // Axes.

  /** `[b, t, m]`; `of` completes "to close …". */
  protected readonly axes: GrammarRule<AxisList, [of: string]> = this.define("axes", (of) => {
    const list = this.SUBRULE(this.axisList, { ARGS: [of] });
    this.ACTION(() => this.rejectStackSlots(list.slots));
    return list;
  });

  /** As `axes`, and `_` may stand in it. */
  protected readonly axisList: GrammarRule<AxisList, [of: string]> = this.define("axisList", (of) => {
    const slots: AxisSlot[] = [];
    const open = this.CONSUME(t.LeftSquare);
    this.MANY_SEP({ SEP: t.Comma, DEF: () => slots.push(this.SUBRULE(this.axisSlot, { ARGS: [of] })) });
    const expected = slots.length === 0 ? "the name of an axis, or `]`" : "`,` or `]`";
    this.close(open, t.RightSquare, `the axes of ${of}`, expected);
    return { slots, span: this.spanFrom(open) };
  });

  protected readonly axisSlot: GrammarRule<AxisSlot, [of: string]> = this.define("axisSlot", (of) =>
    this.OR({
      DEF: [
        { ALT: (): AxisSlot => this.axisSlotOf(this.CONSUME(t.Identifier)) },
        { ALT: () => this.size(this.CONSUME(t.NumberLiteral)) },
        { ALT: (): AxisSlot => ({ kind: "stack", span: this.spanOf(this.CONSUME(t.StackSlot)) }) },
        {
          ALT: (): AxisSlot => ({ kind: "group", ...this.SUBRULE(this.axisList, { ARGS: [of] }) }),
        },
      ],
      ERR_MSG: "the name of an axis",
    }),
  );

  private axisSlotOf(token: IToken): AxisSlot {
    return { kind: "name", name: token.image, span: this.spanOf(token) };
  }

  private size(token: IToken): AxisSlot {
    const span = this.spanOf(token);
    if (!this.RECORDING_PHASE && !/^\d+$/.test(token.image)) {
      this.report(syntax.malformedNumber(span, token.image, "a whole number, as the size of an axis"));
    }
    return { kind: "size", value: Math.trunc(Number(token.image)), span };
  }

  private rejectStackSlots(slots: readonly AxisSlot[]): void {
    for (const slot of slots) {
      if (slot.kind === "stack") this.report(syntax.misplacedStackSlot(slot.span));
      else if (slot.kind === "group") this.rejectStackSlots(slot.slots);
    }
  }

  /** `m`, or `[pair, m]`. */
  protected readonly oneOrMoreAxes: GrammarRule<AxisList> = this.define("oneOrMoreAxes", () => {
    const target = this.SUBRULE(this.axisOrGroup);
    return target.kind === "group"
      ? { slots: target.slots, span: target.span }
      : { slots: [target], span: target.span };
  });

  protected readonly axisOrGroup: GrammarRule<AxisSlot> = this.define("axisOrGroup", () =>
    this.OR({
      DEF: [
        { ALT: (): AxisSlot => this.axisSlotOf(this.CONSUME(t.Identifier)) },
        { ALT: (): AxisSlot => ({ kind: "group", ...this.SUBRULE(this.axes, { ARGS: ["this list"] }) }) },
      ],
      ERR_MSG: "the name of an axis, or several in `[…]`",
    }),
  );

  // Strings.

  /** A string that is a path; `what` completes "expected …". */
  protected path(what: string, index: number): PathString {
    const token = this.take(t.StringLiteral, `${what}, in quotes`, undefined, index);
    return { text: token.image.slice(1, -1), span: this.spanOf(token) };
  }

  /** `from "a" | "b"`. */
  protected readonly paths: GrammarRule<PathString[]> = this.define("paths", () => {
    const paths: PathString[] = [];
    this.CONSUME(t.From);
    paths.push(this.path("a name", 0));
    this.MANY(() => {
      this.CONSUME(t.Pipe);
      paths.push(this.path("another name", 1));
    });
    return paths;
  });
}
