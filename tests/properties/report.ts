/** How many models and checks a run had, from which seed, on what: one line at the end of each group of laws. */
export const SEED = Number(process.env["KRAIT_LAWS_SEED"] ?? 1);

/** Models of a group of laws: its default, scaled by KRAIT_LAWS_RUNS, which counts the models of all groups together. */
export function runs(byDefault: number): number {
  const given = process.env["KRAIT_LAWS_RUNS"];
  return given === undefined ? byDefault : Number(given);
}

export class Report {
  models = 0;
  unfit = 0;
  checks = 0;

  print(what: string, where: string): void {
    process.stdout.write(`    ${this.line(what, where)}\n`);
  }

  private line(what: string, where: string): string {
    const skipped = this.unfit === 0 ? "" : ` (${String(this.unfit)} more are ill-conditioned in f32)`;
    return `${what}: ${String(this.models)} models${skipped}, ${String(this.checks)} checks, seed ${String(SEED)}, ${where}`;
  }
}
