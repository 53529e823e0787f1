/**
 * What a group computes, apart from where: two groups with equal signatures (the same line of source in two layers) have
 * the same kernels over other buffers, so that lowering and printing cost does not grow with depth.
 */
import { operands } from "../../3-graph/rewrite.js";
import type { Node, NodeId, StateId } from "../../3-graph/types.js";
import type { Group } from "../../4-passes/fuse.js";
import { refKey, type BufferRef, type Tensor } from "./buffers.js";
import { documentsOf } from "./documents.js";
import { identifier } from "./names.js";
import type { LowerContext } from "./context.js";

export interface Signature {
  readonly key: string;
  /** What the group touches, in an order that depends on the key alone. */
  readonly refs: readonly BufferRef[];
}

/** `place`: the group's among the fusion's. */
export function signatureOf(context: LowerContext, group: Group, place: number): Signature {
  const walk = new Walk(context, place);
  const parts = [
    group.kind,
    group.class ?? "",
    group.domain.join(),
    group.inner.join(),
    `root ${walk.visit(group.root)}`,
  ];
  for (const { group: own, shared, mostRows } of group.absorbed) {
    parts.push(
      `absorbs ${own.kind} ${walk.visit(own.root)} over ${own.domain.join()} up to ${String(mostRows)}`,
    );
    for (const id of own.carries) parts.push(`carries ${walk.state(id)}`);
    for (const id of own.stores)
      parts.push(`stores ${walk.visit(id)} in ${walk.tensor(context.tensors.value(id))}`);
    parts.push(`for others ${shared.map((id) => walk.visit(id)).join()}`);
  }
  for (const id of group.recurrence?.states ?? []) parts.push(`solves ${walk.state(id)}`);
  for (const id of group.recurrence?.members ?? []) parts.push(`cycle ${walk.visit(id)}`);
  for (const id of [...group.members].sort((p, q) => p - q)) parts.push(`member ${walk.visit(id)}`);
  for (const id of group.carries) parts.push(`carries ${walk.state(id)}`);
  for (const id of group.stores)
    parts.push(`stores ${walk.visit(id)} in ${walk.tensor(context.tensors.value(id))}`);
  for (const name of group.outputs) {
    const output = context.graph.outputs.find((o) => o.name === name);
    if (output === undefined) continue;
    parts.push(`gives ${walk.visit(output.value)} as ${walk.tensor(context.tensors.output(name))}`);
  }
  return { key: [...walk.lines, ...parts].join("\n"), refs: walk.refs };
}

class Walk {
  readonly lines: string[] = [];
  readonly refs: BufferRef[] = [];
  private readonly nodes = new Map<NodeId, number>();
  private readonly states = new Map<StateId, string>();
  private readonly places = new Map<string, number>();

  constructor(
    private readonly context: LowerContext,
    private readonly group: number,
  ) {}

  tensor(tensor: Tensor): string {
    const key = refKey(tensor.ref);
    const part = tensor.joint === undefined ? "" : `:${tensor.joint.index}`;
    const known = this.places.get(key);
    if (known !== undefined) return `@${known}${part}`;
    const place = this.refs.length;
    this.places.set(key, place);
    this.refs.push(tensor.ref);
    this.lines.push(`@${place} ${textOfTensor(tensor)}`);
    return `@${place}${part}`;
  }

  visit(id: NodeId): number {
    const known = this.nodes.get(id);
    if (known !== undefined) return known;
    const line = this.describe(id);
    const number = this.nodes.size;
    this.nodes.set(id, number);
    this.lines.push(`%${number} ${line}`);
    return number;
  }

  private describe(id: NodeId): string {
    const { graph, fusion, tensors } = this.context;
    const node = graph.nodes[id];
    if (node === undefined) return "?";
    const home = fusion.home.get(id);
    const text = textOfNode(node);
    if (home !== undefined && home !== this.group) return `${text.type} ${this.tensor(tensors.value(id))}`;
    return `${text.name} ${text.type} ${this.operation(node)} ${text.where}`;
  }

  private operation(node: Node): string {
    const { tensors } = this.context;
    switch (node.kind) {
      case "input":
        return this.tensor(tensors.input(node.name));
      case "param":
        return this.tensor(tensors.param(node.param));
      case "prev":
        return `prev ${this.state(node.state)} ${operands(node)
          .map((id) => this.visit(id))
          .join()}`;
      default: {
        const reads = operands(node).map((id) => this.visit(id));
        const history = node.kind === "conv" ? this.state(node.history) : "";
        return `${textOfNode(node).attributes} ${reads.join()} ${history}`;
      }
    }
  }

  state(id: StateId): string {
    const known = this.states.get(id);
    if (known !== undefined) return known;
    const { graph, tensors } = this.context;
    const state = graph.states[id];
    const name = `$${this.states.size}`;
    this.states.set(id, name);
    if (state === undefined) return name;
    const before = this.tensor(tensors.state(id, "state"));
    const after = this.tensor(tensors.state(id, "next"));
    const onCycle = this.context.fusion.groups[this.group]?.recurrence?.states.includes(id) === true;
    const value = this.visit(state.equation.value);
    const start = state.kind === "local" ? `from ${state.init}` : "";
    const documents = documentsOf(state);
    const within =
      documents === undefined ? "" : ` within ${documents.axis} ${String(this.visit(documents.spans))}`;
    const cycle = onCycle ? "cycle" : "";
    this.lines.push(`${name} ${state.kind} ${start} ${before} ${after} ${cycle} %${value}${within}`);
    return name;
  }
}

/** What of a node is the same in every signature. */
interface NodeText {
  readonly name: string;
  readonly type: string;
  readonly attributes: string;
  readonly where: string;
}

/** Several groups read a node, and several programs share it. */
const nodeTexts = new WeakMap<Node, NodeText>();
const tensorTexts = new WeakMap<Tensor, string>();

function textOfNode(node: Node): NodeText {
  const known = nodeTexts.get(node);
  if (known !== undefined) return known;
  const [span] = node.spans;
  const text = {
    name: node.name === undefined ? "" : identifier(node.name),
    type: `${node.type.scalar}[${node.type.axes.join()}]`,
    attributes: attributes(node),
    where: span === undefined ? "" : `${span.file}:${span.start}-${span.end}`,
  };
  nodeTexts.set(node, text);
  return text;
}

function textOfTensor(tensor: Tensor): string {
  const known = tensorTexts.get(tensor);
  if (known !== undefined) return known;
  const { ref, name, element, complex, layout } = tensor;
  const text = `${ref.kind} ${name} ${element} ${complex} ${JSON.stringify(layout)}`;
  tensorTexts.set(tensor, text);
  return text;
}

/** Fields that hold operands and states, which have numbers of their own here, or that say where a node stands. */
const SAID_ELSEWHERE = new Set([
  ...["args", "arg", "where", "lhs", "rhs", "table", "index", "x", "w", "parts", "history", "state", "steps"],
  ...["stepTable", "chunkTable", "id", "type", "spans"],
]);

/** An operation's own fields. */
function attributes(node: Node): string {
  let text = "";
  for (const [field, value] of Object.entries(node))
    // A node's name is no part of its operation.
    if (!SAID_ELSEWHERE.has(field) && field !== "name")
      text += ` ${field}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`;
  return text;
}
