import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { format } from "../../compiler/format/index.js";
import { compile, familySource, renderAll } from "../../src/index.js";
import { writeSafetensors } from "../../src/node/index.js";
import { temporaryFolder } from "../support/cli.js";
import { checkpointFixture, fixturePath } from "../support/fixtures.js";
import { blocksOf, commandsIn, installInto, runCommand } from "./snippets.js";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

describe("README.md", () => {
  const models = [...readme.matchAll(/```krait\n([^]*?)```/g)].map(([, text = ""]) => text);

  it("shows one model, of at most fifteen lines", () => {
    assert.equal(models.length, 1);
    assert.ok((models[0] ?? "").trimEnd().split("\n").length <= 15);
  });

  it("shows models that compile", () => {
    for (const text of models) {
      const source = { path: "README.md", text };
      const { bundle, diagnostics } = compile(source, {});
      assert.ok(bundle !== undefined, renderAll(diagnostics, new Map([[source.path, source]])));
    }
  });

  it("shows models as krait fmt lays them out", () => {
    for (const text of models) assert.equal(format({ path: "README.md", text }).text, text);
  });

  it("names files that exist", () => {
    for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
      assert.ok(existsSync(new URL(`../../${path}`, import.meta.url)), path);
    }
  });

  describe("shows what works", () => {
    const path = temporaryFolder();
    const folder = (): string => path("readme");
    const block = (language: string, holds: string): string =>
      blocksOf(readme).find((one) => one.language === language && one.text.includes(holds))?.text ?? "";

    /** What its commands and its program find around them: a small checkpoint, a model for it, a model with an input. */
    before(async () => {
      mkdirSync(folder(), { recursive: true });
      installInto(folder());
      for (const name of ["mamba-130m-hf", "checkpoint"])
        cpSync(fixturePath("mamba"), path(`readme/${name}`), { recursive: true });
      const { config } = checkpointFixture("mamba");
      const fitting = (familySource("mamba")?.text ?? "").replace(
        /^(const \w+ = ).*?(\s+from "(\w+)")$/gm,
        (line, name: string, from: string, key: string) =>
          key in config ? `${name}${JSON.stringify(config[key])}${from}` : line,
      );
      writeFileSync(path("readme/model.krait"), fitting);
      writeFileSync(path("readme/smooth.krait"), SMOOTH);
      const x = { shape: [1, 4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
      await writeSafetensors(path("readme/in.safetensors"), { x });
    });

    for (const words of commandsIn(block("sh", "krait check")))
      it(words.join(" "), () => runCommand({ words, expected: "…" }, folder()));

    it("the program", () => {
      const last = "console.log(logits?.shape, next.logits?.shape);\nprocess.exit();\n";
      writeFileSync(path("readme/program.mts"), block("ts", "compile(") + last);
      const words = ["node", "--import", import.meta.resolve("tsx"), "program.mts"];
      runCommand({ words, expected: "[ 1, 1, 97 ] [ 1, 1, 97 ]" }, folder());
    });
  });
});

const SMOOTH = `axis b: batch, t: time, d = 2
model smooth {
  input x: f32[b, t, d]
  state h[d]
  h = 0.5*prev(h) + x
  output y[b, t, d] = h
}
`;
