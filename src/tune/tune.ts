/**
 * Measures the schedules of a model's kernels on a device: the model runs once at each of the sizes asked for, with made-up weights
 * and inputs, and each kernel of the run is tried by other schedules of its space. SPEC.md § Tuning.
 */
import { schedulesFor, TARGETS, type Target } from "../../compiler/4-passes/schedule.js";
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import { extentsOf } from "../../compiler/5-kernel/schedules/shape.js";
import {
  sameSchedule,
  scheduleText,
  spaceOf,
  type Schedule,
} from "../../compiler/5-kernel/schedules/space.js";
import type { Kernel } from "../../compiler/5-kernel/types.js";
import type { EmittedTarget } from "../../compiler/6-emit/target.js";
import type { Bundle, Program, TuningEntry } from "../../runtime/bundle-format.js";
import { evaluateDim, open, type Inputs, type Model } from "../../runtime/index.js";
import { axisNames, Numbers } from "../../runtime/numbers.js";
import { inputValues, syntheticWeights } from "../measure/noise.js";
import { Recorder, type OtherPipeline, type Recording } from "../measure/recorder.js";
import type { TimingOptions } from "../measure/timing.js";
import { KernelBench, type KernelOfRun } from "./kernel-bench.js";
import { search, type Trial } from "./search.js";

/** Sizes of a model's run-time axes. */
export interface RunSizes {
  readonly batch: number;
  readonly steps: number;
}

/** A model compiled for the target to be tuned, without any tuning. */
export interface Tuned {
  readonly bundle: Bundle;
  readonly target: EmittedTarget;
}

export interface TuneOptions {
  /** Each is a prefill, and a step of its batch. */
  readonly sizes: readonly RunSizes[];
  /** Kernels whose names have this in them. */
  readonly only?: string;
  readonly exhaustive: boolean;
  readonly timing: TimingOptions;
  readonly isOver: () => boolean;
  readonly onTrial?: (progress: Progress) => void;
  /** Called with each kernel's result as it comes. */
  readonly onResult?: (result: KernelResult, progress: Progress) => void;
}

export interface Progress {
  readonly label: string;
  /** This kernel, of how many. */
  readonly at: number;
  readonly of: number;
  readonly measured: number;
  readonly space: number;
  readonly best: Trial | undefined;
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

export interface TuneResult {
  readonly results: readonly KernelResult[];
  /** Kernels that there was no time for. */
  readonly left: number;
  /** Schedules that computed something else, or did not compile: never chosen. */
  readonly wrong: readonly string[];
}

/** f32 sums in another order; and where one side has rounded operands to 16 bits. */
const TOLERANCE = 1e-4;
const ROUNDED = 1e-2;
/** Less gained than this is noise, and the default stays. */
const GAIN = 0.98;

export async function tune(tuned: Tuned, device: GPUDevice, options: TuneOptions): Promise<TuneResult> {
  const { bundle, target } = tuned;
  const profile = TARGETS.find(({ name }) => name === target.entry.name);
  if (profile === undefined) throw new Error(`there is no target ${target.entry.name}`);
  const recorder = new Recorder(device);
  const model = await open(bundle, {
    device: recorder.device,
    weights: syntheticWeights(bundle, {}),
    target: target.entry.name,
  });
  const runs = runsOf(tuned, options);
  const of = runs.reduce((sum, { kernels }) => sum + kernels.length, 0);
  const results: KernelResult[] = [];
  const wrong: string[] = [];
  let [at, left] = [0, of];
  try {
    for (const run of runs) {
      if (options.isOver() || run.kernels.length === 0) continue;
      const { recording, end } = await record(model, bundle, recorder, run);
      try {
        for (const each of run.kernels) {
          if (options.isOver()) break;
          at++;
          const found = await tuneKernel(each, { device, recording, profile, options, at, of });
          wrong.push(...found.wrong);
          if (found.result === undefined && options.isOver()) break;
          left--;
          if (found.result === undefined) continue;
          results.push(found.result);
          options.onResult?.(found.result, found.progress);
        }
      } finally {
        end();
      }
    }
  } finally {
    model.destroy();
  }
  return { results, left, wrong };
}

interface Run extends RunSizes {
  readonly program: "prefill" | "step";
  readonly kernels: readonly TunedKernel[];
}

interface TunedKernel extends KernelOfRun {
  readonly shape: Readonly<Record<string, number>>;
}

/** The runs of a model at these sizes, and the kernels of each that no run before it has at the same shape. */
function runsOf({ bundle, target }: Tuned, { sizes, only = "" }: TuneOptions): readonly Run[] {
  const names = axisNames(bundle.manifest);
  const known = new Set<string>();
  const batches = [...new Set(sizes.map(({ batch }) => batch))];
  const wanted = [
    ...sizes.map((size) => ({ ...size, program: "prefill" as const })),
    ...batches.map((batch) => ({ batch, steps: 1, program: "step" as const })),
  ];
  return wanted.flatMap((size): readonly Run[] => {
    const program = target.entry[size.program];
    if (program === undefined) return [];
    const numbers = new Numbers(names, program.numbers);
    const values = numbers.values({ ...size, pos: 0, tailBegin: size.steps - 1, tailCount: 1 });
    const dim: KernelOfRun["dim"] = (each) => numbers.compile(each)(values);
    const kernels = launchedShaders(program, dim).flatMap((id): readonly TunedKernel[] => {
      const kernel = target.kernels.get(id);
      if (kernel === undefined || !id.includes(only)) return [];
      const extents = Object.entries(extentsOf(kernel));
      const shape = Object.fromEntries(extents.map(([name, extent]) => [name, dim(extent)]));
      const key = JSON.stringify([identityOf(kernel), shape]);
      if (known.has(key)) return [];
      known.add(key);
      return [{ kernel, id, shape, dim, numbers: program.numbers.map(({ name }) => name) }];
    });
    return [{ ...size, kernels }];
  });
}

function launchedShaders({ body, tail }: Program, dim: KernelOfRun["dim"]): readonly string[] {
  const launched = [...body, ...tail].filter(
    ({ when = 1, workgroups }) => dim(when) !== 0 && workgroups.every((count) => dim(count) !== 0),
  );
  return [...new Set(launched.map(({ shader }) => shader))];
}

async function record(
  model: Model,
  bundle: Bundle,
  recorder: Recorder,
  { batch, steps, program }: Run,
): Promise<{ readonly recording: Recording; readonly end: () => void }> {
  const session = await model.session({ batch, maxChunk: steps });
  const inputs = inputsOf(bundle, batch, steps);
  const recording = await recorder.record(() =>
    program === "step" ? session.step(inputs) : session.prefill(inputs, { outputs: "last" }),
  );
  return { recording, end: () => session.destroy() };
}

function inputsOf({ manifest }: Bundle, batch: number, steps: number): Inputs {
  const names = axisNames(manifest);
  const numbers = { [names.batch]: batch, [names.steps]: steps };
  return Object.fromEntries(
    manifest.inputs.map((entry, i) => {
      const count = entry.axes.reduce((product, { size }) => product * evaluateDim(size, numbers), 1);
      return [entry.name, inputValues(entry, count, [-1, 1], i + 1)];
    }),
  );
}

interface Here {
  readonly device: GPUDevice;
  readonly recording: Recording;
  readonly profile: Target;
  readonly options: TuneOptions;
  readonly at: number;
  readonly of: number;
}

interface Found {
  readonly result: KernelResult | undefined;
  readonly progress: Progress;
  readonly wrong: readonly string[];
}

async function tuneKernel(one: TunedKernel, here: Here): Promise<Found> {
  const { profile, options } = here;
  const { kernel } = one;
  const bench = new KernelBench(here.device, here.recording, one, options.timing);
  const space = spaceOf(kernel, profile);
  const usual = space.find((each) => sameSchedule(each, kernel.schedule)) ?? kernel.schedule;
  const wrong: string[] = [];
  const pipelines = new Map<Schedule, OtherPipeline>();
  let best: Trial | undefined;
  let measured = 0;
  const progress = (): Progress => ({
    label: kernel.name,
    at: here.at,
    of: here.of,
    measured,
    space: space.length,
    best,
  });
  const trial = async (schedule: Schedule): Promise<Trial | undefined> => {
    const pipeline = pipelines.get(schedule);
    if (pipeline === undefined) return undefined;
    const ms = await bench.time(pipeline, best?.ms);
    measured++;
    if (best === undefined || ms < best.ms) best = { schedule, ms };
    options.onTrial?.(progress());
    return { schedule, ms };
  };
  const measure = async (schedules: readonly Schedule[]): Promise<readonly Trial[]> => {
    const right = await checked(schedules, { bench, kernel, pipelines, wrong });
    const trials: Trial[] = [];
    for (const schedule of right) {
      if (options.isOver() && best !== undefined) break;
      const made = await trial(schedule);
      if (made !== undefined) trials.push(made);
    }
    return trials;
  };
  const seeds = [usual, ...seedsOf(kernel, profile, space)];
  const trials = await search({
    seeds,
    space,
    measure,
    isOver: options.isOver,
    exhaustive: options.exhaustive,
  });
  const [fastest] = trials;
  if (fastest === undefined) return { result: undefined, progress: progress(), wrong };
  // Side by side once more: what was measured minutes apart may differ by the card's clock.
  const defaultMs = await bench.time(pipelines.get(usual));
  const ms = fastest.schedule === usual ? defaultMs : await bench.time(pipelines.get(fastest.schedule));
  const isFaster = ms < GAIN * defaultMs;
  // That nothing is faster is known when everything was looked at.
  if (!isFaster && options.isOver()) return { result: undefined, progress: progress(), wrong };
  const result: KernelResult = {
    target: profile.name,
    kernel: identityOf(kernel),
    shape: one.shape,
    schedule: { ...(isFaster ? fastest.schedule : usual) },
    label: kernel.name,
    ms: isFaster ? ms : defaultMs,
    defaultMs,
    measured,
    launches: here.recording.dispatches.filter(({ label }) => label === one.id).length,
  };
  return { result, progress: progress(), wrong };
}

/** Compiles schedules side by side, and keeps those that compute what the default does. */
async function checked(
  schedules: readonly Schedule[],
  of: {
    readonly bench: KernelBench;
    readonly kernel: Kernel;
    readonly pipelines: Map<Schedule, OtherPipeline>;
    readonly wrong: string[];
  },
): Promise<readonly Schedule[]> {
  const { bench, kernel, pipelines, wrong } = of;
  const compiled = await Promise.allSettled(schedules.map((schedule) => bench.compiled(schedule)));
  bench.restore();
  const right: Schedule[] = [];
  for (const [i, made] of compiled.entries()) {
    const schedule = schedules[i];
    if (schedule === undefined) continue;
    const what = `${kernel.name} by the schedule ${scheduleText(schedule)}`;
    if (made.status === "rejected") {
      wrong.push(`${what} does not compile: ${String(made.reason)}`);
      continue;
    }
    const bound = rounds(kernel.schedule) || rounds(schedule) ? ROUNDED : TOLERANCE;
    const difference = await bench.difference(made.value).catch((error: unknown) => String(error));
    if (typeof difference === "string") wrong.push(`${what} does not run: ${difference}`);
    else if (!(difference <= bound))
      wrong.push(`${what} computes something else: off by ${difference.toExponential(1)} of its size`);
    else {
      pipelines.set(schedule, made.value);
      right.push(schedule);
    }
  }
  await bench.warm();
  return right;
}

const rounds = (schedule: Schedule): boolean => "kind" in schedule && schedule.kind === "matrix";

/** Where else to begin: what the compiler takes for a product of few rows, or of many, where this is the other. */
function seedsOf(kernel: Kernel, profile: Target, space: readonly Schedule[]): readonly Schedule[] {
  if (kernel.skeleton !== "contract") return [];
  const { rows, cols, depth, schedule } = kernel;
  const schedules = schedulesFor(schedule.kind === "matrix" ? profile : { ...profile, matrixUnits: false });
  const other =
    schedule.kind === "rows" ? schedules.tiles({ rows, cols, depth }) : schedules.rows({ cols, depth });
  return space.filter((each) => sameSchedule(each, other));
}
