import type { Diagnostic, DiagnosticSink } from "./types.js";

export interface DiagnosticCollector extends DiagnosticSink {
  /** What was reported so far, by file, then position, then code. */
  readonly diagnostics: readonly Diagnostic[];
}

const compare = (a: Diagnostic, b: Diagnostic): number => {
  if (a.span.file !== b.span.file) return a.span.file < b.span.file ? -1 : 1;
  if (a.span.start !== b.span.start) return a.span.start - b.span.start;
  if (a.span.end !== b.span.end) return a.span.end - b.span.end;
  return a.code < b.code ? -1 : a.code > b.code ? 1 : 0;
};

/** More mistakes than anybody reads at once; a file that is no source has thousands. */
export const MOST_DIAGNOSTICS = 100;

export function createSink(): DiagnosticCollector {
  const kept = new Map<string, Diagnostic>();
  let errors = 0;
  return {
    report(diagnostic) {
      if (kept.size >= MOST_DIAGNOSTICS && (errors > 0 || diagnostic.severity === "warning")) return;
      const { file, start, end } = diagnostic.span;
      const key = `${diagnostic.code} ${start} ${end} ${file}`;
      if (kept.has(key)) return;
      kept.set(key, diagnostic);
      if (diagnostic.severity === "error") errors++;
    },
    get isFull() {
      return kept.size >= MOST_DIAGNOSTICS;
    },
    get hasErrors() {
      return errors > 0;
    },
    get diagnostics() {
      return [...kept.values()].sort(compare);
    },
  };
}
