import assert from "node:assert/strict";
import { chooseStorage, parseConfig } from "../../src/cli/checkpoint.js";

describe("config.json", () => {
  it("may hold Infinity and NaN, bare or wrapped", () => {
    const text = `{"limits": [0.0, Infinity], "nan": NaN, "wrapped": {"__float__": "-Infinity"}, "deep": [{"__float__": "Infinity"}]}`;
    assert.deepEqual(parseConfig(text, "config.json"), {
      limits: [0, Infinity],
      nan: NaN,
      wrapped: -Infinity,
      deep: [Infinity],
    });
  });

  it("is refused by name when it is not an object", () => {
    assert.throws(() => parseConfig("{", "x/config.json"), /x\/config\.json is not JSON/);
    assert.throws(() => parseConfig("[1]", "x/config.json"), /x\/config\.json does not hold an object/);
  });
});

describe("storage of a checkpoint", () => {
  it("is what most tensors are stored as, with the others by name", () => {
    const tensors = [
      { name: "c", dtype: "F32" },
      { name: "b", dtype: "BF16" },
      { name: "a", dtype: "BF16" },
      { name: "d", dtype: "F16" },
      { name: "ids", dtype: "I64" },
    ];
    assert.deepEqual(chooseStorage(tensors), { weights: "bf16", storage: { c: "f32", d: "f16" } });
  });

  it("is f32 for an empty checkpoint", () => {
    assert.deepEqual(chooseStorage([]), { weights: "f32" });
  });
});
