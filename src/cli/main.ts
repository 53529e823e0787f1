#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { loadScript } from "./code-cache.js";
import { leaveOnSignals, processIo } from "./io.js";
import type * as Program from "./program.js";

/** The file beside this one that program.ts and all that it imports become (scripts/build.mjs). */
declare const PROGRAM_FILE: string;

const io = processIo();
leaveOnSignals(io);

// Compiling a model is over before code that V8 optimizes after its usual 132 kB of bytecode has paid for that: half of the
// processor time of a build went there. What runs for long, such as decoding token after token, is optimized
// some milliseconds later. V8 of Node.js 20 alone counts so, and others print that they do not know the flag.
if (process.versions.v8.startsWith("11.3.")) setFlagsFromString("--interrupt-budget=1000000");

// A reader that goes away (`krait inspect … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const args = process.argv.slice(2);
const [command = ""] = args;
const script = loadScript(
  fileURLToPath(new URL(PROGRAM_FILE, import.meta.url)),
  /^[a-z]+$/.test(command) ? command : "other",
);
const { runCli } = script.exports as typeof Program;
process.exitCode = await runCli(args, io);
// A GPU process may keep the event loop alive; everything is done here, so leave as soon as the output is out.
process.stdout.write("", () =>
  process.stderr.write("", () => {
    // A command that there is has ended well; others, and what fails early, would leave files that nobody needs.
    if (process.exitCode === 0) script.keep();
    process.exit();
  }),
);
