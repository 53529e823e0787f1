/** What of a tuning a model had use for, for people and programs. */
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import type { EmittedTarget } from "../../compiler/6-emit/target.js";
import type { AdapterTuning, TuningEntry } from "../../runtime/bundle-format.js";
import type { Io } from "./io.js";
import { plural } from "./summary.js";

export interface TuningUse {
  readonly vendor: string;
  readonly architecture: string;
  /** Entries that match a kernel, and those that match none. */
  readonly used: number;
  readonly unused: number;
  /** Of each target profile of the bundle: its kernels, how many of them are tuned, and entries for that profile. */
  readonly targets: readonly {
    readonly name: string;
    readonly kernels: number;
    readonly tuned: number;
    readonly entries: number;
  }[];
}

/** What a command that builds tells of it: its notes at once. Undefined where there is no tuning. */
export function reportTuning(
  given: readonly AdapterTuning[] | undefined,
  emitted: readonly EmittedTarget[] | undefined,
  io: Io,
): readonly TuningUse[] | undefined {
  if (given === undefined || emitted === undefined) return undefined;
  const uses = tuningUse(given, emitted);
  for (const note of uses.flatMap(useNotes)) io.err(`note: ${note}\n`);
  return uses;
}

/** One for each adapter of a tuning. */
export function tuningUse(
  given: readonly AdapterTuning[],
  emitted: readonly EmittedTarget[],
): readonly TuningUse[] {
  const used = new Set(emitted.flatMap(({ tuned = [] }) => [...tuned]));
  const plain = emitted.filter(({ tuned }) => tuned === undefined);
  return given.map(({ vendor, architecture, entries }) => {
    const mine = entries.filter((entry) => used.has(entry));
    const targets = plain.map((target) => {
      const { name } = target.entry;
      const of = (some: readonly TuningEntry[]): readonly TuningEntry[] =>
        some.filter((entry) => entry.target === name);
      const tuned = new Set(of(mine).map(({ kernel }) => kernel)).size;
      return { name, kernels: kernelsOf(target).size, tuned, entries: of(entries).length };
    });
    return { vendor, architecture, used: mine.length, unused: entries.length - mine.length, targets };
  });
}

/** Identities of the kernels that can be tuned: not of what runs once, when a model is loaded. */
function kernelsOf({ programs }: EmittedTarget): ReadonlySet<string> {
  const groups = programs.filter(({ name }) => name !== "load").flatMap((program) => program.groups);
  return new Set(groups.flatMap(({ kernels }) => kernels.map(({ kernel }) => identityOf(kernel))));
}

/** `tuned for nvidia hopper: 12 entries used, 3 match nothing in this model; matrix: 9 of 11 kernels`. */
export function useText({ vendor, architecture, used, unused, targets }: TuningUse): string {
  const rest = unused === 0 ? "" : `, ${plural(unused, "matches", "match")} nothing in this model`;
  const shares = targets.map(({ name, tuned, kernels }) => `${name}: ${tuned} of ${kernels} kernels`);
  return `tuned for ${vendor} ${architecture}: ${plural(used, "entry", "entries")} used${rest}; ${shares.join(", ")}`;
}

/** What the user should know: that a tuning is of another model, or of another state of the compiler. Never a mistake. */
export function useNotes({ vendor, architecture, unused, targets }: TuningUse): readonly string[] {
  const adapter = `${vendor} ${architecture}`;
  if (targets.every(({ entries }) => entries === 0) && unused > 0)
    return [
      `the tuning for ${adapter} has nothing for ${names(targets)}: see --target, or measure with 'krait tune'`,
    ];
  return targets.flatMap(({ name, kernels, tuned, entries }) =>
    entries === 0 || unused === 0 || 2 * tuned >= kernels
      ? []
      : [
          `the tuning for ${adapter} knows ${tuned} of ${kernels} kernels of ${name}: ` +
            "it was measured with other models or sizes, or with another version of Krait. " +
            "What it does not know runs by default schedules; 'krait tune' measures this model",
        ],
  );
}

const names = (targets: TuningUse["targets"]): string => targets.map(({ name }) => name).join(" or ");
