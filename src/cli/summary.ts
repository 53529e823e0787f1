/** Short descriptions of a bundle for people. */
import type { AxisEntry, Manifest, Program, Storage, TargetEntry } from "../../runtime/bundle-format.js";
import { elements } from "../../runtime/tensor.js";
import { launched, SHOWN_STEPS } from "./launches.js";

/** `model mamba: 243 parameter tensors, 129.1 M values`. */
export function describeModel({
  model,
  params,
}: {
  readonly model: string;
  readonly params: readonly { readonly shape: readonly number[] }[];
}): string {
  const values = params.reduce((total, { shape }) => total + elements(shape), 0);
  const parameters =
    params.length === 0
      ? "no parameters"
      : `${plural(params.length, "parameter tensor")}, ${formatCount(values)} values`;
  return `model ${model}: ${parameters}`;
}

/** `token[b, t] → logits[b, t, v]`; of 16 bits `logits[b, t, v]: bf16`. */
export function describeSignature(manifest: Manifest): string {
  const list = (entries: readonly { name: string; scalar?: string; axes: readonly AxisEntry[] }[]): string =>
    entries
      .map(({ name, scalar = "f32", axes }) => {
        const type = scalar === "f32" || scalar === "index" ? "" : `: ${scalar}`;
        return `${name}[${axes.map((axis) => axis.name).join(", ")}]${type}`;
      })
      .join(", ");
  return `${list(manifest.inputs)} → ${list(manifest.outputs)}`;
}

/** `weights: 129 of int4, 120.2 M values; 114 of f32, 8.9 M values`, by what takes most; nothing for a model without. */
export function describeStorage({ params }: Manifest): string {
  const sums = new Map<Storage, { tensors: number; values: number }>();
  for (const { storage, shape } of params) {
    const { tensors, values } = sums.get(storage) ?? { tensors: 0, values: 0 };
    sums.set(storage, { tensors: tensors + 1, values: values + elements(shape) });
  }
  const parts = [...sums]
    .sort(([, p], [, q]) => q.values - p.values)
    .map(([storage, { tensors, values }]) => `${tensors} of ${storage}, ${formatCount(values)} values`);
  return parts.length === 0 ? "" : `weights: ${parts.join("; ")}\n`;
}

/** `baseline: 14 kernels; launches with batch 1: 27 for 16 steps, 27 for 2048 steps, 23 for one`. */
export function describeTarget(manifest: Manifest, target: TargetEntry): string {
  const count = (program: Program, steps: number): number =>
    launched(manifest, program, { batch: 1, steps }).length;
  const prefill = SHOWN_STEPS.map((steps) => `${count(target.prefill, steps)} for ${steps} steps`);
  const step = target.step === undefined ? [] : [`${count(target.step, 1)} for one`];
  const launches = [...prefill, ...step].join(", ");
  return `${target.name}: ${plural(target.shaders.length, "kernel")}; launches with batch 1: ${launches}`;
}

export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}

export function formatCount(count: number): string {
  if (count < 10_000) return String(count);
  const units = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const;
  const [scale, letter] = units.find(([size]) => count >= size) ?? [1, ""];
  return `${(count / scale).toFixed(1)} ${letter}`;
}
