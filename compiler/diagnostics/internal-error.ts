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
