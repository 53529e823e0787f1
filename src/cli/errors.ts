/**
 * How a command fails. Commands throw; `program.ts` turns what was thrown into a message on standard error (with `--json`
 * an object on standard output) and an exit code.
 */
import { InternalError } from "../../compiler/diagnostics/internal-error.js";
import { type ErrorCode, KraitError } from "../../runtime/errors.js";
import { ExitCode } from "./exit-codes.js";

/** Something that the user gave is wrong: a file, a name, a shape. */
export class InputError extends Error {
  constructor(
    message: string,
    /** What to do about it. */
    readonly hint?: string,
  ) {
    super(message);
    this.name = "InputError";
  }
}

/** The command line is wrong in a way that the option parser can't see. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** The model has errors, and they have been shown already. */
export class ModelHasErrors extends Error {
  constructor() {
    super("the model has errors");
    this.name = "ModelHasErrors";
  }
}

export interface Failure {
  readonly exitCode: ExitCode;
  readonly message: string;
  /** Of a `KraitError`: `R` and four digits. */
  readonly code?: string;
  readonly hint?: string;
  /** Where Krait itself went wrong, for a report. */
  readonly stack?: string;
}

/** Codes of the runtime that speak of the machine, not of what the user gave. */
const UNAVAILABLE: ReadonlySet<ErrorCode> = new Set(["R0201", "R0202", "R0204", "R0205"]);
/** Codes that a right compiler never leads to: a shader that does not compile, an error while it runs. */
const INTERNAL: ReadonlySet<ErrorCode> = new Set(["R0203", "R0206"]);

export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) return { exitCode: ExitCode.usage, message: error.message };
  if (error instanceof InputError) {
    const { message, hint } = error;
    return { exitCode: ExitCode.wrongInput, message, ...(hint !== undefined && { hint }) };
  }
  if (error instanceof ModelHasErrors) return { exitCode: ExitCode.wrongInput, message: error.message };
  if (error instanceof KraitError) {
    const { code, hint } = error;
    // Its message ends in its hint, for those who print the message alone.
    const message = hint === undefined ? error.message : error.message.slice(0, -hint.length).trimEnd();
    return { exitCode: exitCodeOf(code), message, code, ...(hint !== undefined && { hint }) };
  }
  if (isFileError(error)) return { exitCode: ExitCode.wrongInput, message: fileErrorMessage(error) };
  return internalFailure(error);
}

function exitCodeOf(code: ErrorCode): ExitCode {
  if (UNAVAILABLE.has(code)) return ExitCode.unavailable;
  return INTERNAL.has(code) ? ExitCode.internal : ExitCode.wrongInput;
}

function internalFailure(error: unknown): Failure {
  const known = error instanceof InternalError;
  const message = error instanceof Error ? error.message : String(error);
  return {
    exitCode: ExitCode.internal,
    message: known
      ? message
      : `internal error: ${message} (please report this, with the model and the command)`,
    ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
  };
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a folder",
  ENOTDIR: "part of the path is not a folder",
  ENOSPC: "no space left on the disk",
  EROFS: "the file system is read-only",
  EEXIST: "it exists already",
  ENOTEMPTY: "the folder is not empty",
};

function fileErrorMessage(error: NodeJS.ErrnoException): string {
  const why = FILE_ERRORS[error.code ?? ""] ?? error.code ?? error.message;
  return error.path === undefined ? `${error.syscall ?? "file access"}: ${why}` : `${error.path}: ${why}`;
}
