/** Which schedules of a space are measured: downhill from some of them, neighbour by neighbour, or all. */
import { neighbours, type Schedule } from "../../compiler/5-kernel/schedules/space.js";

export interface Trial {
  readonly schedule: Schedule;
  /** Milliseconds of a launch. */
  readonly ms: number;
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
}

/** How much slower than the best a seed may be to be followed, and what counts as better. */
const WORTH = 2;
const BETTER = 0.99;

/** Everything that was measured, the fastest first. */
export async function search({
  seeds,
  space,
  exhaustive,
  measure,
  isOver,
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
  const starts = (await look(seeds)).toSorted(byTime);
  if (exhaustive) {
    for (let i = 0; i < space.length && !isOver(); i += BATCH) await look(space.slice(i, i + BATCH));
    return trials.toSorted(byTime);
  }
  for (const start of starts) {
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
  async function stepFrom({ schedule, ms }: Trial, changes: 1 | 2): Promise<Trial | undefined> {
    const [best] = (await look(neighbours(schedule, space, changes))).toSorted(byTime);
    return best !== undefined && best.ms < BETTER * ms ? best : undefined;
  }
}

const BATCH = 32;
const byTime = (p: Trial, q: Trial): number => p.ms - q.ms;
