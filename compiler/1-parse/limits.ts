/**
 * What one source may hold (SPEC.md § Limits). Hand-written sources stay far below; what goes beyond would take the stages
 * after this one more time, or more stack, than a mistake or an attack may cost.
 */
import * as syntax from "../diagnostics/codes/syntax.js";
import type { DiagnosticSink, Span } from "../diagnostics/types.js";
import type { SourceTree } from "./ast.js";

/** Of one file, in UTF-16 code units. */
export const MOST_CHARACTERS = 2 ** 17;
/** Brackets in brackets, and operators in operands. */
export const MOST_NESTED = 256;

/** Parts of a call or a selection that are no expressions of their own. */
const WRAPPERS: ReadonlySet<unknown> = new Set(["value", "clause", "named", "at", "to", "index"]);

/**
 * Reports the first construct that is nested too deep: a sum of n terms is a tree n deep, and the stages after this one
 * walk trees by recursion. Walks without, therefore.
 */
export function checkNesting({ declarations }: SourceTree, sink: DiagnosticSink): void {
  const open: { readonly node: object; readonly depth: number }[] = [{ node: declarations, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next;
    const kind = "kind" in node ? node.kind : undefined;
    const inner = kind === undefined || WRAPPERS.has(kind) ? depth : depth + 1;
    const span = "span" in node ? (node.span as Span) : undefined;
    if (inner > MOST_NESTED && span !== undefined)
      return sink.report(syntax.nestedTooDeep(span, MOST_NESTED));
    for (const child of Object.values(node) as unknown[])
      if (typeof child === "object" && child !== null && child !== span)
        open.push({ node: child, depth: inner });
  }
}
