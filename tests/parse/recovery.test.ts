import assert from "node:assert/strict";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { positionsIn } from "../../compiler/diagnostics/positions.js";
import { read, type Reading } from "../support/syntax.js";

/** `line:column code` of each message. */
const places = ({ source, diagnostics }: Reading): string[] => {
  const find = positionsIn(source.text);
  return diagnostics.map(({ span, code }) => {
    const { line, column } = find(span.start);
    return `${line}:${column} ${code}`;
  });
};

describe("recovery", () => {
  it("reports every mistake of a file in one run", () => {
    const reading = read(`const a = 1, b 2, c = 3 && 4
axis b: batch, t: tiem, d = [head, p, q = 3
paramm w[d, m]
model mamba {
  input token: index(v)[b, t]
  param embedding[v, m] from "a" |
  x = dot(a, b, over m
  y = 3 + * 4
  param w[d m], ok[d], 3z[d], k[_]
  for i in 0..3 {
    a = 1
    b = 2
  }
  if a = b { c = 1 } else { d = a < b < c }
  repeat layer in layers { x = ) }
  u = "abc
  output y[b t] = 3
}
}
fn f(x = 1
`);
    assert.deepEqual(places(reading), [
      "1:16 K0110",
      "1:25 K0102",
      "2:19 K0121",
      "2:41 K0111",
      "3:8 K0110",
      "6:35 K0110",
      "7:23 K0111",
      "8:11 K0110",
      "9:13 K0111",
      "9:24 K0104",
      "9:33 K0122",
      "10:7 K0110",
      "14:8 K0110",
      "14:39 K0118",
      "15:26 K0110",
      "15:32 K0110",
      "16:7 K0103",
      "17:14 K0111",
      "19:1 K0112",
      "20:8 K0111",
    ]);
  });

  it("keeps what it could read", () => {
    const { tree } = read(
      "const a = 1, b 2, c = 3\nmodel m {\n  x = * 2\n  y = 1\n}\nblock f( -> [t] { }\naxis m = 1\n",
    );
    const [constants, model, axis, ...rest] = tree.declarations;
    assert(
      constants?.kind === "const" && model?.kind === "model" && axis?.kind === "axis" && rest.length === 0,
    );
    assert.deepEqual(
      constants.definitions.map(({ name }) => name.name),
      ["a", "c"],
    );
    assert.deepEqual(
      model.body.map((item) => item.kind === "assign" && item.targets[0]?.name.name),
      ["y"],
    );
  });

  it("a bracket left open ends before the next statement", () => {
    for (const next of ["y = 1", "y[t, m] = 1", "param w[d]", "state h[d]", "return 1", "paramm w[d]"]) {
      const reading = read(`block f(u[t]) -> [t] {\n  x = dot(a, b[c\n  ${next}\n  z = ]\n}\n`);
      const [first, ...others] = places(reading);
      assert.equal(first, "2:17 K0111", next);
      assert.equal(others.at(-1), "4:7 K0110", next);
    }
  });

  it("a body left open ends before the next block at the start of a line", () => {
    const reading = read(
      "block f(u[t]) -> [t] {\n  if a {\n    x = 1\n\nblock g(u[t]) -> [t] {\n  return u\n}\n",
    );
    assert.deepEqual(places(reading), ["5:1 K0111"]);
    const [only] = reading.diagnostics;
    assert.equal(only?.message, "expected `}` to close `if`");
    assert.equal(only.related?.[0]?.span.start, reading.source.text.indexOf("{\n    x"));
    assert.deepEqual(
      reading.tree.declarations.map(({ kind }) => kind),
      ["block", "block"],
    );
  });

  it("a body left open at the end of the file is one message", () => {
    const reading = read("model m {\n  repeat i in 0..2 {\n    x = 1\n");
    assert.deepEqual(places(reading), ["3:10 K0111"]);
    assert.equal(reading.diagnostics[0]?.found, "the end of the file");
  });

  it("the body of a broken header is read for its mistakes", () => {
    assert.deepEqual(places(read("block f(u[t] -> [t] {\n  x = 1 +\n  y = ]\n}\n")), [
      "1:14 K0111",
      "2:10 K0110",
      "3:7 K0110",
    ]);
  });

  it("a mistake does not make others of what follows it", () => {
    for (const text of [
      "const a = 1 2 3, b\n",
      'model m {\n  x = f(a b, over m) at "x"\n  y = 1\n}\n',
      "model m {\n  while x { a = 1 }\n  y = 1\n}\n",
      "rule r(step) der(h) = a*h + b => h = h\nconst a = 1\n",
      'use a, from "x" with b = 1\n',
      "model m {\n  x = α + 1\n}\n",
      "model m {\n  $x = 1\n}\n",
      "model m {\n  x = ?\n}\n",
      "model m {\n  repeat i in 0.n { x = 1 }\n}\n",
      "block f(u) -> [t] { return u }\n",
    ]) {
      assert.equal(read(text).diagnostics.length, 1, text);
    }
  });

  it("what leads astray gets a hint", () => {
    const hints: Readonly<Record<string, string>> = {
      "paramm w[d]": "did you mean `param`?",
      "outptu y[t] = 1": "did you mean `output`?",
      "for i in 0..3 { }": "a loop over constants is `repeat i in 0..n { … }`",
      "let x = 1": "a value needs no keyword: `x = …`",
      "mixer(x)": "give its result a name: `y = mixer(…)`",
      "x == 1": "a definition is written with one `=`",
      "+ b": "put the operator at the end of the line before",
      "if a = b { }": "to compare, write `==`",
      "param w[d],": "remove it, or write what follows",
      'x = 1 from "eps"': "`from` says where a constant or a parameter is read",
      "if a { x = 1 } els { x = 2 }": "did you mean `else`?",
      "p, q = a, b": "write one definition a line",
      'param w[d] form "w"': "did you mean `from`?",
      "x = a ; y = b": "statements end where their line ends",
      "x = λ": "write `lambda`",
    };
    for (const [text, hint] of Object.entries(hints)) {
      const [first] = read(`model m {\n  ${text}\n}\n`).diagnostics;
      assert(first?.hint?.includes(hint) === true, `${text}: ${String(first?.hint)}`);
    }
  });

  it("never fails, whatever is deleted from or put into a source", () => {
    const text = readFileSync(new URL("sources/families.krait", import.meta.url), "utf8");
    const parts = text.split(/(?<=\W)|(?=\W)/);
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            at: fc.nat(parts.length - 1),
            put: fc.constantFrom(
              "",
              "(",
              ")",
              "[",
              "]",
              "{",
              "}",
              ",",
              "=",
              "\n",
              "param",
              "block",
              "x",
              "1",
              '"',
              "?",
            ),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        (edits) => {
          const edited = [...parts];
          for (const { at, put } of edits) edited[at] = put;
          const { diagnostics, source } = read(edited.join(""));
          for (const { span } of diagnostics) {
            assert(0 <= span.start && span.start <= span.end && span.end <= source.text.length);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
