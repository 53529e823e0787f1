/** Laws of the formatter over the sources of this repository, edited at random, and over random expressions. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { format } from "../../compiler/format/index.js";
import { read } from "../support/syntax.js";

const root = new URL("../../", import.meta.url);
const SOURCES = ["templates", "examples", "tests", "bench", "docs"]
  .flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" }).map(
      (path) => `${folder}/${path.replaceAll("\\", "/")}`,
    ),
  )
  .filter((path) => path.endsWith(".krait"))
  .sort();
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** A tree without its spans. */
const withoutSpans = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, item: unknown) => (/^(opSpan|span)$/.test(key) ? undefined : item)));

/** What stands between the strings: comments hold no strings that matter here. */
const commentsOf = (text: string): string[] =>
  [...text.matchAll(/"[^"\n]*"|(#[^\n]*)/g)].flatMap(([, comment]) =>
    comment === undefined ? [] : [comment.trimEnd()],
  );

const formatted = (text: string): string => {
  const { text: result, diagnostics } = format({ path: "test.krait", text });
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  return result;
};

function assertLaws(text: string): void {
  const result = formatted(text);
  const after = read(result);
  assert.deepEqual(
    after.diagnostics.filter(({ severity }) => severity === "error"),
    [],
    result,
  );
  assert.deepEqual(withoutSpans(after.tree), withoutSpans(read(text).tree), result);
  assert.deepEqual(commentsOf(result), commentsOf(text), result);
  assert.equal(formatted(result), result);
  assert.doesNotMatch(result, /[ \t]\n|\n\n\n|\r/);
  assert(!result.startsWith("\n"));
  assert(result === "" || result.endsWith("\n"));
}

const hasErrors = (text: string): boolean =>
  read(text).diagnostics.some(({ severity }) => severity === "error");

/** Words, strings and comments whole, and what is between them. */
const partsOf = (text: string): string[] => text.match(/"[^"\n]*"|#[^\n]*|\w+'*|[^\w\s]+|\s+/g) ?? [];

/** What may stand between two words without changing the tree, if the words around it allow it. */
const SPACES = [" ", "   ", "\t", "\n", "\r\n", "\n\n\n", " # why\n", "\n  # own\n", "\n\n# far\n\n", " #\n"];

const run = { numRuns: Number(process.env["KRAIT_FORMAT_RUNS"] ?? 150) };

describe("the formatter", () => {
  for (const path of SOURCES) {
    it(`keeps its laws on ${path}`, () => assertLaws(textOf(path)));
  }

  for (const path of SOURCES.filter((source) => /^(templates|examples)/.test(source))) {
    it(`laid out ${path}: run krait fmt`, () => assert.equal(formatted(textOf(path)), textOf(path)));
  }

  it("keeps them whatever the author's spaces, line breaks and comments", () => {
    const declarations = SOURCES.flatMap((path) =>
      textOf(path).split(/\n(?=(?:##|use|const|axis|fn|rule|block|model)\b)/),
    ).filter((text) => !hasErrors(text));
    let kept = 0;
    const edit = fc.record({ at: fc.nat(10_000), space: fc.constantFrom(...SPACES) });
    const source = fc.record({
      text: fc.constantFrom(...declarations),
      edits: fc.array(edit, { minLength: 1, maxLength: 12 }),
      longer: fc.boolean(),
    });
    fc.assert(
      fc.property(source, ({ text, edits, longer }) => {
        // One edit at a time, so that one that can't be leaves the others.
        let parts = partsOf(text);
        if (longer)
          parts = parts.map((part) => (/^[a-z]\w?$/.test(part) ? `${part}_${part.repeat(9)}` : part));
        if (hasErrors(parts.join(""))) parts = partsOf(text);
        for (const { at, space } of edits) {
          const edited = parts.with(at % parts.length, (parts[at % parts.length] ?? "") + space);
          if (hasErrors(edited.join(""))) continue;
          parts = edited;
          kept++;
        }
        assertLaws(parts.join(""));
      }),
      run,
    );
    assert(kept > run.numRuns, `${kept} edits`);
  });

  it("keeps them on random expressions of any length", () => {
    const name = fc.constantFrom("x", "delta", "a_rather_long_name", "h");
    const { expression } = fc.letrec<{ expression: string; operand: string }>((tie) => ({
      operand: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        name,
        fc.constantFrom("1", "0.25", "1e-5", '"text"', "[1, 2]", "[]"),
        fc
          .tuple(name, fc.array(tie("expression"), { maxLength: 3 }))
          .map(([f, args]) => `${f}(${args.join(",")})`),
        fc.tuple(name, tie("expression")).map(([x, index]) => `${x}[v :${index},m->m']`),
        tie("expression").map((inner) => `(${inner})`),
      ),
      expression: fc
        .tuple(
          fc.constantFrom("", "-", "not ", "- -"),
          fc.array(
            fc.tuple(tie("operand"), fc.constantFrom("+", "-", "*", "/", "%", "^", " and ", " or ", "^-")),
            {
              maxLength: 3,
            },
          ),
          tie("operand"),
        )
        .map(([sign, chain, last]) => `${sign}${chain.map((pair) => pair.join("")).join("")}${last}`),
    }));
    fc.assert(
      fc.property(expression, (text) => {
        fc.pre(!hasErrors(`const a = ${text}`));
        assertLaws(`const a = ${text} # why`);
        assertLaws(
          `block f(x[t]) -> [t] {\n if a { return ${text}, 1 }\n  der(h)= ${text}  by r(${text})\n}`,
        );
      }),
      run,
    );
  });
});
