import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../../src/cli/program.js";

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process. */
export async function krait(...args: readonly string[]): Promise<CliResult> {
  let out = "";
  let err = "";
  const io = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    color: false,
  };
  const code = await runCli(args, io);
  return { code, out, err };
}

/** `krait`, when it must do what it is asked: throws with all that it said if not. */
export async function kraitOk(...args: readonly string[]): Promise<CliResult> {
  const result = await krait(...args);
  if (result.code !== 0) {
    throw new Error(`krait ${args.join(" ")} ended with ${result.code}:\n${result.err}${result.out}`);
  }
  return result;
}

/** A folder for the files of one suite, removed after it. Call inside `describe`. */
export function temporaryFolder(): (name: string) => string {
  let folder = "";
  before(() => void (folder = mkdtempSync(join(tmpdir(), "krait-test-"))));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
