#!/usr/bin/env node
import { processIo } from "./io.js";
import { runCli } from "./program.js";

// A reader that goes away (`krait inspect … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), processIo());
// A GPU process may keep the event loop alive; everything is done here, so leave as soon as the output is out.
process.stdout.write("", () => process.stderr.write("", () => process.exit()));
