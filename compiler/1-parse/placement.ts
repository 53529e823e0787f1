/** Where each kind of statement may stand. The parser reads all of them everywhere, so that a misplaced one is one message. */
import * as syntax from "../diagnostics/codes/syntax.js";
import type { Diagnostic, Span } from "../diagnostics/types.js";
import type { Declaration, Statement } from "./ast.js";

export type Item = Statement | Declaration;
/** Whose body a statement stands in. */
export type Place = "model" | "block" | "fn";

type Report = (diagnostic: Diagnostic) => void;

/** The keyword of a statement as written, and where; an assignment has none. */
function head(item: Item): { readonly word: string; readonly span: Span } {
  if (item.kind === "assign")
    return { word: `${item.targets[0]?.name.name ?? "x"} ${item.op} …`, span: item.span };
  return { word: item.kind, span: { ...item.span, end: item.span.start + item.kind.length } };
}

function isDeclaration(item: Item): item is Declaration {
  switch (item.kind) {
    case "use":
    case "const":
    case "axis":
    case "fn":
    case "rule":
    case "block":
    case "model":
      return true;
    default:
      return false;
  }
}

function isStatement(item: Item): item is Statement {
  return item.kind !== "use" && item.kind !== "rule" && item.kind !== "block" && item.kind !== "model";
}

/** Those that may stand at the top of a file; the others are reported. */
export function keepDeclarations(items: readonly Item[], report: Report): Declaration[] {
  return items.filter((item): item is Declaration => {
    if (isDeclaration(item)) return true;
    const { word, span } = head(item);
    report(
      syntax.misplaced(span, word, "at the top of a file", "put it into the body of a `model` or a `block`"),
    );
    return false;
  });
}

/** Those that may stand in some body; declarations of whole files are reported. */
export function keepStatements(items: readonly Item[], report: Report): Statement[] {
  return items.filter((item): item is Statement => {
    if (isStatement(item)) return true;
    const { word, span } = head(item);
    report(syntax.misplaced(span, word, "inside a body", "put it at the top of the file"));
    return false;
  });
}

const bodyHints: Readonly<Record<Place, string>> = {
  model: "a model gives its results with `output name[…] = …`",
  block: "inputs and outputs belong to the model; a block has arguments, and gives its result with `return`",
  fn: "a `fn` is an expression with names for its parts; what has weights, states or calls them is a `block`",
};

function mayStandIn(kind: Statement["kind"], place: Place): boolean {
  switch (kind) {
    case "input":
    case "output":
      return place === "model";
    case "return":
      return place !== "model";
    case "param":
    case "state":
    case "der":
      return place !== "fn";
    default:
      return true;
  }
}

/** Reports statements that don't belong into this kind of body, in nested bodies too. */
export function checkPlacement(body: readonly Statement[], place: Place, report: Report): void {
  for (const statement of body) {
    if (!mayStandIn(statement.kind, place)) {
      const { word, span } = head(statement);
      report(syntax.misplaced(span, word, `in a \`${place}\``, bodyHints[place]));
    }
    if (statement.kind === "repeat") checkPlacement(statement.body, place, report);
    if (statement.kind === "if") {
      checkPlacement(statement.then, place, report);
      checkPlacement(statement.otherwise, place, report);
    }
  }
}
