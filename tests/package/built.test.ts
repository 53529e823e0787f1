import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { compile as Compile } from "../../src/index.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What is built in dist/, as `npm test` does before it runs this. */
describe("the package", () => {
  before(() => assert.ok(existsSync(`${root}dist/cli.js`), "run `npm run build` first"));

  const load = (entry: string): Promise<Record<string, unknown>> =>
    import(pathToFileURL(`${root}dist/${entry}.js`).href) as Promise<Record<string, unknown>>;

  it("has a command that runs", () => {
    const { status, stdout } = spawnSync(process.execPath, [`${root}dist/cli.js`, "--version"], {
      encoding: "utf8",
    });
    assert.equal(status, 0);
    assert.match(stdout, /^krait \d+\.\d+\.\d+\n$/);
  });

  it("compiles, from its own templates", async () => {
    const { compile } = (await load("index")) as { compile: typeof Compile };
    const text = "axis b: batch, t: time\nmodel m {\n  input x: f32[b, t]\n  output y[b, t] = silu(x)\n}\n";
    const { bundle, diagnostics } = compile({ path: "m.krait", text }, {});
    assert.deepEqual(diagnostics, []);
    assert.equal(bundle?.manifest.model, "m");
  });

  it("has one class for one error, whichever entry it comes from", async () => {
    const [runtime, node] = [await load("runtime"), await load("node")];
    const { KraitError } = runtime as { KraitError: new () => Error };
    const { requestDevice } = node as { requestDevice: (options: object) => Promise<unknown> };
    await assert.rejects(requestDevice({ adapter: "none" }), (error) => error instanceof KraitError);
  });

  it("locks its packages without naming a registry", () => {
    const lock = readFileSync(`${root}package-lock.json`, "utf8");
    assert.doesNotMatch(lock, /"resolved"|https?:\/\/registry/);
  });
});
