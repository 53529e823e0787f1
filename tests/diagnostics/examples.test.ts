/**
 * The example of each code in docs/errors.md: the wrong source gives that message and no other, and the mended one gives none.
 * The messages as people see them are in golden/; UPDATE_GOLDENS=1 writes them anew.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { examples } from "../../scripts/errors/index.js";
import { runExample } from "../../scripts/errors/run-example.js";

const golden = (name: string): URL => new URL(`golden/${name}`, import.meta.url);
const codesFolder = new URL("../../compiler/diagnostics/codes/", import.meta.url);

describe("the example of", () => {
  for (const example of examples) {
    const { code, wrong, mended } = example;
    it(`${code} shows it`, () => {
      const { diagnostics, rendered } = runExample(example, wrong);
      assert.deepEqual(
        diagnostics.map((diagnostic) => diagnostic.code),
        [code],
        rendered,
      );
      const path = golden(`${code}.txt`);
      if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(path, `${rendered}\n`);
      assert.equal(`${rendered}\n`, readFileSync(path, "utf8"));
    });

    it(`${code} is mended`, () => assert.equal(runExample(example, mended).rendered, ""));
  }

  it("every code, once, in order", () => {
    const codes = readdirSync(codesFolder)
      .flatMap((file) => readFileSync(new URL(file, codesFolder), "utf8").match(/"K\d{4}"/g) ?? [])
      .map((code) => code.slice(1, -1));
    assert.deepEqual(
      examples.map(({ code }) => code),
      codes.sort(),
    );
    assert.deepEqual(
      readdirSync(golden("")).sort(),
      codes.map((code) => `${code}.txt`),
    );
  });
});
