/** The runs of a model that are measured, and which kernels are measured in which. */
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import { extentsOf } from "../../compiler/5-kernel/schedules/shape.js";
import type { EmittedTarget } from "../../compiler/6-emit/target.js";
import type { Bundle, Program } from "../../runtime/bundle-format.js";
import { evaluateDim, type Inputs, type Model } from "../../runtime/index.js";
import { axisNames, Numbers } from "../../runtime/numbers.js";
import { inputValues } from "../measure/noise.js";
import type { Recorder, Recording } from "../measure/recorder.js";
import type { KernelOfRun } from "./kernel-bench.js";

/** A model compiled for the target to be tuned, without any tuning. */
export interface Tuned {
  readonly bundle: Bundle;
  readonly target: EmittedTarget;
}

/** Sizes of a model's run-time axes. */
export interface RunSizes {
  readonly batch: number;
  readonly steps: number;
}

export interface Run extends RunSizes {
  readonly program: RunProgram;
  readonly kernels: readonly TunedKernel[];
}

export type RunProgram = "prefill" | "step";

export interface TunedKernel extends KernelOfRun {
  readonly shape: Readonly<Record<string, number>>;
}

export interface RunChoice {
  /** Each is a prefill, and a step of its batch, unless it says which. */
  readonly sizes: readonly (RunSizes & { readonly program?: RunProgram })[];
  /** Kernels whose names have this in them. */
  readonly only?: string;
}

/** The runs of a model at these sizes, and the kernels of each that no run before it has at the same shape. */
export function runsOf({ bundle, target }: Tuned, { sizes, only = "" }: RunChoice): readonly Run[] {
  const names = axisNames(bundle.manifest);
  const known = new Set<string>();
  const of = (which: RunProgram): readonly RunSizes[] =>
    sizes.filter(({ program = which }) => program === which);
  const batches = [...new Set(of("step").map(({ batch }) => batch))];
  const wanted = [
    ...of("prefill").map(({ batch, steps }) => ({ batch, steps, program: "prefill" as const })),
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

/** What the run encodes; its buffers live until `end`. */
export async function record(
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
