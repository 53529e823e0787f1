import { Command } from "commander";
import { collectSetting, type Settings } from "./arguments.js";
import { showDiagnostics, SourceCache } from "./compile-model.js";
import { ModelHasErrors } from "./errors.js";
import { type Io, writeJson } from "./io.js";
import { readSource } from "./model-file.js";
import { checkpointTensors } from "../../compiler/3-graph/params.js";
import { describeModel, plural } from "./summary.js";

interface CheckOptions {
  readonly set?: Settings;
  readonly json?: boolean;
}

const HELP = `
Reports every mistake of a run at once, each with its code, its place in the source, what was
found and expected, and what to do. The compiler also checks its own work, before its passes
and after them.

Examples:
  $ krait check model.krait
  $ krait check model.krait --set layers=48 --set width=1024
  $ krait check model.krait --json | jq '.diagnostics[].code'
`;

export function checkCommand(io: Io): Command {
  return new Command("check")
    .summary("say what is wrong with a model")
    .description("Checks a model and reports what is wrong with it.")
    .argument("<model.krait>", "Krait source")
    .option("--set <name=value>", "override a constant of the model (repeatable)", collectSetting)
    .option("--json", "print the diagnostics as JSON on standard output")
    .addHelpText("after", HELP)
    .action((path: string, options: CheckOptions) => check(path, options, io));
}

async function check(path: string, options: CheckOptions, io: Io): Promise<void> {
  const source = readSource(path);
  const sources = new SourceCache(source);
  const { check: checkModel } = await import("../../compiler/check.js");
  const { checked, diagnostics } = checkModel(source, {
    set: options.set ?? {},
    loadSource: sources.load,
    verify: "ends",
  });
  if (options.json) {
    const { toJson } = await import("../../compiler/diagnostics/json.js");
    writeJson(io, { ok: checked !== undefined, diagnostics: toJson(diagnostics, sources.files) });
  } else {
    await showDiagnostics(diagnostics, sources, io);
    if (checked !== undefined) {
      const { model, load } = checked.passes.programs;
      const found = diagnostics.length === 0 ? "no problems" : plural(diagnostics.length, "warning");
      const params = checkpointTensors(model, ...(load === undefined ? [] : [load]));
      io.out(`${path}: ${found} (${describeModel({ model: model.name, params })})\n`);
    }
  }
  if (checked === undefined) throw new ModelHasErrors();
}
