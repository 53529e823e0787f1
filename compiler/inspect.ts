/** Any stage of a compilation as text: what `krait inspect` prints. */
import { printGraph } from "./3-graph/print.js";
import { PASSES } from "./4-passes/index.js";
import { printKernel } from "./5-kernel/print-kernel.js";
import type { Fusion, Group } from "./4-passes/fuse.js";
import type { Graph, NodeId } from "./3-graph/types.js";
import type { Compilation } from "./compilation.js";
import type { EmittedProgram, EmittedTarget } from "./6-emit/target.js";

/** The stages in their order. `fusion` … `wgsl` are of the first target. */
export const STAGES: readonly string[] = [
  "ast",
  "elaborate",
  ...PASSES.map((pass) => pass.name),
  "load",
  "prefill",
  "step",
  "packed",
  "fusion",
  "kernels",
  "wgsl",
];

/**
 * The text of a stage; `kernel` narrows `kernels` and `wgsl` to one shader. Undefined where the stage or the kernel does
 * not exist (a model without parameters has no `load`).
 */
export function inspectStage(compilation: Compilation, stage: string, kernel?: string): string | undefined {
  const [target] = compilation.targets;
  switch (stage) {
    case "ast":
      return `${JSON.stringify(compilation.tree, withoutSpans, 2)}\n`;
    case "fusion":
      return target?.programs.map(printFusion).join("\n");
    case "kernels":
      return target && printKernels(target, kernel);
    case "wgsl":
      return target && printShaders(target, kernel);
    default: {
      const found = compilation.passes.stages.find(({ name }) => name === stage);
      return found && printGraph(found.graph);
    }
  }
}

const withoutSpans = (key: string, value: unknown): unknown =>
  key === "span" || key === "opSpan" ? undefined : value;

function printKernels(target: EmittedTarget, kernel: string | undefined): string | undefined {
  const chosen = [...target.kernels].filter(([id]) => kernel === undefined || id === kernel);
  return chosen.length === 0 ? undefined : chosen.map(([, k]) => printKernel(k)).join("\n");
}

function printShaders(target: EmittedTarget, kernel: string | undefined): string | undefined {
  const chosen = target.entry.shaders.filter(({ id }) => kernel === undefined || id === kernel);
  if (chosen.length === 0) return undefined;
  return chosen
    .map(({ file }) => (chosen.length > 1 ? `// ${file}\n` : "") + (target.files.get(file) ?? ""))
    .join("\n");
}

/** Which kernel computes which values, and what it stores. */
function printFusion({ name, when, graph, fusion, groups }: EmittedProgram): string {
  const lines = [`program ${name}${when === undefined ? "" : ` when ${JSON.stringify(when)}`}`];
  fusion.groups.forEach((group, k) => {
    const kernels = groups[k]?.kernels.map((lowered) => lowered.kernel.name).join(", ") ?? "";
    lines.push(
      `  ${String(k).padStart(3)} ${group.kind.padEnd(10)} [${group.domain.join(", ")}]  ${kernels}`,
    );
    lines.push(`      computes ${names(graph, [...group.members])}`);
    for (const { group: own, mostRows } of group.absorbed)
      lines.push(
        `      ${mostRows === undefined ? "" : `up to ${mostRows} rows `}also ${names(graph, [...own.members])}`,
      );
    const shared = group.absorbed.flatMap((each) => each.shared);
    lines.push(
      `      stores   ${[names(graph, [...shared, ...group.stores]), ...group.outputs.map((o) => `output ${o}`), ...carried(graph, group)].filter(Boolean).join(", ")}`,
    );
  });
  lines.push(`  ${virtualCount(graph, fusion)} values are computed by their readers`);
  return `${lines.join("\n")}\n`;
}

function names(graph: Graph, ids: readonly NodeId[]): string {
  return ids
    .map((id) => graph.nodes[id])
    .map((node) => (node === undefined ? "?" : (node.name ?? `${node.kind}%${node.id}`)))
    .join(", ");
}

function carried(graph: Graph, group: Group): readonly string[] {
  const carries = [group, ...group.absorbed.map((each) => each.group)].flatMap((each) => each.carries);
  const states = [...(group.recurrence?.states ?? []), ...carries];
  return states.map((id) => `state ${graph.states[id]?.name ?? "?"}`);
}

function virtualCount(graph: Graph, fusion: Fusion): number {
  const leaves = new Set(["scalar", "input", "param", "coordinate"]);
  return graph.nodes.filter((node) => !fusion.home.has(node.id) && !leaves.has(node.kind)).length;
}
