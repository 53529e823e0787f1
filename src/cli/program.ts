/** The command line as a whole: its commands, its help, and how a failure becomes a message and an exit code. */
import { Command, CommanderError } from "commander";
import { adaptersCommand } from "./adapters.js";
import { buildCommand } from "./build.js";
import { checkCommand } from "./check.js";
import { compareCommand } from "./compare.js";
import { describeFailure, type Failure, ModelHasErrors } from "./errors.js";
import { explainCommand } from "./explain.js";
import { ExitCode } from "./exit-codes.js";
import { fmtCommand } from "./fmt.js";
import { importCommand } from "./import.js";
import { inspectCommand } from "./inspect.js";
import { type Io, writeJson } from "./io.js";
import { packageVersion } from "./package-files.js";
import { runCommand } from "./run.js";
import { tuneCommand } from "./tune.js";

const HELP = `
A first look, with a checkpoint in Hugging Face's layout:
  $ krait import ./mamba-130m-hf -o mamba.bundle     compile its model
  $ krait run mamba.bundle --weights ./mamba-130m-hf --tokens 510,5313 --max-new 16

Your own model:
  $ krait check model.krait                          what is wrong with it, if anything
  $ krait fmt model.krait                            lay it out in the one way
  $ krait build model.krait -o model.bundle          WGSL kernels and a manifest
  $ krait inspect model.bundle                       what was built
  $ krait explain model.bundle                       why it is as it is, and what it costs
  $ krait tune model.bundle --apply                  measure what is the fastest on this GPU
  $ krait compare model.bundle --weights w.safetensors --weights-dtype int4   what 4 bits cost

Exit codes:
  0    done
  1    the model, checkpoint, bundle or data is wrong; the messages say where
  2    the command line is wrong
  69   no WebGPU adapter, or the device was lost
  70   a mistake of Krait; please report it
  130  interrupted with Ctrl-C; nothing is left half-written

Environment:
  KRAIT_ADAPTER=NAME   the adapter that 'run' takes without --adapter (see 'krait adapters')
  NO_COLOR=1           no colours in messages
`;

/** Longer lines are hard to read. */
const MAX_HELP_WIDTH = 100;

/** Runs one command line (without `node` and the script's name) and answers with the exit code. Never throws. */
export async function runCli(args: readonly string[], io: Io): Promise<ExitCode> {
  const program = makeProgram(io);
  try {
    await program.parseAsync(args, { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    // Commander has written its message (or the help that was asked for) already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    const failure = describeFailure(error);
    if (!(error instanceof ModelHasErrors)) report(failure, args.includes("--json"), io);
    return failure.exitCode;
  }
}

function makeProgram(io: Io): Command {
  const program = new Command("krait")
    .description("Compiles selective state-space models to WebGPU kernels, and runs them.")
    .usage("COMMAND [options]")
    .version(`krait ${packageVersion()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help, or a command's")
    .helpCommand("help [command]", "show a command's help")
    .addHelpText("after", HELP)
    .configureHelp({ sortSubcommands: false });
  const commands = [
    checkCommand,
    fmtCommand,
    buildCommand,
    importCommand,
    inspectCommand,
    explainCommand,
    runCommand,
    tuneCommand,
    compareCommand,
    adaptersCommand,
  ];
  for (const make of commands) program.addCommand(make(io));
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError(`(see 'krait ${command === program ? "" : `${command.name()} `}--help')`)
      .configureOutput({
        writeOut: (text) => io.out(text),
        writeErr: (text) => io.err(text),
        getOutHelpWidth: helpWidth,
        getErrHelpWidth: helpWidth,
      });
  }
  return program;
}

function helpWidth(): number {
  return Math.min(process.stdout.columns || MAX_HELP_WIDTH, MAX_HELP_WIDTH);
}

function report(failure: Failure, json: boolean, io: Io): void {
  if (json) {
    const { message, code, hint } = failure;
    writeJson(io, { ok: false, error: { message, ...(code && { code }), ...(hint && { hint }) } });
    return;
  }
  const label = io.color ? "\u001b[1;31merror\u001b[0m" : "error";
  io.err(`${label}${failure.code === undefined ? "" : `[${failure.code}]`}: ${failure.message}\n`);
  if (failure.hint !== undefined) io.err(`${failure.hint.replace(/^/gm, "  ")}\n`);
  if (failure.stack !== undefined) io.err(`${failure.stack}\n`);
}
