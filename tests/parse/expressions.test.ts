import assert from "node:assert/strict";
import fc from "fast-check";
import type { BinaryOp, Expression } from "../../compiler/1-parse/ast.js";
import { binaryBinding, unaryBinding } from "../../compiler/1-parse/precedence.js";
import { expressionOf, show } from "../support/syntax.js";

/** What is written, and how it is to be read. */
const readings: readonly (readonly [string, string])[] = [
  ["a + b * c", "(a + (b * c))"],
  ["a - b - c", "((a - b) - c)"],
  ["a / b * c % d", "(((a / b) * c) % d)"],
  ["-x^2", "(- (x ^ 2))"],
  ["2^-n", "(2 ^ (- n))"],
  ["2^-x^2", "(2 ^ (- (x ^ 2)))"],
  ["a^b^c", "(a ^ (b ^ c))"],
  ["-a * -b", "((- a) * (- b))"],
  ["--a", "(- (- a))"],
  ["a + b == c - d", "((a + b) == (c - d))"],
  ["not a == b and c or d", "(((not (a == b)) and c) or d)"],
  ["not not a", "(not (not a))"],
  ["a or b and c", "(a or (b and c))"],
  ["layer in [1, 2] or layer in hybrid", "((layer in [1, 2]) or (layer in hybrid))"],
  ["(a < b) == c", "((a < b) == c)"],
  ["(a + b) * c", "((a + b) * c)"],
  ["-(a + b)", "(- (a + b))"],
  ["x[t -> t', p: 0][m -> [g, rep]]", "x[t -> t', p: 0][m -> [g, rep]]"],
  ["-x[i]^2", "(- (x[i] ^ 2))"],
  ['types[layer] == "full"', '(types[layer] == "full")'],
  ["f(x)[t -> s]", "f(x)[t -> s]"],
  ['f() at "a.{i}" + 1', '(f() at "a.{i}" + 1)'],
  ["dot(w, u, over m)", "dot(w, u, over [m])"],
  ["f(x, over [a, b], along t, as slot)", "f(x, over [a, b], along [t], as [slot])"],
  [
    "softmax(s, over t', where pos(t') <= pos(t) and a)",
    "softmax(s, over [t'], where ((pos(t') <= pos(t)) and a))",
  ],
  ["prev(x, init -inf)", "prev(x, init (- inf))"],
  ["f(step: 2 * a, b)", "f(step: (2 * a), b)"],
  ["[]", "[]"],
  ['[1, "a", true]', '[1, "a", true]'],
];

describe("expressions", () => {
  for (const [text, expected] of readings) {
    it(`reads ${text}`, () => assert.equal(show(expressionOf(text)), expected));
  }

  it("reads numbers by value and keeps how they are written", () => {
    const number = (text: string): [number, boolean, string] => {
      const read = expressionOf(text);
      assert(read.kind === "number");
      return [read.value, read.integer, read.text];
    };
    assert.deepEqual(number("12"), [12, true, "12"]);
    assert.deepEqual(number("0.5"), [0.5, false, "0.5"]);
    assert.deepEqual(number("1e-5"), [1e-5, false, "1e-5"]);
    assert.deepEqual(number("2.5E+3"), [2500, false, "2.5E+3"]);
    assert.deepEqual(number("1e3"), [1000, false, "1e3"]);
  });

  it("keeps strings as they are written", () => {
    const read = expressionOf('"layers.{layer}\\n # no comment"');
    assert(read.kind === "string");
    assert.equal(read.value, "layers.{layer}\\n # no comment");
  });

  it("reads any tree back from its shortest spelling", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        assert.equal(show(expressionOf(spell(tree, 0))), show(tree));
      }),
      { numRuns: 300 },
    );
  });
});

const span = { file: "", start: 0, end: 0 };
const name = (of: string): Expression => ({ kind: "name", name: of, span });
const operators: readonly BinaryOp[] = [
  ...(["+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in"] as const),
];
const { trees } = fc.letrec<{ trees: Expression }>((tie) => ({
  trees: fc.oneof(
    { maxDepth: 5, depthSize: "medium" },
    fc.constantFrom("a", "b", "x_1").map(name),
    fc
      .record({ op: fc.constantFrom(...operators), left: tie("trees"), right: tie("trees") })
      .map(({ op, left, right }): Expression => ({ kind: "binary", op, opSpan: span, left, right, span })),
    fc
      .record({ op: fc.constantFrom("-", "not"), operand: tie("trees") })
      .map(({ op, operand }): Expression => ({ kind: "unary", op: op === "-" ? "-" : "not", operand, span })),
  ),
}));

/** With parentheses only where the place, which asks for at least this level, needs them. */
function spell(tree: Expression, least: number): string {
  if (tree.kind === "binary") {
    const { level, right } = binaryBinding(tree.op);
    // Comparisons don't chain on either side; `^` binds to the right.
    const left = level === 4 || tree.op === "^" ? level + 1 : level;
    const text = `${spell(tree.left, left)} ${tree.op} ${spell(tree.right, right)}`;
    return level < least ? `(${text})` : text;
  }
  if (tree.kind === "unary") {
    const { level, right } = unaryBinding(tree.op);
    const text = `${tree.op} ${spell(tree.operand, right)}`;
    return level < least ? `(${text})` : text;
  }
  return show(tree);
}
