/** What a trace says of each kernel: its time beside its bytes and operations, and how near that is to the device's bounds. */
import type { Compilation } from "../../compiler/compile.js";
import type { Explanation, SourceLine } from "../../compiler/explain/index.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import { RUN_NUMBERS, type Bundle } from "../../runtime/bundle-format.js";
import { axisNames, type RunNumbers } from "../../runtime/numbers.js";
import type { DeviceBounds } from "../measure/bounds.js";
import { explainRun } from "../measure/explained.js";
import type { HostWork, Launch, Run, Trace } from "./tracer.js";

type ProgramName = Explanation["program"];

/** All launches of one kernel by one program. */
export interface KernelProfile {
  readonly program: string;
  /** The shader's id. */
  readonly kernel: string;
  /** The lines of source that it computes some of. */
  readonly source: readonly SourceLine[];
  readonly launches: number;
  /** The GPU's time, all launches together; absent without timestamps. */
  readonly ms?: number;
  /** Read and written, each element once a launch; f32 operations, transcendental ones too. Absent where nothing is known. */
  readonly bytes?: number;
  readonly operations?: number;
  /** What bounds it on this device, and which part of its time it would need at that bound; above 1 where caches serve it. */
  readonly bound?: { readonly by: "memory" | "operations"; readonly share: number };
}

/** All runs of one program: prefills' pieces, or steps. */
export interface ProgramProfile {
  readonly program: string;
  readonly runs: number;
  readonly launches: number;
  /** From the first launch's begin to the last one's end, of all runs together; absent without timestamps. */
  readonly gpuMs?: number;
  /** From submitting to being seen done, by the host's clock, all runs together; those under way at once count each. */
  readonly hostMs: number;
}

export interface HostProfile {
  readonly work: HostWork;
  readonly times: number;
  readonly ms: number;
}

export interface Profile {
  readonly target: string;
  readonly hasTimestamps: boolean;
  readonly bounds: DeviceBounds;
  readonly programs: readonly ProgramProfile[];
  /** The slowest first. */
  readonly kernels: readonly KernelProfile[];
  readonly host: readonly HostProfile[];
}

/** The model that ran, as the compiler knows it. */
export interface Profiled {
  readonly bundle: Bundle;
  readonly compilation: Compilation;
  readonly sources: readonly SourceFile[];
  /** The name of the target that ran. */
  readonly target: string;
}

/** What one launch of a kernel does at some sizes. */
export interface LaunchWork {
  readonly source: readonly SourceLine[];
  readonly bytes: number;
  readonly operations: number;
  readonly onMatrixUnits: boolean;
}

/** What launches of runs do, by the compiler's explanation at each run's own numbers. */
export class Works {
  readonly #known = new Map<string, ReadonlyMap<string, LaunchWork>>();

  constructor(private readonly model: Profiled) {}

  of({ program, numbers }: Run, { kernel }: Launch): LaunchWork | undefined {
    const { bundle, target } = this.model;
    const entry = bundle.manifest.targets.find(({ name }) => name === target)?.[program as ProgramName];
    if (entry === undefined) return undefined;
    const run = runNumbers(bundle, new Map(entry.numbers.map(({ name }, i) => [name, numbers[i] ?? 0])));
    // Where a run stands in its sequence decides nothing about how much it does.
    const key = JSON.stringify([program, { ...run, pos: 0, tailBegin: 0 }]);
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = this.#explain(program as ProgramName, run)));
    return known.get(kernel);
  }

  #explain(program: ProgramName, run: RunNumbers): ReadonlyMap<string, LaunchWork> {
    const { bundle, compilation, target, sources } = this.model;
    const { kernels } = explainRun(compilation, bundle.manifest, target, program, run, sources);
    const emitted = compilation.targets.find(({ entry }) => entry.name === target)?.kernels;
    const works = new Map<string, { work: LaunchWork; times: number }>();
    for (const { times, computes, dispatches } of kernels) {
      for (const { id, bindings, arithmetic, transcendental } of dispatches) {
        const { work, times: before } = works.get(id) ?? { work: NOTHING, times: 0 };
        // A kernel of several groups counts as it is launched on average.
        const mean = (p: number, q: number): number => (before * p + times * q) / (before + times);
        const moved = bindings.reduce((sum, { read, written }) => sum + read + written, 0);
        works.set(id, {
          times: before + times,
          work: {
            source: work.source.length === 0 ? computes : work.source,
            bytes: mean(work.bytes, moved),
            operations: mean(work.operations, arithmetic + transcendental),
            onMatrixUnits: isOnMatrixUnits(emitted?.get(id)),
          },
        });
      }
    }
    return new Map([...works].map(([id, { work }]) => [id, work]));
  }
}

const NOTHING: LaunchWork = { source: [], bytes: 0, operations: 0, onMatrixUnits: false };

function isOnMatrixUnits(kernel: { readonly schedule: object } | undefined): boolean {
  return kernel !== undefined && "kind" in kernel.schedule && kernel.schedule.kind === "matrix";
}

/** What the runtime supplied, from the numbers in a uniform block. */
function runNumbers({ manifest }: Bundle, block: ReadonlyMap<string, number>): RunNumbers {
  const names = axisNames(manifest);
  const batch = block.get(names.batch) ?? 1;
  const steps = block.get(names.steps) ?? 1;
  const longest = block.get(RUN_NUMBERS.longest);
  const documents = block.get(RUN_NUMBERS.documents);
  return {
    batch,
    steps,
    pos: block.get(RUN_NUMBERS.pos) ?? 0,
    tailBegin: block.get(RUN_NUMBERS.tailBegin) ?? 0,
    tailCount: block.get(RUN_NUMBERS.tailCount) ?? 1,
    ...(longest !== undefined && { longest }),
    ...(documents !== undefined && { documents }),
  };
}

export function profileOf(
  trace: Trace,
  works: Works | undefined,
  target: string,
  bounds: DeviceBounds,
): Profile {
  return {
    target,
    hasTimestamps: trace.hasTimestamps,
    bounds,
    programs: [...grouped(trace.runs, ({ program }) => program)].map(([program, runs]) =>
      programProfile(program, runs, trace.hasTimestamps),
    ),
    kernels: kernelProfiles(trace, works, bounds),
    host: [...grouped(trace.host, ({ work }) => work)].map(([work, spans]) => ({
      work,
      times: spans.length,
      ms: sum(spans, ({ begin, end }) => end - begin),
    })),
  };
}

function programProfile(program: string, runs: readonly Run[], hasTimestamps: boolean): ProgramProfile {
  const gpuMs = sum(runs, ({ launches }) => ((launches.at(-1)?.end ?? 0) - (launches[0]?.begin ?? 0)) / 1e6);
  return {
    program,
    runs: runs.length,
    launches: sum(runs, ({ launches }) => launches.length),
    ...(hasTimestamps && { gpuMs }),
    hostMs: sum(runs, ({ submitted, done }) => done - submitted),
  };
}

interface Launched {
  readonly run: Run;
  readonly launch: Launch;
}

function kernelProfiles(
  { runs, hasTimestamps }: Trace,
  works: Works | undefined,
  bounds: DeviceBounds,
): readonly KernelProfile[] {
  const launched = runs.flatMap((run) => run.launches.map((launch): Launched => ({ run, launch })));
  const byKernel = grouped(launched, ({ run, launch }) => `${run.program} ${launch.kernel}`);
  return [...byKernel.values()]
    .map((launches) => kernelProfile(launches, works, bounds, hasTimestamps))
    .sort((p, q) => (q.ms ?? 0) - (p.ms ?? 0));
}

function kernelProfile(
  launches: readonly Launched[],
  works: Works | undefined,
  bounds: DeviceBounds,
  hasTimestamps: boolean,
): KernelProfile {
  const [first] = launches as [Launched, ...Launched[]];
  const done = launches.flatMap(({ run, launch }) => works?.of(run, launch) ?? []);
  const ms = sum(launches, ({ launch }) => (launch.end - launch.begin) / 1e6);
  const [bytes, operations] = [sum(done, (each) => each.bytes), sum(done, (each) => each.operations)];
  const isKnown = done.length === launches.length;
  const atBound = {
    memory: (1000 * bytes) / bounds.copy,
    operations: sum(done, (each) => 1000 * timeOf(each, bounds)),
  };
  const by = atBound.memory >= atBound.operations ? "memory" : "operations";
  return {
    program: first.run.program,
    kernel: first.launch.kernel,
    source: done[0]?.source ?? [],
    launches: launches.length,
    ...(hasTimestamps && { ms }),
    ...(isKnown && { bytes, operations }),
    ...(isKnown && hasTimestamps && ms > 0 && { bound: { by, share: atBound[by] / ms } }),
  };
}

/** Seconds of the operations alone, at the rate of the units that make them. */
function timeOf({ operations, onMatrixUnits }: LaunchWork, { lanes, product }: DeviceBounds): number {
  return operations / (onMatrixUnits ? product : lanes);
}

function grouped<T, K>(values: readonly T[], keyOf: (value: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(value);
  }
  return groups;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
