/**
 * A trace in the Trace Event Format, which chrome://tracing and ui.perfetto.dev show: a track of the GPU's kernels, and
 * tracks of what the host did.
 */
import type { LaunchWork, Works } from "./profile.js";
import type { HostSpan, Launch, Run, Trace } from "./tracer.js";

/** Times are microseconds since the first event. */
export interface TraceEvent {
  readonly name: string;
  /** `X`: with a duration; `b` and `e`: begin and end of one that may overlap others; `M`: about a track. */
  readonly ph: "X" | "b" | "e" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: "ns";
  readonly traceEvents: readonly TraceEvent[];
}

const PROCESS = 1;
const GPU_TRACK = 1;
const HOST_TRACK = 2;

export function chromeTrace(trace: Trace, works: Works | undefined): ChromeTrace {
  const gpuToHost = clockOffset(trace);
  const origin = Math.min(
    ...trace.host.map(({ begin }) => begin),
    ...trace.runs.map(({ submitted }) => submitted),
  );
  const hostAt = (ms: number): number => 1000 * (ms - origin);
  const gpuAt = (ns: number): number => ns / 1000 + hostAt(gpuToHost);
  return {
    displayTimeUnit: "ns",
    traceEvents: [
      ...TRACKS,
      ...trace.runs.flatMap((run, i) =>
        trace.hasTimestamps ? stampedEvents(run, gpuAt, works) : untimedEvents(run, i, hostAt),
      ),
      ...trace.host.flatMap((span, i) => hostEvents(span, i, hostAt)),
    ],
  };
}

const TRACKS: readonly TraceEvent[] = [
  { name: "process_name", ph: "M", pid: PROCESS, tid: 0, args: { name: "krait run" } },
  { name: "thread_name", ph: "M", pid: PROCESS, tid: GPU_TRACK, args: { name: "GPU kernels" } },
  { name: "thread_name", ph: "M", pid: PROCESS, tid: HOST_TRACK, args: { name: "host: encode, submit" } },
];

/**
 * When the GPU's clock was 0, in milliseconds of the host's. WebGPU relates the two nowhere; but no launch begins before it
 * was submitted, and this is the earliest of which that is true.
 */
function clockOffset({ runs, hasTimestamps }: Trace): number {
  if (!hasTimestamps) return 0;
  const offsets = runs.map(({ submitted, launches }) => submitted - (launches[0]?.begin ?? 0) / 1e6);
  return Math.max(...offsets);
}

/** A run, and its launches within it. */
function stampedEvents(
  run: Run,
  gpuAt: (ns: number) => number,
  works: Works | undefined,
): readonly TraceEvent[] {
  const { launches, program } = run;
  const [first, last] = [launches[0], launches.at(-1)];
  if (first === undefined || last === undefined) return [];
  const on = { ph: "X", pid: PROCESS, tid: GPU_TRACK } as const;
  const event = (name: string, begin: number, end: number): TraceEvent => {
    const ts = gpuAt(begin);
    return { ...on, name, ts, dur: gpuAt(end) - ts };
  };
  return [
    { ...event(program, first.begin, last.end), args: { launches: launches.length } },
    ...launches.map((launch) => ({
      ...event(launch.kernel, launch.begin, launch.end),
      args: workArgs(launch, works?.of(run, launch)),
    })),
  ];
}

function workArgs({ begin, end }: Launch, work: LaunchWork | undefined): TraceEvent["args"] & object {
  if (work === undefined) return {};
  const { source, bytes, operations } = work;
  const ns = Math.max(1, end - begin);
  return {
    source: source.map(({ file, line, text }) => `${file}:${String(line)}  ${text}`),
    bytes,
    operations,
    "GB/s": bytes / ns,
    "GFLOP/s": operations / ns,
  };
}

/** Without timestamps: from submitting to being seen done, while more may be submitted. */
function untimedEvents(
  { program, submitted, done, launches }: Run,
  id: number,
  hostAt: (ms: number) => number,
): readonly TraceEvent[] {
  const on = { name: program, cat: "run", id, pid: PROCESS, tid: GPU_TRACK } as const;
  return [
    { ...on, ph: "b", ts: hostAt(submitted), args: { launches: launches.length } },
    { ...on, ph: "e", ts: hostAt(done) },
  ];
}

/** Reading back waits while other work is encoded: such spans overlap. */
function hostEvents(
  { work, begin, end }: HostSpan,
  id: number,
  hostAt: (ms: number) => number,
): readonly TraceEvent[] {
  const on = { name: work, pid: PROCESS, tid: HOST_TRACK };
  const [ts, until] = [hostAt(begin), hostAt(end)];
  if (work !== "read back") return [{ ...on, ph: "X", ts, dur: until - ts }];
  const waits = { ...on, cat: work, id };
  return [
    { ...waits, ph: "b", ts },
    { ...waits, ph: "e", ts: until },
  ];
}
