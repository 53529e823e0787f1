import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { typedModule } from "../../compiler/6-emit/typed-module.js";
import type { Manifest } from "../../runtime/bundle-format.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

describe("krait import", () => {
  const at = temporaryFolder();
  const manifestOf = (bundle: string): Manifest =>
    JSON.parse(readFileSync(at(`${bundle}/model.json`), "utf8")) as Manifest;

  for (const [checkpoint, storage, width] of [
    ["mamba", "f32", 64],
    ["falcon-mamba", "f32", 64],
    ["mamba-bf16-sharded", "bf16", 64],
    ["mamba2", "f32", 64],
    ["mamba2-f16", "f16", 64],
    ["rwkv4", "f32", 64],
    ["recurrent-gemma", "f32", 48],
  ] as const) {
    it(`compiles the model of ${checkpoint}, weights kept as stored`, async () => {
      const { out } = await kraitOk("import", fixturePath(checkpoint), "-o", at(checkpoint));
      assert.match(out, /token\[b, t\] → logits\[b, t, v\]/);
      assert.match(out, /krait run .* --weights .* --tokens/);
      const { options, constants } = manifestOf(checkpoint);
      assert.equal(options.weights, storage);
      assert.equal(options.storage, undefined);
      assert.equal(constants["width"], width);
    });
  }

  it("adds the typed module of a built bundle, where it is asked for", async () => {
    await kraitOk("import", fixturePath("mamba"), "--types", "-o", at("typed"));
    const text = readFileSync(at("typed/model.ts"), "utf8");
    assert.equal(text, await typedModule(manifestOf("typed")));
    await kraitOk("import", fixturePath("mamba"), "-o", at("typed"));
    assert.ok(!existsSync(at("typed/model.ts")));
  });

  /** A checkpoint's folder with this config and nothing else, or with the files named. */
  function folder(name: string, config: object, files: readonly string[] = []): string {
    mkdirSync(at(name));
    writeFileSync(at(`${name}/config.json`), JSON.stringify(config));
    for (const file of files) writeFileSync(at(`${name}/${file}`), "");
    return at(name);
  }

  async function refused(path: string, message: RegExp): Promise<void> {
    const { code, err } = await krait("import", path, "-o", at("refused"));
    assert.equal(code, 1);
    assert.match(err, message);
    assert.ok(!existsSync(at("refused")));
  }

  it("chooses how mamba2 normalizes by what wrote the checkpoint, says so, and lets --set override it", async () => {
    const grouped = fixturePath("mamba2-groups");
    const { err } = await kraitOk("import", grouped, "-o", at("groups"));
    assert.match(err, /norm_groups = 1 .*--set norm_groups/);
    assert.equal(manifestOf("groups").constants["norm_groups"], 1);

    const config = JSON.parse(readFileSync(fixturePath("mamba2-groups", "config.json"), "utf8")) as object;
    const official = folder("official", { ...config, transformers_version: undefined });
    copyFileSync(fixturePath("mamba2-groups", "model.safetensors"), `${official}/model.safetensors`);
    const other = await kraitOk("import", official, "-o", at("by-authors"));
    assert.match(other.err, /norm_groups = 2/);
    assert.equal(manifestOf("by-authors").constants["norm_groups"], 2);

    const forced = await kraitOk("import", grouped, "-o", at("forced"), "--set", "norm_groups=2");
    assert.doesNotMatch(forced.err, /norm_groups/);
    assert.equal(manifestOf("forced").constants["norm_groups"], 2);
  });

  it("names the families that it knows", async () => {
    await refused(folder("gpt", { model_type: "gpt2" }), /family "gpt2"[^]*falcon_mamba, mamba/);
    await refused(folder("untyped", {}), /no "model_type"[^]*Known families/);
    await refused(folder("hostile", { model_type: "../prelude" }), /family "\.\.\/prelude"/);
  });

  it("refuses a pickle with the command that converts it", async () => {
    const path = folder("pickle", { model_type: "mamba" }, ["pytorch_model.bin"]);
    await refused(path, /pytorch_model\.bin[^]*python/);
  });

  it("refuses a folder that is no checkpoint", async () => {
    await refused(at("nowhere"), /nowhere: no such file or folder/);
    await refused(fixturePath("ops"), /has no config\.json/);
    await refused(folder("bare", { model_type: "mamba" }), /safetensors/);
  });

  it("says at once what the checkpoint lacks", async () => {
    const path = folder("lacking", {
      ...(JSON.parse(readFileSync(fixturePath("mamba", "config.json"), "utf8")) as object),
      num_hidden_layers: 4,
    });
    copyFileSync(fixturePath("mamba", "model.safetensors"), `${path}/model.safetensors`);
    await refused(path, /backbone\.layers\.3\.norm\.weight/);
  });
});
