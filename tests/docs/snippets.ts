/**
 * The fenced blocks of a document, run. A block with a file's name after its language is that file; `sh` blocks have
 * commands after `$ `, and below each what it prints. `…` stands for any text, on a line of its own for any lines.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Block {
  readonly language: string;
  /** `mamba.krait`, or empty. */
  readonly file: string;
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface Command {
  readonly words: readonly string[];
  readonly expected: string;
}

export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$/gm)].map(
    ({ 1: language = "", 2: file = "", 3: text = "", index }) => ({
      language,
      file,
      text,
      line: markdown.slice(0, index).split("\n").length,
    }),
  );
}

/** The commands of a text that has one a line, without prompt or output: those that begin with `krait`. */
export function commandsIn(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("krait "))
    .map(wordsOf);
}

function wordsOf(line: string): readonly string[] {
  const words = line.replace(/\s+#.*$/, "").match(/"[^"]*"|\S+/g) ?? [];
  return words.map((word) => word.replaceAll('"', ""));
}

export function commandsOf({ text }: Block): readonly Command[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = "", ...output] = part.split("\n");
      return { words: wordsOf(line), expected: output.join("\n").trim() };
    });
}

/** Lets `krait`, `krait/runtime` and `krait/node` be found from a folder, as `npm install krait` does. */
export function installInto(folder: string): void {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules", "krait"), "dir");
}

/** Writes the block's file, if it is one. */
export function writeBlock({ file, text }: Block, folder: string): void {
  if (file !== "") writeFileSync(join(folder, file), text);
}

/** Runs `krait …` or `node …` in the folder. It must print what is expected, and fail only where that is an error. */
export function runCommand({ words, expected }: Command, folder: string): void {
  const [program, ...args] = words;
  assert.ok(program === "krait" || program === "node", `what is ${String(program)}?`);
  const all = program === "krait" ? [join(root, "dist", "cli.js"), ...args] : args;
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, encoding: "utf8" });
  const fails = /^error/m.test(expected);
  assert.equal(status, fails ? 1 : 0, `${words.join(" ")}\n${stdout}${stderr}`);
  const printed = (fails ? stdout + stderr : stdout).trim();
  assert.ok(matches(printed, expected), `${words.join(" ")} printed\n${printed}\n\nand not\n${expected}`);
}

function matches(printed: string, expected: string): boolean {
  const escaped = expected.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  // What a page shows keeps no blanks at the ends of lines.
  const pattern = escaped.replace(/^…\n/gm, "(?:.*\n)*?").replace(/^…$/gm, "[^]*").replaceAll("…", ".*");
  return new RegExp(`^${pattern}$`).test(printed.replace(/[ \t]+$/gm, ""));
}
