import assert from "node:assert/strict";
import { read, readWell, statementsOf } from "../support/syntax.js";

const kinds = (text: string): string[] => statementsOf(text).map(({ kind }) => kind);
const names = (text: string): string[] =>
  statementsOf(text).map((item) => (item.kind === "assign" ? (item.targets[0]?.name.name ?? "") : item.kind));

describe("lines", () => {
  const one: Readonly<Record<string, string>> = {
    "inside parentheses": "y = dot(\n  a\n  ,\n  b\n)",
    "inside brackets": "y = x[\n  t: 0\n]",
    "after an infix operator": "y = a +\n  b and\n  c in\n  d",
    "after a prefix operator": "y = -\n  a",
    "after =": "y =\n  1",
    "after a comma": "a,\n  b = f()",
    "after |": 'param w[d] from "a" |\n  "b"',
    "before by": "der(h) = h\n  by zoh(s)",
    "before from": 'param w[d]\n  from "w"',
    "before at": 'y = f(x)\n  at "a"',
    "before {": "if a\n{ }",
    "before else": "if a { }\n\n# comment\nelse { }",
    "after a comment": "y = a + # why\n  b",
  };
  for (const [place, text] of Object.entries(one)) {
    it(`a newline ${place} does not end a statement`, () => assert.equal(kinds(text).length, 1));
  }

  it("a newline ends a statement elsewhere, blank lines and comments are nothing", () => {
    assert.deepEqual(names("\n\na = 1\n\n# x\nb = 2 # y\n  c = 3\n\n"), ["a", "b", "c"]);
  });

  it("all line endings are newlines, and none is needed at the end", () => {
    for (const newline of ["\n", "\r\n", "\r"]) {
      assert.equal(readWell(["const a = 1", "const b = 2"].join(newline)).declarations.length, 2);
    }
  });

  it("bodies on one line", () => {
    assert.deepEqual(kinds("if a { b = 1 } else { if c { d = 1 } }"), ["if"]);
  });

  it("a comma at the end of a line goes on with a list of definitions", () => {
    const [only] = readWell("const a = 1,\n  b = 2,\n  c = 3\n").declarations;
    assert(only?.kind === "const");
    assert.equal(only.definitions.length, 3);
  });

  it("an empty file, or one of comments, declares nothing", () => {
    for (const text of ["", "\n", "# nothing", "  \n\t# nothing\n"]) {
      assert.deepEqual(readWell(text).declarations, []);
    }
  });

  it("`const` may begin a line among the arguments of a block", () => {
    const [block] = readWell(
      "block f(\n  u[t],\n  const a = 1,\n  const b\n) ->\n  [t]\n{\n  return u\n}\n",
    ).declarations;
    assert(block?.kind === "block");
    assert.equal(block.formals.length, 3);
  });

  it("two statements on one line are a mistake", () => {
    assert.deepEqual(
      read("const a = 1 const b = 2\n").diagnostics.map(({ code }) => code),
      ["K0115"],
    );
  });
});
