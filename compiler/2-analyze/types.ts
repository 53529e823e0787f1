/** What analysis gives to elaboration: one Module a file, its names resolved, its constants evaluated. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type {
  BlockDeclaration,
  FunctionDeclaration,
  Ident,
  ModelDeclaration,
  RuleDeclaration,
} from "../1-parse/ast.js";
import type { SourceFile, Span } from "../diagnostics/types.js";

/** A constant's value; `undefined` where a mistake was already reported. */
export interface Constant {
  readonly value: ConstantValue | undefined;
  /** The axis that a list's items lie along: `const decay[head] = [0.9, 0.8]`. */
  readonly axis?: Ident;
  readonly span: Span;
}

/**
 * An axis as the source defines it. Elaboration expands it into primes; symbols that are equal in structure are the
 * same axis, so that files which declare the same `axis b: batch, t: time` agree.
 */
export type AxisSymbol =
  | { readonly kind: "runtime"; readonly name: string; readonly role: "time" | "batch"; readonly span: Span }
  | { readonly kind: "size"; readonly name: string; readonly size: number; readonly span: Span }
  /** Row-major, the first factor is the major one. */
  | {
      readonly kind: "product";
      readonly name: string;
      /** `axis t: time = [s, hop]`. */
      readonly role?: "time" | "batch";
      readonly factors: readonly AxisSymbol[];
      readonly span: Span;
    }
  | {
      readonly kind: "sum";
      readonly name: string;
      readonly parts: readonly AxisSymbol[];
      readonly span: Span;
    }
  /** `m'`: an axis of the same size as `m`, and not `m`. */
  | { readonly kind: "copy"; readonly name: string; readonly of: AxisSymbol; readonly span: Span };

/** Something that can be called, with the file whose constants and axes it is closed over. */
export interface Callable {
  readonly declaration: FunctionDeclaration | RuleDeclaration | BlockDeclaration;
  readonly home: Module;
}

export interface Module {
  readonly file: string;
  readonly constants: ReadonlyMap<string, Constant>;
  /** `undefined` where a mistake was already reported. */
  readonly axes: ReadonlyMap<string, AxisSymbol | undefined>;
  /** The file's own functions, rules and blocks, and those that `use` brings. */
  readonly callables: ReadonlyMap<string, Callable>;
  readonly model: ModelDeclaration | undefined;
  /** The functions that every file has. Absent in the prelude itself. */
  readonly prelude: Module | undefined;
  /** The parsed config.json, which `from` after a constant reads. */
  readonly config: unknown;
  /** Files that `use` brought in, directly or through others, each once. */
  readonly uses: readonly SourceFile[];
}
