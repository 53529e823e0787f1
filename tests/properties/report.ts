/** How many models and checks a run had, from which seed, on what: one line at the end of each group of laws. */
import type fc from "fast-check";
import type { Case } from "./cases.js";

export const SEED = Number(process.env["KRAIT_LAWS_SEED"] ?? 1);

/** Milliseconds: a shader may take a driver forever. None where the number of models is asked for. */
export const LONGEST = process.env["KRAIT_LAWS_RUNS"] === undefined ? 600_000 : 0;

/**
 * fast-check's settings for a group of laws, so many models of it unless KRAIT_LAWS_RUNS says how many; KRAIT_LAWS_SECONDS ends
 * a run early. A counterexample is made smaller if KRAIT_LAWS_SHRINK is 1, which can take hours.
 */
export function settings(byDefault: number): fc.Parameters<[Case]> & { readonly numRuns: number } {
  const numRuns = Number(process.env["KRAIT_LAWS_RUNS"] ?? byDefault);
  const seconds = process.env["KRAIT_LAWS_SECONDS"];
  const limit = seconds === undefined ? {} : { interruptAfterTimeLimit: 1000 * Number(seconds) };
  return { numRuns, seed: SEED, endOnFailure: process.env["KRAIT_LAWS_SHRINK"] !== "1", ...limit };
}

export class Report {
  models = 0;
  unfit = 0;
  checks = 0;
  /** Seconds of the processor that the shaders of a model took to compile. */
  slowest = 0;

  print(what: string, where: string): void {
    process.stdout.write(`    ${this.line(what, where)}\n`);
  }

  private line(what: string, where: string): string {
    const skipped = this.unfit === 0 ? "" : ` (${String(this.unfit)} more are ill-conditioned in f32)`;
    const opened = this.slowest === 0 ? "" : `, shaders of one in ${this.slowest.toFixed(1)} s at most`;
    return `${what}: ${String(this.models)} models${skipped}, ${String(this.checks)} checks${opened}, seed ${String(SEED)}, ${where}`;
  }
}
