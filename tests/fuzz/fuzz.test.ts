/** A short run of every target, the same each time, and everything that longer runs found (npm run fuzz). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { within } from "../hostile/within.js";
import { fuzz } from "./fuzzer.js";
import { targets } from "./targets.js";

const FINDS = new URL("finds/", import.meta.url);

/** Sources take most time: a compiler runs for each that is one. */
const RUNS: Readonly<Record<string, number>> = { source: 500, kernels: 80, format: 300 };

describe("fuzzing", () => {
  for (const [name, target] of Object.entries(targets)) {
    it(`finds nothing in ${name}`, async () => {
      const { finds } = await fuzz(target, { runs: RUNS[name] ?? 1000, seed: 7 });
      assert.deepEqual(finds, []);
    });
  }

  it("knows a find when it sees one", async () => {
    const target = {
      seeds: () => ["abc"],
      run: (text: string) => assert.ok(!text.includes("abcabc"), text),
    };
    const { finds } = await fuzz(target, { runs: 200, seed: 1 });
    assert.ok(finds.length > 0);
    assert.match(finds[0]?.input ?? "", /abcabc/);
  });

  it("makes inputs of those that reached more", async () => {
    // Each letter is seen only behind the one before: by chance alone, 26^-4.
    const hits = new Uint8Array(8);
    const word = "scan";
    const target = {
      seeds: () => ["a"],
      run: (text: string) => {
        for (let i = 0; i < word.length; i++) {
          if (text[i] !== word[i]) return;
          hits[i] = 1;
        }
        throw new Error("found");
      },
    };
    const { finds, reached } = await fuzz(target, { runs: 100_000, seed: 1, hits });
    assert.equal(reached, word.length);
    assert.match(finds[0]?.input ?? "", /^scan/);
  });

  for (const file of readdirSync(FINDS).filter((path) => path.endsWith(".txt"))) {
    it(`answers ${file}`, async () => {
      const target = targets[file.replace(/-.*$/, "")] ?? assert.fail(`no target for ${file}`);
      const input = readFileSync(new URL(file, FINDS), "utf8");
      await within(async () => target.run(input));
    });
  }
});
