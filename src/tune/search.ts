/** Which schedules of a space are measured: downhill from some of them, neighbour by neighbour, or all. */
import {
  changesOf,
  kindOf,
  neighbours,
  sameSchedule,
  type Schedule,
} from "../../compiler/5-kernel/schedules/space.js";

export interface Trial {
  readonly schedule: Schedule;
  /** Milliseconds of a launch. */
  readonly ms: number;
}

/** What is known of the neighbours of schedules, and learnt while they are measured. */
export interface Guide {
  /** The likeliest to gain first. */
  order(from: Schedule, neighbours: readonly Schedule[]): readonly Schedule[];
  saw(from: Trial, neighbour: Trial): void;
}

export interface SearchOptions {
  /** Where to begin; the first is the default. */
  readonly seeds: readonly Schedule[];
  readonly space: readonly Schedule[];
  /** Measures every schedule of the space. */
  readonly exhaustive: boolean;
  /** The times of those that can be measured. */
  readonly measure: (schedules: readonly Schedule[]) => Promise<readonly Trial[]>;
  /** Whether to be content with what there is. */
  readonly isOver: () => boolean;
  readonly guide?: Guide;
}

/** How much slower than the best a seed may be to be followed, and what counts as better. */
const WORTH = 2;
const BETTER = 0.99;
/** Two changes are made together where neither alone lost more. */
const HARMLESS = 1.1;

/** Everything that was measured, the fastest first. */
export async function search({
  seeds,
  space,
  exhaustive,
  measure,
  isOver,
  guide,
}: SearchOptions): Promise<readonly Trial[]> {
  const trials: Trial[] = [];
  const known = new Set<Schedule>();
  const look = async (schedules: readonly Schedule[]): Promise<readonly Trial[]> => {
    const fresh = schedules.filter((schedule) => !known.has(schedule));
    for (const schedule of fresh) known.add(schedule);
    const found = fresh.length === 0 ? [] : await measure(fresh);
    trials.push(...found);
    return found;
  };
  await look(seeds);
  if (exhaustive) {
    for (let i = 0; i < space.length && !isOver(); i += BATCH) await look(space.slice(i, i + BATCH));
    return trials.toSorted(byTime);
  }
  for (const start of fastestOfEachKind(trials)) {
    let best = start;
    const [fastest = best] = trials.toSorted(byTime);
    if (best.ms > WORTH * fastest.ms) break;
    while (!isOver()) {
      const next = (await stepFrom(best, 1)) ?? (isOver() ? undefined : await stepFrom(best, 2));
      if (next === undefined) break;
      best = next;
    }
  }
  return trials.toSorted(byTime);

  /** The best neighbour of so many changes, if it is better. */
  async function stepFrom(from: Trial, changes: 1 | 2): Promise<Trial | undefined> {
    const all = neighbours(from.schedule, space, changes).filter(
      (each) => changes === 1 || isWorthBoth(from, each),
    );
    const found = await look(guide?.order(from.schedule, all) ?? all);
    for (const each of found) guide?.saw(from, each);
    const [best] = found.toSorted(byTime);
    return best !== undefined && best.ms < BETTER * from.ms ? best : undefined;
  }

  /** Whether neither of two changes is known to lose much. */
  function isWorthBoth(from: Trial, to: Schedule): boolean {
    return !trials.some(
      ({ schedule, ms }) => ms > HARMLESS * from.ms && isBetween(from.schedule, schedule, to),
    );
  }
}

/** Whether it has one of two changes. */
function isBetween(from: Schedule, schedule: Schedule, to: Schedule): boolean {
  const isOneFrom = (other: Schedule): boolean => {
    const changes = changesOf(schedule, other);
    return changes?.length === 1 && Math.abs(changes[0]?.by ?? 0) === 1;
  };
  return !sameSchedule(from, to) && isOneFrom(from) && isOneFrom(to);
}

function fastestOfEachKind(trials: readonly Trial[]): readonly Trial[] {
  const sorted = trials.toSorted(byTime);
  const kinds = new Set(sorted.map(({ schedule }) => kindOf(schedule)));
  return [...kinds].flatMap((kind) => sorted.find(({ schedule }) => kindOf(schedule) === kind) ?? []);
}

const BATCH = 32;
const byTime = (p: Trial, q: Trial): number => p.ms - q.ms;
