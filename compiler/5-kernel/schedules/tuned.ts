/**
 * Kernels by schedules that were measured: where a tuning has entries for a kernel, the program holds it once for each schedule
 * that won somewhere, and sizes pick. Near a shape that was measured its schedule runs; elsewhere the default.
 */
import type { AdapterTuning, Dim, TuningEntry } from "../../../runtime/bundle-format.js";
import type { Target } from "../../4-passes/schedule.js";
import type { LoweredGroup, LoweredKernel } from "../lower/index.js";
import type { Kernel } from "../types.js";
import { identityOf } from "./identity.js";
import { extentsOf } from "./shape.js";
import { sameSchedule, spaceOf, withSchedule, type Schedule } from "./space.js";

/** How many times larger or smaller than the measured one an extent may be. */
const NEAR = 4;
/** Run-time numbers are u32: no extent is larger. */
const MOST = 2 ** 32 - 1;

export class TunedKernels {
  /** Entries that kernels were found for. */
  readonly used = new Set<TuningEntry>();
  /** By kernel and shape: of several entries the last counts. */
  readonly #entries = new Map<string, Map<string, TuningEntry>>();
  readonly #made = new Map<Kernel, Map<string, Kernel>>();

  constructor(
    tuning: AdapterTuning,
    private readonly target: Target,
  ) {
    for (const entry of tuning.entries) {
      if (entry.target !== target.name) continue;
      const known = this.#entries.get(entry.kernel) ?? new Map<string, TuningEntry>();
      this.#entries.set(entry.kernel, known.set(shapeKey(entry), entry));
    }
  }

  /** Whether there are entries for it, at whatever shape. */
  has(kernel: Kernel): boolean {
    return this.#entries.size > 0 && this.#entries.has(identityOf(kernel));
  }

  /** A group with each kernel that was measured as several, of which the sizes of a run pick one. */
  readonly ofGroup = (group: LoweredGroup): LoweredGroup => ({
    ...group,
    kernels: group.kernels.flatMap((lowered) => this.#alternatives(lowered)),
  });

  /** The kernel as it is, or once for each schedule, with conditions of which one holds whenever the kernel's own does. */
  #alternatives(lowered: LoweredKernel): readonly LoweredKernel[] {
    const { kernel, when } = lowered;
    const measured = this.#measured(kernel, when);
    if (measured.length === 0) return [lowered];
    const extents = Object.values(extentsOf(kernel));
    const regions = regionsOf(measured, extents);
    const by = new Map<Schedule | undefined, Dim | undefined>();
    for (const { schedule, bounds } of regions) {
      if (schedule === undefined) continue;
      const here = conditionOf(bounds);
      by.set(schedule, by.has(schedule) ? either(by.get(schedule), here) : here);
    }
    if (by.size === 0) return [lowered];
    const all = [...by.values()];
    const somewhere = all.reduce(either);
    const made = [...by].map(([schedule, condition]) =>
      conditional(
        { ...lowered, kernel: schedule === undefined ? kernel : this.#withSchedule(kernel, schedule) },
        both(when, condition),
      ),
    );
    // Where sizes are fixed, what was measured is all that runs.
    return somewhere === undefined ? made : [conditional(lowered, both(when, ["==", somewhere, 0])), ...made];
  }

  /** The very same for layers that do the same. */
  #withSchedule(kernel: Kernel, schedule: Schedule): Kernel {
    const known = this.#made.get(kernel) ?? new Map<string, Kernel>();
    this.#made.set(kernel, known);
    const key = JSON.stringify(schedule);
    const made = known.get(key) ?? withSchedule(kernel, schedule);
    known.set(key, made);
    return made;
  }

  /** What was measured of this kernel at shapes where it may run, by schedules that it may have. */
  #measured(kernel: Kernel, when: Dim | undefined): readonly Measured[] {
    const entries = this.#entries.get(identityOf(kernel));
    if (entries === undefined) return [];
    const extents = Object.entries(extentsOf(kernel));
    const space = spaceOf(kernel, this.target);
    const found: Measured[] = [];
    for (const entry of entries.values()) {
      const at = extents.map(([name]) => entry.shape[name] ?? NaN);
      const fits = at.length === Object.keys(entry.shape).length && at.every((size) => size <= MOST);
      const schedule = space.find((each) => sameSchedule(each, entry.schedule as unknown as Schedule));
      if (!fits || schedule === undefined) continue;
      const known = new Map(extents.map(([, size], k) => [JSON.stringify(size), at[k] ?? NaN]));
      if (when !== undefined && valueAt(when, known) === 0) continue;
      this.used.add(entry);
      const isDefault = sameSchedule(schedule, kernel.schedule);
      found.push({ at, schedule: isDefault ? undefined : schedule });
    }
    return found;
  }
}

const shapeKey = ({ shape }: TuningEntry): string =>
  JSON.stringify(Object.entries(shape).sort(([p], [q]) => (p < q ? -1 : 1)));

interface Measured {
  /** Extents, in the order of the kernel's. */
  readonly at: readonly number[];
  /** Undefined: the default. */
  readonly schedule: Schedule | undefined;
}

/** from ≤ size < to, of some extents. */
interface Region {
  readonly schedule: Schedule | undefined;
  readonly bounds: readonly { readonly size: Dim; readonly from: number; readonly to: number }[];
}

/** Of each extent in turn, the values nearest to one that was measured, halfway on a logarithmic scale; neighbours alike are one. */
function regionsOf(measured: readonly Measured[], extents: readonly Dim[], depth = 0): readonly Region[] {
  const size = extents[depth];
  if (size === undefined) return measured.slice(-1).map(({ schedule }) => ({ schedule, bounds: [] }));
  const values = [...new Set(measured.map(({ at }) => at[depth] ?? 0))].sort((p, q) => p - q);
  const pieces: { from: number; to: number; inner: readonly Region[]; key: string }[] = [];
  values.forEach((value, k) => {
    const [below, above] = [values[k - 1], values[k + 1]];
    const least = Math.ceil(value / NEAR);
    const most = value * NEAR + 1;
    const from = below === undefined ? least : Math.max(least, halfway(below, value));
    const to = above === undefined ? most : Math.min(most, halfway(value, above));
    const inner = regionsOf(
      measured.filter(({ at }) => at[depth] === value),
      extents,
      depth + 1,
    );
    const key = JSON.stringify(inner);
    const last = pieces.at(-1);
    if (last !== undefined && last.key === key && last.to === from) last.to = to;
    else pieces.push({ from, to, inner, key });
  });
  return pieces.flatMap(({ from, to, inner }) =>
    inner.map(({ schedule, bounds }) => ({ schedule, bounds: [{ size, from, to }, ...bounds] })),
  );
}

const halfway = (low: number, high: number): number => Math.ceil(Math.sqrt(low * high));

function conditionOf(bounds: Region["bounds"]): Dim | undefined {
  const parts = bounds.flatMap(({ size, from, to }): readonly Dim[] => [
    ...(from > 1 ? [["<=", from, size] as const] : []),
    ["<", size, to],
  ]);
  return parts.length === 0 ? undefined : parts.reduce((p, q) => ["&", p, q]);
}

const both = (p: Dim | undefined, q: Dim | undefined): Dim | undefined =>
  p === undefined ? q : q === undefined ? p : ["&", p, q];

/** No condition holds always. */
const either = (p: Dim | undefined, q: Dim | undefined): Dim | undefined =>
  p === undefined || q === undefined ? undefined : ["max", p, q];

function conditional({ when: _, ...lowered }: LoweredKernel, when: Dim | undefined): LoweredKernel {
  return { ...lowered, ...(when !== undefined && { when }) };
}

/** A condition where some sizes are known, by their text; undefined if others decide. */
function valueAt(dim: Dim, known: ReadonlyMap<string, number>): number | undefined {
  const given = known.get(JSON.stringify(dim));
  if (given !== undefined || typeof dim === "number") return given ?? (dim as number);
  if (typeof dim === "string" || dim[0] === "?") return undefined;
  const [op, p, q] = dim;
  const [a, b] = [valueAt(p, known), valueAt(q, known)];
  if (op === "&" && (a === 0 || b === 0)) return 0;
  if (a === undefined || b === undefined) return undefined;
  switch (op) {
    case "<":
      return Number(a < b);
    case "<=":
      return Number(a <= b);
    case "==":
      return Number(a === b);
    case "&":
      return a & b;
    case "*":
      return a * b;
    case "max":
      return Math.max(a, b);
    default:
      return undefined;
  }
}
