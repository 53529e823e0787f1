/** What the process says to the shell. Documented in `krait --help`. */
export const ExitCode = {
  ok: 0,
  /** The model, checkpoint, bundle or data is wrong: the messages say what and where. */
  wrongInput: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** No WebGPU adapter, or the device was lost. As EX_UNAVAILABLE in sysexits.h. */
  unavailable: 69,
  /** A mistake of Krait. As EX_SOFTWARE in sysexits.h. */
  internal: 70,
  /** Ctrl-C, as shells number it: 128 + SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
