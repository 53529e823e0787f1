/** Statements without bodies of their own (SPEC.md § Grammar). */
import * as syntax from "../diagnostics/codes/syntax.js";
import type {
  AssignTarget,
  Expression,
  Ident,
  InterfaceScalar,
  RuleDeclaration,
  UseDeclaration,
} from "./ast.js";
import { DefinitionParser, type StatementOf } from "./definitions.js";
import { hintForUnknownStatement } from "./messages.js";
import type { GrammarRule } from "./recovery.js";
import * as t from "./tokens.js";

export abstract class StatementParser extends DefinitionParser {
  protected readonly assignment: GrammarRule<StatementOf<"assign">> = this.define("assignment", () => {
    const start = this.LA(1);
    const targets = [this.SUBRULE(this.target)];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      targets.push(this.SUBRULE2(this.target));
    });
    const op = this.assignOperator(start.image, targets.length);
    const value = this.SUBRULE(this.expression);
    return { kind: "assign", targets, op, value, span: this.spanFrom(start) };
  });

  private assignOperator(first: string, targets: number): StatementOf<"assign">["op"] {
    const next = this.LA(1);
    if (!this.RECORDING_PHASE && next.tokenType.CATEGORIES?.includes(t.AssignOperator) !== true) {
      const hint = targets === 1 ? hintForUnknownStatement(first, next) : undefined;
      const purpose = targets === 1 ? `after \`${first}\`` : "after the names";
      this.failExpecting("`=`", { purpose, ...(hint === undefined ? {} : { hint }) });
    }
    switch (this.CONSUME(t.AssignOperator).tokenType) {
      case t.Rebind:
        return ":=";
      case t.AddAssign:
        return "+=";
      default:
        return "=";
    }
  }

  protected readonly target: GrammarRule<AssignTarget> = this.define("target", () => {
    const name = this.name("the name of a value");
    const axes = this.OPTION(() => this.SUBRULE(this.axes, { ARGS: [`\`${name.name}\``] }));
    return axes === undefined ? { name } : { name, axes };
  });

  protected readonly derivative: GrammarRule<StatementOf<"der">> = this.define("derivative", () => {
    const start = this.CONSUME(t.Der);
    const state = this.SUBRULE(this.derivativeOf);
    const value = this.SUBRULE(this.expression);
    this.take(t.By, "`by` and a discretization rule", `after \`der(${state.name}) = …\``);
    const rule = this.name("the name of a discretization rule");
    const open = this.take(t.LeftParen, "`(`", `before the step of \`${rule.name}\``);
    const args = [this.SUBRULE2(this.expression)];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      args.push(this.SUBRULE3(this.expression));
    });
    this.close(open, t.RightParen, `the arguments of \`${rule.name}\``, "`,` or `)`");
    return { kind: "der", state, value, rule, args, span: this.spanFrom(start) };
  });

  /** `(h) =`, as it follows `der`. */
  protected readonly derivativeOf: GrammarRule<Ident> = this.define("derivativeOf", () => {
    const open = this.take(t.LeftParen, "`(`", "after `der`");
    const state = this.name("the name of a state");
    this.close(open, t.RightParen, "`der`");
    this.take(t.Equal, "`=`", `after \`der(${state.name})\``);
    return state;
  });

  protected readonly input_: GrammarRule<StatementOf<"input">> = this.define("input_", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Input);
    const name = this.name("the name of an input");
    this.take(t.Colon, "`:` and a type", `after \`${name.name}\``);
    const scalar = this.SUBRULE(this.interfaceScalar);
    const axes = this.axesAfter(`\`${name.name}\``);
    return { kind: "input", name, scalar, axes, ...doc, span: this.spanFrom(start) };
  });

  /** `f32`, or `index(v)` */
  protected readonly interfaceScalar: GrammarRule<InterfaceScalar> = this.define("interfaceScalar", () => {
    const type = this.name("a type, `f32` or `index(axis)`");
    const axis = this.OPTION(() => {
      const open = this.CONSUME(t.LeftParen);
      const indexed = this.axisName("the name of an axis", 1);
      this.close(open, t.RightParen, `\`${type.name}(\``);
      return indexed;
    });
    if (axis === undefined && type.name !== "index") return { kind: "real", name: type };
    if (axis === undefined)
      this.failExpecting("`(` and the axis that the index is for", { purpose: "after `index`" });
    if (type.name !== "index" && !this.RECORDING_PHASE) {
      this.report(syntax.unknownKind(type.span, `${type.name}(…)`, "`f32`, or `index(axis)`", undefined));
    }
    return { kind: "index", axis };
  });

  protected readonly output: GrammarRule<StatementOf<"output">> = this.define("output", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Output);
    const name = this.name("the name of an output");
    const scalar = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.SUBRULE(this.interfaceScalar);
    });
    const axes = this.axesAfter(`\`${name.name}\``);
    this.take(t.Equal, "`=`", `after the output \`${name.name}\``);
    const value = this.SUBRULE(this.expression);
    const typed = scalar === undefined ? {} : { scalar };
    return { kind: "output", name, ...typed, axes, value, ...doc, span: this.spanFrom(start) };
  });

  protected readonly return_: GrammarRule<StatementOf<"return">> = this.define("return_", () => {
    const start = this.CONSUME(t.Return);
    const values: Expression[] = [this.SUBRULE(this.expression)];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      values.push(this.SUBRULE2(this.expression));
    });
    return { kind: "return", values, span: this.spanFrom(start) };
  });

  protected readonly use: GrammarRule<UseDeclaration> = this.define("use", () => {
    const start = this.CONSUME(t.Use);
    const names = [this.name("a name to use")];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      names.push(this.name("another name to use", 1));
    });
    this.take(t.From, "`from` and a file", "after the names to use");
    const from = this.path("the path of a file", 0);
    const bindings = this.OPTION(() => this.SUBRULE(this.bindings)) ?? [];
    return { kind: "use", names, from, with: bindings, span: this.spanFrom(start) };
  });

  protected readonly bindings: GrammarRule<UseDeclaration["with"]> = this.define("bindings", () => {
    const bindings: UseDeclaration["with"][number][] = [];
    this.CONSUME(t.With);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        const name = this.name("the name of a constant");
        this.take(t.Equal, "`=`", `after \`${name.name}\``);
        bindings.push({ name, value: this.SUBRULE(this.expression) });
      },
      ERR_MSG: "the name of a constant",
    });
    return bindings;
  });

  protected readonly rule: GrammarRule<RuleDeclaration> = this.define("rule", () => {
    const doc = this.doc();
    const start = this.CONSUME(t.Rule);
    const { name, parameters } = this.SUBRULE(this.ruleHeader);
    this.take(t.Der, "`der(h) = a*h + b`", `after the rule's \`:\``);
    const state = this.SUBRULE(this.derivativeOf);
    const continuous = this.SUBRULE(this.expression);
    this.take(t.FatArrow, "`=>` and the discrete form", "after the continuous form");
    const defined = this.name("the name of the state");
    this.take(t.Equal, "`=`", `after \`${defined.name}\``);
    const discrete = this.SUBRULE2(this.expression);
    if (defined.name !== state.name) {
      this.report(syntax.ruleDefinesOther(defined.span, defined.name, state.name, state.span));
    }
    return {
      kind: "rule",
      name,
      parameters,
      state,
      continuous,
      discrete,
      ...doc,
      span: this.spanFrom(start),
    };
  });

  /** `name(step, …):` */
  protected readonly ruleHeader: GrammarRule<Pick<RuleDeclaration, "name" | "parameters">> = this.define(
    "ruleHeader",
    () => {
      const name = this.name("the name of a rule");
      const open = this.take(t.LeftParen, "`(`", `before the parameters of \`${name.name}\``);
      const parameters = [this.name("the name of the step", 1)];
      this.MANY(() => {
        this.CONSUME(t.Comma);
        parameters.push(this.name("the name of a parameter", 2));
      });
      this.close(open, t.RightParen, `the parameters of \`${name.name}\``, "`,` or `)`");
      this.take(t.Colon, "`:`", "and the continuous form after the rule's parameters");
      return { name, parameters };
    },
  );
}
