/** Bundles on disk that are not what the compiler wrote: every command refuses them, says why, and writes nothing. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Manifest } from "../../runtime/bundle-format.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { writeSafetensors } from "../../src/node/index.js";
import { within } from "./within.js";

const MODEL = `axis b: batch, t: time, m = 4
model gain {
  input x: f32[b, t, m]
  state h[m]
  h = 0.5*prev(h) + x
  output y[b, t, m] = h
}
`;

describe("a bundle on disk", () => {
  const at = temporaryFolder();
  before(async () => {
    writeFileSync(at("gain.krait"), MODEL);
    await kraitOk("build", at("gain.krait"), "-o", at("whole"));
    await writeSafetensors(at("x.safetensors"), { x: { data: new Float32Array(8), shape: [1, 2, 4] } });
  });

  /** A copy of the bundle with one thing changed. */
  function changed(name: string, change: (folder: string) => void): string {
    cpSync(at("whole"), at(name), { recursive: true });
    change(at(name));
    return at(name);
  }
  const manifestOf = (folder: string): Manifest =>
    JSON.parse(readFileSync(`${folder}/model.json`, "utf8")) as Manifest;
  const shaderOf = (folder: string): string =>
    `${folder}/${manifestOf(folder).targets[0]?.shaders[0]?.file ?? assert.fail("no shader")}`;
  const rewrite = (folder: string, change: (manifest: Manifest) => object): void =>
    writeFileSync(`${folder}/model.json`, JSON.stringify(change(manifestOf(folder))));

  const commands = (bundle: string): string[][] => [
    ["inspect", bundle],
    ["inspect", bundle, "--stage", "elaborate"],
    ["explain", bundle],
    ["run", bundle, "--input", `x=${at("x.safetensors")}:x`, "--output", at("y.safetensors")],
  ];

  async function refused(bundle: string, code: string, message: RegExp): Promise<void> {
    for (const args of commands(bundle)) {
      const result = await within(() => krait(...args));
      assert.equal(result.code, 1, `${args.join(" ")}: ${result.err}`);
      assert.equal(result.out, "");
      assert.match(result.err, new RegExp(`^error\\[${code}\\]: `));
      assert.match(result.err, message);
    }
    const left = readdirSync(at(".")).filter((name) => name.includes("y.safetensors"));
    assert.deepEqual(left, []);
  }

  const edit = (folder: string): void => {
    const shader = shaderOf(folder);
    writeFileSync(shader, `// mine\n${readFileSync(shader, "utf8")}`);
  };

  it("is refused with a changed shader", () =>
    refused(
      changed("edited", edit),
      "R0104",
      /Not what the compiler wrote: kernels\/.*\.wgsl[^]*--allow-edited/,
    ));

  it("is taken with a changed shader by --allow-edited", async () => {
    const bundle = changed("allowed", edit);
    for (const args of commands(bundle)) await kraitOk(...args, "--allow-edited");
    assert.match((await kraitOk("inspect", bundle, "--allow-edited")).out, /gain/);
    assert.ok(existsSync(at("y.safetensors")));
    rmSync(at("y.safetensors"));
  });

  it("is refused with a changed source", () =>
    refused(
      changed("source", (folder) =>
        writeFileSync(`${folder}/sources/gain.krait`, MODEL.replace("0.5", "0.6")),
      ),
      "R0104",
      /sources\/gain\.krait/,
    ));

  it("is refused with a shader that is not there", () =>
    refused(
      changed("missing", (folder) => rmSync(shaderOf(folder))),
      "R0501",
      /\.wgsl cannot be read: it does not exist/,
    ));

  it("is refused in another version", () =>
    refused(
      changed("version", (folder) => rewrite(folder, (manifest) => ({ ...manifest, formatVersion: 99 }))),
      "R0102",
      /version 99, and this runtime reads[^]*newer runtime/,
    ));

  for (const path of ["../../secret.wgsl", "/etc/passwd", "kernels/../../secret", "C:\\secret", "a//b", ""]) {
    it(`is refused with a file at ${JSON.stringify(path)}`, () =>
      refused(
        changed(`leaves-${String(path.length)}`, (folder) =>
          rewrite(folder, (manifest) => ({ ...manifest, sources: [{ ...manifest.sources[0], file: path }] })),
        ),
        "R0101",
        /sources\.0\.file: is not a path inside the bundle/,
      ));
  }

  it("is refused if the manifest is no JSON, or empty, or cut off", async () => {
    const text = readFileSync(`${at("whole")}/model.json`, "utf8");
    for (const [i, wrong] of ["", "{", text.slice(0, text.length / 2), "\u0000".repeat(100)].entries()) {
      const folder = changed(`cut-${String(i)}`, (path) => writeFileSync(`${path}/model.json`, wrong));
      await refused(folder, "R0101", /model\.json is not JSON/);
    }
  });

  it("tells where a shader that was let through does not compile", async () => {
    const bundle = changed("broken", (folder) => {
      const shader = shaderOf(folder);
      writeFileSync(shader, `// mine\nfn wrong() -> u32 { return 1.5f; }\n${readFileSync(shader, "utf8")}`);
    });
    const args = commands(bundle).at(-1) ?? [];
    const { code, err } = await krait(...args, "--allow-edited");
    assert.equal(code, 70);
    assert.match(err, /^error\[R0203\]: [^]*\.wgsl:2:\d+: [^]*fn wrong\(\) -> u32 \{ return 1\.5f; \}/);
    assert.doesNotMatch(err, /Invalid ShaderModule/);
    assert.ok(!existsSync(at("y.safetensors")));
  });

  it("keeps sources of one name apart, and can be built again from them", async () => {
    mkdirSync(at("tree/main/parts"), { recursive: true });
    mkdirSync(at("tree/parts"), { recursive: true });
    writeFileSync(at("tree/parts/part.krait"), "fn twice(x) = 2*x\n");
    writeFileSync(
      at("tree/main/parts/part.krait"),
      'use twice from "../../parts/part.krait"\nfn thrice(x) = x + twice(x)\n',
    );
    writeFileSync(
      at("tree/main/part.krait"),
      `use thrice from "./parts/part.krait"\nuse twice from "../parts/part.krait"\n${MODEL.replace("= h", "= thrice(h) + twice(x)")}`,
    );
    await kraitOk("build", at("tree/main/part.krait"), "-o", at("tree.bundle"));
    const files = manifestOf(at("tree.bundle")).sources.map(({ file }) => file);
    assert.deepEqual(files, [
      "sources/main/part.krait",
      "sources/main/parts/part.krait",
      "sources/parts/part.krait",
    ]);
    await kraitOk("build", at("tree.bundle/sources/main/part.krait"), "-o", at("again.bundle"));
    const text = (name: string): string => readFileSync(at(`${name}/model.json`), "utf8");
    assert.equal(text("again.bundle"), text("tree.bundle"));
    const stage = (path: string): Promise<{ out: string }> => kraitOk("inspect", path, "--stage", "fold");
    assert.equal((await stage(at("tree.bundle"))).out, (await stage(at("tree/main/part.krait"))).out);
  });
});
