/** Short descriptions of a bundle for people. */
import type {
  AxisEntry,
  Dim,
  Manifest,
  ParamEntry,
  Program,
  TargetEntry,
} from "../../runtime/bundle-format.js";

/** `model mamba: 243 parameter tensors, 129.1 M values`. */
export function describeModel(manifest: Manifest): string {
  const values = manifest.params.reduce((total, param) => total + elementCount(param.shape), 0);
  const parameters =
    manifest.params.length === 0
      ? "no parameters"
      : `${plural(manifest.params.length, "parameter tensor")}, ${formatCount(values)} values`;
  return `model ${manifest.model}: ${parameters}`;
}

/** `token[b, t] → logits[b, t, v]`. */
export function describeSignature(manifest: Manifest): string {
  const list = (entries: readonly { name: string; axes: readonly AxisEntry[] }[]): string =>
    entries.map(({ name, axes }) => `${name}[${axes.map((axis) => axis.name).join(", ")}]`).join(", ");
  return `${list(manifest.inputs)} → ${list(manifest.outputs)}`;
}

/** `baseline: 14 shaders; launches: 27 in prefill, 23 in step`. */
export function describeTarget(target: TargetEntry): string {
  const step = target.step === undefined ? "" : `, ${launches(target.step)} in step`;
  return `${target.name}: ${plural(target.shaders.length, "shader")}; launches: ${launches(target.prefill)} in prefill${step}`;
}

/** Dispatches of one run that wants outputs. Those under a condition count, since they run for some input. */
export function launches(program: Program): number {
  return program.body.length + program.tail.length;
}

export function parameterBytes(params: readonly ParamEntry[]): number {
  return params.reduce(
    (total, { shape, storage }) => total + elementCount(shape) * (storage === "f32" ? 4 : 2),
    0,
  );
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
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

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1] ?? "B"}`;
}

/** A size over run-time numbers, as a formula. */
export function formatDim(dim: Dim): string {
  if (typeof dim === "number" || typeof dim === "string") return String(dim);
  if (dim[0] === "?") return `(${formatDim(dim[1])} ? ${formatDim(dim[2])} : ${formatDim(dim[3])})`;
  const [op, left, right] = dim;
  if (op === "min" || op === "max") return `${op}(${formatDim(left)}, ${formatDim(right)})`;
  return op === "^/"
    ? `⌈${formatDim(left)}/${formatDim(right)}⌉`
    : `(${formatDim(left)} ${op} ${formatDim(right)})`;
}
