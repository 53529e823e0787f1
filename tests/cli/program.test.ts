import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { krait } from "../support/cli.js";

const COMMANDS = [
  "check",
  "fmt",
  "build",
  "import",
  "inspect",
  "explain",
  "run",
  "tune",
  "compare",
  "adapters",
];

describe("krait", () => {
  it("shows its commands, exit codes and examples", async () => {
    const { code, out, err } = await krait("--help");
    assert.equal(code, 0);
    assert.equal(err, "");
    for (const command of COMMANDS) assert.match(out, new RegExp(`^  ${command}\\b`, "m"));
    for (const exitCode of [0, 1, 2, 69, 70, 130]) assert.match(out, new RegExp(`^  ${exitCode} +\\w`, "m"));
  });

  for (const command of COMMANDS) {
    it(`teaches ${command} with examples`, async () => {
      const { code, out } = await krait(command, "--help");
      assert.equal(code, 0);
      assert.match(out, new RegExp(`Examples:\\n( {2}.*\\n)* {2}\\$ krait ${command}`));
      const tooWide = out.split("\n").filter((line) => line.length > 110);
      assert.deepEqual(tooWide, []);
    });
  }

  it("prints the package's version", async () => {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    assert.deepEqual(await krait("--version"), { code: 0, out: `krait ${version}\n`, err: "" });
  });

  it("calls a wrong command line wrong, with exit code 2 and nothing on standard output", async () => {
    const cases: [string[], RegExp][] = [
      [[], /Usage: krait COMMAND/],
      [["chekc", "x"], /unknown command 'chekc'[^]*Did you mean check\?/],
      [["check", "x", "--jsn"], /unknown option '--jsn'[^]*Did you mean --json\?/],
      [["check"], /missing required argument 'model\.krait'/],
      [["build", "x.krait"], /required option '-o, --output <dir>'/],
      [["check", "x", "--set", "layers"], /NAME=VALUE/],
      [["run", "x", "--tokens", "1,b"], /token ids with commas between/],
      [["run", "x"], /say where the outputs go: --output/],
      [["run", "x", "--max-new", "2", "--output", "y"], /--max-new continues the tokens of --tokens/],
      [["run", "x", "--stop", "2", "--output", "y"], /--stop ends what continues the tokens of --tokens/],
    ];
    for (const [args, message] of cases) {
      const { code, out, err } = await krait(...args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(out, "", args.join(" "));
      assert.match(err, message);
    }
  });

  it("calls a missing file by its name", async () => {
    for (const command of ["check", "inspect"]) {
      const { code, err } = await krait(command, "no/such.krait");
      assert.equal(code, 1);
      assert.match(err, /no\/such\.krait: no such file or folder/);
    }
  });

  it("answers --json with one JSON document, mistakes included", async () => {
    const { code, out, err } = await krait("check", "no/such.krait", "--json");
    assert.equal(code, 1);
    assert.equal(err, "");
    const { ok, error } = JSON.parse(out) as { ok: boolean; error: { message: string } };
    assert.equal(ok, false);
    assert.match(error.message, /no such file/);
  });
});
