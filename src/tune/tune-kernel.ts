/** Tries a kernel of a recorded run by schedules of its space, and says which is the fastest. */
import { schedulesFor, type Target } from "../../compiler/4-passes/schedule.js";
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import {
  sameSchedule,
  spaceOf,
  withSchedule,
  workgroupNeeds,
  type Schedule,
} from "../../compiler/5-kernel/schedules/space.js";
import { usualRows } from "../../compiler/5-kernel/schedules/usual-rows.js";
import type { Kernel } from "../../compiler/5-kernel/types.js";
import type { TuningEntry } from "../../runtime/bundle-format.js";
import type { OtherPipeline, Recording } from "../measure/recorder.js";
import type { TimingOptions } from "../measure/timing.js";
import type { Experience } from "./experience.js";
import { KernelBench } from "./kernel-bench.js";
import type { TunedKernel } from "./runs.js";
import { search, type Trial } from "./search.js";
import { sideBySide } from "./side-by-side.js";

/** A schedule that was looked at: what a launch takes by it, or why it is none of this kernel's. */
export type KernelTrial = Trial | Refused;

export interface Refused {
  readonly schedule: Schedule;
  /** `does not compile: …`, `does not run: …`, `computes something else: …` */
  readonly refused: string;
}

/** The fastest schedule, which may be the default. Milliseconds are of one launch. */
export interface KernelResult extends TuningEntry {
  readonly label: string;
  readonly ms: number;
  readonly defaultMs: number;
  readonly measured: number;
  /** Launches of the run at hand. */
  readonly launches: number;
}

/** How far a kernel has come. */
export interface KernelProgress {
  readonly label: string;
  readonly shape: TuningEntry["shape"];
  readonly measured: number;
  readonly space: number;
  readonly best: Trial | undefined;
}

/** What a kernel is tried on, and how. */
export interface Trying {
  readonly device: GPUDevice;
  readonly recording: Recording;
  readonly profile: Target;
  readonly exhaustive: boolean;
  readonly timing: TimingOptions;
  readonly experience: Experience;
  /** Whether this kernel's time is over. */
  readonly isOver: () => boolean;
  readonly onTrial: (trial: KernelTrial, progress: KernelProgress) => void;
}

/** f32 sums in another order; and where one side has rounded operands to 16 bits. */
const TOLERANCE = 1e-4;
const ROUNDED = 1e-2;
/** Less gained than this is noise, and the default stays. */
const GAIN = 0.98;
/** Schedules that are compiled side by side, while those before them are measured. */
const BATCH = 8;

/** Undefined where time was over before anything was found. */
export async function tuneKernel(one: TunedKernel, trying: Trying): Promise<KernelResult | undefined> {
  const { profile, experience, isOver } = trying;
  const { kernel, shape } = one;
  const label = kernel.name;
  const space = spaceOf(kernel, profile);
  const usual = space.find((each) => sameSchedule(each, kernel.schedule)) ?? kernel.schedule;
  const bench = new KernelBench(trying.device, trying.recording, one, trying.timing);
  const trials = new Trials(kernel, bench, trying, { label, shape, space: space.length });
  const others = [...otherForm(kernel, profile, space), ...experience.winnersFor({ label, shape }, space)];
  const [fastest] = await search({
    seeds: [...new Set([usual, ...others])],
    space,
    measure: (schedules) => trials.of(schedules),
    isOver,
    exhaustive: trying.exhaustive,
    guide: experience.guide(label, (schedule) => sideBySide(workgroupNeeds(withSchedule(kernel, schedule)))),
  });
  if (fastest === undefined) return undefined;
  // Side by side once more: what was measured minutes apart may differ by the card's clock.
  const defaultMs = await trials.again(usual);
  const ms = fastest.schedule === usual ? defaultMs : await trials.again(fastest.schedule);
  const isFaster = ms < GAIN * defaultMs;
  // That nothing is faster is known when everything was looked at.
  if (!isFaster && isOver()) return undefined;
  return {
    target: profile.name,
    kernel: identityOf(kernel),
    shape,
    schedule: { ...(isFaster ? fastest.schedule : usual) },
    label,
    ms: isFaster ? ms : defaultMs,
    defaultMs,
    measured: trials.measured,
    launches: trying.recording.dispatches.filter(({ label: id }) => id === one.id).length,
  };
}

/** Where else to begin: what the compiler takes for a product of few rows, or of many, where this is the other. */
function otherForm(kernel: Kernel, profile: Target, space: readonly Schedule[]): readonly Schedule[] {
  if (kernel.skeleton !== "contract") return [];
  const { rows, cols, depth, schedule } = kernel;
  const schedules = schedulesFor(schedule.kind === "matrix" ? profile : { ...profile, matrixUnits: false });
  const other =
    schedule.kind === "rows" ? schedules.tiles({ rows, cols, depth }) : usualRows(kernel, schedules);
  return space.filter((each) => sameSchedule(each, other));
}

/** Compiles schedules of a kernel, compares what they compute with what the default does, and times them. */
class Trials {
  measured = 0;
  #best: Trial | undefined;
  readonly #pipelines = new Map<Schedule, OtherPipeline>();

  constructor(
    private readonly kernel: Kernel,
    private readonly bench: KernelBench,
    private readonly trying: Trying,
    private readonly about: Pick<KernelProgress, "label" | "shape" | "space">,
  ) {}

  /** The times of those that compute the same. */
  async of(schedules: readonly Schedule[]): Promise<readonly Trial[]> {
    const trials: Trial[] = [];
    let compiling = this.#compiled(schedules.slice(0, BATCH));
    for (let i = 0; i < schedules.length && !this.#isOver(); i += BATCH) {
      // The card stays at work while the host compiles: idle ones lower their clock.
      const batch = await this.bench.warmUntil(compiling);
      compiling = this.#compiled(schedules.slice(i + BATCH, i + 2 * BATCH));
      for (const trial of await this.#tried(batch)) {
        if ("ms" in trial) {
          this.measured++;
          trials.push(trial);
          if (this.#best === undefined || trial.ms < this.#best.ms) this.#best = trial;
        }
        this.trying.onTrial(trial, { ...this.about, measured: this.measured, best: this.#best });
      }
    }
    return trials;
  }

  again(schedule: Schedule): Promise<number> {
    return this.bench.time(this.#pipelines.get(schedule));
  }

  /** Something is measured, however little time there is. */
  #isOver(): boolean {
    return this.#best !== undefined && this.trying.isOver();
  }

  async #compiled(schedules: readonly Schedule[]): Promise<readonly Compiled[]> {
    const made = await Promise.allSettled(schedules.map((schedule) => this.bench.compiled(schedule)));
    return made.map((pipeline, i) => ({ schedule: schedules[i] ?? this.kernel.schedule, pipeline }));
  }

  /** All are timed, and then compared: what is compared is read back, and the card cools. */
  async #tried(batch: readonly Compiled[]): Promise<readonly KernelTrial[]> {
    const timed: { schedule: Schedule; pipeline: OtherPipeline; ms: number }[] = [];
    const trials: KernelTrial[] = [];
    for (const { schedule, pipeline } of batch) {
      if (timed.length > 0 && this.#isOver()) break;
      if (pipeline.status === "rejected") {
        trials.push({ schedule, refused: `does not compile: ${String(pipeline.reason)}` });
        continue;
      }
      const ms = await this.bench.time(pipeline.value, this.#best?.ms).catch(refusal);
      if (typeof ms === "number") timed.push({ schedule, pipeline: pipeline.value, ms });
      else trials.push({ schedule, ...ms });
    }
    this.bench.restore();
    for (const { schedule, pipeline, ms } of timed) {
      const difference = await this.bench.difference(pipeline).catch(refusal);
      if (typeof difference !== "number") trials.push({ schedule, ...difference });
      else if (difference <= this.#tolerance(schedule)) {
        this.#pipelines.set(schedule, pipeline);
        trials.push({ schedule, ms });
      } else {
        const off = `off by ${difference.toExponential(1)} of its size`;
        trials.push({ schedule, refused: `computes something else: ${off}` });
      }
    }
    return trials;
  }

  #tolerance(schedule: Schedule): number {
    return rounds(this.kernel.schedule) || rounds(schedule) ? ROUNDED : TOLERANCE;
  }
}

interface Compiled {
  readonly schedule: Schedule;
  readonly pipeline: PromiseSettledResult<OtherPipeline>;
}

const refusal = (error: unknown): { readonly refused: string } => ({
  refused: `does not run: ${String(error)}`,
});
const rounds = (schedule: Schedule): boolean => "kind" in schedule && schedule.kind === "matrix";
