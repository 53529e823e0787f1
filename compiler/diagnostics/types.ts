/** A half-open range of UTF-16 code units in one source file. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** A source file as it was given to the compiler. `path` is what messages show. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** An `error` keeps the model from being compiled; a `warning` does not. */
export type Severity = "error" | "warning";

/** A second place that a message speaks of: the other side of an axis mismatch, the first definition … */
export interface RelatedSpan {
  readonly span: Span;
  readonly message: string;
}

/** What a user did wrong, where, and what to do about it. Made by one function per code in `codes/`. */
export interface Diagnostic {
  /** Stable, `K` and four digits: K01xx syntax, K02xx names, K03xx constants and axes, K04xx shapes and types, K05xx recurrences, K06xx parameters, K07xx programs and targets. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly span: Span;
  readonly found?: string;
  readonly expected?: string;
  readonly hint?: string;
  readonly related?: readonly RelatedSpan[];
}

/** Collects diagnostics; the same code at the same span is kept once, since `repeat` elaborates a line many times. */
export interface DiagnosticSink {
  report(diagnostic: Diagnostic): void;
  readonly hasErrors: boolean;
  /** Nothing more is kept: who reports may stop looking. */
  readonly isFull: boolean;
}
