/** Reading Krait sources in tests, and printing trees so that a line of text says what a tree is. */
import assert from "node:assert/strict";
import type {
  Argument,
  AxisList,
  AxisSlot,
  Expression,
  SourceTree,
  Statement,
} from "../../compiler/1-parse/ast.js";
import { parse } from "../../compiler/1-parse/index.js";
import { renderAll } from "../../compiler/diagnostics/render.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import type { Diagnostic, SourceFile, Span } from "../../compiler/diagnostics/types.js";

export interface Reading {
  readonly source: SourceFile;
  readonly tree: SourceTree;
  readonly diagnostics: readonly Diagnostic[];
}

export function read(text: string, path = "test.krait"): Reading {
  const source = { path, text };
  const sink = createSink();
  const tree = parse(source, sink);
  return { source, tree, diagnostics: sink.diagnostics };
}

/** Reads a source that must have no mistakes. */
export function readWell(text: string): SourceTree {
  const { source, tree, diagnostics } = read(text);
  assert.equal(renderAll(diagnostics, new Map([[source.path, source]])), "");
  return tree;
}

/** The statements of `text` in the body of a block. */
export function statementsOf(text: string): readonly Statement[] {
  const [block] = readWell(`block test(u[t]) -> [t] {\n${text}\n}\n`).declarations;
  assert(block?.kind === "block");
  return block.body;
}

/** The expression `text`, as the right side of a definition. */
export function expressionOf(text: string): Expression {
  const [statement] = statementsOf(`y = ${text}`);
  assert(statement?.kind === "assign");
  return statement.value;
}

export const textAt = (source: SourceFile, { start, end }: Span): string => source.text.slice(start, end);

/** `[m, [g, _], 1]` */
export const showAxes = ({ slots }: AxisList): string => `[${slots.map(showSlot).join(", ")}]`;

function showSlot(slot: AxisSlot): string {
  switch (slot.kind) {
    case "name":
      return slot.name;
    case "size":
      return String(slot.value);
    case "stack":
      return "_";
    case "group":
      return showAxes(slot);
  }
}

/** An expression with parentheses around every operation: `(a + (b * c))`. */
export function show(expression: Expression): string {
  switch (expression.kind) {
    case "number":
      return expression.text;
    case "string":
      return `"${expression.value}"`;
    case "name":
      return expression.name;
    case "list":
      return `[${expression.items.map(show).join(", ")}]`;
    case "unary":
      return `(${expression.op} ${show(expression.operand)})`;
    case "binary":
      return `(${show(expression.left)} ${expression.op} ${show(expression.right)})`;
    case "call": {
      const at = expression.at === undefined ? "" : ` at "${expression.at.text}"`;
      return `${expression.callee.name}(${expression.args.map(showArgument).join(", ")})${at}`;
    }
    case "select":
      return `${show(expression.base)}[${expression.selectors
        .map((selector) => {
          switch (selector.kind) {
            case "at":
              return `${selector.axis.name}: ${show(selector.value)}`;
            case "to":
              return `${selector.axis.name} -> ${showSlot(selector.target)}`;
            case "index":
              return show(selector.value);
          }
        })
        .join(", ")}]`;
  }
}

function showArgument(argument: Argument): string {
  switch (argument.kind) {
    case "value":
      return show(argument.value);
    case "axis":
      return `${argument.keyword} ${showAxes(argument.axes)}`;
    case "clause":
      return `${argument.keyword} ${show(argument.value)}`;
    case "named":
      return `${argument.name.name}: ${show(argument.value)}`;
  }
}
