/**
 * Making expressions. Equal expressions are the same object, so that the printer binds a shared one once, and every
 * constructor simplifies: constants fold, identities go, index arithmetic is put into normal form (index-arithmetic.ts).
 */
import type { Dim } from "../../runtime/bundle-format.js";
import { InternalError, TooInvolved } from "../diagnostics/internal-error.js";
import type { ReduceFn } from "../3-graph/types.js";
import { IndexArithmetic } from "./index-arithmetic.js";
import { foldLiterals, identityOf, narrowedTo } from "./simplify.js";
import { freeVars } from "./traverse.js";
import type { Expr, ExprOp, ExprType } from "./types.js";

/** A number stands for a literal of the type that the other operand has; of u32 if there is none. */
export type Operand = Expr | number;

/** A loop of at most this many rounds is written out. */
const UNROLLED = 4;

const COMPARISONS: ReadonlySet<ExprOp> = new Set<ExprOp>(["eq", "ne", "lt", "le", "gt", "ge"]);
const CONVERSIONS: ReadonlySet<ExprOp> = new Set<ExprOp>(["f32", "u32", "i32"]);
const ARITY: Partial<Record<ExprOp, number>> = {
  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  mod: 2,
  min: 2,
  max: 2,
  pow: 2,
  polar_re: 2,
  polar_im: 2,
  eq: 2,
  ne: 2,
  lt: 2,
  le: 2,
  gt: 2,
  ge: 2,
  and: 2,
  or: 2,
  fma: 3,
  select: 3,
};

export const arityOf = (op: ExprOp): number => ARITY[op] ?? 1;

type Loop = Extract<Expr, { kind: "loop" }>;

/** Of one kernel: more than a driver would compile in a minute. */
const MOST_EXPRESSIONS = 50_000;

export class ExprBuilder {
  private readonly interned = new Map<string, Expr>();
  private readonly ids = new Map<Expr, number>();
  private readonly extents = new Map<string, Expr>();
  private loops = 0;
  /** Those made so far, by function and extent. */
  private readonly loopsOf = new Map<string, Loop[]>();
  private readonly index = new IndexArithmetic({
    raw: (op, type, args) => this.intern({ kind: "op", type, op, args }),
    literal: (type, value) => this.literal(type, value),
    identify: (expr) => this.idOf(expr),
    extentOf: (name) => this.extents.get(name),
  });

  /** bool literals are 0 and 1; f32 values are rounded to 32 bits. */
  literal(type: ExprType, value: number): Expr {
    if (type === "u32" && (value < 0 || value >= 2 ** 32))
      throw new InternalError("expr", `${value} is not a u32`);
    const exact = type === "f32" ? Math.fround(value) : value;
    return this.intern({ kind: "literal", type, value: exact });
  }

  f32(value: number): Expr {
    return this.literal("f32", value);
  }

  u32(value: number): Expr {
    return this.literal("u32", value);
  }

  bool(value: boolean): Expr {
    return this.literal("bool", Number(value));
  }

  /** A name that the skeleton binds. `extent` promises 0 ≤ value < extent, which simplifies what is made from now on. */
  variable(name: string, type: ExprType = "u32", extent?: Dim | Expr): Expr {
    const known = this.extents.get(name);
    const promised = extent === undefined ? known : this.extent(extent);
    if (promised !== undefined && promised !== known) {
      this.extents.set(name, promised);
      this.index.forgetBounds();
    }
    return this.intern({ kind: "var", type, name });
  }

  /** A run-time number of the program, u32. */
  number(name: string): Expr {
    return this.intern({ kind: "number", type: "u32", name });
  }

  load(binding: string, index: Operand, type: "f32" | "u32" = "f32"): Expr {
    const at = this.operand(index, "u32");
    if (at.type !== "u32")
      throw new InternalError("expr", `index of ${binding} has type ${at.type}, not u32`);
    return this.intern({ kind: "load", type, binding, index: at });
  }

  /** Sum, greatest or least of body(i) over 0 ≤ i < extent, one after the other; empty: 0, -inf or inf (finite in shaders). */
  loop(fn: ReduceFn, extent: Dim | Expr, body: (index: Expr) => Expr, name = "i"): Expr {
    const rounds = this.extent(extent);
    if (rounds.kind === "literal" && rounds.value <= UNROLLED) return this.unroll(fn, rounds.value, body);
    const index = this.variable(`${name}_${(this.loops += 1)}`, "u32", rounds);
    if (index.kind !== "var") throw new InternalError("expr", "a loop's index is a var");
    return this.rawLoop(fn, index.name, rounds, body(index));
  }

  private unroll(fn: ReduceFn, rounds: number, body: (index: Expr) => Expr): Expr {
    const values = Array.from({ length: rounds }, (_, i) => body(this.u32(i)));
    const [first, ...others] = values;
    if (first === undefined) return this.f32(identityValue(fn));
    return others.reduce((sum, value) => this.op(fn === "sum" ? "add" : fn, sum, value), first);
  }

  /** Loops that differ in the name of their index alone are one. */
  private rawLoop(fn: ReduceFn, index: string, extent: Expr, body: Expr): Expr {
    const key = `${fn} ${this.idOf(extent)}`;
    const known = this.loopsOf.get(key) ?? [];
    this.loopsOf.set(key, known);
    const same = known.find((each) => {
      if (each.type !== body.type || each.index === index) return each.body === body;
      const other = this.variable(each.index, "u32", extent);
      return this.substitute(body, new Map([[index, other]])) === each.body;
    });
    if (same !== undefined) return same;
    const made: Loop = { kind: "loop", type: body.type, fn, index, extent, body };
    known.push(made);
    return this.intern(made);
  }

  op(wanted: ExprOp, ...operands: readonly Operand[]): Expr {
    if (operands.length !== arityOf(wanted))
      throw new InternalError("expr", `${wanted} takes ${arityOf(wanted)} operands, not ${operands.length}`);
    const args = this.operands(wanted, operands);
    const op = narrowedTo(wanted, args);
    const type = resultType(op, args);
    if (type === "u32" || type === "i32") {
      const simplified = this.integerOp(op, type, args);
      if (simplified !== undefined) return simplified;
    }
    return (
      this.fold(op, type, args) ??
      identityOf(op, args) ??
      this.compare(op, args) ??
      this.intern({ kind: "op", type, op, args: ordered(op, args, this) })
    );
  }

  select(condition: Expr, ifTrue: Operand, ifFalse: Operand): Expr {
    return this.op("select", condition, ifTrue, ifFalse);
  }

  add(a: Operand, b: Operand): Expr {
    return this.op("add", a, b);
  }

  sub(a: Operand, b: Operand): Expr {
    return this.op("sub", a, b);
  }

  mul(a: Operand, b: Operand): Expr {
    return this.op("mul", a, b);
  }

  div(a: Operand, b: Operand): Expr {
    return this.op("div", a, b);
  }

  mod(a: Operand, b: Operand): Expr {
    return this.op("mod", a, b);
  }

  /** Row-major, the last coordinate fastest. */
  flatten(coordinates: readonly { readonly value: Operand; readonly extent: Dim | Expr }[]): Expr {
    return coordinates.reduce<Expr>(
      (flat, { value, extent }) => this.add(this.mul(flat, this.extent(extent)), value),
      this.u32(0),
    );
  }

  /** The inverse of `flatten`. */
  unflatten(flat: Expr, extents: readonly (Dim | Expr)[]): readonly Expr[] {
    let rest = flat;
    const coordinates: Expr[] = [];
    for (const [i, size] of [...extents.entries()].reverse()) {
      coordinates.unshift(i === 0 ? rest : this.mod(rest, this.extent(size)));
      rest = i === 0 ? rest : this.div(rest, this.extent(size));
    }
    return coordinates;
  }

  /** A size of the manifest as an expression over the program's numbers. */
  dim(dim: Dim): Expr {
    if (typeof dim === "number") return this.u32(dim);
    if (typeof dim === "string") return this.number(dim);
    if (dim[0] === "?")
      return this.select(this.op("ne", this.dim(dim[1]), 0), this.dim(dim[2]), this.dim(dim[3]));
    const [op, a, b] = dim;
    return this.dimOp(op, this.dim(a), this.dim(b));
  }

  private dimOp(op: Exclude<Exclude<Dim, string | number>[0], "?">, a: Expr, b: Expr): Expr {
    const truth = (condition: Expr): Expr => this.select(condition, 1, 0);
    switch (op) {
      case "+":
        return this.add(a, b);
      case "-":
        return this.sub(a, b);
      case "*":
        return this.mul(a, b);
      case "/":
        return this.div(a, b);
      case "^/":
        return this.div(this.sub(this.add(a, b), 1), b);
      case "%":
        return this.mod(a, b);
      case "min":
      case "max":
        return this.op(op, a, b);
      case "<":
        return truth(this.op("lt", a, b));
      case "<=":
        return truth(this.op("le", a, b));
      case "==":
        return truth(this.op("eq", a, b));
      case "&":
        return truth(this.op("and", this.op("ne", a, 0), this.op("ne", b, 0)));
    }
  }

  /** `expr`, of this builder or another, made anew here with vars replaced by name. Simplifies again. */
  substitute(expr: Expr, replacements: ReadonlyMap<string, Expr>, made: Map<Expr, Expr> = new Map()): Expr {
    const known = made.get(expr);
    if (known !== undefined) return known;
    const result = this.rebuild(expr, replacements, made);
    made.set(expr, result);
    return result;
  }

  private rebuild(expr: Expr, replacements: ReadonlyMap<string, Expr>, made: Map<Expr, Expr>): Expr {
    switch (expr.kind) {
      case "literal":
        return this.literal(expr.type, expr.value);
      case "var":
        return replacements.get(expr.name) ?? this.variable(expr.name, expr.type);
      case "number":
        return this.number(expr.name);
      case "load":
        return this.load(
          expr.binding,
          this.substitute(expr.index, replacements, made),
          expr.type === "u32" ? "u32" : "f32",
        );
      case "op":
        return this.op(expr.op, ...expr.args.map((arg) => this.substitute(arg, replacements, made)));
      case "loop": {
        const extent = this.substitute(expr.extent, replacements, made);
        this.variable(expr.index, "u32", extent);
        return this.rawLoop(expr.fn, expr.index, extent, this.substitute(expr.body, replacements, made));
      }
    }
  }

  /** True if a < b whatever the vars are. */
  isLess(a: Operand, b: Operand): boolean {
    return this.index.isLess(this.operand(a, "u32"), this.operand(b, "u32"));
  }

  isAtMost(a: Operand, b: Operand): boolean {
    return this.index.isAtMost(this.operand(a, "u32"), this.operand(b, "u32"));
  }

  /** True if the index is the var named plus a multiple of `divisor` that does not depend on it: where the var is a multiple of it, so is the index. */
  isStrideOne(index: Expr, name: string, divisor: number): boolean {
    let found = false;
    for (const { coefficient, atoms } of this.index.toPolynomial(index).values()) {
      const [first] = atoms;
      if (first?.kind === "var" && first.name === name && atoms.length === 1 && coefficient === 1)
        found = true;
      else if (coefficient % divisor !== 0 || atoms.some((atom) => freeVars(atom).has(name))) return false;
    }
    return found;
  }

  /** True if it is a multiple of `divisor` whatever its vars are. */
  isMultipleOf(index: Expr, divisor: number): boolean {
    return [...this.index.toPolynomial(index).values()].every(
      ({ coefficient }) => coefficient % divisor === 0,
    );
  }

  /** True if the var's extent is known, and a multiple of `divisor`. */
  isWholeIn(name: string, divisor: number): boolean {
    const extent = this.extents.get(name);
    return extent?.kind === "literal" && extent.value % divisor === 0;
  }

  /** What the index grows by when the var named does by one, if that is the same everywhere and known. */
  strideOf(index: Expr, name: string): number | undefined {
    let stride = 0;
    for (const { coefficient, atoms } of this.index.toPolynomial(index).values()) {
      const [first] = atoms;
      if (first?.kind === "var" && first.name === name && atoms.length === 1) stride += coefficient;
      else if (atoms.some((atom) => freeVars(atom).has(name))) return undefined;
    }
    return stride;
  }

  private extent(extent: Dim | Expr): Expr {
    return typeof extent === "object" && "kind" in extent ? extent : this.dim(extent);
  }

  private operands(op: ExprOp, operands: readonly Operand[]): readonly Expr[] {
    const typed = operands.find(
      (operand, i): operand is Expr => typeof operand === "object" && !(op === "select" && i === 0),
    );
    const type = op === "and" || op === "or" || op === "not" ? "bool" : (typed?.type ?? "u32");
    return operands.map((operand) => this.operand(operand, type));
  }

  private operand(operand: Operand, type: ExprType): Expr {
    return typeof operand === "number" ? this.literal(type, operand) : operand;
  }

  private fold(op: ExprOp, type: ExprType, args: readonly Expr[]): Expr | undefined {
    const values: number[] = [];
    for (const arg of args) {
      if (arg.kind !== "literal") return undefined;
      values.push(arg.value);
    }
    const value = foldLiterals(op, type, values);
    return value === undefined ? undefined : this.literal(type, value);
  }

  private integerOp(op: ExprOp, type: "u32" | "i32", args: readonly Expr[]): Expr | undefined {
    const [a, b] = args;
    if (a === undefined || b === undefined) return undefined;
    if (op === "add" || op === "sub" || op === "mul") return this.index[op](a, b);
    if (type !== "u32") return undefined;
    if (op === "div" || op === "mod") return this.index[op](a, b);
    if (op === "min" || op === "max") {
      if (this.index.isAtMost(a, b)) return op === "min" ? a : b;
      if (this.index.isAtMost(b, a)) return op === "min" ? b : a;
    }
    return undefined;
  }

  /** Comparisons of u32 that hold or fail for all values of the vars. */
  private compare(op: ExprOp, args: readonly Expr[]): Expr | undefined {
    const [a, b] = args;
    if (!COMPARISONS.has(op) || a === undefined || b === undefined) return undefined;
    if (a === b && a.type !== "f32") return this.bool(op === "eq" || op === "le" || op === "ge");
    if (a.type !== "u32") return undefined;
    const [below, above] = op === "gt" || op === "ge" ? [b, a] : [a, b];
    if (op === "eq" || op === "ne") {
      return this.index.isLess(a, b) || this.index.isLess(b, a) ? this.bool(op === "ne") : undefined;
    }
    const strict = op === "lt" || op === "gt";
    if (strict ? this.index.isLess(below, above) : this.index.isAtMost(below, above)) return this.bool(true);
    if (strict ? this.index.isAtMost(above, below) : this.index.isLess(above, below)) return this.bool(false);
    return undefined;
  }

  idOf(expr: Expr): number {
    const id = this.ids.get(expr);
    if (id === undefined)
      throw new InternalError("expr", "an expression of another builder; bring it over with substitute()");
    return id;
  }

  private intern(expr: Expr): Expr {
    const key = this.keyOf(expr);
    const known = this.interned.get(key);
    if (known !== undefined) return known;
    if (this.interned.size === MOST_EXPRESSIONS) throw new TooInvolved("a kernel has too many expressions");
    this.interned.set(key, expr);
    this.ids.set(expr, this.ids.size);
    return expr;
  }

  private keyOf(expr: Expr): string {
    switch (expr.kind) {
      case "literal":
        return `l ${expr.type} ${Object.is(expr.value, -0) ? "-0" : expr.value}`;
      case "var":
        return `v ${expr.type} ${expr.name}`;
      case "number":
        return `n ${expr.name}`;
      case "load":
        return `[ ${expr.type} ${expr.binding} ${this.idOf(expr.index)}`;
      case "op":
        return `o ${expr.op} ${expr.type} ${expr.args.map((arg) => this.idOf(arg)).join(" ")}`;
      case "loop":
        return `r ${expr.fn} ${expr.index} ${this.idOf(expr.extent)} ${this.idOf(expr.body)}`;
    }
  }
}

/** What a reduction of nothing gives; of whole numbers the least and the greatest there are. */
export function identityValue(fn: ReduceFn, type: ExprType = "f32"): number {
  if (fn === "sum") return 0;
  if (type === "u32") return fn === "max" ? 0 : 2 ** 32 - 1;
  if (type === "i32") return fn === "max" ? -(2 ** 31) : 2 ** 31 - 1;
  return fn === "max" ? -Infinity : Infinity;
}

/** Whether an f32 or u32 expression is the same for all values of the vars named. */
export const isIndependent = (expr: Expr, names: Iterable<string>): boolean =>
  [...names].every((name) => !freeVars(expr).has(name));

function resultType(op: ExprOp, args: readonly Expr[]): ExprType {
  const types = args.map((arg) => arg.type);
  const fail = (): never => {
    throw new InternalError("expr", `${op} of ${types.join(", ")}`);
  };
  if (CONVERSIONS.has(op)) return op as ExprType;
  if (op === "select") return types[0] === "bool" && types[1] === types[2] ? (types[1] ?? fail()) : fail();
  const [first = fail()] = types;
  if (types.some((type) => type !== first)) return fail();
  if (op === "and" || op === "or" || op === "not") return first === "bool" ? "bool" : fail();
  if (first === "bool") return op === "eq" || op === "ne" ? "bool" : fail();
  if (COMPARISONS.has(op)) return "bool";
  return first === "f32" || WHOLE.has(op) ? first : fail();
}

/** Operations that whole numbers have too. */
const WHOLE: ReadonlySet<ExprOp> = new Set<ExprOp>([
  "add",
  "sub",
  "mul",
  "div",
  "mod",
  "min",
  "max",
  "neg",
  "abs",
  "sign",
]);

/** Operands of commutative operations in order of age, so that a+b and b+a are one. */
function ordered(op: ExprOp, args: readonly Expr[], builder: ExprBuilder): readonly Expr[] {
  if (!["add", "mul", "min", "max", "eq", "ne"].includes(op)) return args;
  return [...args].sort((a, b) => builder.idOf(a) - builder.idOf(b));
}
