import assert from "node:assert/strict";
import { readdirSync } from "node:fs";

/** Which file of `codes/` may use which codes: SPEC.md § Diagnostics. */
const areas: Readonly<Record<string, RegExp>> = {
  syntax: /^K01\d\d$/,
  names: /^K02\d\d$/,
  constants: /^K03[01]\d$/,
  axes: /^K03[2-9]\d$/,
  shapes: /^K04\d\d$/,
  recurrences: /^K05\d\d$/,
  params: /^K06\d\d$/,
  programs: /^K07\d\d$/,
};

const folder = new URL("../../compiler/diagnostics/codes/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));

describe("diagnostic codes", () => {
  it("each belongs to one function, in the file of its area", async () => {
    const owners = new Map<string, string>();
    for (const file of files) {
      const area = file.replace(/\.ts$/, "");
      const allowed = areas[area];
      assert(allowed !== undefined, `${file} has no area`);
      const functions = (await import(new URL(file, folder).href)) as Readonly<Record<string, unknown>>;
      for (const [name, make] of Object.entries(functions)) {
        assert(typeof make === "function", `${area}.${name} is no function`);
        const codes = new Set(make.toString().match(/\bK\d{4}\b/g));
        assert.equal(codes.size, 1, `${area}.${name} has ${codes.size} codes`);
        const [code = ""] = codes;
        const owner = `${area}.${name}`;
        assert.match(code, allowed, owner);
        assert.equal(owners.get(code), undefined, `${code} is also ${owner}`);
        owners.set(code, owner);
      }
    }
    assert(owners.size > 20);
  });
});
