/**
 * Every mistake that the runtime reports, by code. SPEC.md § Errors repeats this table; a code keeps its meaning for ever.
 * The texts are what the code stands for; the message of an error says what happened in this case.
 */
export const ERROR_CODES = {
  R0101: "the manifest is not a Krait bundle's, or is damaged",
  R0102: "the bundle's format version is not one this runtime reads",
  R0103: "a file of the bundle is missing",
  R0104: "a file of the bundle is not what the compiler wrote",
  R0105: "the manifest contradicts itself",
  R0201: "no adapter was found",
  R0202: "no target of the bundle runs on this device",
  R0203: "a shader did not compile",
  R0204: "the device cannot hold a buffer",
  R0205: "the device was lost",
  R0206: "the GPU reported an error",
  R0301: "a safetensors file is damaged",
  R0302: "the sharded checkpoint's index is damaged",
  R0303: "the checkpoint does not fit the model",
  R0304: "a tensor's type cannot be converted without loss",
  R0305: "the checkpoint cannot be read",
  R0306: "a tensor has values that its storage type does not hold",
  R0401: "an input is missing or unknown",
  R0402: "an input has the wrong type or length",
  R0403: "an input's value is out of range",
  R0404: "there is nothing to compute",
  R0405: "the session's options cannot be met",
  R0406: "a snapshot does not fit the session",
  R0407: "the model, session or program cannot be used",
  R0408: "a saved session cannot be read",
  R0501: "a file cannot be read or written",
} as const;

/** A code of `ERROR_CODES`. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** A mistake that the caller can do something about: `message` says what, where and what to do; `code` is stable. */
export class KraitError extends Error {
  readonly code: ErrorCode;
  /** What to do about it; the last line of `message`. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(options.hint === undefined ? message : `${message}\n${options.hint}`, { cause: options.cause });
    this.name = `KraitError [${code}]`;
    this.code = code;
    this.hint = options.hint;
  }
}
