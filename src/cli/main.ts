#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { leaveOnSignals, processIo } from "./io.js";

const io = processIo();
leaveOnSignals(io);

// Compiling a model is over before code that V8 optimizes after its usual 132 kB of bytecode has paid for that: half of the
// processor time of a build went there. What runs for long, such as decoding token after token, is optimized
// some milliseconds later.
setFlagsFromString("--interrupt-budget=1000000");

// A reader that goes away (`krait inspect … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { runCli } = await import("./program.js");
process.exitCode = await runCli(process.argv.slice(2), io);
// A GPU process may keep the event loop alive; everything is done here, so leave as soon as the output is out.
process.stdout.write("", () => process.stderr.write("", () => process.exit()));
