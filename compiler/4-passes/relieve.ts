/**
 * Scans that would bind more buffers than a target allows are relieved: the small inputs that they would compute while
 * staging (a normalized B and C, say) are computed by a kernel before them, side by side in one buffer; and if that is not
 * enough, what they store lies side by side too.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, NodeId, ParamId } from "../3-graph/types.js";
import type { Fusion, Group } from "./fuse.js";
import { firstReader, storeBefore } from "./store-before.js";

export interface ReliefOptions {
  /** Storage bindings that one kernel may have. */
  readonly maxBindings: number;
  /** Whether a parameter, by name, can lie beside others in one binding. */
  readonly packs: (param: string) => boolean;
  /** In how many buffers a parameter lies. */
  readonly banks: (param: ParamId) => number;
}

export function relieve(graph: Graph, fusion: Fusion, options: ReliefOptions): Fusion {
  let relieved = fusion;
  for (let g = 0; g < relieved.groups.length; g++) {
    const group = relieved.groups[g];
    if (group?.kind !== "scan" || bindings(graph, relieved, g, options) <= options.maxBindings) continue;
    const values = smallInputs(graph, relieved, group);
    const own = values.filter((id) => firstReader(graph, relieved, id) === g);
    const start = { kind: "relief", of: group.root } as const;
    // The scan is then at g + 1, and is looked at again: inputs over other axes may be left.
    relieved = storeBefore(graph, relieved, values, start) ??
      storeBefore(graph, relieved, own, start) ?? {
        ...relieved,
        joint: new Map([...relieved.joint, ...jointStores(graph, group)]),
      };
  }
  return relieved;
}

/** Whether a scan still binds more buffers than it may. */
export function exceeds(graph: Graph, fusion: Fusion, options: ReliefOptions): boolean {
  return fusion.groups.some(
    (group, g) => group.kind === "scan" && bindings(graph, fusion, g, options) > options.maxBindings,
  );
}

/** How many storage buffers the kernel of a group binds, its constants packed. */
function bindings(graph: Graph, fusion: Fusion, g: number, { packs, banks }: ReliefOptions): number {
  const group = fusion.groups[g];
  if (group === undefined) return 0;
  const buffers = new Set<string>();
  const constants = new Map<string, number>();
  const seen = new Set<NodeId>();
  const visit = (id: NodeId): void => {
    const node = graph.nodes[id];
    if (node === undefined || seen.has(id)) return;
    seen.add(id);
    const home = fusion.home.get(id);
    if (home !== undefined && home !== g) {
      buffers.add(`value ${String((fusion.joint.get(id) ?? [id])[0])}`);
      return;
    }
    if (node.kind === "input") buffers.add(`input ${node.name}`);
    if (node.kind === "param") constants.set(graph.params[node.param]?.name ?? "", banks(node.param));
    if (node.kind === "prev") {
      buffers.add(`before ${node.state}`);
      const equation = graph.states[node.state]?.equation;
      if (group.recurrence?.states.includes(node.state) === true) {
        buffers.add(`after ${node.state}`);
        // Of documents the kernel knows where they begin and end, and does not ask at every step.
        if (equation?.kind === "discrete" && equation.documents) visit(equation.documents.spans);
        return;
      }
      visit(equation?.value ?? id);
    }
    operands(node).forEach(visit);
  };
  group.members.forEach(visit);
  for (const name of group.outputs)
    visit(graph.outputs.find((output) => output.name === name)?.value ?? group.root);
  const packed = [...constants].filter(([name, count]) => count === 1 && packs(name));
  return (
    buffers.size +
    [...constants.values()].reduce((p, q) => p + q, 0) -
    Math.max(0, packed.length - 1) +
    new Set(group.stores.map((id) => (fusion.joint.get(id) ?? [id])[0])).size +
    group.outputs.length
  );
}

/** Real values of one shape among those that a group stores: the most of them that can share a buffer. */
function jointStores(graph: Graph, group: Group): readonly (readonly [NodeId, readonly NodeId[]])[] {
  const found = new Map<string, NodeId[]>();
  for (const id of group.stores) {
    const { scalar, axes } = graph.nodes[id]?.type ?? { scalar: "bool", axes: [] };
    if (scalar === "f32") found.set(axes.join(), [...(found.get(axes.join()) ?? []), id]);
  }
  const [most = []] = [...found.values()].sort((p, q) => q.length - p.length);
  return most.length < 2 ? [] : most.map((id) => [id, most] as const);
}

/**
 * Values that a scan reads, that depend on time but on none of the channels' axes, and that it would compute itself:
 * those with the type and the axes that most of them have.
 */
function smallInputs(graph: Graph, fusion: Fusion, group: Group): readonly NodeId[] {
  const state = group.recurrence?.states[0];
  const time = state === undefined ? undefined : graph.states[state]?.along;
  const isChannel = (axis: AxisId): boolean => {
    const { size, role } = graph.axes.get(axis) ?? {};
    return role === "plain" && size !== 1 && group.domain.includes(axis);
  };
  const found = new Map<string, NodeId[]>();
  const seen = new Set<NodeId>();
  const visit = (id: NodeId): void => {
    const node = graph.nodes[id];
    if (node === undefined || seen.has(id) || fusion.home.has(id)) return;
    seen.add(id);
    const { axes, scalar } = node.type;
    if (time === undefined || !axes.includes(time)) return;
    if (node.kind === "dot" || (node.kind === "map" && axes.some(isChannel))) {
      operands(node).forEach(visit);
      return;
    }
    if (node.kind !== "map") return;
    const key = `${scalar} ${axes.join()}`;
    found.set(key, [...(found.get(key) ?? []), id]);
  };
  for (const id of group.members) operands(graph.nodes[id] ?? { kind: "scalar", value: 0 }).forEach(visit);
  const [most = []] = [...found.values()].sort((p, q) => q.length - p.length);
  return most.sort((p, q) => p - q);
}
