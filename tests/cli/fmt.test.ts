import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";

const UNTIDY = "const a=1 # one\nfn f( x )=x*2\n";
const TIDY = "const a = 1    # one\nfn f(x) = x * 2\n";

describe("krait fmt", () => {
  const at = temporaryFolder();
  const write = (name: string, text: string): string => {
    writeFileSync(at(name), text);
    return at(name);
  };
  const read = (path: string): string => readFileSync(path, "utf8");

  it("formats files in place, and says which", async () => {
    const [untidy, tidy] = [write("a.krait", UNTIDY), write("b.krait", TIDY)];
    chmodSync(untidy, 0o640);
    const { out, err } = await kraitOk("fmt", untidy, tidy);
    assert.equal(out, `${untidy}: formatted\n`);
    assert.equal(err, "");
    assert.equal(read(untidy), TIDY);
    assert.equal(statSync(untidy).mode & 0o777, 0o640);
    assert.deepEqual(await kraitOk("fmt", untidy, tidy), { code: 0, out: "", err: "" });
    assert.deepEqual(
      readdirSync(at("")).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("formats what a link leads to, and leaves the link", async () => {
    const path = write("target.krait", UNTIDY);
    symlinkSync(path, at("link.krait"));
    await kraitOk("fmt", at("link.krait"));
    assert.equal(read(path), TIDY);
    assert.equal(read(at("link.krait")), TIDY);
  });

  it("only looks, with --check", async () => {
    const [untidy, tidy] = [write("c.krait", UNTIDY), write("d.krait", TIDY)];
    assert.equal((await kraitOk("fmt", "--check", tidy)).out, "");
    const { code, out, err } = await krait("fmt", "--check", untidy, tidy);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.equal(err, `error: not formatted: ${untidy}\n  Run: krait fmt ${untidy}\n`);
    assert.equal(read(untidy), UNTIDY);
    const json = await krait("fmt", "--check", "--json", untidy, tidy);
    assert.equal(json.code, 1);
    assert.deepEqual(JSON.parse(json.out), {
      ok: false,
      files: [
        { file: untidy, changed: true },
        { file: tidy, changed: false },
      ],
      diagnostics: [],
    });
  });

  it("prints one file, with --stdout", async () => {
    const path = write("e.krait", UNTIDY);
    assert.deepEqual(await krait("fmt", "--stdout", path), { code: 0, out: TIDY, err: "" });
    assert.equal(read(path), UNTIDY);
    assert.equal((await krait("fmt", "--stdout", path, path)).code, 2);
    assert.equal((await krait("fmt", "--stdout", "--check", path)).code, 2);
  });

  it("writes nothing at all if a file has syntax errors", async () => {
    const [untidy, wrong] = [write("f.krait", UNTIDY), write("g.krait", "const a = (1\n")];
    const { code, out, err } = await krait("fmt", untidy, wrong);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /error\[K0111\].*\n.*g\.krait:1:13/);
    assert.equal(read(untidy), UNTIDY);
    const json = await krait("fmt", "--json", untidy, wrong);
    assert.match(json.out, /"ok": false[^]*"K0111"/);
  });
});
