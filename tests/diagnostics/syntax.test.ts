import assert from "node:assert/strict";
import * as syntax from "../../compiler/diagnostics/codes/syntax.js";
import { read, textAt } from "../support/syntax.js";

/** Sources with one mistake each; «…» stands around what the message points at, « » where something is missing. */
const mistakes: readonly (readonly [code: string, marked: string, message: string])[] = [
  ["K0101", "const a = 1 «?»", "`?` has no meaning in Krait"],
  ["K0101", "const «β» = 1", "`β` has no meaning in Krait"],
  ["K0102", "const a = 1 «&&» 2", "Krait has no `&&`"],
  ["K0102", "const a = «!»b", "Krait has no `!`"],
  ["K0102", "const a = b «·» c", "Krait has no `·`"],
  ["K0102", "const a = «'x'»", "Krait has no `'…'`"],
  ["K0102", "«//» a comment", "Krait has no `//`"],
  ["K0102", "model m {\n  x «*=» 2\n}", "Krait has no `*=`"],
  ["K0103", 'const a = «"x»\nconst b = 1', "this string has no end"],
  ["K0104", "const a = «.5»", "`.5` is not a number"],
  ["K0104", "const a = «1e» ", "`1e` is not a number"],
  ["K0104", "const a = «50_280»", "`50_280` is not a number"],
  ["K0104", "model m {\n  state h[«1.5»]\n}", "`1.5` is not a number"],
  ["K0105", "const a = «1e999»", "`1e999` is larger than any number that can be represented"],
  ["K0110", "const a =«»", "expected an expression"],
  ["K0110", "const a«»", "expected `=` after `a`"],
  ["K0110", "axis «=» 1", "expected the name of an axis"],
  ["K0110", "block f(u[t]) «[»t] { return u }", "expected `->` and the axes of the result of `f`"],
  ["K0110", "model m {\n  der(h) = a*h«»\n}", "expected `by` and a discretization rule after `der(h) = …`"],
  ["K0111", "const a = f(1, 2«»", "expected `)` to close the call of `f`"],
  ["K0111", "const a = f(1 «2»)", "expected `)` to close the call of `f`"],
  ["K0111", "const a = (1 + 2«»", "expected `)` to close the parenthesis"],
  ["K0111", "const a = [1, 2«»", "expected `]` to close the list"],
  ["K0111", "model m {\n  state h[d «n»]\n}", "expected `]` to close the axes of `h`"],
  ["K0111", "block f(u[t] «->» [t] { return u }", "expected `)` to close the arguments of `f`"],
  ["K0111", "model m {\n  x = 1«»\n", "expected `}` to close `model m`"],
  ["K0112", "const a = 1\n«}»\n", "this `}` closes nothing"],
  ["K0112", "const a = (1)«)»", "this `)` closes nothing"],
  ["K0113", "const «state» = 1", "`state` is a keyword and can't be the name of a constant"],
  [
    "K0113",
    "model m {\n  x = 1\n  state «over»[d]\n}",
    "`over` is a keyword and can't be the name of a state",
  ],
  ["K0114", "const «a'» = 1", "`a'` can't be the name of a constant: a trailing `'` marks a copy of an axis"],
  ["K0115", "const a = 1 «b» = 2", "expected the end of the statement"],
  ["K0116", "model m {\n  «+» b\n}", "a statement can't begin with `+`"],
  ["K0116", "«12»\n", "a statement can't begin with the number 12"],
  ["K0117", "«param» w[d]\n", "`param` can't stand at the top of a file"],
  ["K0117", "«x = 1»\n", "`x = …` can't stand at the top of a file"],
  ["K0117", "model m {\n  «block» f(u[t]) -> [t] { return u }\n}", "`block` can't stand inside a body"],
  ["K0117", "model m {\n  if a { «return» 1 }\n}", "`return` can't stand in a `model`"],
  [
    "K0117",
    "block f(u[t]) -> [t] {\n  repeat i in 0..2 { «output» y[t] = u }\n}",
    "`output` can't stand in a `block`",
  ],
  ["K0117", "fn f(x) {\n  «state» h[d]\n  return h\n}", "`state` can't stand in a `fn`"],
  ["K0118", "const a = 1 < 2 «<=» 3", "comparisons don't chain"],
  ["K0119", "const a = 1 == «not» b", "`not` after `==` needs parentheses"],
  ["K0120", "rule r(s): der(h) = a*h + b => «g» = h", "this rule is for `der(h)`, but its step defines `g`"],
  ["K0121", "axis t: «tme»", "`tme` can't stand after this `:`"],
  ["K0121", "model m {\n  state h[d]: «complx»\n}", "`complx` can't stand after this `:`"],
  ["K0121", "model m {\n  input x: «f32»(v)[b]\n}", "`f32(…)` can't stand after this `:`"],
  [
    "K0122",
    "model m {\n  state h[d, [«_»]]\n}",
    "`_` is where stacked parameters stack, and has no meaning here",
  ],
  ["K0123", "const a = 1\n«## nothing»\n", "this `##` comment documents nothing"],
  ["K0123", "model m {\n  «## a\n  ## b»\n  x = 1\n}", "this `##` comment documents nothing"],
  ["K0123", "const a = 1 «## trailing»\n", "this `##` comment documents nothing"],
];

describe("syntax codes", () => {
  for (const [code, marked, message] of mistakes) {
    it(`${code}: ${marked.replaceAll("\n", "⏎")}`, () => {
      const { source, diagnostics } = read(marked.replace(/[«»]/g, ""));
      assert.equal(diagnostics.length, 1, diagnostics.map((found) => found.message).join("\n"));
      const [found] = diagnostics;
      assert(found !== undefined);
      assert.deepEqual([found.code, found.message], [code, message]);
      const span = { file: "test.krait", start: marked.indexOf("«"), end: marked.indexOf("»") - 1 };
      assert.deepEqual(found.span, span, textAt(source, found.span));
      assert.equal(found.severity, code === "K0123" ? "warning" : "error");
    });
  }

  it("K0124: a source beyond the limit", () => {
    const { diagnostics } = read("#".repeat(2 ** 17 + 1));
    assert.deepEqual(
      diagnostics.map(({ code, message }) => [code, message]),
      [["K0124", "this source has 131073 characters, too many to read"]],
    );
  });

  for (const [what, text] of [
    ["brackets", `const a = ${"(".repeat(257)}1${")".repeat(257)}`],
    ["a sum", `const a = 1${" + 1".repeat(256)}`],
    ["prefixes", `const a = ${"-".repeat(1000)}1`],
    ["selections", `const a = b${"[0]".repeat(257)}`],
    ["else if", `model m {\n  if true {}${" else if true {}".repeat(300)}\n}`],
    ["groups of axes", `axis a = ${"[".repeat(257)}b${"]".repeat(257)}`],
    ["bodies", `model m {\n${"  if true {\n".repeat(257)}`],
  ] as const) {
    it(`K0125: ${what} nested too deep`, () => {
      const { diagnostics } = read(text);
      assert.deepEqual(
        diagnostics.map(({ code, message }) => [code, message]),
        [["K0125", "this is nested more than 256 deep"]],
      );
    });
  }

  it("are all shown here", () => {
    const shown = new Set([...mistakes.map(([code]) => code), "K0124", "K0125"]);
    for (const make of Object.values(syntax)) {
      const code = /K01\d\d/.exec(make.toString())?.[0] ?? "";
      assert(shown.has(code), code);
    }
  });
});
