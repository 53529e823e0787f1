/** docs/tutorial.md from its first line to its last: files are written, commands run, and what they print is compared. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { temporaryFolder } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";
import { blocksOf, commandsOf, installInto, runCommand, writeBlock } from "./snippets.js";

describe("docs/tutorial.md", () => {
  const path = temporaryFolder();
  const folder = (): string => path("tutorial");
  const blocks = blocksOf(readFileSync(new URL("../../docs/tutorial.md", import.meta.url), "utf8"));

  before(() => {
    mkdirSync(folder(), { recursive: true });
    installInto(folder());
    cpSync(fixturePath("mamba"), path("tutorial/checkpoint"), { recursive: true });
  });

  it("has nothing but files and commands", () => {
    for (const { language, file, line } of blocks)
      assert.ok(language === "sh" || file !== "", `line ${line}: a block that nothing runs`);
    assert.ok(blocks.filter(({ language }) => language === "krait").length >= 5);
  });

  it("is held to what it shows", () => {
    const show = (expected: string) => () => runCommand({ words: ["node", "-p", "1"], expected }, folder());
    show("…")();
    assert.throws(show("2"));
    assert.throws(show("1\n2"));
    assert.throws(show("error: 1"));
  });

  for (const block of blocks) {
    if (block.language !== "sh") {
      it(`line ${block.line}: ${block.file}`, () => {
        writeBlock(block, folder());
        if (block.language === "krait" && !block.file.startsWith("wrong"))
          runCommand({ words: ["krait", "fmt", "--check", block.file], expected: "" }, folder());
      });
    }
    for (const command of block.language === "sh" ? commandsOf(block) : [])
      it(`line ${block.line}: ${command.words.join(" ")}`, () => runCommand(command, folder()));
  }
});
