import assert from "node:assert/strict";
import { posix } from "node:path";
import fc from "fast-check";
import { besideFile } from "../../compiler/2-analyze/paths.js";

describe("paths of sources", () => {
  it("are worked out as Node.js does", () => {
    const part = fc.constantFrom("", ".", "..", "a", "b.krait", "..c", "C:");
    const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
    const isFile = (name: string): boolean => !/(^|\/)$/.test(name);
    fc.assert(
      fc.property(path, path.filter(isFile), (file, used) => {
        const directory = file.slice(0, file.lastIndexOf("/") + 1) || "./";
        assert.equal(besideFile(file, used), posix.join(directory, used));
      }),
    );
  });
});
