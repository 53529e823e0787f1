/**
 * Measures the schedules of a model's kernels on a device: the model runs once at each of the sizes asked for, with made-up weights
 * and inputs, and each kernel of the run is tried by other schedules of its space. SPEC.md § Tuning.
 */
import { TARGETS, type Target } from "../../compiler/4-passes/schedule.js";
import { scheduleText } from "../../compiler/5-kernel/schedules/space.js";
import { open } from "../../runtime/index.js";
import { syntheticWeights } from "../measure/noise.js";
import { Recorder, type Recording } from "../measure/recorder.js";
import { timeKernels, type TimingOptions } from "../measure/timing.js";
import { Experience, type Winner } from "./experience.js";
import { record, runsOf, type Run, type RunChoice, type Tuned, type TunedKernel } from "./runs.js";
import {
  tuneKernel,
  type KernelProgress,
  type KernelResult,
  type KernelTrial,
  type Trying,
} from "./tune-kernel.js";

export interface TuneOptions extends RunChoice {
  readonly exhaustive: boolean;
  readonly timing: TimingOptions;
  /** What won before, here or elsewhere: with it kernels of the same name begin. */
  readonly winners?: readonly Winner[];
  /** How long all of it may take, which kernels share by what they take of the run. Default: as long as it takes. */
  readonly budgetMs?: number;
  /** Whether to end with what there is. */
  readonly isOver: () => boolean;
  /** Called with each schedule that was looked at. */
  readonly onTrial?: (trial: KernelTrial, progress: Progress) => void;
  /** Called with each kernel's result as it comes. */
  readonly onResult?: (result: KernelResult, progress: Progress) => void;
}

export interface Progress extends KernelProgress {
  /** This kernel, of how many. */
  readonly at: number;
  readonly of: number;
}

export interface TuneResult {
  readonly results: readonly KernelResult[];
  /** Every schedule that was looked at, in the order in which they were. */
  readonly trials: readonly (KernelTrial & Pick<Progress, "label" | "shape">)[];
  /** Schedules that computed something else, or did not compile: never chosen. */
  readonly wrong: readonly string[];
  /** Kernels that there was no time for. */
  readonly left: number;
}

/** In less, little is found: compiling alone takes a second on some devices. */
const LEAST_MS = 1000;
/** Clocks may be coarser than a launch is long. */
const SHORTEST_MS = 1e-3;
/** How often a run is timed to see which of its kernels matter. */
const RANKING_RUNS = 3;

export async function tune(tuned: Tuned, device: GPUDevice, options: TuneOptions): Promise<TuneResult> {
  const { bundle, target } = tuned;
  const profile = TARGETS.find(({ name }) => name === target.entry.name);
  if (profile === undefined) throw new Error(`there is no target ${target.entry.name}`);
  const begin = performance.now();
  const recorder = new Recorder(device);
  const model = await open(bundle, {
    device: recorder.device,
    weights: syntheticWeights(bundle, {}),
    target: target.entry.name,
  });
  const runs = runsOf(tuned, options).filter(({ kernels }) => kernels.length > 0);
  const tuning = new Tuning(device, profile, options, runs);
  const end = begin + (options.budgetMs ?? Infinity);
  try {
    for (const [i, run] of runs.entries()) {
      if (options.isOver() || performance.now() > end) break;
      const share = (end - performance.now()) / (runs.length - i);
      const { recording, end: release } = await record(model, bundle, recorder, run);
      try {
        await tuning.ofRun(run, recording, performance.now() + share);
      } finally {
        release();
      }
    }
  } finally {
    model.destroy();
  }
  return tuning.result();
}

class Tuning {
  readonly #results: KernelResult[] = [];
  readonly #trials: TuneResult["trials"][number][] = [];
  readonly #experience: Experience;
  readonly #of: number;
  #at = 0;
  #left: number;

  constructor(
    private readonly device: GPUDevice,
    private readonly profile: Target,
    private readonly options: TuneOptions,
    runs: readonly Run[],
  ) {
    this.#experience = new Experience(options.winners);
    this.#left = this.#of = runs.reduce((sum, { kernels }) => sum + kernels.length, 0);
  }

  /** Kernels of the run until a time by the clock, those first that take the most of it. */
  async ofRun({ kernels }: Run, recording: Recording, end: number): Promise<void> {
    const { timing, isOver } = this.options;
    const times = await timeKernels(this.device, recording, { ...timing, runs: RANKING_RUNS });
    const timeOf = ({ id }: TunedKernel): number =>
      Math.max(times.find(({ kernel }) => kernel === id)?.ms ?? 1, SHORTEST_MS);
    const sorted = kernels.toSorted((p, q) => timeOf(q) - timeOf(p));
    let rest = sorted.reduce((sum, each) => sum + timeOf(each), 0);
    for (const each of sorted) {
      const time = end - performance.now();
      if (isOver() || time < LEAST_MS) return;
      const share = Math.max(LEAST_MS, (time * timeOf(each)) / rest);
      rest -= timeOf(each);
      this.#at++;
      await this.#ofKernel(each, recording, performance.now() + share);
    }
  }

  result(): TuneResult {
    const wrong = this.#trials.flatMap((trial) =>
      "refused" in trial
        ? [`${trial.label} by the schedule ${scheduleText(trial.schedule)} ${trial.refused}`]
        : [],
    );
    return { results: this.#results, trials: this.#trials, wrong, left: this.#left };
  }

  async #ofKernel(one: TunedKernel, recording: Recording, end: number): Promise<void> {
    const { device, profile, options } = this;
    const { exhaustive, timing } = options;
    let last: KernelProgress | undefined;
    const trying: Trying = {
      ...{ device, recording, profile, exhaustive, timing },
      experience: this.#experience,
      isOver: () => options.isOver() || performance.now() > end,
      onTrial: (trial, progress) => {
        last = progress;
        const { label, shape } = progress;
        this.#trials.push({ ...trial, label, shape });
        options.onTrial?.(trial, { ...progress, at: this.#at, of: this.#of });
      },
    };
    const result = await tuneKernel(one, trying);
    if (result === undefined && trying.isOver()) return;
    this.#left--;
    if (result === undefined || last === undefined) return;
    this.#results.push(result);
    this.#experience.won(result);
    options.onResult?.(result, { ...last, at: this.#at, of: this.#of });
  }
}
