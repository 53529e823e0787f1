/** A mistake of the compiler, never of its user: names the stage and the thing that it was looking at. */
export class InternalError extends Error {
  constructor(
    readonly stage: string,
    detail: string,
  ) {
    super(`internal error in ${stage}: ${detail} (please report this, with the model)`);
    this.name = "InternalError";
  }
}

/**
 * The model asks for more than a stage can do in reasonable time or space. Thrown where the place in the source is long
 * forgotten; `compile` makes it a diagnostic.
 */
export class TooInvolved extends Error {}

/** Whether recursion went as deep as the engine lets it: V8's and Safari's error, or Firefox's. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof Error && /call stack|too much recursion/.test(error.message);
}
