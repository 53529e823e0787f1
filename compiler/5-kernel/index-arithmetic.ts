/**
 * Simplification of whole-number arithmetic. Sums, differences and products are kept as polynomials (polynomial.ts); quotients
 * and remainders of u32 split off what their divisor divides, and vanish where a proof bounds them.
 *
 * All of it takes for granted that index arithmetic does not leave u32 where its value is used.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import {
  Polynomials,
  ZERO,
  constant,
  constantOf,
  isNonNegative,
  type Polynomial,
  type Term,
} from "./polynomial.js";
import type { Expr, ExprOp } from "./types.js";

/** Beyond this many terms a product stays a product. */
const MOST_TERMS = 24;

export interface IndexContext {
  /** The node itself, without simplification. */
  readonly raw: (op: ExprOp, type: "u32" | "i32", args: readonly Expr[]) => Expr;
  readonly literal: (type: "u32" | "i32", value: number) => Expr;
  readonly identify: (expr: Expr) => number;
  /** The values of the var are 0 ≤ v < extent. */
  readonly extentOf: (name: string) => Expr | undefined;
}

export class IndexArithmetic {
  private readonly polynomials: Polynomials;
  private readonly known = new Map<Expr, Polynomial>();
  private readonly bounds = new Map<Expr, Polynomial | undefined>();

  constructor(private readonly context: IndexContext) {
    this.polynomials = new Polynomials(context.identify);
  }

  add(a: Expr, b: Expr): Expr {
    return this.toExpr(
      this.joinRemainders(this.polynomials.add(this.toPolynomial(a), this.toPolynomial(b))),
      indexType(a),
    );
  }

  sub(a: Expr, b: Expr): Expr {
    return this.toExpr(
      this.joinRemainders(this.polynomials.sub(this.toPolynomial(a), this.toPolynomial(b))),
      indexType(a),
    );
  }

  mul(a: Expr, b: Expr): Expr {
    const x = this.toPolynomial(a);
    const y = this.toPolynomial(b);
    if (x.size * y.size > MOST_TERMS) {
      const product = this.context.raw("mul", indexType(a), [a, b]);
      this.known.set(product, this.polynomials.atom(product));
      return product;
    }
    return this.toExpr(this.joinRemainders(this.polynomials.mul(x, y)), indexType(a));
  }

  /** Floor of a / b, both u32. */
  div(a: Expr, b: Expr): Expr {
    const dividend = this.toPolynomial(a);
    const divisor = single(this.toPolynomial(b));
    const [x, y] = [constantOf(dividend), constantOf(this.toPolynomial(b))];
    if (y === 0) throw new InternalError("expr", "division of an index by zero");
    if (x !== undefined && y !== undefined) return this.context.literal("u32", Math.floor(x / y));
    if (y === 1) return a;
    if (this.isLess(a, b)) return this.context.literal("u32", 0);
    if (divisor === undefined || !isNonNegative(dividend)) return this.context.raw("div", "u32", [a, b]);
    const { quotient, rest } = this.polynomials.split(dividend, divisor);
    if (quotient.size > 0) {
      const inner = this.div(this.toExpr(rest, "u32"), b);
      return this.add(this.toExpr(quotient, "u32"), inner);
    }
    return this.divWithoutMultiples(rest, divisor);
  }

  private divWithoutMultiples(dividend: Polynomial, divisor: Term): Expr {
    const coarser = this.coarsen(dividend, divisor);
    if (coarser !== undefined) return this.div(coarser.quotient, coarser.divisor);
    const a = this.toExpr(dividend, "u32");
    const b = this.termToExpr(divisor, "u32");
    if (a.kind === "op" && a.op === "div") {
      const [x, y] = binary(a);
      return this.div(x, this.mul(y, b));
    }
    if (a.kind === "op" && a.op === "mod") {
      // (x mod b·m) / b = (x / b) mod m, the form that `joinRemainders` puts together again.
      const [x, y] = binary(a);
      const modulus = single(this.toPolynomial(y));
      const rest = modulus && this.polynomials.divideTerm(modulus, divisor);
      if (rest !== undefined) return this.mod(this.div(x, b), this.termToExpr(rest, "u32"));
    }
    return this.context.raw("div", "u32", [a, b]);
  }

  /** a - floor(a / b) · b, both u32. */
  mod(a: Expr, b: Expr): Expr {
    const dividend = this.toPolynomial(a);
    const divisor = single(this.toPolynomial(b));
    const [x, y] = [constantOf(dividend), constantOf(this.toPolynomial(b))];
    if (y === 0) throw new InternalError("expr", "remainder of an index by zero");
    if (x !== undefined && y !== undefined) return this.context.literal("u32", x % y);
    if (y === 1) return this.context.literal("u32", 0);
    if (this.isLess(a, b)) return a;
    if (divisor === undefined || !isNonNegative(dividend)) return this.context.raw("mod", "u32", [a, b]);
    const { rest } = this.polynomials.split(dividend, divisor);
    if (rest.size < dividend.size) return this.mod(this.toExpr(rest, "u32"), b);
    const coarser = this.coarsen(rest, divisor);
    if (coarser !== undefined) {
      const whole = this.mul(this.mod(coarser.quotient, coarser.divisor), coarser.factor);
      return this.add(whole, coarser.rest);
    }
    if (a.kind === "op" && a.op === "mod") {
      const [inner, modulus] = binary(a);
      const outer = single(this.toPolynomial(modulus));
      if (outer !== undefined && this.polynomials.divideTerm(outer, divisor) !== undefined)
        return this.mod(inner, b);
    }
    return this.context.raw("mod", "u32", [a, b]);
  }

  /**
   * A factor g of the divisor with dividend = g · quotient + rest and rest < g: then dividend / divisor is
   * quotient / (divisor / g), and the remainder follows.
   */
  private coarsen(
    dividend: Polynomial,
    divisor: Term,
  ): { quotient: Expr; divisor: Expr; factor: Expr; rest: Expr } | undefined {
    for (const term of dividend.values()) {
      const factor = this.polynomials.commonFactor(divisor, term);
      if (factor.coefficient === 1 && factor.atoms.length === 0) continue;
      const { quotient, rest } = this.polynomials.split(dividend, factor);
      const finer = this.polynomials.divideTerm(divisor, factor);
      if (finer === undefined || !this.isLess(this.toExpr(rest, "u32"), this.termToExpr(factor, "u32")))
        continue;
      return {
        quotient: this.toExpr(quotient, "u32"),
        divisor: this.termToExpr(finer, "u32"),
        factor: this.termToExpr(factor, "u32"),
        rest: this.toExpr(rest, "u32"),
      };
    }
    return undefined;
  }

  /** p·n·(x / n) + p·(x mod n) → p·x. */
  private joinRemainders(polynomial: Polynomial): Polynomial {
    for (const term of polynomial.values()) {
      for (const atom of term.atoms) {
        if (atom.kind !== "op" || atom.op !== "mod") continue;
        const [x, n] = binary(atom);
        const rest = this.polynomials.divideTerm(term, { coefficient: 1, atoms: [atom] });
        const partner = single(this.polynomials.mul(this.toPolynomial(n), this.toPolynomial(this.div(x, n))));
        if (rest === undefined || partner === undefined) continue;
        const wanted = this.polynomials.mulTerms(rest, partner);
        const found = polynomial.get(this.polynomials.key(wanted.atoms));
        if (found?.coefficient !== wanted.coefficient) continue;
        const without = this.polynomials.collect(
          [...polynomial.values()].filter((other) => other !== term && other !== found),
        );
        const joined = this.polynomials.mul(new Map([["", rest]]), this.toPolynomial(x));
        return this.joinRemainders(this.polynomials.add(without, joined));
      }
    }
    return polynomial;
  }

  /** To be called when the extent of a var changes. */
  forgetBounds(): void {
    this.bounds.clear();
  }

  /** True if a < b is proven for all values of the vars. */
  isLess(a: Expr, b: Expr): boolean {
    return this.isProven(a, b, 1);
  }

  /** True if a ≤ b is proven for all values of the vars. */
  isAtMost(a: Expr, b: Expr): boolean {
    return this.isProven(a, b, 0);
  }

  private isProven(a: Expr, b: Expr, margin: number): boolean {
    const greatest = this.upperBound(this.toPolynomial(a));
    const limit = this.toPolynomial(b);
    if (greatest === undefined) return false;
    return isNonNegative(this.polynomials.sub(this.polynomials.sub(limit, greatest), constant(margin)));
  }

  /** A polynomial in run-time numbers that the value never exceeds. A difference may wrap, so it has none. */
  private upperBound(polynomial: Polynomial): Polynomial | undefined {
    if (!isNonNegative(polynomial)) return undefined;
    let sum = ZERO;
    for (const term of polynomial.values()) {
      let product = constant(term.coefficient);
      for (const atom of term.atoms) {
        const bound = this.upperBoundOfAtom(atom);
        if (bound === undefined) return undefined;
        product = this.polynomials.mul(product, bound);
      }
      sum = this.polynomials.add(sum, product);
    }
    return sum;
  }

  private upperBoundOfAtom(atom: Expr): Polynomial | undefined {
    if (!this.bounds.has(atom)) this.bounds.set(atom, this.computeBound(atom));
    return this.bounds.get(atom);
  }

  private computeBound(atom: Expr): Polynomial | undefined {
    const minusOne = (extent: Expr): Polynomial =>
      this.polynomials.sub(this.toPolynomial(extent), constant(1));
    if (atom.kind === "number") return this.polynomials.atom(atom);
    if (atom.kind === "var") {
      const extent = this.context.extentOf(atom.name);
      return extent && minusOne(extent);
    }
    if (atom.kind !== "op" || atom.type !== "u32") return undefined;
    switch (atom.op) {
      case "mod":
        return minusOne(binary(atom)[1]);
      case "min": {
        const [x, y] = binary(atom);
        return this.upperBound(this.toPolynomial(x)) ?? this.upperBound(this.toPolynomial(y));
      }
      case "div":
        return this.boundOfQuotient(...binary(atom));
      default:
        return undefined;
    }
  }

  /** x ≤ n·m - 1 gives x / n ≤ m - 1. */
  private boundOfQuotient(x: Expr, n: Expr): Polynomial | undefined {
    const greatest = this.upperBound(this.toPolynomial(x));
    const divisor = single(this.toPolynomial(n));
    if (greatest === undefined || divisor === undefined) return undefined;
    const { quotient, rest } = this.polynomials.split(this.polynomials.add(greatest, constant(1)), divisor);
    if (rest.size === 0) return this.polynomials.sub(quotient, constant(1));
    const [top, bottom] = [
      constantOf(greatest),
      divisor.atoms.length === 0 ? divisor.coefficient : undefined,
    ];
    return top !== undefined && bottom !== undefined ? constant(Math.floor(top / bottom)) : greatest;
  }

  toPolynomial(expr: Expr): Polynomial {
    const known = this.known.get(expr);
    if (known !== undefined) return known;
    const polynomial = this.computePolynomial(expr);
    this.known.set(expr, polynomial);
    return polynomial;
  }

  private computePolynomial(expr: Expr): Polynomial {
    if (expr.kind === "literal") return constant(expr.value);
    if (expr.kind === "op" && (expr.op === "add" || expr.op === "sub" || expr.op === "mul")) {
      const [a, b] = binary(expr).map((arg) => this.toPolynomial(arg)) as [Polynomial, Polynomial];
      return this.polynomials[expr.op](a, b);
    }
    return this.polynomials.atom(expr);
  }

  /** The one tree of a polynomial: greatest strides first, common factors taken out. */
  private toExpr(polynomial: Polynomial, type: "u32" | "i32"): Expr {
    const terms = [...polynomial.values()];
    const positive = terms.filter((term) => term.coefficient > 0);
    const negative = terms
      .filter((term) => term.coefficient < 0)
      .map((term) => ({ ...term, coefficient: -term.coefficient }));
    const plus = this.sumToExpr(positive, type);
    const expr =
      negative.length === 0 ? plus : this.context.raw("sub", type, [plus, this.sumToExpr(negative, type)]);
    this.known.set(expr, polynomial);
    return expr;
  }

  private sumToExpr(terms: readonly Term[], type: "u32" | "i32"): Expr {
    const [first, ...others] = [...terms].sort((x, y) => this.compareTerms(x, y));
    if (first === undefined) return this.context.literal(type, 0);
    if (others.length === 0) return this.termToExpr(first, type);
    const shared = this.mostSharedAtom(terms);
    if (shared !== undefined) {
      const { quotient, rest } = this.polynomials.split(this.polynomials.collect(terms), {
        coefficient: 1,
        atoms: [shared],
      });
      const product = this.context.raw("mul", type, [this.sumToExpr([...quotient.values()], type), shared]);
      return rest.size === 0
        ? product
        : this.context.raw("add", type, [product, this.sumToExpr([...rest.values()], type)]);
    }
    const sum = (x: Expr, term: Term): Expr =>
      this.context.raw("add", type, [x, this.termToExpr(term, type)]);
    return others.reduce(sum, this.termToExpr(first, type));
  }

  /** Higher degree, then greater coefficient, then age: the order of row-major strides. */
  private compareTerms(x: Term, y: Term): number {
    return (
      y.atoms.length - x.atoms.length ||
      y.coefficient - x.coefficient ||
      x.atoms
        .map((atom, i) => this.context.identify(atom) - this.context.identify(y.atoms[i] ?? atom))
        .find((order) => order !== 0) ||
      0
    );
  }

  private mostSharedAtom(terms: readonly Term[]): Expr | undefined {
    const uses = new Map<Expr, number>();
    for (const term of terms)
      for (const atom of new Set(term.atoms)) uses.set(atom, (uses.get(atom) ?? 0) + 1);
    let best: Expr | undefined;
    for (const [atom, count] of uses) {
      const most = best === undefined ? 1 : (uses.get(best) ?? 0);
      if (
        count > most ||
        (count === most && best !== undefined && this.context.identify(atom) < this.context.identify(best))
      )
        best = atom;
    }
    return best;
  }

  private termToExpr(term: Term, type: "u32" | "i32"): Expr {
    const [first, ...others] = term.atoms;
    const literal = this.context.literal(type, term.coefficient);
    if (first === undefined) return literal;
    const product = others.reduce((x, atom) => this.context.raw("mul", type, [x, atom]), first);
    return term.coefficient === 1 ? product : this.context.raw("mul", type, [product, literal]);
  }
}

function single(polynomial: Polynomial): Term | undefined {
  const [term] = polynomial.values();
  return polynomial.size === 1 ? term : undefined;
}

function binary(expr: Extract<Expr, { kind: "op" }>): readonly [Expr, Expr] {
  const [a, b] = expr.args;
  if (a === undefined || b === undefined) throw new InternalError("expr", `${expr.op} needs two operands`);
  return [a, b];
}

function indexType(expr: Expr): "u32" | "i32" {
  if (expr.type === "u32" || expr.type === "i32") return expr.type;
  throw new InternalError("expr", `index arithmetic on ${expr.type}`);
}
