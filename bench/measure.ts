/** Measures one case: compile, open, time each run, check what came out. */
import { compile, type Compilation, type CompileResult } from "../compiler/compile.js";
import { evaluateDim, open, type Bundle, type Inputs, type Model, type Session } from "../runtime/index.js";
import { GROUP_ELEMENTS, STORAGE_BITS, type AdapterTuning } from "../runtime/bundle-format.js";
import { familySource } from "../src/families.js";
import type { Graph } from "../compiler/3-graph/types.js";
import type { BenchCase, BenchRun } from "./case.js";
import { runId } from "./case.js";
import { measureGeneration } from "./generate.js";
import { checkAgainstOracle, checkByAnotherRoute, splitLast, type Sample } from "./check.js";
import { inputValues, syntheticWeights } from "../src/measure/noise.js";
import type { DeviceBounds } from "../src/measure/bounds.js";
import { explainRun } from "../src/measure/explained.js";
import { Recorder, type Recording } from "../src/measure/recorder.js";
import { spreadOf, type Spread } from "../src/measure/spread.js";
import type { Result } from "./report.js";
import { hasTimestamps, timeKernels, timeRuns, type TimingOptions } from "../src/measure/timing.js";
import { besideUntuned, untunedTarget } from "./untuned.js";

export interface MeasureOptions extends TimingOptions {
  readonly targets: readonly string[];
  readonly robustness: boolean;
  /** Schedules that were measured before. */
  readonly tuning: readonly AdapterTuning[];
  /** Whether tuned targets are measured in turn with the profiles' own. */
  readonly besideUntuned: boolean;
  /** Another implementation's times, by the names of runs. */
  readonly beside: ReadonlyMap<string, NonNullable<BenchRun["reference"]>>;
  /** What the device does at most, for a target. */
  readonly bounds: (device: GPUDevice, target: string) => Promise<DeviceBounds>;
}

/** What a whole model's calls take, measured fewer times. */
const WALL_RUNS = 8;
const WALL_STEPS = 64;
/** Sequences in pieces, at least. */
const STREAM_RUNS = 3;
/** What a step follows, in steps. */
const CONTEXT = 15;

/**
 * Measures the runs of a case on a device of its own, which is destroyed afterwards. A run that fails is told to `failed`
 * and the others go on.
 */
export async function measureCase(
  one: BenchCase,
  runs: readonly BenchRun[],
  device: GPUDevice,
  options: MeasureOptions,
  told: {
    readonly result: (result: Result) => void;
    readonly failed: (run: BenchRun, error: unknown) => void;
  },
): Promise<void> {
  const recorder = new Recorder(device);
  const host = new HostMemory();
  try {
    const begin = performance.now();
    const { bundle, compilation } = compiled(one, one.set, options.targets, options.tuning);
    const compileMs = performance.now() - begin;
    const weights = syntheticWeights(bundle, one.ranges ?? {});
    const openBegin = performance.now();
    const model = await open(bundle, { device: recorder.device, weights });
    const openMs = performance.now() - openBegin;
    const profile = options.besideUntuned ? untunedTarget(model.target) : undefined;
    const untuned = profile && (await open(bundle, { device: recorder.device, weights, target: profile }));
    const bounds = await options.bounds(recorder.real, model.target);
    for (const run of runs) {
      try {
        const opened = {
          ...{ one, run, bundle, compilation, model, recorder, options },
          ...(untuned && { untuned }),
        };
        recorder.peakBytes = recorder.bytes;
        const measured = await MEASURE[run.kind](opened);
        const { flops, leastBytes, reference } = run;
        told.result({
          id: runId(one, run),
          group: one.group,
          robustness: options.robustness,
          batch: run.batch,
          steps: isStep(run) ? 1 : run.steps,
          target: model.target,
          bounds,
          ...measured,
          compileMs,
          pipelineMs: recorder.pipelineMs,
          pipelines: recorder.pipelines,
          openMs,
          gpuBytes: recorder.peakBytes,
          hostBytes: host.peak(),
          ...(flops !== undefined && { flops }),
          ...(leastBytes !== undefined && { leastBytes }),
          ...asReference(options.beside.get(runId(one, run)) ?? reference),
        });
      } catch (error) {
        told.failed(run, error);
      }
    }
  } finally {
    host.stop();
    device.destroy();
  }
}

function asReference(reference: BenchRun["reference"]): Pick<Result, "reference"> {
  return reference === undefined ? {} : { reference };
}

interface Opened {
  readonly one: BenchCase;
  readonly run: BenchRun;
  readonly bundle: Bundle;
  readonly compilation: Compilation;
  readonly model: Model;
  /** The same by default schedules, where that is to be measured too. */
  readonly untuned?: Model;
  readonly recorder: Recorder;
  readonly options: MeasureOptions;
}

type Measured = Pick<Result, "clock" | "kernels" | "launches" | "check"> &
  Partial<Pick<Result, "gpu" | "wall" | "wallQuiet" | "encodingMs" | "work" | "untuned">>;

const MEASURE: Readonly<Record<BenchRun["kind"], (opened: Opened) => Promise<Measured>>> = {
  prefill: measureRun,
  step: measureRun,
  stream: measureStream,
  generate: measureGenerate,
};

/** Whether what is reported is a step. */
const isStep = ({ kind }: BenchRun): boolean => kind === "step" || kind === "generate";

async function measureGenerate(opened: Opened): Promise<Measured> {
  const { one, run, bundle, model, recorder, options } = opened;
  const first = inputsOf(bundle, one, run.batch, 1);
  const measured = await measureGeneration(model, recorder, first, run, options);
  return { clock: "host", work: workOf(opened), ...measured };
}

/** A run that was encoded, its session still open. */
interface Recorded {
  readonly session: Session;
  readonly recording: Recording;
  readonly got: Awaited<ReturnType<Session["prefill"]>>;
  readonly end: () => void;
}

/** One prefill in one piece, or one step: its dispatches are recorded and run again between timestamps. */
async function measureRun(whole: Opened): Promise<Measured> {
  const { pieces = 1, ...entire } = whole.run;
  const run: BenchRun = { ...entire, steps: entire.steps / pieces };
  const opened = { ...whole, run };
  const { one, bundle, model, recorder, options } = opened;
  const stepping = isStep(run);
  const steps = stepping ? CONTEXT + 1 : run.steps;
  const inputs = inputsOf(bundle, one, run.batch, steps);
  const { before, last } = splitLast(inputs, run.batch, steps);
  const { outputs = "last" } = run;
  const recorded = async (of: Model): Promise<Recorded> => {
    const session = await of.session({ batch: run.batch, maxChunk: steps });
    if (stepping) await session.prefill(before, { outputs: "none" });
    let got: Recorded["got"] = {};
    const recording = await recorder.record(async () => {
      got = await (stepping ? session.step(last) : session.prefill(inputs, { outputs }));
    });
    refuseCut(recording, runId(one, run));
    const dispatches = Array.from({ length: pieces }, () => recording.dispatches).flat();
    return { session, got, recording: { ...recording, dispatches }, end: () => session.destroy() };
  };
  const { session, got, recording } = await recorded(model);
  const { dispatches } = recording;
  const times =
    opened.untuned === undefined
      ? { gpu: await timeRuns(recorder.real, recording, options) }
      : await besideUntuned(recorder, recording, { model: opened.untuned, record: recorded }, options);
  const kernels = await timeKernels(recorder.real, recording, options);
  const walls = run.wall === true ? await wallTimes(opened, session, stepping ? last : inputs) : {};
  session.destroy();
  const check =
    one.sample === undefined
      ? await checkByAnotherRoute(model, run, before, last, got, run.kind)
      : await checkAgainstOracle(model, bundle, sampleOf(one, one.sample), one, run, inputs);
  const clock = hasTimestamps(recorder.real) ? "timestamps" : "host";
  const work = pieces === 1 ? { work: workOf(opened) } : {};
  return { clock, ...times, ...walls, kernels, launches: dispatches.length, ...work, check };
}

/** A sequence of any length, in pieces of the runtime's own choice. */
async function measureStream({ one, run, bundle, model, recorder, options }: Opened): Promise<Measured> {
  const inputs = inputsOf(bundle, one, run.batch, run.steps);
  const { before, last } = splitLast(inputs, run.batch, run.steps);
  const session = await model.session({ batch: run.batch });
  let got: Awaited<ReturnType<Session["prefill"]>> = {};
  const once = async (): Promise<void> => {
    await session.reset();
    got = await session.prefill(inputs);
  };
  const { dispatches } = await recorder.record(once);
  for (const start = performance.now(); performance.now() - start < options.warmUpMs;) await once();
  // Short ones more often, and several together, so that all are timed for about as long.
  const worth = Math.ceil(options.warmUpMs / (await repeated(1, once)).median);
  const wall = await repeated(Math.min(options.runs, Math.max(STREAM_RUNS, worth)), once);
  const together = Math.max(1, worth);
  const many = await repeated(STREAM_RUNS, async () => {
    for (let i = 0; i < together; i++) {
      await session.reset();
      await session.prefill(inputs, { outputs: "none" });
    }
    await recorder.real.queue.onSubmittedWorkDone();
  });
  session.destroy();
  const check = await checkByAnotherRoute(model, run, before, last, got, "stream");
  const wallQuiet = spreadOfEach(many, together);
  return { clock: "host", wall, wallQuiet, kernels: [], launches: dispatches.length, check };
}

/** From the call to the outputs; and without outputs, many in flight. */
async function wallTimes(
  { recorder, run, options }: Opened,
  session: Session,
  inputs: Inputs,
): Promise<Pick<Measured, "wall" | "wallQuiet" | "encodingMs">> {
  const stepping = isStep(run);
  const call = async (outputs: "last" | "none"): Promise<void> => {
    if (!stepping) await session.reset();
    await (stepping ? session.step(inputs, { outputs }) : session.prefill(inputs, { outputs }));
  };
  const runs = Math.min(options.runs, WALL_RUNS);
  const together = stepping ? Math.min(4 * options.runs, WALL_STEPS) : 1;
  await call("last");
  const wall = await repeated(stepping ? together : runs, () => call("last"));
  recorder.encodingMs = 0;
  const quietRuns = Math.min(runs, 5);
  const quiet = await repeated(quietRuns, async () => {
    for (let i = 0; i < together; i++) await call("none");
    await recorder.real.queue.onSubmittedWorkDone();
  });
  const encodingMs = recorder.encodingMs / quietRuns / together;
  return { wall, wallQuiet: spreadOfEach(quiet, together), encodingMs };
}

/** Of one of so many that were timed together. */
const spreadOfEach = ({ median, min, max, runs }: Spread, together: number): Spread => ({
  ...{ median: median / together, min: min / together, max: max / together, runs },
});

async function repeated(runs: number, call: () => Promise<void>): Promise<Spread> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    await call();
    times.push(performance.now() - begin);
  }
  return spreadOf(times);
}

/** What the compiler knows of the run: launches a layer, operations of products, bytes of weights. */
function workOf({ bundle: { manifest }, compilation, model, run }: Opened): Result["work"] {
  const program = isStep(run) ? "step" : "prefill";
  const steps = isStep(run) ? 1 : run.steps;
  const tail =
    run.outputs === "all" ? { tailBegin: 0, tailCount: steps } : { tailBegin: steps - 1, tailCount: 1 };
  const explanation = explainRun(compilation, manifest, model.target, program, {
    batch: run.batch,
    steps,
    pos: isStep(run) ? CONTEXT : 0,
    ...tail,
  });
  const products = explanation.kernels.flatMap(({ times, dispatches }) =>
    dispatches.filter(({ skeleton }) => skeleton === "contract").map(({ arithmetic }) => times * arithmetic),
  );
  return {
    weightBytes: weightBytes(manifest),
    layerLaunches: Math.max(0, ...explanation.layers.map(({ launches }) => launches)),
    productFlops: products.reduce((sum, flops) => sum + flops, 0),
    bytes: explanation.bytes.read + explanation.bytes.written,
  };
}

/** As they lie in memory: quantized ones with a scale of 2 bytes a group. */
function weightBytes({ params }: Bundle["manifest"]): number {
  return params.reduce((sum, { shape, storage }) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const isQuantized = storage === "int8" || storage === "int4";
    return (
      sum + (count * STORAGE_BITS[storage]) / 8 + (isQuantized ? 2 * Math.ceil(count / GROUP_ELEMENTS) : 0)
    );
  }, 0);
}

/** A sequence cut into pieces encodes the same pass twice, with numbers that are gone when it is run again. */
function refuseCut({ passes, dispatches }: Recording, id: string): void {
  if (dispatches.length === 0) throw new Error(`${id}: nothing was dispatched`);
  if (new Set(passes).size < passes.length)
    throw new Error(`${id}: its outputs or its sequence do not fit in one piece; make the case smaller`);
}

function inputsOf(bundle: Bundle, { ranges }: BenchCase, batch: number, steps: number): Inputs {
  const numbers = { b: batch, t: steps };
  return Object.fromEntries(
    bundle.manifest.inputs.map((entry, i) => {
      const count = entry.axes.reduce((product, { size }) => product * evaluateDim(size, numbers), 1);
      return [entry.name, inputValues(entry, count, ranges?.[entry.name] ?? [-1, 1], i + 1)];
    }),
  );
}

function sampleOf(one: BenchCase, sample: Readonly<Record<string, number>>): Sample {
  return compiled(one, { ...one.set, ...sample }, ["baseline"]);
}

function compiled(
  { source, name, schedule, weights, activations }: BenchCase,
  set: BenchCase["set"],
  targets: readonly string[],
  tuning: readonly AdapterTuning[] = [],
): { bundle: Bundle; graph: Graph; compilation: Compilation } {
  const file = "text" in source ? { path: `${name}.krait`, text: source.text } : familySource(source.family);
  if (file === undefined) throw new Error(`${name}: there is no such family`);
  const { bundle, diagnostics, stages }: CompileResult = compile(file, {
    set,
    targets,
    ...(schedule && { schedule }),
    ...(weights && { weights }),
    ...(activations && { activations }),
    tuning,
  });
  if (bundle === undefined || stages.graph === undefined)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return { bundle, graph: stages.graph, compilation: stages as Compilation };
}

/** The most memory that the process was seen to take since this was made. */
class HostMemory {
  #most = 0;
  readonly #timer = setInterval(() => this.#look(), 20);

  #look(): void {
    this.#most = Math.max(this.#most, process.memoryUsage.rss());
  }

  peak(): number {
    this.#look();
    return this.#most;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
