import assert from "node:assert/strict";
import { collectSetting, parseCount, parseTensorReference, parseTokens } from "../../src/cli/arguments.js";

describe("option values", () => {
  it("reads constants as numbers, booleans, lists and strings", () => {
    const settings = [
      "layers=2",
      "eps=1e-5",
      "bias=true",
      "types=[1, 'a']",
      "act=silu",
      'rank="auto"',
      "e=a=b",
    ];
    const read = settings.reduce((earlier, text) => collectSetting(text, earlier), {});
    assert.deepEqual(read, {
      layers: 2,
      eps: 1e-5,
      bias: true,
      types: [1, "a"],
      act: "silu",
      rank: "auto",
      e: "a=b",
    });
  });

  it("refuses a setting without a name, and an object", () => {
    assert.throws(() => collectSetting("layers"), /NAME=VALUE/);
    assert.throws(() => collectSetting("=2"), /NAME=VALUE/);
    assert.throws(() => collectSetting("a={b: 1}"), /a constant is/);
    assert.throws(() => collectSetting("a=null"), /a constant is/);
  });

  it("finds the file and the tensor in a reference", () => {
    const cases: [string, string, string, string][] = [
      ["u=data.safetensors:u", "u", "data.safetensors", "u"],
      ["u=C:\\data\\d.safetensors:x.y", "u", "C:\\data\\d.safetensors", "x.y"],
      ["h=/tmp/a=b.safetensors:layers.0:h", "h", "/tmp/a=b.safetensors", "layers.0:h"],
      ["u=plain.bin:u", "u", "plain.bin", "u"],
    ];
    for (const [text, name, file, tensor] of cases) {
      assert.deepEqual(parseTensorReference(text), { name, file, tensor });
    }
  });

  it("refuses a reference that lacks a part", () => {
    for (const text of [
      "data.safetensors:u",
      "u=data.safetensors",
      "u=data.safetensors:",
      "=a.safetensors:u",
    ]) {
      assert.throws(() => parseTensorReference(text), /NAME=FILE\.safetensors:TENSOR/, text);
    }
  });

  it("reads token ids and counts", () => {
    assert.deepEqual(parseTokens("1, 2,30"), [1, 2, 30]);
    for (const text of ["", "1,,2", "-1", "1.5", "a", "4294967296"])
      assert.throws(() => parseTokens(text), text);
    assert.equal(parseCount("16"), 16);
    for (const text of ["0", "-1", "1e2", ""]) assert.throws(() => parseCount(text), text);
  });
});
