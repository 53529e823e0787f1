/**
 * Index arithmetic as polynomials: a u32 or i32 expression is a sum of whole multiples of products of atoms, where an atom is
 * any expression that is not itself a sum, difference or product. Two indexes are equal as polynomials where they would
 * differ as trees, so that the coordinates of a flattened index cancel.
 */
import type { Expr } from "./types.js";

export interface Term {
  readonly coefficient: number;
  /** Factors in the order of their ids, repeated for powers. */
  readonly atoms: readonly Expr[];
}

/** Terms by the ids of their atoms; no coefficient is zero. The constant's key is "". */
export type Polynomial = ReadonlyMap<string, Term>;

export const ZERO: Polynomial = new Map();

export const constant = (value: number): Polynomial =>
  value === 0 ? ZERO : new Map([["", { coefficient: value, atoms: [] }]]);

export function constantOf(polynomial: Polynomial): number | undefined {
  if (polynomial.size === 0) return 0;
  if (polynomial.size > 1) return undefined;
  return polynomial.get("")?.coefficient;
}

/** `identify` gives every expression its own number. */
export class Polynomials {
  constructor(private readonly identify: (expr: Expr) => number) {}

  atom(expr: Expr): Polynomial {
    return this.collect([{ coefficient: 1, atoms: [expr] }]);
  }

  key(atoms: readonly Expr[]): string {
    return atoms.map((atom) => this.identify(atom)).join(".");
  }

  collect(terms: Iterable<Term>): Polynomial {
    const sum = new Map<string, Term>();
    for (const term of terms) {
      const key = this.key(term.atoms);
      const coefficient = (sum.get(key)?.coefficient ?? 0) + term.coefficient;
      if (coefficient === 0) sum.delete(key);
      else sum.set(key, { coefficient, atoms: term.atoms });
    }
    return sum;
  }

  add(a: Polynomial, b: Polynomial): Polynomial {
    return this.collect([...a.values(), ...b.values()]);
  }

  scale(a: Polynomial, factor: number): Polynomial {
    return this.collect(
      [...a.values()].map(({ coefficient, atoms }) => ({ coefficient: coefficient * factor, atoms })),
    );
  }

  sub(a: Polynomial, b: Polynomial): Polynomial {
    return this.add(a, this.scale(b, -1));
  }

  mul(a: Polynomial, b: Polynomial): Polynomial {
    const terms: Term[] = [];
    for (const x of a.values()) for (const y of b.values()) terms.push(this.mulTerms(x, y));
    return this.collect(terms);
  }

  mulTerms(x: Term, y: Term): Term {
    const atoms = [...x.atoms, ...y.atoms].sort((p, q) => this.identify(p) - this.identify(q));
    return { coefficient: x.coefficient * y.coefficient, atoms };
  }

  /** term / divisor where it comes out even, else undefined. */
  divideTerm(term: Term, divisor: Term): Term | undefined {
    if (divisor.coefficient === 0 || term.coefficient % divisor.coefficient !== 0) return undefined;
    const atoms = [...term.atoms];
    for (const factor of divisor.atoms) {
      const at = atoms.indexOf(factor);
      if (at < 0) return undefined;
      atoms.splice(at, 1);
    }
    return { coefficient: term.coefficient / divisor.coefficient, atoms };
  }

  /** The greatest common factor of two terms. */
  commonFactor(x: Term, y: Term): Term {
    const left = [...y.atoms];
    const atoms = x.atoms.filter((atom) => {
      const at = left.indexOf(atom);
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    });
    return { coefficient: greatestCommonDivisor(Math.abs(x.coefficient), Math.abs(y.coefficient)), atoms };
  }

  /** polynomial = quotient · divisor + rest, term by term: `rest` holds the terms that `divisor` does not divide. */
  split(polynomial: Polynomial, divisor: Term): { readonly quotient: Polynomial; readonly rest: Polynomial } {
    const quotient: Term[] = [];
    const rest: Term[] = [];
    for (const term of polynomial.values()) {
      const part = this.divideTerm(term, divisor);
      if (part === undefined) rest.push(term);
      else quotient.push(part);
    }
    return { quotient: this.collect(quotient), rest: this.collect(rest) };
  }
}

export const isNonNegative = (polynomial: Polynomial): boolean =>
  [...polynomial.values()].every((term) => term.coefficient >= 0);

export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
