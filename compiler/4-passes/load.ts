/**
 * Expressions of parameters alone are computed once, when the weights are loaded: they move to a graph of their own,
 * and the model reads their results as derived parameters.
 */
import { GraphBuilder } from "../3-graph/build.js";
import { operands, originOf, rewrite, withOperands } from "../3-graph/rewrite.js";
import type { Graph, Node, NodeId, ParamId } from "../3-graph/types.js";
import { parameterOnly } from "./uses.js";

export interface Loaded {
  /** Outputs: the derived parameters, by name. Undefined where there is nothing to compute. */
  readonly load?: Graph;
  /** The model, reading `derived` parameters. */
  readonly model: Graph;
}

/** Splits a graph into what depends on parameters alone and the rest. */
export function splitLoad(graph: Graph): Loaded {
  const known = parameterOnly(graph);
  const hoisted = new Map<NodeId, string>();
  const names = new Set<string>();
  const seen = new Set<NodeId>();
  const want = (id: NodeId): void => {
    const node = graph.nodes[id];
    if (node === undefined || !known.has(id) || seen.has(id) || isView(node, graph)) return;
    seen.add(id);
    // Parameters hold numbers: truths, whole numbers and angles are computed again from what they are made of.
    if (node.type.scalar !== "f32" && node.type.scalar !== "c64") {
      operands(node).forEach(want);
      return;
    }
    const base = node.name === undefined ? baseName(node, graph) : `${node.name}.loaded`;
    let name = base;
    for (let k = 2; names.has(name); k++) name = `${base}_${k}`;
    names.add(name);
    hoisted.set(id, name);
  };
  for (const node of graph.nodes) if (!known.has(node.id)) operands(node).forEach(want);
  for (const state of graph.states) want(state.equation.value);
  for (const output of graph.outputs) want(output.value);
  if (hoisted.size === 0) return { model: graph };

  const model = rewrite(graph, {
    visit(node, context) {
      const name = hoisted.get(node.id);
      if (name === undefined) return context.copy(node);
      const layout = node.type.axes.map((axis) => ({ axis, size: constantSize(graph, axis) }));
      const scalar = node.type.scalar === "c64" ? "c64" : "f32";
      const param = context.builder.param({
        name,
        sources: [],
        derived: true,
        layout,
        scalar,
        spans: node.spans,
      });
      return context.builder.add({ kind: "param", param }, { spans: node.spans, name });
    },
  });
  return { load: loadGraph(graph, hoisted), model };
}

/** Slices and renames of a stored parameter read it in place; computing them would only copy. */
function isView(node: Node, graph: Graph): boolean {
  if (node.kind === "param") return true;
  if (node.kind === "concat" && node.parts.length === 1) return node.parts.every((id) => isViewOf(id, graph));
  if (node.kind !== "slice" && node.kind !== "rename") return false;
  return isViewOf(node.arg, graph);
}

function isViewOf(id: NodeId, graph: Graph): boolean {
  const node = graph.nodes[id];
  return node !== undefined && isView(node, graph);
}

function baseName(node: Node, graph: Graph): string {
  for (const id of operands(node)) {
    const arg = graph.nodes[id];
    if (arg?.kind === "param") return `${graph.params[arg.param]?.name ?? "derived"}.loaded`;
    if (arg !== undefined && arg.kind !== "scalar")
      return arg.name === undefined ? baseName(arg, graph) : `${arg.name}.loaded`;
  }
  return "derived";
}

function constantSize(graph: Graph, axis: Node["type"]["axes"][number]): number {
  const size = graph.axes.get(axis)?.size;
  return typeof size === "number" ? size : 1;
}

function loadGraph(graph: Graph, hoisted: ReadonlyMap<NodeId, string>): Graph {
  const builder = new GraphBuilder(`${graph.name}.load`);
  for (const { id, ...rest } of graph.axes.values()) builder.axis(id, rest);
  const needed = new Set<NodeId>();
  const pending = [...hoisted.keys()];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    const node = graph.nodes[id];
    if (node !== undefined) pending.push(...operands(node));
  }
  const made = new Map<NodeId, NodeId>();
  const params = new Map<ParamId, ParamId>();
  for (const node of graph.nodes) {
    if (!needed.has(node.id)) continue;
    let operation = withOperands(node, (id) => made.get(id) ?? id);
    if (operation.kind === "param") {
      const old = graph.params[operation.param];
      if (old === undefined) continue;
      const { id: _, ...param } = old;
      const fresh = params.get(operation.param) ?? builder.param(param);
      params.set(operation.param, fresh);
      operation = { kind: "param", param: fresh };
    }
    made.set(node.id, builder.add(operation, originOf(node)));
  }
  for (const [id, name] of hoisted) {
    const node = graph.nodes[id];
    const value = made.get(id);
    if (node !== undefined && value !== undefined)
      builder.output({ name, axes: node.type.axes, value, spans: node.spans });
  }
  return builder.finish();
}
