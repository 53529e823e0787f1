import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { compile as Compile } from "../../src/index.js";
import { temporaryFolder } from "../support/cli.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

const SOURCE = "axis b: batch, t: time\nmodel m {\n  input x: f32[b, t]\n  output y[b, t] = silu(x)\n}\n";

/** What is built in dist/, as `npm test` does before it runs this. */
describe("the package", () => {
  const at = temporaryFolder();
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

  it("keeps what V8 compiled beside the command, and makes it anew where it is damaged", () => {
    mkdirSync(at("dist"));
    copyFileSync(`${root}package.json`, at("package.json"));
    for (const file of readdirSync(`${root}dist`).filter((name) => /^(cli|program|chunk).*js$/.test(name)))
      copyFileSync(`${root}dist/${file}`, at(`dist/${file}`));
    writeFileSync(at("m.krait"), SOURCE);
    const check = (): string => {
      const args = [at("dist/cli.js"), "check", at("m.krait")];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
      return stdout;
    };
    const caches = (): string[] => readdirSync(at("dist")).filter((name) => !/js$/.test(name));
    const said = check();
    const [name = ""] = caches();
    assert.match(name, /^program-\w+\.cjs\.check-v[\d.]+-\w+-[0-9a-f]+\.cache$/);

    const whole = readFileSync(at(`dist/${name}`));
    const age = statSync(at(`dist/${name}`)).mtimeMs;
    assert.equal(check(), said);
    assert.equal(statSync(at(`dist/${name}`)).mtimeMs, age, "was used, not made again");

    for (const block of [0, whole.length >> 10, (whole.length >> 9) - 1]) {
      const damaged = Buffer.from(whole).fill(0, block * 512, (block + 1) * 512);
      writeFileSync(at(`dist/${name}`), damaged);
      assert.equal(check(), said);
      assert.notDeepEqual(readFileSync(at(`dist/${name}`)), damaged);
    }
    for (const size of [0, 5, whole.length >> 1]) {
      writeFileSync(at(`dist/${name}`), whole.subarray(0, size));
      assert.equal(check(), said);
    }
    assert.deepEqual(caches(), [name]);
  });

  it("compiles, from its own templates", async () => {
    const { compile } = (await load("index")) as { compile: typeof Compile };
    const { bundle, diagnostics } = compile({ path: "m.krait", text: SOURCE }, {});
    assert.deepEqual(diagnostics, []);
    assert.equal(bundle?.manifest.model, "m");
  });

  it("says and writes what the library does, in letters of any alphabet", async () => {
    const { compile } = (await load("index")) as { compile: typeof Compile };
    const krait = (...args: string[]): string => {
      const run = spawnSync(process.execPath, [`${root}dist/cli.js`, ...args], { encoding: "utf8" });
      return run.stdout + run.stderr;
    };

    const wrong = { path: at("wrong.krait"), text: SOURCE.replace("silu(x)", "x ≤ 1") };
    writeFileSync(wrong.path, wrong.text);
    const [found] = compile(wrong, {}).diagnostics;
    assert.ok(found !== undefined && found.message.includes("≤"));
    assert.ok(krait("check", wrong.path).includes(`error[${found.code}]: ${found.message}\n`));

    const right = { path: at("right.krait"), text: SOURCE.replace("silu(x)", "log(x)") };
    writeFileSync(right.path, right.text);
    const { bundle } = compile(right, {});
    const said = krait("build", right.path, "-o", at("right.bundle"));
    assert.ok(bundle !== undefined && bundle.files.size > 0);
    for (const [path, text] of bundle.files)
      assert.equal(readFileSync(at(`right.bundle/${path}`), "utf8"), text, said);
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
