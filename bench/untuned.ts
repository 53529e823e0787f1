/**
 * The same run by tuned and by default schedules, on one device in turn: what tuning gains, and so how far the untuned choice is
 * from the best that is known.
 */
import type { Model } from "../runtime/index.js";
import { formatTable } from "../src/cli/table.js";
import type { Recorder, Recording } from "../src/measure/recorder.js";
import { spreadOf, type Spread } from "../src/measure/spread.js";
import { hasTimestamps, timeGroups, warmUp, type TimingOptions } from "../src/measure/timing.js";
import { digits, timeOf, type Result } from "./report.js";

export type Untuned = NonNullable<Result["untuned"]>;

/** Of a tuned target's name the profile that it is of; undefined for one that is not tuned. */
export function untunedTarget(name: string): string | undefined {
  const [profile, adapter] = name.split("@");
  return adapter === undefined ? undefined : profile;
}

/** A model by the profile's own target, and how a run of it is recorded. */
export interface UntunedModel {
  readonly model: Model;
  readonly record: (model: Model) => Promise<{ readonly recording: Recording; readonly end: () => void }>;
}

/** Both recordings' runs one after the other, again and again, and then both's launches. */
export async function besideUntuned(
  recorder: Recorder,
  tuned: Recording,
  { model, record }: UntunedModel,
  options: TimingOptions,
): Promise<{ readonly gpu: Spread; readonly untuned: Untuned }> {
  const { recording: plain, end } = await record(model);
  try {
    if (plain.dispatches.length !== tuned.dispatches.length)
      throw new Error("the tuned target launches another number of kernels than its profile's own");
    const both = [plain, tuned].map(({ dispatches }) => dispatches);
    await warmUp(recorder.real, both.flat(), options.warmUpMs);
    const runs = Array.from({ length: options.runs }, () => both).flat();
    const times = await timeGroups(recorder.real, runs);
    const [untunedGpu, gpu] = [0, 1].map((which) => spreadOf(times.filter((_, i) => i % 2 === which)));
    if (untunedGpu === undefined || gpu === undefined) throw new Error("nothing was timed");
    const kernels = await kernelsInTurn(recorder.real, plain, tuned, options);
    return { gpu, untuned: { target: model.target, gpu: untunedGpu, kernels } };
  } finally {
    end();
  }
}

const MOST_KERNEL_RUNS = 8;

/** Each kernel's launches, paired by their places in the run. */
async function kernelsInTurn(
  device: GPUDevice,
  plain: Recording,
  tuned: Recording,
  { runs }: TimingOptions,
): Promise<Untuned["kernels"]> {
  if (!hasTimestamps(device)) return [];
  const both = [plain, tuned].map(({ dispatches }) => dispatches.map((dispatch) => [dispatch]));
  const rounds: (readonly number[])[] = [];
  for (let i = 0; i < Math.min(runs, MOST_KERNEL_RUNS); i++)
    for (const groups of both) rounds.push(await timeGroups(device, groups));
  const msOf = (place: number, which: number): number =>
    spreadOf(rounds.filter((_, i) => i % 2 === which).map((times) => times[place] ?? 0)).median;
  const found = new Map<
    string,
    { kernel: string; tuned: string; launches: number; ms: number; tunedMs: number }
  >();
  plain.dispatches.forEach(({ label: kernel }, place) => {
    const other = tuned.dispatches[place]?.label ?? kernel;
    const one = found.get(`${kernel} ${other}`) ?? { kernel, tuned: other, launches: 0, ms: 0, tunedMs: 0 };
    const { launches, ms, tunedMs } = one;
    found.set(`${kernel} ${other}`, {
      ...{ kernel, tuned: other, launches: launches + 1 },
      ...{ ms: ms + msOf(place, 0), tunedMs: tunedMs + msOf(place, 1) },
    });
  });
  return [...found.values()].sort((p, q) => q.ms - p.ms);
}

/** Kernels that take less of their run are left out of the table. */
const LEAST_SHARE = 0.01;

/** By case and by kernel, with the geometric means. */
export function untunedTable(results: readonly Result[]): string {
  const pairs = results.flatMap((result) =>
    result.untuned === undefined ? [] : [{ result, untuned: result.untuned }],
  );
  if (pairs.length === 0) return "No case runs by a tuned target: the tuning has nothing for them here.\n";
  const cases = pairs.map(({ result, untuned }) => ({
    cells: [result.id, result.robustness ? "on" : "off", untuned.target],
    before: untuned.gpu.median,
    after: timeOf(result),
  }));
  const kernels = pairs.flatMap(({ result: { id }, untuned }) => {
    const total = untuned.kernels.reduce((sum, { ms }) => sum + ms, 0);
    const mattering = untuned.kernels.filter(({ ms }) => ms >= LEAST_SHARE * total);
    return mattering.map(({ kernel, tuned, launches, ms, tunedMs }) => ({
      cells: [id, tuned === kernel ? kernel : `${kernel} → ${tuned}`, String(launches)],
      before: ms,
      after: tunedMs,
    }));
  });
  const left = results.length - pairs.length;
  return [
    ratioTable(["case", "rob.", "target", "untuned ms", "tuned ms", "×"], cases),
    ...(left > 0 ? [leftText(left)] : []),
    ...(kernels.length > 0
      ? [`\n${ratioTable(["case", "kernel", "launches", "untuned ms", "tuned ms", "×"], kernels)}`]
      : []),
  ].join("");
}

const leftText = (left: number): string =>
  left === 1
    ? "1 more case: the tuning has nothing for it.\n"
    : `${String(left)} more cases: the tuning has nothing for them.\n`;

interface Pair {
  readonly cells: readonly string[];
  readonly before: number;
  readonly after: number;
}

function ratioTable(headings: readonly string[], pairs: readonly Pair[]): string {
  const rows = pairs.map(({ cells, before, after }) => [
    ...[...cells, digits(before), digits(after)],
    (before / after).toFixed(3),
  ]);
  const right = [cells(headings) - 1, cells(headings) - 2, cells(headings) - 3];
  const mean = geometricMean(pairs.map(({ before, after }) => before / after));
  return `${formatTable([headings, ...rows], { right })}geometric mean of ${String(pairs.length)}: × ${mean.toFixed(3)}\n`;
}

const cells = (row: readonly string[]): number => row.length;

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
