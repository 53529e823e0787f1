/** Files, bodies, and what has a body (SPEC.md § Grammar). */
import type { IToken } from "chevrotain";
import * as syntax from "../diagnostics/codes/syntax.js";
import type { DiagnosticSink } from "../diagnostics/types.js";
import type {
  AxisList,
  BlockDeclaration,
  Formal,
  FunctionDeclaration,
  FunctionParameter,
  Ident,
  ModelDeclaration,
  SourceTree,
  Statement,
} from "./ast.js";
import type { StatementOf } from "./definitions.js";
import type { LaidOut } from "./layout.js";
import { MOST_NESTED } from "./limits.js";
import { describe, hintForNoStatement, hintForRest } from "./messages.js";
import { checkPlacement, type Item, keepDeclarations, keepStatements, type Place } from "./placement.js";
import type { GrammarRule, ParserOptions } from "./recovery.js";
import { StatementParser } from "./statements.js";
import * as t from "./tokens.js";

export class KraitParser extends StatementParser {
  constructor(options: ParserOptions = {}) {
    super(options);
    this.performSelfAnalysis();
  }

  /** Reads one file. What could not be read is absent from the tree, and reported. */
  parseFile(path: string, laidOut: LaidOut, sink: DiagnosticSink): SourceTree {
    this.begin(path, laidOut, sink);
    if (laidOut.tooDeep !== undefined) {
      this.report(syntax.nestedTooDeep(this.spanOf(laidOut.tooDeep), MOST_NESTED));
      return { file: path, declarations: [] };
    }
    const declarations = keepDeclarations(this.fileItems(), (diagnostic) => this.report(diagnostic));
    // Among mistakes a comment may have lost what it documents.
    if (!sink.hasErrors) {
      const stray = laidOut.strayDocs.map(({ start, end }) => ({ file: path, start, end }));
      for (const span of [...this.untakenDocs, ...stray]) this.report(syntax.documentsNothing(span));
    }
    return { file: path, declarations };
  }

  // Sequences of statements.

  private readonly fileItems: GrammarRule<Item[]> = this.define("fileItems", () => this.statements(0));

  /** `{ … }`; `of` completes "to close …" and "before the body of …". */
  private readonly body: GrammarRule<Statement[], [of: string]> = this.define("body", (of) => {
    const open = this.take(t.LeftCurly, "`{`", `before the body of ${of}`);
    const items = this.statements(t.depthOf(open) + 1);
    if (this.RECORDING_PHASE || this.nextIs(t.RightCurly)) this.CONSUME(t.RightCurly);
    else this.blame(this.unclosed(open, of));
    return keepStatements(items, (diagnostic) => this.report(diagnostic));
  });

  /** Statements at this depth, up to the end of their body. */
  private statements(depth: number): Item[] {
    const items: Item[] = [];
    do {
      this.MANY({
        GATE: () => this.depth() >= depth && !this.isFull,
        DEF: () => {
          this.attempt(() => {
            const item = this.SUBRULE(this.statement);
            if (item !== undefined) items.push(item);
            this.endStatement();
          }, t.Newline);
          this.OPTION(() => this.CONSUME2(t.Newline));
        },
      });
    } while (this.skipNoStatement(depth));
    return items;
  }

  /** What stands before a body. If it can't be read, the body is, for the mistakes in it. */
  private header<T>(parse: () => T, of: string): T | undefined {
    return this.attempt(
      () => {
        const header = parse();
        if (!this.RECORDING_PHASE && !this.nextIs(t.LeftCurly)) {
          this.failExpecting("`{`", { purpose: `before the body of ${of}` });
        }
        return header;
      },
      t.LeftCurly,
      t.Newline,
    );
  }

  private endStatement(): void {
    if (this.RECORDING_PHASE || this.nextIs(t.Newline)) this.CONSUME(t.Newline);
    // A body whose `}` is missing has ended with its last statement.
    else if (!this.nextIs(t.Newline, 0)) {
      const found = this.LA(1);
      const opener = t.openerOf(found.tokenType);
      this.fail(
        opener === undefined
          ? syntax.statementNotEnded(this.spanOf(found), describe(found), hintForRest(found))
          : this.closesNothing(found),
      );
    }
  }

  private closesNothing(token: IToken): ReturnType<typeof syntax.closesNothing> {
    const opener = { ")": "(", "]": "[", "}": "{" }[token.image] ?? "(";
    return syntax.closesNothing(this.spanOf(token), token.image, opener);
  }

  /** Reports and skips what can't begin a statement; false at the end of the body. */
  private skipNoStatement(depth: number): boolean {
    if (this.RECORDING_PHASE || this.atEnd || this.depth() < depth || this.isFull) return false;
    const found = this.LA(1);
    if (t.openerOf(found.tokenType) === undefined) {
      this.blame(syntax.notAStatement(this.spanOf(found), describe(found), hintForNoStatement(found)));
      this.skipTo(depth, [t.Newline]);
    } else {
      this.blame(this.closesNothing(found));
      this.SKIP_TOKEN();
    }
    if (this.nextIs(t.Newline)) this.SKIP_TOKEN();
    return true;
  }

  private readonly statement: GrammarRule<Item | undefined> = this.define("statement", () =>
    this.OR<Item | undefined>([
      { ALT: () => this.SUBRULE(this.constStatement) },
      { ALT: () => this.SUBRULE(this.axisStatement) },
      { ALT: () => this.SUBRULE(this.paramStatement) },
      { ALT: () => this.SUBRULE(this.stateStatement) },
      { ALT: () => this.SUBRULE(this.assignment) },
      { ALT: () => this.SUBRULE(this.derivative) },
      { ALT: () => this.SUBRULE(this.repetition) },
      { ALT: () => this.SUBRULE(this.condition) },
      { ALT: () => this.SUBRULE(this.input_) },
      { ALT: () => this.SUBRULE(this.output) },
      { ALT: () => this.SUBRULE(this.return_) },
      { ALT: () => this.SUBRULE(this.fn) },
      { ALT: () => this.SUBRULE(this.use) },
      { ALT: () => this.SUBRULE(this.rule) },
      { ALT: () => this.SUBRULE(this.block) },
      { ALT: () => this.SUBRULE(this.model) },
    ]),
  );

  // `repeat` and `if`.

  private readonly repetition: GrammarRule<StatementOf<"repeat"> | undefined> = this.define(
    "repetition",
    () => {
      const start = this.CONSUME(t.Repeat);
      const header = this.header(() => this.SUBRULE(this.repetitionHeader), "`repeat`");
      const body = this.SUBRULE(this.body, { ARGS: ["`repeat`"] });
      return header === undefined
        ? undefined
        : { kind: "repeat", ...header, body, span: this.spanFrom(start) };
    },
  );

  private readonly repetitionHeader: GrammarRule<Pick<StatementOf<"repeat">, "name" | "from" | "to" | "at">> =
    this.define("repetitionHeader", () => {
      const name = this.name("the name of the repetition's index");
      this.take(t.In, "`in`", `and a range after \`${name.name}\``);
      const bounds = this.SUBRULE(this.bounds);
      const at = this.OPTION(() => {
        this.CONSUME(t.At);
        return this.path("the path of the repetition", 0);
      });
      return { name, ...bounds, ...(at === undefined ? {} : { at }) };
    });

  /** How many `else if` we are behind: each takes stack, as a bracket does. */
  private chain = 0;

  private chained<T>(parse: () => T): T {
    if (this.RECORDING_PHASE) return parse();
    if (this.chain === MOST_NESTED) {
      this.fail(syntax.nestedTooDeep(this.spanOf(this.LA(1)), MOST_NESTED));
    }
    this.chain++;
    try {
      return parse();
    } finally {
      this.chain--;
    }
  }

  private readonly condition: GrammarRule<StatementOf<"if"> | undefined> = this.define("condition", () => {
    const start = this.CONSUME(t.If);
    const condition = this.header(() => this.SUBRULE(this.expression), "`if`");
    const then = this.SUBRULE(this.body, { ARGS: ["`if`"] });
    const otherwise =
      this.OPTION(() => {
        this.CONSUME(t.Else);
        return this.OR<Statement[]>({
          DEF: [
            { ALT: () => this.SUBRULE2(this.body, { ARGS: ["`else`"] }) },
            {
              ALT: () => {
                const nested = this.chained(() => this.SUBRULE(this.condition));
                return nested === undefined ? [] : [nested];
              },
            },
          ],
          ERR_MSG: "`{` or `if`",
        });
      }) ?? [];
    if (condition === undefined) return undefined;
    return { kind: "if", condition, then, otherwise, span: this.spanFrom(start) };
  });

  // Declarations.

  private readonly fn: GrammarRule<FunctionDeclaration | undefined> = this.define("fn", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Fn);
    const header = this.attempt(() => this.SUBRULE(this.fnHeader), t.LeftCurly, t.Equal, t.Newline);
    const body = this.OR<Statement[]>({
      DEF: [
        {
          ALT: () => {
            this.CONSUME(t.Equal);
            const value = this.SUBRULE(this.expression);
            return [{ kind: "return", values: [value], span: value.span }];
          },
        },
        { ALT: () => this.SUBRULE(this.body, { ARGS: [this.called(header?.name, "fn")] }) },
      ],
      ERR_MSG: "`=` and an expression, or a body `{ … }`",
    });
    if (header === undefined) return undefined;
    this.place(body, "fn");
    return { kind: "fn", ...header, body, ...doc, span: this.spanFrom(start) };
  });

  private readonly fnHeader: GrammarRule<Pick<FunctionDeclaration, "name" | "parameters">> = this.define(
    "fnHeader",
    () => {
      const name = this.name("the name of a function");
      const parameters: FunctionParameter[] = [];
      const open = this.take(t.LeftParen, "`(`", `before the parameters of \`${name.name}\``);
      this.MANY_SEP({ SEP: t.Comma, DEF: () => parameters.push(this.SUBRULE(this.fnParameter)) });
      const expected = parameters.length === 0 ? "a parameter or `)`" : "`,` or `)`";
      this.close(open, t.RightParen, `the parameters of \`${name.name}\``, expected);
      return { name, parameters };
    },
  );

  private readonly fnParameter: GrammarRule<FunctionParameter> = this.define("fnParameter", () => {
    const start = this.LA(1);
    const keyword = this.OPTION(() =>
      this.OR([{ ALT: () => this.CONSUME(t.AxisKeyword) }, { ALT: () => this.CONSUME(t.Where) }]),
    );
    const name = this.name("the name of a parameter");
    const span = this.spanFrom(start);
    switch (keyword?.tokenType) {
      case t.Over:
        return { keyword: "over", name, span };
      case t.Along:
        return { keyword: "along", name, span };
      case t.As:
        return { keyword: "as", name, span };
      case t.Where:
        return { keyword: "where", name, span };
      default:
        return { name, span };
    }
  });

  private readonly block: GrammarRule<BlockDeclaration | undefined> = this.define("block", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Block);
    const header = this.header(() => this.SUBRULE(this.blockHeader), "`block`");
    const body = this.SUBRULE(this.body, { ARGS: [this.called(header?.name, "block")] });
    if (header === undefined) return undefined;
    this.place(body, "block");
    return { kind: "block", ...header, body, ...doc, span: this.spanFrom(start) };
  });

  private readonly blockHeader: GrammarRule<Pick<BlockDeclaration, "name" | "formals" | "results">> =
    this.define("blockHeader", () => {
      const name = this.name("the name of a block");
      const formals: Formal[] = [];
      const open = this.take(t.LeftParen, "`(`", `before the arguments of \`${name.name}\``);
      this.MANY_SEP({ SEP: t.Comma, DEF: () => formals.push(this.SUBRULE(this.formal)) });
      const expected = formals.length === 0 ? "an argument or `)`" : "`,` or `)`";
      this.close(open, t.RightParen, `the arguments of \`${name.name}\``, expected);
      this.take(t.Arrow, "`->`", `and the axes of the result of \`${name.name}\``);
      return { name, formals, results: this.SUBRULE(this.results) };
    });

  private readonly formal: GrammarRule<Formal> = this.define("formal", () => {
    const start = this.LA(1);
    return this.OR({
      DEF: [
        {
          ALT: (): Formal => {
            this.CONSUME(t.Const);
            const name = this.name("the name of a constant");
            const value = this.OPTION(() => {
              this.CONSUME(t.Equal);
              return this.SUBRULE(this.expression);
            });
            const span = this.spanFrom(start);
            return value === undefined ? { kind: "const", name, span } : { kind: "const", name, value, span };
          },
        },
        {
          ALT: (): Formal => {
            const name = this.name("the name of an argument", 1);
            const axes = this.axesAfter(`\`${name.name}\``);
            return { kind: "tensor", name, axes, span: this.spanFrom(start) };
          },
        },
      ],
      ERR_MSG: "an argument, such as `x[t, m]` or `const n`",
    });
  });

  /** `[t, m]`, or `([t, m], [t])` */
  private readonly results: GrammarRule<AxisList[]> = this.define("results", () =>
    this.OR<AxisList[]>({
      DEF: [
        { ALT: () => [this.SUBRULE(this.axes, { ARGS: ["the result"] })] },
        {
          ALT: () => {
            const open = this.CONSUME(t.LeftParen);
            const results: AxisList[] = [];
            this.AT_LEAST_ONE_SEP({
              SEP: t.Comma,
              DEF: () => results.push(this.SUBRULE2(this.axes, { ARGS: ["a result"] })),
              ERR_MSG: "the axes of a result, such as `[t, m]`",
            });
            this.close(open, t.RightParen, "the list of results", "`,` or `)`");
            return results;
          },
        },
      ],
      ERR_MSG: "the axes of the result, such as `[t, m]`",
    }),
  );

  private readonly model: GrammarRule<ModelDeclaration | undefined> = this.define("model", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Model);
    const name = this.header(() => this.name("the name of a model"), "`model`");
    const body = this.SUBRULE(this.body, { ARGS: [this.called(name, "model")] });
    if (name === undefined) return undefined;
    this.place(body, "model");
    return { kind: "model", name, body, ...doc, span: this.spanFrom(start) };
  });

  private called(name: Ident | undefined, keyword: string): string {
    return name === undefined ? `this \`${keyword}\`` : `\`${keyword} ${name.name}\``;
  }

  private place(body: readonly Statement[], place: Place): void {
    if (!this.RECORDING_PHASE) checkPlacement(body, place, (diagnostic) => this.report(diagnostic));
  }
}
