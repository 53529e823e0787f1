/** Every output that is timed is also checked: by the float64 oracle at a sample of places, or by another way through the programs. */
import { interpret } from "../compiler/interpret/index.js";
import { widenToF32 } from "../runtime/widen.js";
import type { InputEntry } from "../runtime/bundle-format.js";
import type { Graph } from "../compiler/3-graph/types.js";
import { evaluateDim, type Bundle, type InputData, type Inputs, type Model } from "../runtime/index.js";
import type { BenchCase, BenchRun } from "./case.js";
import { paramValues } from "../src/measure/noise.js";
import type { Result } from "./report.js";

type Check = Result["check"];

/** f32 against float64; and where products have 16-bit operands. */
const ORACLE_TOLERANCE = 1e-5;
const MATRIX_TOLERANCE = 4e-3;
/** f32 against f32 by other kernels, through many layers. */
const ROUTES_TOLERANCE = 1e-4;

/** The same where products round what they multiply to f16: other sums round to the other neighbour now and then, layer after layer. */
const MATRIX_ROUTES_TOLERANCE = 1e-2;

/** Steps of the other route's pieces, at most; no power of two, as those of the runtime's choice are. */
const PIECE = 1000;

/** A bundle made of the same source with smaller axes, and its graph. */
export interface Sample {
  readonly bundle: Bundle;
  readonly graph: Graph;
}

/** Runs the sequences once more with all outputs, and compares a sample of them with the oracle. */
export async function checkAgainstOracle(
  model: Model,
  full: Bundle,
  sample: Sample,
  { ranges }: BenchCase,
  { batch, steps }: BenchRun,
  inputs: Inputs,
): Promise<Check> {
  const session = await model.session({ batch, maxChunk: steps });
  const outputs = await session.prefill(inputs, { outputs: "all" });
  session.destroy();

  const run = { t: steps, tail_count: steps };
  const sizes = { full: { ...run, b: batch }, part: { ...run, b: Math.min(batch, 2) } };
  const shapes = (
    entry: { axes: readonly { size: Parameters<typeof evaluateDim>[0] }[] },
    which: "full" | "part",
  ) => entry.axes.map(({ size }) => evaluateDim(size, sizes[which]));
  const expected = interpret(sample.graph, {
    inputs: Object.fromEntries(
      sample.bundle.manifest.inputs.map((entry, i) => {
        const whole = full.manifest.inputs[i] ?? entry;
        const shape = shapes(entry, "part");
        const data = spread(inputs[entry.name] ?? [], shapes(whole, "full"), shape);
        return [entry.name, { shape, data: numbersOf(whole, data) }];
      }),
    ),
    params: Object.fromEntries(
      sample.bundle.manifest.params.map((param, i) => {
        const whole = full.manifest.params[i] ?? param;
        const values = paramValues(whole, ranges?.[param.name]);
        return [param.name, { shape: param.shape, data: spread(values, whole.shape, param.shape) }];
      }),
    ),
    sizes: sizes.part,
  });

  let error = 0;
  for (const entry of sample.bundle.manifest.outputs) {
    const [got, wanted] = [outputs[entry.name], expected.outputs[entry.name]];
    if (got === undefined || wanted === undefined) throw new Error(`no output ${entry.name}`);
    error = Math.max(error, distance(spread(got.data, got.shape, wanted.shape), wanted.data));
  }
  const ofProducts = roundsOperands(model) ? MATRIX_TOLERANCE : ORACLE_TOLERANCE;
  const tolerance = Math.max(
    ofProducts,
    ...full.manifest.outputs.map(({ scalar = "f32" }) => OF_OUTPUTS[scalar]),
  );
  return { against: "oracle", error, tolerance };
}

/** What rounding an output once makes of its norm, at most. */
const OF_OUTPUTS = { f32: 0, index: 0, f16: 2 ** -11, bf16: 2 ** -8 } as const;

/** What bits of 16 stand for. */
function numbersOf({ scalar }: InputEntry, data: Float64Array): Float64Array {
  const wide = widenToF32(scalar === "f32" ? "none" : scalar, new Uint8Array(Uint16Array.from(data).buffer));
  return wide === undefined ? data : Float64Array.from(wide);
}

/**
 * The last position's outputs by other kernels: what came as one prefill now comes in unequal pieces and a last step;
 * what came as a step now comes at the end of a prefill.
 */
export async function checkByAnotherRoute(
  model: Model,
  { batch }: BenchRun,
  before: Inputs,
  last: Inputs,
  got: Readonly<Record<string, { readonly data: Float32Array }>>,
  kind: BenchRun["kind"],
): Promise<Check> {
  const steps = stepsOf(before, last);
  const maxChunk = Math.min(PIECE, kind === "step" ? steps + 1 : Math.max(1, Math.ceil(steps / 3)));
  const session = await model.session({ batch, maxChunk });
  let outputs;
  if (kind === "step") {
    outputs = await session.prefill(joined(before, last, batch));
  } else {
    if (steps > 0) await session.prefill(before, { outputs: "none" });
    outputs = await session.step(last);
  }
  session.destroy();
  const errors = Object.entries(outputs).map(([name, { data }]) => distance(got[name]?.data ?? [], data));
  const against = kind === "step" ? "prefill" : "pieces and a step";
  const tolerance = roundsOperands(model) ? MATRIX_ROUTES_TOLERANCE : ROUTES_TOLERANCE;
  return { against, error: Math.max(...errors), tolerance };
}

/** `matrix`, and what was tuned of it: `matrix@nvidia-hopper`. */
function roundsOperands({ target }: Model): boolean {
  return /^matrix(@|$)/.test(target);
}

/** Inputs [batch, steps, …] cut before their last position. */
export function splitLast(inputs: Inputs, batch: number, steps: number): { before: Inputs; last: Inputs } {
  const cut = (from: number, to: number): Inputs =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, data]) => [name, rows(data, batch, steps, from, to)]),
    );
  return { before: cut(0, steps - 1), last: cut(steps - 1, steps) };
}

function rows(data: InputData, batch: number, steps: number, from: number, to: number): InputData {
  const each = data.length / batch / steps;
  const kept = data.slice(0, batch * (to - from) * each);
  for (let b = 0; b < batch; b++)
    kept.set(data.subarray((b * steps + from) * each, (b * steps + to) * each), b * (to - from) * each);
  return kept;
}

function joined(before: Inputs, last: Inputs, batch: number): Inputs {
  return Object.fromEntries(
    Object.entries(last).map(([name, end]) => {
      const begin = before[name] ?? end.slice(0, 0);
      const [each, more] = [begin.length / batch, end.length / batch];
      const All = end.constructor as new (length: number) => InputData;
      const all = new All(begin.length + end.length);
      for (let b = 0; b < batch; b++) {
        all.set(begin.subarray(b * each, (b + 1) * each), b * (each + more));
        all.set(end.subarray(b * more, (b + 1) * more), b * (each + more) + each);
      }
      return [name, all];
    }),
  );
}

function stepsOf(before: Inputs, last: Inputs): number {
  return Math.max(...Object.entries(last).map(([name, data]) => (before[name]?.length ?? 0) / data.length));
}

/** Of a tensor of shape `whole`, the elements at coordinates spread over all of each axis: as many as `part` has. */
function spread(data: ArrayLike<number>, whole: readonly number[], part: readonly number[]): Float64Array {
  const places = part.map((count, axis) => {
    const size = whole[axis] ?? 1;
    return Array.from({ length: count }, (_, i) =>
      count === 1 ? size - 1 : Math.round((i * (size - 1)) / (count - 1)),
    );
  });
  const picked = new Float64Array(part.reduce((product, size) => product * size, 1));
  for (let i = 0; i < picked.length; i++) {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = part.length - 1; axis >= 0; axis--) {
      const size = part[axis] ?? 1;
      at += (places[axis]?.[rest % size] ?? 0) * stride;
      stride *= whole[axis] ?? 1;
      rest = Math.floor(rest / size);
    }
    picked[i] = data[at] ?? NaN;
  }
  return picked;
}

/** ‖a − b‖ / ‖b‖ */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const expected = b[i] ?? NaN;
    difference += ((a[i] ?? NaN) - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), Number.MIN_VALUE);
}
