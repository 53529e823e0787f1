#!/usr/bin/env node
import { leaveOnSignals, processIo } from "./io.js";

const io = processIo();
leaveOnSignals(io);

// A reader that goes away (`krait inspect … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { runCli } = await import("./program.js");
process.exitCode = await runCli(process.argv.slice(2), io);
// A GPU process may keep the event loop alive; everything is done here, so leave as soon as the output is out.
process.stdout.write("", () => process.stderr.write("", () => process.exit()));
