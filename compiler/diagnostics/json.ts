/** Diagnostics for programs to read: `--json`, editors. Fields are only ever added. */
import { type Position, positionsIn } from "./positions.js";
import type { Diagnostic, Severity, SourceFile, Span } from "./types.js";

/** A place in a source, as people count: see `Position`. */
export interface JsonLocation {
  readonly file: string;
  readonly start: Position;
  /** Just after the last character. */
  readonly end: Position;
}

/** A diagnostic with lines and columns in place of offsets. See `Diagnostic` for the fields. */
export interface JsonDiagnostic extends JsonLocation {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly found?: string;
  readonly expected?: string;
  readonly hint?: string;
  readonly related: readonly (JsonLocation & { readonly message: string })[];
}

/** `sources` has the files by path; a place in a file that it lacks is given as line 1, column 1. */
export function toJson(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, SourceFile>,
): JsonDiagnostic[] {
  const finders = new Map<string, (offset: number) => Position>();
  const finderOf = (file: string): ((offset: number) => Position) => {
    const known = finders.get(file);
    if (known !== undefined) return known;
    const text = sources.get(file)?.text;
    const finder =
      text === undefined ? (offset: number) => ({ line: 1, column: 1, offset }) : positionsIn(text);
    finders.set(file, finder);
    return finder;
  };
  const locate = ({ file, start, end }: Span): JsonLocation => ({
    file,
    start: finderOf(file)(start),
    end: finderOf(file)(end),
  });
  return diagnostics.map(({ code, severity, message, span, found, expected, hint, related }) => ({
    code,
    severity,
    message,
    ...locate(span),
    ...(found === undefined ? {} : { found }),
    ...(expected === undefined ? {} : { expected }),
    ...(hint === undefined ? {} : { hint }),
    related: (related ?? []).map((place) => ({ ...locate(place.span), message: place.message })),
  }));
}
