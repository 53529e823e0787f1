/** Manifests and configurations that are made to take time, stack or another's properties. */
import assert from "node:assert/strict";
import { compile } from "../../compiler/compile.js";
import { parseManifest } from "../../runtime/schema.js";
import { collectSetting } from "../../src/cli/arguments.js";
import { parseConfig } from "../../src/cli/checkpoint.js";
import { tinyBundle } from "../runtime/tiny-bundle.js";
import { assertThrows } from "../runtime/errors.js";
import { within } from "./within.js";

/** `open` so many times, then `middle`, then `close` as often: what JSON.stringify would need the stack for. */
const nested = (open: string, middle: string, close: string, depth: number): string =>
  open.repeat(depth) + middle + close.repeat(depth);

describe("a hostile manifest", () => {
  const withSize = async (size: string): Promise<string> => {
    const { manifest } = await tinyBundle();
    const text = JSON.stringify({
      ...manifest,
      inputs: [{ ...manifest.inputs[0], axes: [{ name: "b", size: "HERE" }] }],
    });
    return text.replace('"HERE"', size);
  };

  for (const [what, size] of [
    ["wrong at the bottom of forty operations", nested('["+",', "[]", ",1]", 40)],
    ["a hundred thousand operations deep", nested('["+",', "1", ",1]", 100_000)],
    ["a choice with two ends", '["?",1,2]'],
    ["an operation that objects inherit", '["constructor",1,2]'],
    ["beyond whole numbers", "1e300"],
  ] as const) {
    it(`is refused with a size ${what}`, async () => {
      const text = await withSize(size);
      await within(() =>
        assertThrows(() => parseManifest(text), "R0101", /inputs\.0\.axes\.0\.size: is not a size/),
      );
    });
  }

  it("is refused with constants nested too deep", async () => {
    const { manifest } = await tinyBundle();
    const text = JSON.stringify({ ...manifest, constants: { c: "HERE" } });
    const deep = text.replace('"HERE"', nested("[", "1", "]", 100_000));
    await within(() => assertThrows(() => parseManifest(deep), "R0101", /constants\.c: is not a constant/));
  });

  it("may be deep itself, or very wrong", async () => {
    await within(() =>
      assertThrows(() => parseManifest(nested("[", "", "]", 1_000_000)), "R0101", /model\.json is not/),
    );
    const { manifest } = await tinyBundle();
    const text = JSON.stringify({ ...manifest, states: Array.from({ length: 20_000 }, () => 3) });
    await within(() => assertThrows(() => parseManifest(text), "R0101", /states\.0: [^]*and 19992 more/));
  });

  it("gives no object another prototype", async () => {
    const { manifest } = await tinyBundle();
    const text = JSON.stringify({ ...manifest, constants: {} }).replace(
      '"constants":{}',
      '"constants":{"__proto__":{"polluted":1},"b":2}',
    );
    try {
      const { constants } = parseManifest(text);
      assert.equal(Object.getPrototypeOf(constants), Object.prototype);
      assert.equal(constants["b"], 2);
    } catch (error) {
      assert.match(String(error), /R0101/);
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });
});

describe("a hostile config.json", () => {
  it("is refused if it is nested too deep", () =>
    within(() => {
      assert.throws(
        () => parseConfig(`{"a":${nested("[", "", "]", 100_000)}}`, "config.json"),
        /nested too deep/,
      );
      return Promise.resolve();
    }));

  it("gives no constant a list nested too deep", () =>
    within(() => {
      const config = parseConfig(`{"a":${nested("[", "", "]", 200)}}`, "config.json");
      const text =
        'const a = [1] from "a"\naxis b: batch, t: time\nmodel m {\n  input x: f32[b, t]\n  output y[b, t] = a[0]*x\n}';
      const { diagnostics } = compile({ path: "m.krait", text }, { config });
      assert.deepEqual(diagnostics, []);
      return Promise.resolve();
    }));

  it("reads no property that it does not have itself", () => {
    const config = parseConfig('{"__proto__": {"a": 3}}', "config.json");
    const text =
      'const a = 1 from "a" | "constructor.name" | "__proto__.constructor.name"\naxis n = a, b: batch\nmodel m {\n  input x: f32[b, n]\n  output y[b, n] = x\n}';
    const { diagnostics, stages } = compile({ path: "m.krait", text }, { config });
    assert.deepEqual(diagnostics, []);
    assert.equal(stages.module?.constants.get("a")?.value, 1);
  });
});

describe("--set", () => {
  it("takes no list nested too deep", () => {
    assert.throws(() => collectSetting(`a=${nested("[", "", "]", 60_000)}`), /a constant is a number/);
  });

  it("sets what is called like something that every object has", () => {
    assert.deepEqual({ ...collectSetting("toString=3") }, { toString: 3 });
  });
});
