/** An explanation for people. */
import type {
  BindingBytes,
  Bytes,
  ChoiceText,
  DispatchExplanation,
  Explanation,
  KernelExplanation,
} from "../../compiler/explain/index.js";
import { formatCount, plural } from "./summary.js";
import { formatTable } from "./table.js";

/** @param alone without what stands for the whole program. */
export function explanationText(
  explanation: Explanation,
  sizes: ReadonlyMap<string, number>,
  alone: boolean,
): string {
  const kernels = explanation.kernels.map(kernelText);
  return [...(alone ? [] : [headText(explanation, sizes)]), ...kernels].join("\n");
}

function headText(
  { model, program, target, launches, layers, bytes, choices }: Explanation,
  sizes: ReadonlyMap<string, number>,
): string {
  const at = [...sizes].map(([name, size]) => `${name}=${size}`).join(", ");
  const lines = [
    `model ${model}, ${program}${at === "" ? "" : ` of ${at}`}, target ${target}`,
    `  ${plural(launches, "launch", "launches")}`,
    ...layers.map(
      ({ path, iterations, launches: each }) =>
        `  ${each} in each of ${plural(iterations, "iteration")} of ${path}`,
    ),
    `  ${bytesText(bytes)}`,
    ...choices.map(choiceText),
  ];
  return `${lines.join("\n")}\n`;
}

function choiceText({ states, at, class: kind, chosen, next }: ChoiceText): string {
  const [first, second] = [chosen, next].map(({ algorithm, chunk, cost }) => {
    const chunks = chunk === undefined ? "" : ` in chunks of ${chunk} steps`;
    return `${algorithm}${chunks}, about ${cost.toPrecision(3)} µs`;
  });
  return `  ${states.join(", ")} (${at}): ${kind}, by ${first ?? ""}; next: ${second ?? ""}`;
}

function kernelText(kernel: KernelExplanation): string {
  const { ids, times, layer, computes, recurrence, dispatches, bytes, boundaries } = kernel;
  const often = times === 1 ? "" : `, ${times} times`;
  const part = (name: string, lines: readonly string[]): readonly string[] =>
    lines.map((line, i) => `  ${(i === 0 ? name : "").padEnd(11)}${line}`);
  const lines = [
    `${ids.join(", ")}${often}${layer === undefined ? "" : `, in ${layer}`}`,
    ...part(
      "computes",
      computes.map(({ file, line, text }) => `${file.slice(file.lastIndexOf("/") + 1)}:${line}  ${text}`),
    ),
    ...(recurrence === undefined
      ? []
      : part("recurrence", [`${recurrence.class} (${recurrence.at}): ${recurrence.because}`])),
    ...part("moves", [bytesText(bytes)]),
    ...part("", bindingTable(dispatches)),
    ...dispatches.flatMap((dispatch) =>
      part(dispatches.length > 1 ? "" : "works", workText(dispatch, dispatches.length > 1)),
    ),
    ...part(
      "not more",
      boundaries.map(({ value, at, to, why }) => `${value} (${at}) → ${to.join(", ")}: ${why}`),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function bindingTable(dispatches: readonly DispatchExplanation[]): readonly string[] {
  const rows = dispatches.flatMap(({ id, bindings }) =>
    bindings.map((binding, i) => [
      ...(dispatches.length > 1 ? [i === 0 ? id : ""] : []),
      binding.name,
      directionOf(binding),
      `${binding.atMost ? "≤ " : ""}${formatBytes(binding.read + binding.written)}`,
      binding.reread === 0
        ? ""
        : `+ ${binding.reread === undefined ? "?" : formatBytes(binding.reread)} again`,
    ]),
  );
  const columns = dispatches.length > 1 ? 4 : 3;
  return formatTable(rows, { right: [columns - 1, columns] })
    .trimEnd()
    .split("\n");
}

/** `reads bf16`; of elements of 4 bytes `reads`. */
const directionOf = ({ read, written, element }: BindingBytes): string => {
  const direction = read > 0 && written > 0 ? "reads, writes" : written > 0 ? "writes" : "reads";
  return element === "f32" || element === "u32" ? direction : `${direction} ${element}`;
};

function workText(dispatch: DispatchExplanation, named: boolean): readonly string[] {
  const { id, workgroups, invocations, arithmetic, transcendental, onChip, bindings, barriers } = dispatch;
  const schedule = Object.entries(dispatch.schedule).map(([name, value]) => `${name} ${value}`);
  return [
    `${named ? `${id}: ` : ""}${dispatch.skeleton} (${schedule.join(", ")}): ${plural(workgroups, "workgroup")} of ${invocations}`,
    `  ${formatCount(arithmetic)} operations and ${formatCount(transcendental)} transcendental ones, ` +
      `${formatBytes(onChip)} on chip, ${plural(bindings.length, "binding")}, ${plural(barriers, "barrier")} a workgroup`,
  ];
}

function bytesText({ read, written, least, reread, atMost }: Bytes): string {
  const total = read + written;
  const ratio = least === 0 ? "" : `, ${(total / least).toFixed(2)} × the least`;
  const again =
    reread === undefined ? "; more is read again" : reread > 0 ? `; ${formatBytes(reread)} read again` : "";
  const by = again === "" ? "" : " by other workgroups";
  return `${atMost ? "at most " : ""}${formatBytes(read)} read, ${formatBytes(written)} written${ratio}${again}${by}`;
}

/** Powers of 1000, as data sheets have them. */
function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toPrecision(3)} ${units[unit] ?? ""}`;
}
