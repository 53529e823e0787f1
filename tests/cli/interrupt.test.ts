import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a module's text in a process of its own. */
function runModule(text: string): { signal: NodeJS.Signals | null; stdout: string; stderr: string } {
  const args = ["--import", "tsx", "--input-type=module", "-e", text];
  return spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
}

describe("Ctrl-C", () => {
  const LIBRARY = `
    import { setTimeout } from "node:timers/promises";
    import { uninterrupted } from "./src/cli/io.ts";
  `;

  for (const name of ["SIGINT", "SIGTERM"]) {
    it(`waits for a file that is being written (${name}), then ends the process`, () => {
      const { signal, stdout, stderr } = runModule(`${LIBRARY}
        await uninterrupted(async () => {
          process.kill(process.pid, "${name}");
          await setTimeout(100);
          process.stdout.write("whole");
        });
        await setTimeout(1000);
        process.stdout.write(", and more");
      `);
      assert.deepEqual({ signal, stdout }, { signal: name, stdout: "whole" }, stderr);
    });
  }

  it("ends the process at once when nothing is being written", () => {
    const { signal, stdout } = runModule(`${LIBRARY}
      await uninterrupted(async () => {});
      process.kill(process.pid, "SIGINT");
      await setTimeout(1000);
      process.stdout.write("more");
    `);
    assert.deepEqual({ signal, stdout }, { signal: "SIGINT", stdout: "" });
  });
});
