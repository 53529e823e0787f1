/** The families that come with the package, as compiled into it and as they stand in templates/models. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { preludeSource } from "../../compiler/2-analyze/index.js";
import { familyNames, familySource } from "../../src/index.js";

describe("families", () => {
  it("are the files of templates/models", () => {
    const files = readdirSync("templates/models").sort();
    assert.deepEqual(
      familyNames().map((family) => `${family}.krait`),
      files,
      "run `npm run build`, which writes templates/sources.ts",
    );
    for (const file of files)
      assert.equal(
        familySource(file.slice(0, -".krait".length))?.text,
        readFileSync(`templates/models/${file}`, "utf8"),
        `templates/sources.ts has another ${file}: run \`npm run build\``,
      );
    assert.equal(preludeSource().text, readFileSync("templates/prelude.krait", "utf8"));
  });

  it("are found by their own names alone", () => {
    for (const name of ["", "Mamba", "../prelude", "constructor", "__proto__"])
      assert.equal(familySource(name), undefined);
  });
});
