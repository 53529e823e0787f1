import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { ERROR_CODES, KraitError } from "../../runtime/errors.js";

describe("error codes", () => {
  it("stand in the specification with the same meaning, each once", async () => {
    const spec = await readFile(new URL("../../SPEC.md", import.meta.url), "utf8");
    const documented = [...spec.matchAll(/^\| (R\d{4}) \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
    assert.deepEqual(documented, Object.entries(ERROR_CODES));
  });

  it("are part of an error's name, and the hint of its message", () => {
    const error = new KraitError("R0401", "No input.", { hint: "Give one." });
    assert.equal(String(error), "KraitError [R0401]: No input.\nGive one.");
    assert.equal(error.hint, "Give one.");
  });
});
