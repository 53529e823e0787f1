/**
 * The syntax tree: what the author wrote, one node a construct, each with its span.
 * Grammar: SPEC.md § Grammar. The parser recovers from errors; a part it could not read is absent
 * and a diagnostic stands for it.
 */
import type { Span } from "../diagnostics/types.js";

export interface Ident {
  readonly name: string;
  readonly span: Span;
}

/** `d`, `1`, `_` or `[g, rep]` where axes are listed. `_` is where stacked parameters stack. A name may end in `'`. */
export type AxisSlot =
  | { readonly kind: "name"; readonly name: string; readonly span: Span }
  | { readonly kind: "size"; readonly value: number; readonly span: Span }
  | { readonly kind: "stack"; readonly span: Span }
  | { readonly kind: "group"; readonly slots: readonly AxisSlot[]; readonly span: Span };

export interface AxisList {
  readonly slots: readonly AxisSlot[];
  readonly span: Span;
}

export type UnaryOp = "-" | "not";
export type BinaryOp =
  "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or" | "in";

/** `over m`, `over [pair, m]`, `along t`, `as slot`, `where e`, `init e`, `name: e`, or a plain expression. */
export type Argument =
  | { readonly kind: "value"; readonly value: Expression; readonly span: Span }
  | {
      readonly kind: "axis";
      readonly keyword: "over" | "along" | "as";
      readonly axes: AxisList;
      readonly span: Span;
    }
  | {
      readonly kind: "clause";
      readonly keyword: "where" | "init";
      readonly value: Expression;
      readonly span: Span;
    }
  | { readonly kind: "named"; readonly name: Ident; readonly value: Expression; readonly span: Span };

/** Inside `x[…]`: `v: token` picks or gathers, `d -> e` renames, `p -> rot` takes a part, a bare expression indexes a constant list. */
export type Selector =
  | { readonly kind: "at"; readonly axis: Ident; readonly value: Expression; readonly span: Span }
  | { readonly kind: "to"; readonly axis: Ident; readonly target: AxisSlot; readonly span: Span }
  | { readonly kind: "index"; readonly value: Expression; readonly span: Span };

export type Expression =
  | {
      readonly kind: "number";
      readonly value: number;
      readonly integer: boolean;
      readonly text: string;
      readonly span: Span;
    }
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "name"; readonly name: string; readonly span: Span }
  | { readonly kind: "list"; readonly items: readonly Expression[]; readonly span: Span }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly operand: Expression; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly op: BinaryOp;
      readonly opSpan: Span;
      readonly left: Expression;
      readonly right: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: "call";
      readonly callee: Ident;
      readonly args: readonly Argument[];
      readonly at?: PathString;
      readonly span: Span;
    }
  | {
      readonly kind: "select";
      readonly base: Expression;
      readonly selectors: readonly Selector[];
      readonly span: Span;
    };

/** A string with `{name}` holes, as written in `at` and `from`; holes are filled with constants. */
export interface PathString {
  readonly text: string;
  readonly span: Span;
}

export interface ConstDefinition {
  readonly name: Ident;
  /** `const decay[head] = [0.9, 0.8]`: the list's items lie along this axis. */
  readonly axis?: Ident;
  readonly value: Expression;
  /** Dotted keys of a checkpoint's config.json, tried in order. */
  readonly from: readonly PathString[];
  readonly span: Span;
}

export interface AxisDefinition {
  readonly name: Ident;
  readonly value:
    | { readonly kind: "runtime"; readonly role: "time" | "batch"; readonly span: Span }
    | { readonly kind: "product"; readonly axes: AxisList }
    | { readonly kind: "sum"; readonly parts: readonly Ident[] }
    | { readonly kind: "size"; readonly size: Expression };
  /** `axis s: time` alone is runtime; `axis t: time = [s, hop]` is both. */
  readonly role?: "time" | "batch";
  readonly span: Span;
}

export interface ParamPart {
  readonly name: Ident;
  readonly axes: AxisList;
}

export interface ParamDefinition {
  /** One part without stacking; two or more stacked where `_` stands in `axes`. */
  readonly parts: readonly ParamPart[];
  /** The tensor's axes as the checkpoint stores it, major first. For an unstacked param, the part's own axes. */
  readonly axes: AxisList;
  readonly scalar: "real" | "complex";
  readonly from: readonly PathString[];
  readonly span: Span;
}

export interface StateDefinition {
  readonly name: Ident;
  readonly axes: AxisList;
  readonly scalar: "real" | "complex";
  readonly init?: Expression;
  readonly span: Span;
}

/** `const call = 0` or `x[t, m]` in a block's header. */
export type Formal =
  | { readonly kind: "const"; readonly name: Ident; readonly value?: Expression; readonly span: Span }
  | { readonly kind: "tensor"; readonly name: Ident; readonly axes: AxisList; readonly span: Span };

/** `x`; `over A`, a parameter that stands for axes; or `where W`, one that stands for a mask, true if a call gives none. */
export interface FunctionParameter {
  readonly keyword?: "over" | "along" | "as" | "where";
  readonly name: Ident;
  readonly span: Span;
}

export type Statement =
  | {
      readonly kind: "const";
      readonly definitions: readonly ConstDefinition[];
      readonly doc?: string;
      readonly span: Span;
    }
  | {
      readonly kind: "axis";
      readonly definitions: readonly AxisDefinition[];
      readonly doc?: string;
      readonly span: Span;
    }
  | FunctionDeclaration
  | {
      readonly kind: "input";
      readonly name: Ident;
      readonly scalar: InterfaceScalar;
      readonly axes: AxisList;
      readonly doc?: string;
      readonly span: Span;
    }
  | {
      readonly kind: "param";
      readonly definitions: readonly ParamDefinition[];
      readonly doc?: string;
      readonly span: Span;
    }
  | {
      readonly kind: "state";
      readonly definitions: readonly StateDefinition[];
      readonly doc?: string;
      readonly span: Span;
    }
  | {
      readonly kind: "der";
      readonly state: Ident;
      readonly value: Expression;
      readonly rule: Ident;
      readonly args: readonly Expression[];
      readonly span: Span;
    }
  | {
      readonly kind: "assign";
      readonly targets: readonly AssignTarget[];
      readonly op: "=" | ":=" | "+=";
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: "repeat";
      readonly name: Ident;
      readonly from: Expression;
      readonly to: Expression;
      readonly at?: PathString;
      readonly body: readonly Statement[];
      readonly span: Span;
    }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
      readonly span: Span;
    }
  | {
      readonly kind: "output";
      readonly name: Ident;
      /** f32 without it. */
      readonly scalar?: InterfaceScalar;
      readonly axes: AxisList;
      readonly value: Expression;
      readonly doc?: string;
      readonly span: Span;
    }
  | { readonly kind: "return"; readonly values: readonly Expression[]; readonly span: Span };

/** `y = …`, or `y[t, m] = …` which also states the axes. */
export interface AssignTarget {
  readonly name: Ident;
  readonly axes?: AxisList;
}

/** What callers pass and receive: `f32`, or `index(v)`. */
export type InterfaceScalar =
  { readonly kind: "real"; readonly name: Ident } | { readonly kind: "index"; readonly axis: Ident };

export interface FunctionDeclaration {
  readonly kind: "fn";
  readonly name: Ident;
  readonly parameters: readonly FunctionParameter[];
  /** `fn f(x) = e` is a body of one `return`. */
  readonly body: readonly Statement[];
  readonly doc?: string;
  readonly span: Span;
}

/** `rule r(step): der(h) = a*h + b  =>  h = …` (SPEC.md § Rules). */
export interface RuleDeclaration {
  readonly kind: "rule";
  readonly name: Ident;
  readonly parameters: readonly Ident[];
  readonly state: Ident;
  /** The continuous form, which names a and b: always `a*h + b` in shape. */
  readonly continuous: Expression;
  readonly discrete: Expression;
  readonly doc?: string;
  readonly span: Span;
}

export interface BlockDeclaration {
  readonly kind: "block";
  readonly name: Ident;
  readonly formals: readonly Formal[];
  readonly results: readonly AxisList[];
  readonly body: readonly Statement[];
  readonly doc?: string;
  readonly span: Span;
}

export interface ModelDeclaration {
  readonly kind: "model";
  readonly name: Ident;
  readonly body: readonly Statement[];
  readonly doc?: string;
  readonly span: Span;
}

export interface UseDeclaration {
  readonly kind: "use";
  readonly names: readonly Ident[];
  readonly from: PathString;
  readonly with: readonly { readonly name: Ident; readonly value: Expression }[];
  readonly span: Span;
}

export type Declaration =
  | UseDeclaration
  | Extract<Statement, { kind: "const" | "axis" }>
  | FunctionDeclaration
  | RuleDeclaration
  | BlockDeclaration
  | ModelDeclaration;

export interface SourceTree {
  readonly file: string;
  readonly declarations: readonly Declaration[];
}
