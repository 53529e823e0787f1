import assert from "node:assert/strict";
import fc from "fast-check";
import { closest, editDistance } from "../../compiler/diagnostics/suggest.js";

describe("suggestions", () => {
  it("count the edits between two names", () => {
    for (const [a, b, distance] of [
      ["", "", 0],
      ["", "abc", 3],
      ["width", "width", 0],
      ["widht", "width", 1],
      ["wdth", "width", 1],
      ["widthh", "width", 1],
      ["wodth", "width", 1],
      ["kitten", "sitting", 3],
      // Restricted: after a swap, nothing is put between the two.
      ["ca", "abc", 3],
    ] as const) {
      assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    }
  });

  it("have the laws of a distance", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length));
      }),
    );
  });

  it("are near, or there is none", () => {
    const names = ["width", "with", "vocab", "state_size", "A_log", "D", "d", "t"];
    assert.equal(closest("widht", names), "width");
    assert.equal(closest("state_siz", names), "state_size");
    assert.equal(closest("statesize", names), "state_size");
    assert.equal(closest("a_log", names), "A_log");
    assert.equal(closest("hidden", names), undefined);
    assert.equal(closest("x", names), undefined);
    assert.equal(closest("T", names), "t");
    assert.equal(closest("width", ["width"]), undefined);
  });
});
