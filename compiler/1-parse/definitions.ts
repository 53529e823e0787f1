/** Lists of definitions: `const`, `axis`, `param`, `state`. After a mistake the parser goes on with the next one. */
import * as syntax from "../diagnostics/codes/syntax.js";
import { closest } from "../diagnostics/suggest.js";
import type {
  AxisDefinition,
  AxisList,
  ConstDefinition,
  Ident,
  ParamDefinition,
  ParamPart,
  PathString,
  StateDefinition,
  Statement,
} from "./ast.js";
import { ExpressionParser } from "./expressions.js";
import type { GrammarRule } from "./recovery.js";
import * as t from "./tokens.js";

export type StatementOf<K extends Statement["kind"]> = Extract<Statement, { kind: K }>;

export abstract class DefinitionParser extends ExpressionParser {
  private separated<T>(definition: GrammarRule<T>): T[] {
    const definitions: T[] = [];
    const keep = (found: T | undefined): void => {
      if (found !== undefined) definitions.push(found);
    };
    keep(this.attempt(() => this.SUBRULE(definition), t.Comma, t.Newline));
    this.MANY(() => {
      this.CONSUME(t.Comma);
      keep(this.attempt(() => this.SUBRULE2(definition), t.Comma, t.Newline));
    });
    return definitions;
  }

  // const

  protected readonly constStatement: GrammarRule<StatementOf<"const">> = this.define("constStatement", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Const);
    const definitions = this.separated(this.constDefinition);
    return { kind: "const", definitions, ...doc, span: this.spanFrom(start) };
  });

  protected readonly constDefinition: GrammarRule<ConstDefinition> = this.define("constDefinition", () => {
    const name = this.name("the name of a constant");
    const axis = this.OPTION(() => {
      const open = this.CONSUME(t.LeftSquare);
      const along = this.axisName("the name of an axis", 1);
      this.close(open, t.RightSquare, `the axis of \`${name.name}\``);
      return along;
    });
    this.take(t.Equal, "`=`", `after \`${name.name}\``);
    const value = this.SUBRULE(this.expression);
    const from = this.from();
    return { name, ...(axis === undefined ? {} : { axis }), value, from, span: this.spanFrom(name.span) };
  });

  /** `from "a" | "b"`, if it stands here. */
  private from(): readonly PathString[] {
    return this.OPTION5(() => this.SUBRULE(this.paths)) ?? [];
  }

  // axis

  protected readonly axisStatement: GrammarRule<StatementOf<"axis">> = this.define("axisStatement", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Axis);
    const definitions = this.separated(this.axisDefinition);
    return { kind: "axis", definitions, ...doc, span: this.spanFrom(start) };
  });

  protected readonly axisDefinition: GrammarRule<AxisDefinition> = this.define("axisDefinition", () => {
    const name = this.name("the name of an axis");
    const role = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.role(this.name("`time` or `batch`", 1));
    });
    const value = this.OPTION2(() => {
      this.CONSUME(t.Equal);
      return this.SUBRULE(this.axisValue, { ARGS: [name.name] });
    });
    const span = this.spanFrom(name.span);
    if (value !== undefined) return { name, value, ...(role === undefined ? {} : { role: role.role }), span };
    if (role === undefined) {
      this.failExpecting("`= size`, `: time` or `: batch`", { purpose: `after the axis \`${name.name}\`` });
    }
    return { name, value: { kind: "runtime", ...role }, role: role.role, span };
  });

  private role(name: Ident): { readonly role: "time" | "batch"; readonly span: Ident["span"] } {
    if (name.name === "batch") return { role: "batch", span: name.span };
    if (name.name !== "time") this.reportKind(name, ["time", "batch"]);
    return { role: "time", span: name.span };
  }

  private reportKind(found: Ident, kinds: readonly string[]): void {
    const expected = kinds.map((kind) => `\`${kind}\``).join(" or ");
    this.report(syntax.unknownKind(found.span, found.name, expected, closest(found.name, kinds)));
  }

  protected readonly axisValue: GrammarRule<AxisDefinition["value"], [axis: string]> = this.define(
    "axisValue",
    (axis) =>
      this.OR({
        DEF: [
          {
            ALT: (): AxisDefinition["value"] => ({
              kind: "product",
              axes: this.SUBRULE(this.axes, { ARGS: [`\`${axis}\``] }),
            }),
          },
          {
            GATE: () => this.nextIs(t.Pipe, 2),
            ALT: (): AxisDefinition["value"] => {
              const parts = [this.ident(this.CONSUME(t.Identifier))];
              this.AT_LEAST_ONE(() => {
                this.CONSUME(t.Pipe);
                parts.push(this.name("the name of a part", 1));
              });
              return { kind: "sum", parts };
            },
          },
          {
            ALT: (): AxisDefinition["value"] => ({ kind: "size", size: this.SUBRULE(this.expression) }),
          },
        ],
        IGNORE_AMBIGUITIES: true,
        ERR_MSG: "a size, a product `[a, b]` or a sum `a | b`",
      }),
  );

  // param

  protected readonly paramStatement: GrammarRule<StatementOf<"param">> = this.define("paramStatement", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Param);
    const definitions = this.separated(this.paramDefinition);
    return { kind: "param", definitions, ...doc, span: this.spanFrom(start) };
  });

  protected readonly paramDefinition: GrammarRule<ParamDefinition> = this.define("paramDefinition", () => {
    const start = this.LA(1);
    const { parts, axes } = this.OR({
      DEF: [{ ALT: () => this.SUBRULE(this.stackedParts) }, { ALT: () => this.SUBRULE(this.singlePart) }],
      ERR_MSG: "the name of a parameter, or `(` before several that are stacked",
    });
    const scalar = this.scalar();
    const from = this.from();
    return { parts, axes, scalar, from, span: this.spanFrom(start) };
  });

  protected readonly singlePart: GrammarRule<Pick<ParamDefinition, "parts" | "axes">> = this.define(
    "singlePart",
    () => {
      const part = this.SUBRULE(this.paramPart);
      return { parts: [part], axes: part.axes };
    },
  );

  /** `(w_x[d] | w_z[d])[_, m]` */
  protected readonly stackedParts: GrammarRule<Pick<ParamDefinition, "parts" | "axes">> = this.define(
    "stackedParts",
    () => {
      const parts: ParamPart[] = [];
      const open = this.CONSUME(t.LeftParen);
      parts.push(this.SUBRULE(this.paramPart));
      this.MANY(() => {
        this.CONSUME(t.Pipe);
        parts.push(this.SUBRULE2(this.paramPart));
      });
      this.close(open, t.RightParen, "the list of stacked parameters", "`|` or `)`");
      const axes = this.axesAfter("the stacked parameters", true);
      return { parts, axes };
    },
  );

  protected readonly paramPart: GrammarRule<ParamPart> = this.define("paramPart", () => {
    const name = this.name("the name of a parameter");
    return { name, axes: this.axesAfter(`\`${name.name}\``) };
  });

  /** The axes that must follow what `of` says. */
  protected axesAfter(of: string, stacked = false): AxisList {
    if (!this.RECORDING_PHASE && !this.nextIs(t.LeftSquare)) {
      this.failExpecting("`[`", { purpose: `before the axes of ${of}` });
    }
    const rule = stacked ? this.axisList : this.axes;
    return this.SUBRULE5(rule, { ARGS: [of] });
  }

  /** `: complex`, if it stands here. */
  private scalar(): "real" | "complex" {
    const kind = this.OPTION6(() => {
      this.CONSUME6(t.Colon);
      return this.name("`complex` or `real`", 6);
    });
    if (kind === undefined || this.RECORDING_PHASE) return "real";
    if (kind.name !== "real" && kind.name !== "complex") this.reportKind(kind, ["complex", "real"]);
    return kind.name === "complex" ? "complex" : "real";
  }

  // state

  protected readonly stateStatement: GrammarRule<StatementOf<"state">> = this.define("stateStatement", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.State);
    const definitions = this.separated(this.stateDefinition);
    return { kind: "state", definitions, ...doc, span: this.spanFrom(start) };
  });

  protected readonly stateDefinition: GrammarRule<StateDefinition> = this.define("stateDefinition", () => {
    const name = this.name("the name of a state");
    const axes = this.axesAfter(`\`${name.name}\``);
    const scalar = this.scalar();
    const init = this.OPTION(() => {
      this.CONSUME(t.Init);
      return this.SUBRULE(this.expression);
    });
    return { name, axes, scalar, ...(init === undefined ? {} : { init }), span: this.spanFrom(name.span) };
  });
}
