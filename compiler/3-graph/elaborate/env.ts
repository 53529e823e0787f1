/** Where elaboration stands: the graph being built, the names in scope, and the call that is being written out. */
import type { Expression, FunctionDeclaration, Statement } from "../../1-parse/ast.js";
import type { AxisSymbol, Module } from "../../2-analyze/types.js";
import { tooLarge } from "../../diagnostics/codes/programs.js";
import type { Diagnostic, DiagnosticSink, Span } from "../../diagnostics/types.js";
import type { GraphBuilder } from "../build.js";
import type { Origin } from "../operation.js";
import type { AxisId, ParamId, StateId } from "../types.js";
import type { AxisTable } from "./axis-table.js";
import type { Value } from "./values.js";

/** What one elaboration shares. */
export interface Elaboration {
  readonly builder: GraphBuilder;
  readonly axes: AxisTable;
  readonly sink: DiagnosticSink;
  /** Delays already made, by node and initial value. */
  readonly delays: Map<string, StateId>;
  /** Names of states and call paths already given, each with the last number that made it another. */
  readonly taken: Map<string, number>;
  /** Checkpoint tensors already read, by name, with what tells one reading from another. */
  readonly tensors: Map<string, KnownTensor>;
  /** Inputs and outputs already declared. */
  readonly inputs: Map<string, Span>;
  readonly outputs: Map<string, Span>;
  /** Axes already reported as used by a body that is mapped over them, by call path. */
  readonly collisions: Set<string>;
  /** Expressions that may still be written out. */
  readonly budget: { left: number };
  readonly walk: Walk;
}

export interface KnownTensor {
  readonly param: ParamId;
  /** What tells one reading from another, written out when a tensor is read again. */
  readonly key: () => string;
  readonly shape: string;
  readonly span: Span;
}

/** The two walks that everything below them comes back to. Passed, so that no file needs one that needs it. */
export interface Walk {
  /** An expression's values: several for a call with several results, at least one for all else. */
  readonly expression: (env: Env, expression: Expression) => readonly Value[];
  /** Runs a body; gives what it returns, `undefined` if it does not get to a `return`. */
  readonly body: (env: Env, statements: readonly Statement[]) => readonly Value[] | undefined;
}

export interface ValueBinding {
  readonly kind: "value";
  readonly value: Value;
  readonly what: "a value" | "an input" | "a parameter" | "an argument" | "a constant";
  readonly span: Span;
}

export interface StateBinding {
  readonly kind: "state";
  readonly name: string;
  readonly state: StateId;
  readonly span: Span;
  /** Set by its equation: the state's value at this step. */
  solved?: { readonly value: Value; readonly span: Span };
}

export type Binding = ValueBinding | StateBinding;

/** An axis name in a body: defined there, or a function's parameter that stands for axes. */
export type LocalAxis =
  | { readonly kind: "symbol"; readonly symbol: AxisSymbol | undefined; readonly span: Span }
  | { readonly kind: "bound"; readonly primes: readonly AxisId[] };

export interface LocalFunction {
  readonly declaration: FunctionDeclaration;
  readonly scope: Scope;
}

/** Names, innermost first. A body that is called starts a scope of its own (`boundary`); `if` and `repeat` nest in it. */
export class Scope {
  readonly values = new Map<string, Binding>();
  readonly axes = new Map<string, LocalAxis>();
  readonly functions = new Map<string, LocalFunction>();
  /** Values of the `repeat` and `if` in it that did not outlive them, for messages. */
  readonly ended = new Map<string, { readonly span: Span; readonly within: string }>();

  constructor(
    readonly home: Module,
    readonly parent: Scope | undefined,
    readonly boundary: boolean,
  ) {}

  /** This scope and those around it, innermost first. */
  *chain(): Generator<Scope> {
    yield this;
    if (this.parent !== undefined) yield* this.parent.chain();
  }

  find(name: string): Binding | undefined {
    return this.values.get(name) ?? this.parent?.find(name);
  }

  /** The scope of the same body that defines `name`: where `=` would be a second definition and `:=` rebinds. */
  owner(name: string): Scope | undefined {
    if (this.values.has(name)) return this;
    return this.boundary ? undefined : this.parent?.owner(name);
  }

  /** What an axis's name means in a body, where no file says it. */
  findAxis(name: string): LocalAxis | undefined {
    return this.axes.get(name) ?? this.parent?.findAxis(name);
  }

  findFunction(name: string): LocalFunction | undefined {
    return this.functions.get(name) ?? this.parent?.findFunction(name);
  }

  /** Every value name that could be meant here, for suggestions. */
  valueNames(): string[] {
    return [...[...this.chain()].flatMap((scope) => [...scope.values.keys()]), ...this.home.constants.keys()];
  }
}

/** The body being written out. */
export interface Frame {
  readonly kind: "model" | "block" | "function" | "rule";
  readonly name: string;
  /** Joined `at` scopes, where parameters live. */
  readonly paramPath: string;
  /** Call path, which names states and values. */
  readonly path: string;
  /** Axes that the body is mapped over: every state has them. Batch first, never time. */
  readonly ambient: readonly AxisId[];
  readonly time: AxisId | undefined;
  /** The product that time is here, `t` of `axis t: time = [s, hop]`: nothing steps along it. */
  readonly timeProduct: string | undefined;
  /** Calls that led here, innermost first. */
  readonly calls: readonly { readonly span: Span; readonly callee: string }[];
  /** States declared in this body, each of which needs an equation. */
  readonly states: StateBinding[];
}

export interface Env {
  readonly elaboration: Elaboration;
  readonly scope: Scope;
  readonly frame: Frame;
}

export function origin(env: Env, span: Span, name?: string): Origin {
  const spans = [span];
  for (const call of env.frame.calls) spans.push(call.span);
  return name === undefined ? { spans } : { spans, name };
}

/**
 * Reports a mistake. One inside the prelude is the caller's: it is shown at the call in the user's own file. One inside
 * another function or block also shows the call.
 */
export function report(env: Env, diagnostic: Diagnostic): void {
  const { sink } = env.elaboration;
  const { home } = env.scope;
  const inPrelude = home.prelude === undefined && diagnostic.span.file === home.file;
  const related = diagnostic.related ?? [];
  if (inPrelude) {
    const outside = env.frame.calls.find((call) => call.span.file !== home.file);
    if (outside === undefined) return sink.report(diagnostic);
    const message = `in the prelude's \`${outside.callee}\``;
    return sink.report({
      ...diagnostic,
      message: `\`${outside.callee}\`: ${diagnostic.message}`,
      span: outside.span,
      related: [...related, { span: diagnostic.span, message }],
    });
  }
  const call = env.frame.kind === "model" ? undefined : env.frame.calls[0];
  if (call === undefined) return sink.report(diagnostic);
  const calledHere = { span: call.span, message: `\`${call.callee}\` is called here` };
  sink.report({ ...diagnostic, related: [...related, calledHere] });
}

/** Expressions, statements and items of constants, written out. The models in templates/models have a few thousand. */
export const MOST_EXPRESSIONS = 100_000;

/** Takes from what a model may have; false, reported once, where nothing is left. */
export function spend(env: Env, span: Span, count = 1): boolean {
  const { budget } = env.elaboration;
  if (budget.left >= 0 && budget.left < count) report(env, tooLarge(span, MOST_EXPRESSIONS));
  budget.left = Math.max(-1, budget.left - count);
  return budget.left >= 0;
}

/** Writes out nothing more: what follows would only repeat a mistake. */
export function stopCalls({ elaboration: { budget } }: Env): void {
  budget.left = Math.min(budget.left, -1);
}

/** The name itself, or with a suffix where it is taken. */
export function unique({ taken }: Elaboration, name: string): string {
  let result = name;
  let next = taken.get(name) ?? 1;
  while (taken.has(result)) result = `${name}_${++next}`;
  taken.set(name, next);
  if (result !== name) taken.set(result, 1);
  return result;
}

/** The innermost of a node's places that lies in a body: a part of it may have been written out from elsewhere. */
export function placeWithin(spans: readonly Span[], body: Span): Span | undefined {
  return spans.find(({ file, start, end }) => file === body.file && start >= body.start && end <= body.end);
}
