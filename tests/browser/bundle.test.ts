/** What a bundler makes of an application that imports Krait, from the built package. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** As bundlers do for browsers by default: no plugin, no stand-in for Node.js. An import of Node's modules fails. */
async function bundled(code: string): Promise<{ bytes: number; gzipped: number; inputs: readonly string[] }> {
  const result = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    metafile: true,
    tsconfigRaw: {},
    logLevel: "silent",
  });
  assert.deepEqual(
    Object.values(result.metafile.outputs).flatMap(({ imports }) => imports),
    [],
  );
  const { contents } = result.outputFiles[0]!;
  return {
    bytes: contents.length,
    gzipped: gzipSync(contents, { level: 9 }).length,
    inputs: Object.keys(result.metafile.inputs),
  };
}

describe("a bundle for browsers", () => {
  it("of compiler and runtime needs nothing of Node.js, and no TypeScript", async () => {
    const { inputs, gzipped } = await bundled('export * from "krait"; export * from "krait/runtime";');
    assert.ok(
      inputs.some((path) => path.endsWith("dist/index.js")),
      inputs.join(),
    );
    assert.deepEqual(
      inputs.filter((path) => /ts-morph|typescript|sparticuz|node_modules\/webgpu/.test(path)),
      [],
    );
    assert.ok(gzipped > 50_000 && gzipped <= 250_000, `${gzipped} bytes`);
  });

  it("has only what the application uses", async () => {
    const { bytes } = await bundled(
      'export { KraitError } from "krait/runtime"; export { familyNames } from "krait";',
    );
    assert.ok(bytes > 1000 && bytes <= 40_000, `${bytes} bytes`);
  });
});
