/** What shaders call things: the source's names, without layer numbers; for values without one, the name of what they come from. */
import type { Graph, NodeId } from "../../3-graph/types.js";

/** Words that WGSL or the skeletons use themselves. */
const RESERVED = new Set([
  ...[
    "in",
    "as",
    "at",
    "if",
    "for",
    "var",
    "let",
    "fn",
    "loop",
    "main",
    "numbers",
    "row",
    "col",
    "k",
    "n",
    "t",
  ],
  ...["acc", "lead", "channel", "batch", "step", "value", "input", "output"],
]);

/** A WGSL identifier from the last parts of a dotted name; parts that are numbers (a layer's) are left out. */
export function identifier(name: string, parts = 1): string {
  const words = name.split(/[./]/).filter((part) => part !== "" && !/^\d+$/.test(part));
  const safe = words
    .slice(-parts)
    .join("_")
    .replace(/[^A-Za-z0-9_]/g, "_")
    .replace(/^(?=[0-9_])/, "v");
  return RESERVED.has(safe) || safe === "" ? `${safe}_` : safe;
}

/** The name of a value: its own; a product's parameter's; else that of its first operand that has one, with what was done to it. */
export function valueName(graph: Graph, id: NodeId, depth = 0): string {
  const node = graph.nodes[id];
  if (node === undefined || depth > 12) return "value";
  if (node.name !== undefined && node.kind !== "param") return identifier(node.name);
  const of = (arg: NodeId): string => valueName(graph, arg, depth + 1);
  switch (node.kind) {
    case "param":
      return identifier((graph.params[node.param]?.name ?? "").replace(/\.(weight|loaded)$/, ""));
    case "input":
      return identifier(node.name);
    case "dot": {
      const param = [node.lhs, node.rhs].find((arg) => isParameter(graph, arg));
      return param === undefined ? `${of(node.lhs)}_dot_${of(node.rhs)}` : of(param);
    }
    case "reduce":
      return `${of(node.arg)}_${node.fn}`;
    case "gather":
      return of(node.table);
    case "conv":
      return `${of(node.x)}_conv`;
    case "rename":
    case "slice":
    case "flip":
    case "window":
    case "chunk":
    case "unchunk":
      return of(node.arg);
    case "map": {
      const named = node.args.find((arg) => graph.nodes[arg]?.kind !== "scalar") ?? node.args[0];
      if (named === undefined) return node.fn;
      return ["add", "sub", "mul"].includes(node.fn)
        ? of(named)
        : `${of(named).replace(/_sum$/, "")}_${node.fn}`;
    }
    case "concat":
      return `${identifier(node.axis)}_joined`;
    case "prev":
    case "continuous":
    case "coefficient":
      return identifier(graph.states[node.state]?.name ?? "state");
    case "scalar":
      return "constant";
    case "coordinate":
      return `${identifier(node.axis)}_index`;
  }
}

function isParameter(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id];
  return (
    node?.kind === "param" ||
    ((node?.kind === "slice" || node?.kind === "rename") && isParameter(graph, node.arg))
  );
}
