import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Expression } from "../../compiler/1-parse/ast.js";
import type { Span } from "../../compiler/diagnostics/types.js";
import { expressionOf, read, show, statementsOf, textAt } from "../support/syntax.js";

interface Spanned {
  readonly span: Span;
  readonly kind?: unknown;
  readonly name?: unknown;
  readonly text?: unknown;
}

const isSpanned = (value: object): value is Spanned => "span" in value;

/** All nodes that have a span, each with the innermost node around it that has one. */
function* nodes(value: unknown, around?: Spanned): Generator<readonly [Spanned, Spanned | undefined]> {
  if (typeof value !== "object" || value === null) return;
  let inner = around;
  if (isSpanned(value)) {
    yield [value, around];
    inner = value;
  }
  for (const child of Object.values(value)) yield* nodes(child, inner);
}

const expressionKinds = new Set(["number", "string", "name", "list", "unary", "binary", "call", "select"]);
const isExpression = (node: Spanned): node is Expression & Spanned =>
  expressionKinds.has(String(node.kind)) && !("slots" in node);

describe("spans", () => {
  for (const name of ["mamba", "families"]) {
    const text = readFileSync(new URL(`sources/${name}.krait`, import.meta.url), "utf8");
    const { source, tree } = read(text, `${name}.krait`);

    it(`${name}: each node's span lies within its parent's, and has no space at its ends`, () => {
      for (const [node, parent] of nodes(tree)) {
        const { start, end, file } = node.span;
        const here = textAt(source, node.span);
        assert.equal(file, `${name}.krait`);
        assert(start < end, `${String(node.kind)} at ${start} is empty`);
        assert.equal(here, here.trim());
        assert(
          parent === undefined || (parent.span.start <= start && end <= parent.span.end),
          `${here} lies outside of ${parent === undefined ? "" : textAt(source, parent.span)}`,
        );
      }
    });

    it(`${name}: the text of an expression's span is that expression`, () => {
      let seen = 0;
      for (const [node] of nodes(tree)) {
        if (!isExpression(node)) continue;
        seen++;
        assert.equal(show(expressionOf(textAt(source, node.span))), show(node));
      }
      assert(seen > 100);
    });

    it(`${name}: the text of a name's span is the name, of a path's the path in quotes`, () => {
      for (const [node] of nodes(tree)) {
        if (node.kind === undefined && typeof node.name === "string") {
          assert.equal(textAt(source, node.span), node.name);
        }
        if (node.kind === undefined && typeof node.text === "string") {
          assert.equal(textAt(source, node.span), `"${node.text}"`);
        }
      }
    });
  }

  it("statements end where their last token does", () => {
    const text = 'param a[d]  # why\nx = (a + b) * c   \nif a { b = 1 } # end\ny = f(x)\n  at "p"\n\n';
    const source = { path: "test.krait", text: `block test(u[t]) -> [t] {\n${text}\n}\n` };
    assert.deepEqual(
      statementsOf(text).map(({ span }) => textAt(source, span)),
      ["param a[d]", "x = (a + b) * c", "if a { b = 1 }", 'y = f(x)\n  at "p"'],
    );
  });

  it("operators have their own, operands keep their parentheses out", () => {
    const prefix = "block test(u[t]) -> [t] {\ny = ";
    const source = { path: "test.krait", text: `${prefix}(a + b) * -c` };
    const product = expressionOf("(a + b) * -c");
    assert(product.kind === "binary");
    assert.deepEqual(
      [product.span, product.opSpan, product.left.span, product.right.span].map((span) =>
        textAt(source, span),
      ),
      ["(a + b) * -c", "*", "a + b", "-c"],
    );
  });
});
