import assert from "node:assert/strict";
import { toJson } from "../../compiler/diagnostics/json.js";
import { render, renderAll } from "../../compiler/diagnostics/render.js";
import type { Diagnostic, SourceFile } from "../../compiler/diagnostics/types.js";
import { read } from "../support/syntax.js";

const sourcesOf = (...files: SourceFile[]): Map<string, SourceFile> =>
  new Map(files.map((file) => [file.path, file]));

/** What the terminal shows once it has taken the colours. */
const withoutColor = (text: string): string => text.replace(/\u001b\[[\d;]*m/g, "");

const { source, diagnostics } = read(
  "model m {\n  x = dot(a, b, over m\n  y = 1\n  z = x && y\n}\n",
  "models/m.krait",
);
const sources = sourcesOf(source);

describe("rendering", () => {
  it("shows code, place, frame, found, expected, notes and hints", () => {
    assert.equal(
      renderAll(diagnostics, sources),
      [
        "error[K0111]: expected `)` to close the call of `dot`",
        "  --> models/m.krait:2:23",
        "  1 | model m {",
        "> 2 |   x = dot(a, b, over m",
        "    |                       ^",
        "  3 |   y = 1",
        "     found: the end of the line",
        "  expected: `,` or `)`",
        "  note: it is opened here",
        "  --> models/m.krait:2:10",
        "> 2 |   x = dot(a, b, over m",
        "    |          ^",
        "",
        "error[K0102]: Krait has no `&&`",
        "  --> models/m.krait:4:9",
        "  3 |   y = 1",
        "> 4 |   z = x && y",
        "    |         ^^",
        "  5 | }",
        "  expected: `and`",
        "",
        "2 errors",
      ].join("\n"),
    );
  });

  it("says the same in colour", () => {
    for (const diagnostic of diagnostics) {
      const colored = render(diagnostic, sources, { color: true });
      assert.notEqual(colored, render(diagnostic, sources));
      assert.equal(withoutColor(colored), render(diagnostic, sources));
    }
  });

  it("shows a place in another file, and one whose source is not at hand", () => {
    const other: SourceFile = { path: "b.krait", text: "const eps = 1\n" };
    const diagnostic: Diagnostic = {
      code: "K0203",
      severity: "warning",
      message: "twice",
      span: { file: "b.krait", start: 6, end: 9 },
      hint: "one line\nand another",
      related: [{ span: { file: "gone.krait", start: 3, end: 4 }, message: "first" }],
    };
    assert.equal(
      render(diagnostic, sourcesOf(other)),
      [
        "warning[K0203]: twice",
        "  --> b.krait:1:7",
        "> 1 | const eps = 1",
        "    |       ^^^",
        "  2 |",
        "  note: first",
        "  --> gone.krait",
        "  hint: one line",
        "        and another",
      ].join("\n"),
    );
  });

  it("shows no more than the first lines of a long span", () => {
    const text = Array.from({ length: 9 }, (_, line) => `line ${line}`).join("\n");
    const shown = render(
      { code: "K0201", severity: "error", message: "long", span: { file: "a", start: 0, end: text.length } },
      sourcesOf({ path: "a", text }),
    );
    assert.equal(shown.match(/^>/gm)?.length, 3);
  });

  it("counts errors and warnings, and says nothing of nothing", () => {
    const warning: Diagnostic = {
      code: "K0123",
      severity: "warning",
      message: "w",
      span: { file: "", start: 0, end: 0 },
    };
    const error: Diagnostic = { ...warning, severity: "error" };
    assert.match(renderAll([error, warning, warning], new Map()), /\n\n1 error, 2 warnings$/);
    assert.equal(renderAll([], new Map()), "");
  });
});

describe("diagnostics as JSON", () => {
  it("have lines and columns from 1, and offsets from 0", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(toJson(diagnostics, sources))), [
      {
        code: "K0111",
        severity: "error",
        message: "expected `)` to close the call of `dot`",
        file: "models/m.krait",
        start: { line: 2, column: 23, offset: 32 },
        end: { line: 2, column: 23, offset: 32 },
        found: "the end of the line",
        expected: "`,` or `)`",
        related: [
          {
            file: "models/m.krait",
            start: { line: 2, column: 10, offset: 19 },
            end: { line: 2, column: 11, offset: 20 },
            message: "it is opened here",
          },
        ],
      },
      {
        code: "K0102",
        severity: "error",
        message: "Krait has no `&&`",
        file: "models/m.krait",
        start: { line: 4, column: 9, offset: 49 },
        end: { line: 4, column: 11, offset: 51 },
        expected: "`and`",
        related: [],
      },
    ]);
  });

  it("count lines by any line ending", () => {
    const text = "a\r\nb\rc\nd";
    const lineOf = (offset: number): unknown =>
      toJson(
        [{ code: "K0201", severity: "error", message: "", span: { file: "a", start: offset, end: offset } }],
        sourcesOf({ path: "a", text }),
      )[0]?.start;
    assert.deepEqual(
      [0, 1, 3, 5, 7, 8].map((offset) => lineOf(offset)),
      [
        { line: 1, column: 1, offset: 0 },
        { line: 1, column: 2, offset: 1 },
        { line: 2, column: 1, offset: 3 },
        { line: 3, column: 1, offset: 5 },
        { line: 4, column: 1, offset: 7 },
        { line: 4, column: 2, offset: 8 },
      ],
    );
  });
});
