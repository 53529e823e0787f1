/**
 * The schedules that a kernel may have, as data: for each kind the values of its parameters, and what a device and the
 * kernel's own sizes leave of their combinations. All compute the same, but that sums may be taken in another order; what
 * is taken unless somebody measured is `4-passes/schedule.ts`. SPEC.md § Schedules.
 */
import { SUBGROUP, UNIT } from "../../../templates/subgroup-matrix.js";
import { invocationsOfMatrix, matrixBytes } from "../../../templates/kernels/contract-matrix.js";
import { isWrittenByWords } from "../../../templates/accessors.js";
import { invocationsOf, tiledBytes } from "../../../templates/kernels/contract-tiled.js";
import { BEST_ALONE, MOST_ALONE, type Target } from "../../4-passes/schedule.js";
import { canWriteWords } from "../fill/word-stores.js";
import { invocationsOfRows, rowsBytes } from "../fill/contract-rows.js";
import { scanWorkgroupBytes } from "../fill/scan.js";
import type {
  ContractKernel,
  Kernel,
  MatrixSchedule,
  ReduceKernel,
  RowsSchedule,
  ScanKernel,
  TiledSchedule,
} from "../types.js";

export type Schedule = Kernel["schedule"];

/** A kind of schedule: the values that each of its parameters may have, rising. */
type Parameters<S> = {
  readonly [P in keyof S as S[P] extends number ? P : never]: readonly S[P][];
};

const WORKGROUPS: Parameters<{ readonly workgroup: number }> = { workgroup: [32, 64, 128, 256] };
const SCAN: Parameters<ScanKernel["schedule"]> = {
  channels: [1, 2, 4, 8, 16, 32, 64, 128],
  lanes: [1, 2, 4, 8, 16, 32],
  steps: [4, 8, 16, 32],
};
const ROWS: Parameters<Required<RowsSchedule>> = {
  lanes: [4, 8, 16, 32, 64, 128, 256],
  cols: [1, 2, 4, 8, 16],
  each: [1, 2, 4, 8],
  rows: [1, 2, 4, 8],
};
const TILED: Parameters<TiledSchedule> = {
  tileRows: [16, 32, 64, 128],
  tileCols: [32, 64, 128, 256],
  tileDepth: [8, 16, 32],
  threadRows: [4, 8],
  threadCols: [4, 8, 16],
};
const MATRIX: Parameters<MatrixSchedule> = {
  tileRows: [32, 64, 128, 256],
  tileCols: [32, 64, 128, 256],
  tileDepth: [16, 32, 48, 64],
  partRows: [16, 32, 64],
  partCols: [16, 32, 64],
  stages: [1, 2],
};

/** Fewer invocations than the narrowest subgroup leave lanes idle. */
const FEWEST_INVOCATIONS = 32;

type Limits = Target["limits"];

/** Every schedule that the kernel may have on the target, in a fixed order; the one that it has is among them. */
export function spaceOf(kernel: Kernel, target: Pick<Target, "limits">): readonly Schedule[] {
  const words = kernel.bindings.filter(isWrittenByWords).map(({ name }) => name);
  const canWrite = (schedule: Schedule): boolean =>
    words.every((binding) => canWriteWords({ ...kernel, schedule } as Kernel, binding));
  const all = allOf(kernel, target);
  return words.length === 0 ? all : all.filter(canWrite);
}

function allOf(kernel: Kernel, { limits }: Pick<Target, "limits">): readonly Schedule[] {
  switch (kernel.skeleton) {
    case "map":
    case "sequential":
      return combinations(WORKGROUPS).filter(({ workgroup }) => fits(limits, workgroup, 0));
    case "reduce":
      return combinations(WORKGROUPS).filter(({ workgroup }) =>
        fits(limits, workgroup, reduceBytes(kernel, workgroup)),
      );
    case "scan":
      return combinations(SCAN).filter((schedule) => scanFits(kernel, schedule, limits));
    case "contract":
      return contractSpace(kernel, limits);
  }
}

/** Schedules of the space that differ from one of them in one parameter (or two) by one value each. */
export function neighbours(
  schedule: Schedule,
  space: readonly Schedule[],
  changes: 1 | 2,
): readonly Schedule[] {
  return space.filter((other) => {
    const made = changesOf(schedule, other);
    return made?.length === changes && made.every(({ by }) => Math.abs(by) === 1);
  });
}

/** A parameter that another schedule has so many values higher, or lower. */
export interface Change {
  readonly name: string;
  readonly by: number;
}

/** In what two schedules of a kind differ; undefined: in their kind. */
export function changesOf(from: Schedule, to: Schedule): readonly Change[] | undefined {
  if (kindOf(from) !== kindOf(to)) return undefined;
  const changes: Change[] = [];
  for (const [name, all] of Object.entries(parametersOf(from))) {
    const by = all.indexOf(valueOf(to, name)) - all.indexOf(valueOf(from, name));
    if (by !== 0) changes.push({ name, by });
  }
  return changes;
}

export const sameSchedule = (p: Schedule, q: Schedule): boolean =>
  kindOf(p) === kindOf(q) &&
  Object.keys({ ...parametersOf(p), ...parametersOf(q) }).every(
    (name) => valueOf(p, name) === valueOf(q, name),
  );

/** The kernel with another schedule of its space, and a name that says of which kind. */
export function withSchedule(kernel: Kernel, schedule: Schedule): Kernel {
  const name =
    kernel.skeleton === "contract"
      ? kernel.name.replace(/_(rows|tiled|matrix)$/, `_${kindOf(schedule)}`)
      : kernel.name;
  // One of its space is one of its kind, which the type of the union does not say.
  return { ...kernel, name, schedule } as Kernel;
}

/** What a workgroup of a kernel takes by the schedule that it has. */
export function workgroupNeeds(kernel: Kernel): { readonly invocations: number; readonly bytes: number } {
  switch (kernel.skeleton) {
    case "map":
    case "sequential":
      return { invocations: kernel.schedule.workgroup, bytes: 0 };
    case "reduce": {
      const { workgroup } = kernel.schedule;
      return { invocations: workgroup, bytes: reduceBytes(kernel, workgroup) };
    }
    case "scan": {
      const { channels, lanes } = kernel.schedule;
      return { invocations: channels * lanes, bytes: scanWorkgroupBytes(kernel, kernel.schedule) };
    }
    case "contract":
      return contractNeeds(kernel, kernel.schedule);
  }
}

function contractNeeds(
  kernel: ContractKernel,
  schedule: ContractKernel["schedule"],
): ReturnType<typeof workgroupNeeds> {
  switch (schedule.kind) {
    case "rows":
      return { invocations: invocationsOfRows(schedule), bytes: rowsBytes(kernel, schedule) };
    case "tiled":
      return { invocations: invocationsOf(schedule), bytes: tiledBytes(schedule) };
    case "matrix":
      return { invocations: invocationsOfMatrix(schedule), bytes: matrixBytes(schedule, ALONG) };
  }
}

/** `tiled: tileRows 64, tileCols 64, …`: for people. */
export function scheduleText(schedule: Schedule): string {
  const parts = Object.keys(parametersOf(schedule)).map(
    (name) => `${name} ${String(valueOf(schedule, name))}`,
  );
  return [...("kind" in schedule ? [schedule.kind] : []), parts.join(", ")].join(": ");
}

/** `rows`, `tiled`, `matrix`, `scan`, or `workgroup` where that is all there is to choose. */
export const kindOf = (schedule: Schedule): string =>
  "kind" in schedule ? schedule.kind : "channels" in schedule ? "scan" : "workgroup";

function parametersOf(schedule: Schedule): Readonly<Record<string, readonly number[]>> {
  if ("workgroup" in schedule) return WORKGROUPS;
  if ("channels" in schedule) return SCAN;
  switch (schedule.kind) {
    case "rows":
      return ROWS;
    case "tiled":
      return TILED;
    case "matrix":
      return MATRIX;
  }
}

/** A parameter that is left out is 1. */
const valueOf = (schedule: Schedule, name: string): number =>
  (schedule as unknown as Readonly<Record<string, number | undefined>>)[name] ?? 1;

/** Every choice of a value for each parameter, the last fastest. */
function combinations<P extends Readonly<Record<string, readonly number[]>>>(
  parameters: P,
): readonly { readonly [K in keyof P]: P[K][number] }[] {
  const all = Object.entries(parameters).reduce<readonly Readonly<Record<string, number>>[]>(
    (made, [name, values]) => made.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
  return all as readonly { readonly [K in keyof P]: P[K][number] }[];
}

const fits = (limits: Limits, invocations: number, bytes: number): boolean =>
  invocations <= limits.maxComputeInvocationsPerWorkgroup && bytes <= limits.maxComputeWorkgroupStorageSize;

const reduceBytes = (kernel: ReduceKernel, workgroup: number): number =>
  4 * workgroup * kernel.reductions.length;

function scanFits(kernel: ScanKernel, schedule: ScanKernel["schedule"], limits: Limits): boolean {
  const { channels, lanes } = schedule;
  const share = kernel.inner / lanes;
  const held = (kernel.contractions?.length ?? 0) > 0 ? MOST_ALONE : Math.max(BEST_ALONE, kernel.inner / 32);
  const isIdle =
    (channels > 32 && channels >= 2 * kernel.channels) || (lanes > 1 && lanes >= 2 * kernel.inner);
  return !isIdle && share <= held && fits(limits, channels * lanes, scanWorkgroupBytes(kernel, schedule));
}

/** By rows or by tiles, whichever it has; but what is computed in f32 is never put on matrix units, which round. */
function contractSpace(kernel: ContractKernel, limits: Limits): readonly Schedule[] {
  const rows = combinations(ROWS)
    .filter((schedule) => rowsFit(kernel, schedule, limits))
    .map(({ each, rows: together, ...rest }): RowsSchedule => ({
      kind: "rows",
      ...rest,
      ...(each > 1 && { each }),
      ...(together > 1 && { rows: together }),
    }));
  if (kernel.along.length + (kernel.storesAlong?.length ?? 0) > 0) return rows;
  const many = kernel.schedule.kind === "matrix" ? matrixSpace(kernel, limits) : tiledSpace(limits);
  return [...rows, ...many];
}

function rowsFit(
  kernel: ContractKernel,
  schedule: Required<Omit<RowsSchedule, "kind">>,
  limits: Limits,
): boolean {
  const { cols, each, rows } = schedule;
  const isIdle = rows > 1 && typeof kernel.rows === "number" && rows >= 2 * kernel.rows;
  const isWhole = cols % each === 0 && (each === 1 || rows === 1);
  const invocations = invocationsOfRows(schedule);
  return (
    !isIdle &&
    isWhole &&
    invocations >= FEWEST_INVOCATIONS &&
    fits(limits, invocations, rowsBytes(kernel, schedule))
  );
}

function tiledSpace(limits: Limits): readonly Schedule[] {
  return combinations(TILED)
    .map((shape): TiledSchedule => ({ kind: "tiled", ...shape }))
    .filter(
      (schedule) =>
        invocationsOf(schedule) >= FEWEST_INVOCATIONS &&
        fits(limits, invocationsOf(schedule), tiledBytes(schedule)),
    );
}

function matrixSpace({ depth }: ContractKernel, limits: Limits): readonly Schedule[] {
  const deepest = typeof depth === "number" ? UNIT * Math.ceil(depth / UNIT) : Infinity;
  return combinations(MATRIX)
    .map((shape): MatrixSchedule => ({ kind: "matrix", ...shape }))
    .filter((schedule) => {
      const { tileRows, tileCols, tileDepth, partRows, partCols } = schedule;
      const whole = tileRows % partRows === 0 && tileCols % partCols === 0 && tileDepth <= deepest;
      return (
        whole &&
        invocationsOfMatrix(schedule) >= 2 * SUBGROUP &&
        fits(limits, invocationsOfMatrix(schedule), matrixBytes(schedule, ALONG))
      );
    });
}

/** The orders in which operands may lie: the largest tiles count. */
const ALONG = (["depth", "side"] as const).flatMap((a) =>
  (["depth", "side"] as const).map((b) => ({ a, b })),
);
