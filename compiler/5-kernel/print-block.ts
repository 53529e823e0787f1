/**
 * Expressions as WGSL: statements that bind what is shared, and a value. A shared subexpression is bound once, in the outermost
 * scope that knows its vars; what only one side of a `select` reads stays behind its condition, since a load there may be
 * out of bounds when the condition is false. What is evaluated whichever way it goes (needed.ts) is bound before it.
 */
import { InternalError, TooInvolved } from "../diagnostics/internal-error.js";
import {
  alignmentOfFour,
  loadComponents,
  loadElement,
  loadFour,
  loadFourOfWord,
  loadWord,
} from "../../templates/accessors.js";
import {
  code,
  join,
  literal,
  name,
  negate,
  not,
  variable,
  binary,
  call,
  element,
  INFINITY,
  type Code,
  type Wgsl,
  type AnyWgsl,
} from "../../templates/wgsl.js";
import { MATH_FUNCTIONS, mathName, type MathFunction } from "../../templates/kernels/math.js";
import { identityValue } from "./expr.js";
import type { ModuleContext } from "./module-context.js";
import { addNeeded } from "./needed.js";
import {
  componentOf,
  componentsOf,
  findBound,
  homeOf,
  lookUp,
  scalarValue,
  scopeIn,
  tryLookUp,
  vectorValue,
  withFirsts,
  type Environment,
  type Scope,
  type Value,
} from "./print-scope.js";
import { children, freeVars } from "./traverse.js";
import type { Expr, ExprOp, ExprType } from "./types.js";

/** Of one shader. What several branches share and no path outside needs is written in each of them. */
const MOST_NAMES = 4_000;

/** One straight piece of a shader: expressions are added in order, and share what they have in common. */
export class BlockPrinter {
  private constructor(
    private readonly context: ModuleContext,
    private readonly uses: ReadonlyMap<Expr, number>,
    private readonly hints: ReadonlyMap<Expr, string>,
    private readonly scope: Scope,
  ) {}

  /**
   * @param environment what each free var is called.
   * @param roots all expressions that this printer and those nested in it will be asked for.
   * @param hints names for expressions that have one in the source; such an expression is always bound.
   */
  static root(
    context: ModuleContext,
    environment: Environment,
    roots: Iterable<Expr>,
    hints: ReadonlyMap<Expr, string> = new Map(),
  ): BlockPrinter {
    const scope = scopeIn(undefined, { environment });
    return new BlockPrinter(context, countUses(roots), hints, scope);
  }

  /** A block inside this one that binds more names, for expressions of the root's or `more`. What depends on none of them is bound out here, so ask here last. */
  nested(environment: Environment, more: Iterable<Expr> = []): BlockPrinter {
    const indexes = new Set(environment.keys());
    const uses = new Map([...this.uses, ...countUses(more)]);
    return new BlockPrinter(this.context, uses, this.hints, scopeIn(this.scope, { indexes, environment }));
  }

  /** A block behind a condition: nothing is bound out here for it. */
  branch(): BlockPrinter {
    return new BlockPrinter(this.context, this.uses, this.hints, scopeIn(this.scope));
  }

  /** The value of an expression, inline or as the name that it was bound to. */
  value(expr: Expr): Value {
    return this.emitAll(expr, this.scope);
  }

  /** The value of an f32 expression, four wide if `width` says so. */
  f32(expr: Expr): Wgsl<"f32"> {
    const value = this.value(expr);
    if (expr.type !== "f32" || value.width !== 1)
      throw new InternalError("print-wgsl", `expected one f32, not ${value.width} ${expr.type}`);
    return value.wgsl as Wgsl<"f32">;
  }

  vec4f(expr: Expr): Wgsl<"vec4f"> {
    return widen(this.value(expr), expr.type) as Wgsl<"vec4f">;
  }

  u32(expr: Expr): Wgsl<"u32"> {
    const value = this.value(expr);
    if (expr.type !== "u32" || value.width !== 1)
      throw new InternalError("print-wgsl", `expected one u32, not ${value.width} ${expr.type}`);
    return value.wgsl as Wgsl<"u32">;
  }

  bool(expr: Expr): Wgsl<"bool"> {
    return this.value(expr).wgsl as Wgsl<"bool">;
  }

  /** Binds `expr` to a name of its own and returns it. */
  bind(expr: Expr, wanted: string): Value {
    const value = this.value(expr);
    if (expr.kind === "var") return value;
    const bound = this.bindText(this.scope, wanted, value);
    this.scope.bound.set(expr, bound);
    return bound;
  }

  /** From now on the expression is this. */
  hold(expr: Expr, value: Value): void {
    this.scope.bound.set(expr, value);
  }

  /** Four values of `expr` under a name. */
  bindVector(expr: Expr, wanted: string): AnyWgsl {
    const value = vectorValue(widen(this.value(expr), expr.type));
    return isName(value) ? value.wgsl : this.bindText(this.scope, wanted, value).wgsl;
  }

  /** What expressions load in this block, and no further out, whichever way conditions go. */
  loads(
    exprs: readonly Expr[],
    accepts: (load: Expr) => boolean = () => true,
  ): readonly { readonly load: Expr; readonly value: Value }[] {
    for (const expr of exprs) addNeeded(expr, this.scope.needed);
    const found: { readonly load: Expr; readonly value: Value }[] = [];
    const seen = new Set<Expr>();
    const enter = (each: Expr): void => {
      if (seen.has(each) || !this.scope.needed.has(each)) return;
      seen.add(each);
      if (each.kind !== "load") children(each).forEach(enter);
      else if (accepts(each) && homeOf(each, this.scope) === this.scope)
        found.push({ load: each, value: this.value(each) });
    };
    exprs.forEach(enter);
    return found;
  }

  /** Takes it that an expression has this value here. */
  given(expr: Expr, value: Value): void {
    this.scope.bound.set(expr, value);
  }

  /** Of a whole number that is four in a row, the first. */
  first(expr: Expr): Wgsl<"u32"> {
    return this.emit(expr, withFirsts(this.scope)).wgsl as Wgsl<"u32">;
  }

  /** A block in which the vars of `exprs` that are four wide are their i-th component. */
  component(exprs: readonly Expr[], i: 0 | 1 | 2 | 3): BlockPrinter {
    const environment = componentsOf(exprs, this.scope, i);
    const scope = scopeIn(componentOf(this.scope, i), { environment });
    return new BlockPrinter(this.context, this.uses, this.hints, scope);
  }

  /** Binds a value that is text already. */
  name(wanted: string, value: Value): AnyWgsl {
    return this.bindText(this.scope, wanted, value).wgsl;
  }

  /** The statements since the last call. */
  flush(): Code {
    const statements = join(this.scope.statements);
    this.scope.statements.length = 0;
    return statements;
  }

  /** An expression that is evaluated in a scope whichever way conditions go. */
  private emitAll(expr: Expr, scope: Scope): Value {
    addNeeded(expr, scope.needed);
    return this.emit(expr, scope);
  }

  private emit(expr: Expr, scope: Scope): Value {
    switch (expr.kind) {
      case "literal":
        return scalarValue(literal(expr.type, expr.value));
      case "number":
        return scalarValue(this.context.number(expr.name));
      case "var":
        return lookUp(expr.name, scope);
      default:
        break;
    }
    const known = findBound(expr, scope);
    if (known !== undefined) return known;
    const home = homeOf(expr, scope);
    const value = this.compute(expr, home);
    const shared = (this.uses.get(expr) ?? 0) > 1 || home !== scope || this.hints.has(expr);
    if (!shared || isName(value)) {
      if (isName(value)) home.bound.set(expr, value);
      return value;
    }
    const bound = this.bindText(home, this.hints.get(expr) ?? baseName(expr), value);
    home.bound.set(expr, bound);
    return bound;
  }

  private bindText(scope: Scope, wanted: string, value: Value): Value {
    if (this.context.names.size > MOST_NAMES) throw new TooInvolved("a kernel is too long");
    const bound = this.context.names.take(wanted);
    scope.statements.push(code`let ${name(bound)} = ${value.wgsl};`);
    return { ...value, wgsl: variable(bound) };
  }

  private compute(expr: Expr, scope: Scope): Value {
    switch (expr.kind) {
      case "load":
        return this.load(expr, scope);
      case "loop":
        return this.loop(expr, scope);
      case "op": {
        const same = this.sameFor(expr, scope);
        if (same > 1) return this.emit(expr, withFirsts(scope, same === 8));
        return expr.op === "select" ? this.select(expr, scope) : this.operation(expr, scope);
      }
      default:
        throw new InternalError("print-wgsl", `${expr.kind} is not computed`);
    }
  }

  private load(expr: Extract<Expr, { kind: "load" }>, scope: Scope): Value {
    const binding = this.context.binding(expr.binding);
    if (binding.wide === true || this.context.isPacked(binding)) {
      const divisor = binding.wide === true ? 4 : alignmentOfFour(binding.element);
      const four = this.consecutive(expr.index, scope, divisor);
      if (four !== undefined) {
        const first = this.emit(four, withFirsts(scope)).wgsl as Wgsl<"u32">;
        if (binding.wide !== true) return vectorValue(loadFour(this.context.usesFours(binding), first));
        return vectorValue(
          binding.element === "f32" ? loadWord<"vec4f">(binding, first) : loadFourOfWord(binding, first),
        );
      }
      if (binding.wide === true && binding.element !== "f32") this.context.usesElements(binding);
    }
    const index = this.emit(expr.index, scope);
    if (index.width === 1) return scalarValue(loadElement(binding, index.wgsl as Wgsl<"u32">));
    const at = isName(index) ? index : this.bindText(scope, "at", index);
    return vectorValue(loadComponents(binding, at.wgsl as Wgsl<"vec4u">));
  }

  /** The index itself if it is four in a row from a multiple of `divisor`: its var runs over four in a row, and the rest is one. */
  private consecutive(index: Expr, scope: Scope, divisor: 2 | 4 | 8): Expr | undefined {
    const vars = [...freeVars(index)].filter((each) => tryLookUp(each, scope)?.width === 4);
    const [only] = vars;
    if (only === undefined || vars.length > 1 || tryLookUp(only, scope)?.first === undefined)
      return undefined;
    return this.context.isStrideOne(index, only, divisor) ? index : undefined;
  }

  /** How many quotients in a row are one, where what is divided begins at a multiple of so many: which head a column is of, say. */
  private sameFor({ op, type, args }: Extract<Expr, { kind: "op" }>, scope: Scope): 1 | 4 | 8 {
    const [index, by] = args;
    if (op !== "div" || type !== "u32" || index === undefined || by?.kind !== "literal") return 1;
    const isSame = (count: 4 | 8): boolean =>
      by.value % count === 0 && this.consecutive(index, scope, count) !== undefined;
    return isSame(8) ? 8 : isSame(4) ? 4 : 1;
  }

  private loop(expr: Extract<Expr, { kind: "loop" }>, scope: Scope): Value {
    const extent = this.emit(expr.extent, scope);
    if (extent.width !== 1) return this.byComponent(expr, scope);
    const index = this.context.names.take(expr.index);
    const inner = scopeIn(scope, {
      indexes: new Set([expr.index]),
      environment: new Map([[expr.index, scalarValue(variable<"u32">(index))]]),
    });
    const body = this.emitAll(expr.body, inner);
    const total = variable<"f32">(
      this.context.names.take(expr.fn === "sum" ? "sum" : expr.fn === "max" ? "greatest" : "least"),
    );
    const start = widen(
      scalarValue(literal(expr.type, clampToFinite(identityValue(expr.fn, expr.type), expr.type))),
      expr.type,
      body.width,
    );
    scope.statements.push(code`
      var ${total} = ${start};
      for (var ${name(index)} = 0u; ${name(index)} < ${extent.wgsl}; ${name(index)}++) {
        ${join(inner.statements)}
        ${total} = ${combine(expr.fn, { wgsl: total, width: body.width }, body)};
      }
    `);
    return { wgsl: total, width: body.width };
  }

  /**
   * A select is taken apart where a side that may not be evaluated holds a load or a loop. The condition comes first: what
   * it has bound may be all that a side loads.
   */
  private select(expr: Extract<Expr, { kind: "op" }>, scope: Scope): Value {
    const [condition, ifTrue, ifFalse] = expr.args;
    if (condition === undefined || ifTrue === undefined || ifFalse === undefined)
      throw new InternalError("print-wgsl", "select takes three");
    const truth = this.emit(condition, scope);
    addNeeded(expr, scope.needed);
    for (const side of [ifTrue, ifFalse])
      if (this.isGuarded(side, scope, new Set())) this.bindNeeded(side, scope, new Set());
    if ([ifTrue, ifFalse].some((side) => this.isGuarded(side, scope, new Set())))
      return truth.width === 1
        ? this.lazySelect(expr.type, truth, ifTrue, ifFalse, scope)
        : this.byComponent(expr, scope);
    const [yes, no] = [this.emit(ifTrue, scope), this.emit(ifFalse, scope)];
    const width = [truth, yes, no].some((value) => value.width === 4) ? 4 : 1;
    const sides = [no, yes].map((value) => widen(value, expr.type, width));
    return { wgsl: call("select", [...sides, truth.wgsl]), width };
  }

  /** Binds what a side shares with what is evaluated out here anyway: in a branch of its own it would be written once more. */
  private bindNeeded(expr: Expr, scope: Scope, seen: Set<Expr>): void {
    if (seen.has(expr) || findBound(expr, scope) !== undefined) return;
    seen.add(expr);
    if (scope.needed.has(expr)) this.emit(expr, scope);
    else for (const child of children(expr)) this.bindNeeded(child, scope, seen);
  }

  private isGuarded(expr: Expr, scope: Scope, seen: Set<Expr>): boolean {
    if (seen.has(expr) || findBound(expr, scope) !== undefined) return false;
    seen.add(expr);
    if (expr.kind === "load" || expr.kind === "loop") return true;
    return children(expr).some((child) => this.isGuarded(child, scope, seen));
  }

  private lazySelect(type: ExprType, truth: Value, ifTrue: Expr, ifFalse: Expr, scope: Scope): Value {
    const sides = [ifTrue, ifFalse].map((side) => {
      const inner = scopeIn(scope);
      return { inner, value: this.emitAll(side, inner) };
    });
    const [yes, no] = sides;
    if (yes === undefined || no === undefined) throw new InternalError("print-wgsl", "select takes three");
    const width = yes.value.width === 4 || no.value.width === 4 ? 4 : 1;
    const chosen = variable<"f32">(this.context.names.take("chosen"));
    if (no.inner.statements.length === 0 && !this.isGuarded(ifFalse, scope, new Set())) {
      scope.statements.push(code`
        var ${chosen} = ${widen(no.value, type, width)};
        if (${truth.wgsl}) {
          ${join(yes.inner.statements)}
          ${chosen} = ${widen(yes.value, type, width)};
        }
      `);
    } else {
      // Not an else: SwiftShader compiles n of them in a loop in time 2ⁿ, and n of these in time n.
      const condition = (isName(truth) ? truth : this.bindText(scope, "condition", truth))
        .wgsl as Wgsl<"bool">;
      scope.statements.push(code`
        var ${chosen}: ${name(typeName(type, width))};
        if (${condition}) {
          ${join(yes.inner.statements)}
          ${chosen} = ${widen(yes.value, type, width)};
        }
        if (${not(condition)}) {
          ${join(no.inner.statements)}
          ${chosen} = ${widen(no.value, type, width)};
        }
      `);
    }
    return { wgsl: chosen, width };
  }

  /** Four values one by one, for what differs in control flow among them. */
  private byComponent(expr: Expr, scope: Scope): Value {
    const parts = ([0, 1, 2, 3] as const).map((i) => {
      const environment = componentsOf([expr], scope, i);
      const inner = scopeIn(componentOf(scope, i), { environment, statements: scope.statements });
      return this.emitAll(expr, inner).wgsl;
    });
    const [x, y, z, w] = parts;
    if (x === undefined || y === undefined || z === undefined || w === undefined)
      throw new InternalError("print-wgsl", "a vector has four components");
    return this.bindText(scope, baseName(expr), vectorValue(call(typeName(expr.type, 4), [x, y, z, w])));
  }

  private operation(expr: Extract<Expr, { kind: "op" }>, scope: Scope): Value {
    const args = expr.args.map((arg) => ({ value: this.emit(arg, scope), type: arg.type }));
    const width = args.some((arg) => arg.value.width === 4) ? 4 : 1;
    const wide = (): AnyWgsl[] => args.map((arg) => widen(arg.value, arg.type, width));
    const [a, b] = args;
    if (a === undefined) throw new InternalError("print-wgsl", `${expr.op} without operands`);
    const operator = ARITHMETIC[expr.op];
    // WGSL's arithmetic takes a vector and a scalar; everything else takes two of one kind.
    if (operator !== undefined && b !== undefined)
      return { wgsl: binary(a.value.wgsl, operator, b.value.wgsl), width };
    const comparison = COMPARISON[expr.op];
    const [x, y] = wide();
    if (x === undefined) throw new InternalError("print-wgsl", `${expr.op} without operands`);
    if (comparison !== undefined && y !== undefined)
      return { wgsl: this.logic(expr.op, x, comparison, y, width), width };
    const pair = this.pairOf(expr);
    if (pair !== undefined) return this.ofPair(pair, wide(), width, scope);
    if ((MATH_FUNCTIONS as readonly string[]).includes(expr.op)) {
      const fn = expr.op as MathFunction;
      this.context.usesMath(fn, width);
      return { wgsl: call(mathName(fn, width), [x]), width };
    }
    switch (expr.op) {
      case "neg":
        return { wgsl: negate(x as Wgsl<"f32">), width };
      case "not":
        return { wgsl: not(x as Wgsl<"bool">), width };
      case "recip":
        return { wgsl: binary(literal("f32", 1), "/", x), width };
      case "rsqrt":
        return { wgsl: call("inverseSqrt", [x]), width };
      case "f32":
      case "u32":
      case "i32":
        return { wgsl: call(typeName(expr.op, width), [x]), width };
      default:
        return { wgsl: call(expr.op, wide()), width };
    }
  }

  /** Which results of a function of two results an operation and the other one of the same operand are, if both are wanted or there is no other way. */
  private pairOf(expr: Extract<Expr, { kind: "op" }>): Pair | undefined {
    for (const [fn, ops] of PAIRS) {
      if (!ops.includes(expr.op)) continue;
      const both = ops.map((op) => (op === expr.op ? expr : this.sameOf(op, expr)));
      const isOperation = (MATH_FUNCTIONS as readonly string[]).includes(expr.op);
      if (!isOperation || !both.includes(undefined)) return { fn, both, of: expr };
    }
    return undefined;
  }

  /** The operation of this name on the same operands, if it is printed too. */
  private sameOf(op: ExprOp, { args }: Extract<Expr, { kind: "op" }>): Expr | undefined {
    for (const other of this.uses.keys())
      if (other.kind === "op" && other.op === op && other.args.every((arg, i) => arg === args[i]))
        return other;
    return undefined;
  }

  /** Two results computed together: that of the operation, while the other is bound. */
  private ofPair({ fn, both, of }: Pair, operands: readonly AnyWgsl[], width: 1 | 4, scope: Scope): Value {
    this.context.usesMath(fn, width);
    const pair = name(this.context.names.take(fn));
    scope.statements.push(code`let ${pair} = ${call(mathName(fn, width), operands)};`);
    let own: Value | undefined;
    for (const [i, expr] of both.entries()) {
      const value: Value = { wgsl: element(pair, literal("u32", i)), width };
      if (expr === of) own = value;
      else if (expr !== undefined) scope.bound.set(expr, value);
    }
    if (own === undefined) throw new InternalError("print-wgsl", `${fn} has no such result`);
    return own;
  }

  private logic(op: string, x: AnyWgsl, operator: Comparison, y: AnyWgsl, width: 1 | 4): AnyWgsl {
    // On vectors of bool WGSL has & and |, not && and ||.
    if (width === 4 && (op === "and" || op === "or")) return binary(x, op === "and" ? "&" : "|", y);
    return binary(x, operator, y);
  }
}

/** A function of two results, the operations that want them, and the one at hand. */
interface Pair {
  readonly fn: MathFunction;
  readonly both: readonly (Expr | undefined)[];
  readonly of: Expr;
}
const PAIRS: readonly (readonly [MathFunction, readonly ExprOp[]])[] = [
  ["wave", ["cos", "sin"]],
  ["turns", ["turns", "turns_rest"]],
  ["polar", ["polar_re", "polar_im"]],
];

type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||";
const ARITHMETIC: Readonly<Record<string, "+" | "-" | "*" | "/" | "%" | undefined>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
};
const COMPARISON: Readonly<Record<string, Comparison | undefined>> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "&&",
  or: "||",
};

/** How many places each expression is used in. */
function countUses(roots: Iterable<Expr>): ReadonlyMap<Expr, number> {
  const counts = new Map<Expr, number>();
  const enter = (expr: Expr): void => {
    const uses = counts.get(expr) ?? 0;
    counts.set(expr, uses + 1);
    if (uses === 0) for (const child of children(expr)) enter(child);
  };
  for (const root of roots) enter(root);
  return counts;
}

export function typeName(type: ExprType, width: 1 | 4): string {
  if (width === 1) return type;
  return { f32: "vec4f", u32: "vec4u", i32: "vec4i", bool: "vec4<bool>" }[type];
}

/** The value as it is, or four of it. */
export function widen(value: Value, type: ExprType, width: 1 | 4 = 4): AnyWgsl {
  return value.width === width ? value.wgsl : call(typeName(type, width), [value.wgsl]);
}

const isName = (value: Value): boolean => /^[A-Za-z_]\w*$/.test(value.wgsl.text);

/** What to call an expression that the source has no name for. */
function baseName(expr: Expr): string {
  if (expr.kind === "load") return `${expr.binding}_value`;
  if (expr.kind === "op" && expr.type === "u32") return "index";
  return expr.type === "bool" ? "condition" : "value";
}

export const clampToFinite = (value: number, type: ExprType): number =>
  type === "f32" ? Math.min(Math.max(value, -INFINITY), INFINITY) : Math.min(Math.max(value, 0), 2 ** 32 - 1);

/** One more value taken into a reduction. */
export function combine(fn: "sum" | "max" | "min", total: Value, value: Value): AnyWgsl {
  return fn === "sum" ? binary(total.wgsl, "+", value.wgsl) : call(fn, [total.wgsl, value.wgsl]);
}
