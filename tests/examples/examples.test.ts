import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("examples", () => {
  const expected: Readonly<Record<string, RegExp>> = {
    mamba: /Krait agrees with PyTorch\./,
    smoothing: /240 steps of 3 channels; farthest from a plain loop: \d\.\de-\d/,
  };

  it("are all tested", () => {
    const inPages = ["browser"]; // tests/browser/example.test.ts
    assert.deepEqual(readdirSync(`${root}examples`).sort(), [...inPages, ...Object.keys(expected)].sort());
  });

  for (const [name, output] of Object.entries(expected)) {
    // Each compares what it computed with a reference and throws where they differ.
    it(`${name} runs and agrees with its reference`, () => {
      const args = ["--import", "tsx", `examples/${name}/main.ts`];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, output);
    });
  }
});
