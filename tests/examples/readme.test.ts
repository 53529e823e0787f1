import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { compile, renderAll } from "../../src/index.js";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

describe("README.md", () => {
  const models = [...readme.matchAll(/```krait\n([^]*?)```/g)].map(([, text = ""]) => text);

  it("shows one model, of at most fifteen lines", () => {
    assert.equal(models.length, 1);
    assert.ok((models[0] ?? "").trimEnd().split("\n").length <= 15);
  });

  it("shows models that compile", () => {
    for (const text of models) {
      const source = { path: "README.md", text };
      const { bundle, diagnostics } = compile(source, {});
      assert.ok(bundle !== undefined, renderAll(diagnostics, new Map([[source.path, source]])));
    }
  });

  it("names files that exist", () => {
    for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
      assert.ok(existsSync(new URL(`../../${path}`, import.meta.url)), path);
    }
  });
});
