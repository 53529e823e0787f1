/** Ctrl-C at any moment: a line, exit code 130, and either nothing or the whole of what was to be written. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { verifyBundle } from "../../runtime/bundle.js";
import { parseSnapshot } from "../../runtime/index.js";
import { readBundle, writeSafetensors } from "../../src/node/index.js";
import { kraitOk, temporaryFolder } from "../support/cli.js";
import { checkpointFixture, tensorOf } from "../support/fixtures.js";
import { readSafetensors } from "../support/safetensors.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a module's text in a process of its own. */
function runModule(text: string): {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
} {
  const args = ["--import", "tsx", "--input-type=module", "-e", text];
  return spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
}

describe("Ctrl-C", () => {
  const LIBRARY = `
    import { setTimeout } from "node:timers/promises";
    import { endedBySignals, leaveOnSignals, uninterrupted } from "./src/cli/io.ts";
    const io = { err: (text) => process.stderr.write(text) };
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

    it(`ends a command with a line and the shell's exit code (${name}), at once or behind what is being written`, () => {
      const begin = `${LIBRARY} leaveOnSignals(io);`;
      const kill = `process.kill(process.pid, "${name}"); await setTimeout(100);`;
      const [word, status] = name === "SIGINT" ? ["interrupted\n", 130] : ["terminated\n", 143];
      const more = `process.stdout.write(", and more");`;
      const atOnce = runModule(`${begin} ${kill} ${more}`);
      assert.deepEqual([atOnce.status, atOnce.stdout, atOnce.stderr], [status, "", word]);
      // A compiler at work lets no event through: what came meanwhile counts before anything is written.
      const busy = runModule(
        `${begin} process.kill(process.pid, "${name}"); await uninterrupted(async () => { ${more} });`,
      );
      assert.deepEqual([busy.status, busy.stdout, busy.stderr], [status, "", word]);
      const later = runModule(
        `${begin} await uninterrupted(async () => { ${kill} process.stdout.write("whole"); }); ${more}`,
      );
      assert.deepEqual([later.status, later.stdout, later.stderr], [status, "whole", word]);
      const after = runModule(`${begin} await uninterrupted(async () => {}); ${kill} ${more}`);
      assert.deepEqual([after.status, after.stdout, after.stderr], [status, "", word]);
    });
  }

  it("brings a long task to its end, whenever it comes", () => {
    const kill = `process.kill(process.pid, "SIGINT");`;
    const wait = `await setTimeout(100);`;
    const say = (text: string): string => `process.stdout.write("${text}");`;
    const run = (before: string, task: string): readonly unknown[] => {
      const { status, stdout, stderr } = runModule(
        `${LIBRARY} leaveOnSignals(io); ${before} await endedBySignals(async (ending) => { ${task} }); ${wait} ${say(", and more")}`,
      );
      return [status, stdout, stderr];
    };
    const told = `${say("begun")} ${kill} ${wait} process.stdout.write(String(ending.aborted));`;
    assert.deepEqual(run("", told), [130, "beguntrue", "interrupted\n"]);
    assert.deepEqual(run("", `${told} ${kill} ${wait} ${say("not this")}`), [
      130,
      "beguntrue",
      "interrupted\n",
    ]);
    // While nothing lets events through: before the task, and as the last thing in it.
    assert.deepEqual(run(kill, say("not this")), [130, "", "interrupted\n"]);
    assert.deepEqual(run("", `${wait} ${kill} ${say("done")}`), [130, "done", "interrupted\n"]);
    assert.deepEqual(run("", say("done")), [0, "done, and more", ""]);
  });

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

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly err: string;
  readonly ms: number;
}

/** Runs the built command, with SIGINT after so many milliseconds. */
function interrupted(args: readonly string[], after: number): Promise<Ended> {
  const begin = performance.now();
  const child = spawn(process.execPath, [`${root}dist/cli.js`, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const timer = setTimeout(() => child.kill("SIGINT"), after);
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, err, ms: performance.now() - begin });
    });
  });
}

describe("krait, interrupted", () => {
  const at = temporaryFolder();
  const mamba = checkpointFixture("mamba").directory;
  const SOURCE =
    "axis b: batch, t: time, m = 8\nmodel sums {\n  input x: f32[b, t, m]\n  state h[m]\n  h = prev(h) + x\n  output y[b, t, m] = h\n}\n";

  before(async () => {
    writeFileSync(at("sums.krait"), SOURCE);
    await kraitOk("build", at("sums.krait"), "-o", at("sums"));
    await writeSafetensors(at("x.safetensors"), { x: { data: new Float32Array(8 * 64), shape: [1, 64, 8] } });
  });

  /** Interrupts the command at moments of the time that it takes; `check` looks at what it left of `made`, if it left something. */
  async function atEveryMoment(
    args: readonly string[],
    made: readonly string[],
    check: (name: string) => unknown,
  ): Promise<void> {
    const whole = await interrupted(args, 1e6);
    assert.equal(whole.code, 0, whole.err);
    for (const name of made) await check(name);
    const others = readdirSync(at(".")).filter((name) => !made.includes(name));
    let ended = 0;
    // The first run may have had a busier machine, or found less in caches.
    let { ms } = whole;
    for (const [i, moment] of [0.3, 0.6, 0.8, 0.9, 0.95, 1].entries()) {
      // Now over what stood there before, now where nothing was.
      if (i % 2 === 1) for (const name of made) rmSync(at(name), { recursive: true, force: true });
      const before = readdirSync(at("."));
      const result = await interrupted(args, moment * ms);
      if (result.code === 0) ms = Math.min(ms, result.ms);
      else {
        // Before Node.js runs our code, the signal itself ends the process: for a shell, 130 too.
        const early = result.signal === "SIGINT" && result.err === "";
        assert.ok(early || result.code === 130, `${String(result.code)}: ${result.err}`);
        if (!early) assert.match(result.err, /^(krait: no GPU found.*\n|note: .*\n)*interrupted\n$/);
        ended++;
      }
      const left = readdirSync(at("."));
      assert.deepEqual(
        left.filter((name) => !made.includes(name)),
        others,
      );
      for (const name of made) {
        assert.ok(left.includes(name) || !before.includes(name), `${name} is gone`);
        if (left.includes(name)) await check(name);
      }
    }
    assert.ok(ended > 0, "every run ended before it was interrupted");
  }

  const checkBundle = async (name: string): Promise<void> => verifyBundle(await readBundle(at(name)));

  it("leaves a bundle whole, or none", () =>
    atEveryMoment(
      ["build", `${root}templates/models/mamba.krait`, "--set", "layers=2", "-o", at("built")],
      ["built"],
      checkBundle,
    ));

  it("leaves an imported bundle whole with its typed module, or none", () =>
    atEveryMoment(["import", mamba, "--types", "-o", at("imported")], ["imported"], async (name) => {
      await checkBundle(name);
      assert.match(readFileSync(at(`${name}/model.ts`), "utf8"), /export (async )?function open/);
    }));

  it("leaves outputs and states whole, or none", () =>
    atEveryMoment(
      ["run", at("sums"), "--input", `x=${at("x.safetensors")}:x`, "--all"].concat(
        ["--output", at("y.safetensors")],
        ["--state-out", at("h.safetensors")],
      ),
      ["y.safetensors", "h.safetensors"],
      async (name) => {
        if (name === "y.safetensors")
          assert.equal(tensorOf(readSafetensors(at(name)).tensors, "y").data.length, 8 * 64);
        else assert.equal((await parseSnapshot(new Uint8Array(readFileSync(at(name))))).pos, 64);
      },
    ));
});
