import assert from "node:assert/strict";
import { posix } from "node:path";
import { sourcePaths } from "../../compiler/6-emit/source-paths.js";

describe("the sources of a bundle", () => {
  const cases: [string, string[], string[]][] = [
    ["one file", ["models/a.krait"], ["a.krait"]],
    ["a file at a machine's path", ["/home/me/models/a.krait"], ["a.krait"]],
    ["files side by side", ["m/a.krait", "m/b.krait"], ["a.krait", "b.krait"]],
    ["a folder below", ["m/a.krait", "m/parts/a.krait"], ["a.krait", "parts/a.krait"]],
    ["a folder beside", ["m/a.krait", "lib/a.krait"], ["m/a.krait", "lib/a.krait"]],
    ["above the working folder", ["m/a.krait", "../a.krait"], ["_/m/a.krait", "a.krait"]],
    ["two above", ["a.krait", "../a.krait", "../../a.krait"], ["_/_/a.krait", "_/a.krait", "a.krait"]],
    ["all above", ["../m/a.krait", "../b.krait"], ["m/a.krait", "b.krait"]],
    ["Windows' paths", ["C:\\m\\a.krait"], ["a.krait"]],
  ];
  for (const [what, paths, expected] of cases) {
    it(`keep their folders: ${what}`, () => assert.deepEqual(sourcePaths(paths), expected));
  }

  it("find each other as before", () => {
    const [main = "", used = ""] = sourcePaths(["m/n/a.krait", "../x/a.krait"]);
    assert.equal(posix.join(posix.dirname(main), "../../../x/a.krait"), used);
  });
});
