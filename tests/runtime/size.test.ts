import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** What an application ships. */
const BUDGET = 30_000;

describe("the runtime", () => {
  it(`is at most ${String(BUDGET)} bytes minified and gzipped, and needs nothing of Node.js or the compiler`, async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [fileURLToPath(new URL("../../runtime/index.ts", import.meta.url))],
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser", // a build for browsers fails on imports of Node's modules
      write: false,
      metafile: true,
    });
    const foreign = Object.keys(metafile.inputs).filter((path) =>
      /(^|\/)(compiler|templates|src)\//.test(path),
    );
    assert.deepEqual(
      foreign.filter((path) => !path.includes("node_modules")),
      [],
    );
    const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
    assert.ok(size > 1000 && size <= BUDGET, `${String(size)} bytes`);
  });
});
