/**
 * What kernels measured before say of the next one: by which schedules others of the same name became the fastest, and what
 * changing a parameter gained. It decides what is measured first, and never what wins.
 */
import { changesOf, kindOf, sameSchedule, type Schedule } from "../../compiler/5-kernel/schedules/space.js";
import type { TuningEntry } from "../../runtime/bundle-format.js";
import type { Guide, Trial } from "./search.js";

/** What won for a kernel, and what the model called it. */
export interface Winner extends Pick<TuningEntry, "shape" | "schedule"> {
  readonly label: string;
}

/** Others' winners to begin with, at most. */
const MOST_WINNERS = 2;
/** What twice as many invocations at work are thought to gain while nothing is known, as log₂ of times. */
const BUSIER = 0.1;
/** As many observations as what is known in general is worth. */
const GENERAL = 2;

export class Experience {
  readonly #winners: Winner[];
  /** Of a change: how often it was made, and the sum of log₂ of times before over after. */
  readonly #gains = new Map<string, { count: number; sum: number }>();

  constructor(winners: readonly Winner[] = []) {
    this.#winners = [...winners];
  }

  won(winner: Winner): void {
    this.#winners.push(winner);
  }

  /** Of this space, what was fastest for kernels of the same name, those of the nearest shapes first. */
  winnersFor({ label, shape }: Omit<Winner, "schedule">, space: readonly Schedule[]): readonly Schedule[] {
    const found = this.#winners
      .filter((winner) => winner.label === label)
      .toSorted((p, q) => apart(p.shape, shape) - apart(q.shape, shape))
      .flatMap(({ schedule }) => space.find((each) => sameSchedule(each, asSchedule(schedule))) ?? []);
    return [...new Set(found)].slice(0, MOST_WINNERS);
  }

  /** @param atWork how many invocations a schedule keeps at work: of changes that nothing is known of, what has more comes first */
  guide(label: string, atWork: (schedule: Schedule) => number): Guide {
    const keysOf = (from: Schedule, to: Schedule): readonly string[] =>
      (changesOf(from, to) ?? []).map(({ name, by }) => `${kindOf(from)} ${name} ${String(Math.sign(by))}`);
    return {
      order: (from, all) => {
        const known = (to: Schedule): number =>
          keysOf(from, to).reduce((sum, key) => sum + this.#expected(label, key), 0);
        const guess = (to: Schedule): number => BUSIER * Math.log2(atWork(to) / atWork(from));
        const expected = new Map(all.map((to) => [to, known(to) + guess(to)]));
        return all.toSorted((p, q) => (expected.get(q) ?? 0) - (expected.get(p) ?? 0));
      },
      saw: (from: Trial, to: Trial) => {
        const keys = keysOf(from.schedule, to.schedule);
        const gain = Math.log2(from.ms / to.ms) / Math.max(1, keys.length);
        for (const key of keys) for (const each of [key, `${label}: ${key}`]) this.#add(each, gain);
      },
    };
  }

  #add(key: string, gain: number): void {
    const known = this.#gains.get(key) ?? { count: 0, sum: 0 };
    this.#gains.set(key, { count: known.count + 1, sum: known.sum + gain });
  }

  #expected(label: string, key: string): number {
    const general = this.#gains.get(key) ?? { count: 0, sum: 0 };
    const own = this.#gains.get(`${label}: ${key}`) ?? { count: 0, sum: 0 };
    const usual = general.sum / (general.count + GENERAL);
    return (own.sum + GENERAL * usual) / (own.count + GENERAL);
  }
}

/** Of a file: whether it is one of a space is looked up there. */
const asSchedule = (schedule: TuningEntry["schedule"]): Schedule => schedule as unknown as Schedule;

/** Sum over extents of |log₂ p/q|; one that only one of them has counts as far. */
function apart(p: TuningEntry["shape"], q: TuningEntry["shape"]): number {
  const names = new Set([...Object.keys(p), ...Object.keys(q)]);
  return [...names].reduce((sum, name) => {
    const [a, b] = [p[name], q[name]];
    return sum + (a === undefined || b === undefined ? 32 : Math.abs(Math.log2((a + 1) / (b + 1))));
  }, 0);
}
