import { Command } from "commander";
import type { Diagnostic, SourceFile } from "../../compiler/diagnostics/types.js";
import { SourceCache, showDiagnostics } from "./compile-model.js";
import { InputError, ModelHasErrors, UsageError } from "./errors.js";
import { type Io, uninterrupted, writeJson } from "./io.js";
import { readSource } from "./model-file.js";

interface FmtOptions {
  readonly check?: boolean;
  readonly stdout?: boolean;
  readonly json?: boolean;
}

const HELP = `
Words, comments and blank lines stay as they are; line breaks within statements, spaces and columns
are decided. A file with syntax errors is left as it is, and so are the others named with it.

Examples:
  $ krait fmt model.krait
  $ krait fmt --check models/*.krait
  $ krait fmt --stdout model.krait | diff model.krait -
`;

export function fmtCommand(io: Io): Command {
  return new Command("fmt")
    .summary("lay out sources in the one way")
    .description("Formats Krait sources, in place.")
    .argument("<files...>", "Krait sources")
    .option("--check", "change nothing; exit with 1 if a file is not formatted")
    .option("--stdout", "print the formatted source instead (of one file)")
    .option("--json", "print what was done as JSON on standard output")
    .addHelpText("after", HELP)
    .action((paths: readonly string[], options: FmtOptions) => fmt(paths, options, io));
}

interface Result {
  readonly source: SourceFile;
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

async function fmt(paths: readonly string[], options: FmtOptions, io: Io): Promise<void> {
  checkUsage(paths, options);
  const { format } = await import("../../compiler/format/index.js");
  const results = paths.map(readSource).map((source): Result => ({ source, ...format(source) }));
  await refuseErrors(results, options, io);

  const changed = results.filter(({ source, text }) => source.text !== text).map(({ source }) => source.path);
  if (options.stdout) return io.out(results[0]?.text ?? "");
  if (!options.check) {
    const { replaceFile } = await import("../node/replace-file.js");
    const writes = results.filter(({ source }) => changed.includes(source.path));
    await uninterrupted(async () => {
      for (const { source, text } of writes) await replaceFile(source.path, text);
    });
  }
  const ok = !options.check || changed.length === 0;
  if (options.json) {
    const files = paths.map((path) => ({ file: path, changed: changed.includes(path) }));
    writeJson(io, { ok, files, diagnostics: [] });
  } else if (ok) {
    for (const path of changed) io.out(`${path}: formatted\n`);
  }
  if (ok) return;
  if (options.json) throw new ModelHasErrors(); // It has been said.
  throw new InputError(`not formatted: ${changed.join(", ")}`, `Run: krait fmt ${changed.join(" ")}`);
}

function checkUsage(paths: readonly string[], { stdout, check, json }: FmtOptions): void {
  if (!stdout) return;
  if (check || json) throw new UsageError("--stdout prints the source; it goes with no other option");
  if (paths.length > 1) throw new UsageError("--stdout is for one file");
}

/** All mistakes of all files at once; nothing is written if there is one. */
async function refuseErrors(results: readonly Result[], { json }: FmtOptions, io: Io): Promise<void> {
  const diagnostics = results
    .flatMap((result) => result.diagnostics)
    .filter(({ severity }) => severity === "error");
  const [first] = results;
  if (diagnostics.length === 0 || first === undefined) return;
  const sources = new SourceCache(first.source);
  for (const { source } of results) sources.files.set(source.path, source);
  if (json) {
    const { toJson } = await import("../../compiler/diagnostics/json.js");
    writeJson(io, { ok: false, files: [], diagnostics: toJson(diagnostics, sources.files) });
  } else {
    await showDiagnostics(diagnostics, sources, io);
  }
  throw new ModelHasErrors();
}
