import type { SourceTree } from "./1-parse/ast.js";
import { tooInvolved } from "./diagnostics/codes/programs.js";
import { isStackOverflow, TooInvolved } from "./diagnostics/internal-error.js";
import type { Diagnostic } from "./diagnostics/types.js";

/**
 * Runs stages behind the parser. Passes follow what depends on what by recursion, and how far that goes is a matter of the
 * engine: where it ends, that is a diagnostic, and `failed` makes the result of it.
 */
export function withinLimits<T>(tree: SourceTree, run: () => T, failed: (diagnostic: Diagnostic) => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof TooInvolved || isStackOverflow(error))) throw error;
    const name = tree.declarations.find((declaration) => declaration.kind === "model")?.name;
    return failed(tooInvolved(name?.span ?? { file: tree.file, start: 0, end: 0 }, name?.name ?? ""));
  }
}
