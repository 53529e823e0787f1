/**
 * What a product of few rows computes as it goes instead of a kernel before it: sums over the axis that it contracts, which
 * its results read (a norm's), and elementwise functions and convolutions that its rows are made of. Each of its
 * workgroups computes all of that anew; so it is done where that costs less than a launch. Where there are more rows,
 * the kernel before runs after all: both forms are lowered, and the rows of a run pick.
 */
import { operands } from "../3-graph/rewrite.js";
import type { AxisId, Graph, NodeId } from "../3-graph/types.js";
import type { Absorbed, Fusion, Group } from "./fuse.js";
import type { Schedules } from "./schedule.js";
import { rolesOf, type Roles } from "./product-roles.js";
import { GroupReaders, regrouped } from "./regroup.js";
import { readersOf, readsOf } from "./uses.js";

type Costs = Pick<Schedules, "fewRows" | "rows" | "launchBytes">;

export function absorb(graph: Graph, fusion: Fusion, schedules: Costs): Fusion {
  return new Absorber(graph, fusion, schedules).run();
}

interface Found {
  readonly target: number;
  readonly absorbed: Absorbed;
}

/** Why a group that could be absorbed is not. */
type Alone = Pick<Group, "start"> | Required<Pick<Group, "tooDear">>;

class Absorber {
  private readonly readers: GroupReaders;

  constructor(
    private readonly graph: Graph,
    private readonly fusion: Fusion,
    private readonly schedules: Costs,
  ) {
    this.readers = new GroupReaders(graph, fusion);
  }

  run(): Fusion {
    const { fusion } = this;
    const into = new Map<number, Found>();
    const groups = fusion.groups.map((group, g) => {
      const found = group.outputs.length > 0 ? undefined : this.find(group, g);
      if (found !== undefined && "absorbed" in found) into.set(g, found);
      return found === undefined || "absorbed" in found ? group : { ...group, ...found };
    });
    return regrouped({ ...fusion, groups }, into);
  }

  /** The product that absorbs a group, or why none does, if one could. */
  private find(group: Group, g: number): Found | Alone | undefined {
    if (group.kind === "reduce") {
      const product = this.sumsAlongside(group, g);
      if (typeof product !== "number") return { start: product };
      return { target: product, absorbed: { group, shared: [], mostRows: this.schedules.fewRows } };
    }
    return group.kind === "map" && group.members.size > 0 ? this.asOperand(group, g) : undefined;
  }

  /** A sum over the contracted axis that only one product's epilogue reads is computed in the same loop. */
  private sumsAlongside(group: Group, g: number): number | Group["start"] {
    const { graph, fusion } = this;
    const root = graph.nodes[group.root];
    const isSum = root?.kind === "reduce" && root.fn === "sum" && root.type.scalar === "f32";
    if (!isSum || root.where !== undefined) return { kind: "reduction", alone: "function" };
    const alone = { kind: "reduction", alone: "readers" } as const;
    const readers = this.readers.of(group.members, g);
    const [only] = readers;
    const target = only === undefined ? undefined : fusion.groups[only];
    const product = target && graph.nodes[target.root];
    if (only === undefined || readers.size !== 1 || target?.kind !== "contract" || product?.kind !== "dot")
      return alone;
    if (!this.sameAxes(product.over, root.over)) return alone;
    if (!this.long(group.domain).every((axis) => target.domain.includes(axis))) return alone;
    const inside = (id: NodeId): boolean => target.members.has(id) || group.members.has(id);
    const isEpilogue = [...group.members].every((id) =>
      (readersOf(graph)[id] ?? []).every((reader) => inside(reader.id)),
    );
    return isEpilogue ? only : alone;
  }

  /** A map over a product's rows and what it contracts, of which the rows are made. */
  private asOperand(group: Group, g: number): Found | Alone | undefined {
    const { graph, fusion } = this;
    const readers = this.readers.of(group.members, g);
    const product = Math.min(...readers);
    const target = fusion.groups[product];
    const root = target && graph.nodes[target.root];
    if (target?.kind !== "contract" || root?.kind !== "dot") return undefined;
    const roles = rolesOf(graph, root, target.domain);
    if (!this.sameAxes(group.domain, graph.nodes[roles.a]?.type.axes ?? [])) return undefined;
    if (!this.readsInPlace(target, product, roles, g)) return undefined;
    const [cols, depth] = [this.elements(roles.cols), this.elements(roles.depth)];
    const workgroups = Math.ceil(cols / this.schedules.rows({ cols, depth, isDear: true }).cols);
    const bytes = 4 * this.elementsRead(group, g) * (workgroups - 1);
    const mostRows = Math.min(
      this.schedules.fewRows,
      Math.floor(this.schedules.launchBytes / Math.max(1, bytes)),
    );
    if (mostRows < 1) return { tooDear: { product: root.id, workgroups, bytes } };
    const shared = group.stores.filter((id) => {
      const others = new Set(this.readers.of([id], g));
      others.delete(product);
      return others.size > 0;
    });
    return { target: product, absorbed: { group, shared, mostRows } };
  }

  /** Whether a product reads what group `g` computes where its rows are at hand, through elementwise functions alone. */
  private readsInPlace(target: Group, product: number, { a, b }: Roles, g: number): boolean {
    const { graph, fusion } = this;
    const seen = new Set<NodeId>();
    const isVirtual = (id: NodeId): boolean => !fusion.home.has(id) || fusion.home.get(id) === product;
    /** Whether all ways from here to the group are elementwise. */
    const visit = (id: NodeId, inPlace: boolean): boolean => {
      if (fusion.home.get(id) === g) return inPlace;
      const node = graph.nodes[id];
      if (node === undefined || seen.has(id) || !isVirtual(id)) return true;
      seen.add(id);
      const isMap = node.kind === "map";
      return readsOf(graph, node).every((read) => visit(read, inPlace && isMap));
    };
    seen.add(target.root);
    return visit(a, true) && [b, ...target.members].every((id) => visit(id, false));
  }

  /** What a map loads for one row, each element once. */
  private elementsRead(group: Group, g: number): number {
    const { graph, fusion } = this;
    const seen = new Set<NodeId>();
    let total = 0;
    const isStored = (id: NodeId): boolean => {
      const kind = graph.nodes[id]?.kind;
      return (fusion.home.get(id) ?? g) !== g || kind === "param" || kind === "input" || kind === "prev";
    };
    const visit = (id: NodeId): void => {
      const node = graph.nodes[id];
      if (node === undefined || seen.has(id)) return;
      seen.add(id);
      const isView = node.kind === "slice" || node.kind === "rename" || node.kind === "gather";
      if (isStored(id) || (isView && operands(node).some(isStored))) {
        total += this.elements(node.type.axes);
        return;
      }
      if (node.kind === "conv") total += this.elements(graph.states[node.history]?.axes ?? []);
      operands(node).forEach(visit);
    };
    group.members.forEach(visit);
    return total;
  }

  /** Elements along the axes of known size. */
  private elements(axes: readonly AxisId[]): number {
    return axes.reduce((product, axis) => {
      const size = this.graph.axes.get(axis)?.size;
      return typeof size === "number" ? product * size : product;
    }, 1);
  }

  /** But for those of one coordinate. */
  private sameAxes(p: readonly AxisId[], q: readonly AxisId[]): boolean {
    const [own, other] = [this.long(p), this.long(q)];
    return own.length === other.length && own.every((axis) => other.includes(axis));
  }

  private long(axes: readonly AxisId[]): readonly AxisId[] {
    return axes.filter((axis) => this.graph.axes.get(axis)?.size !== 1);
  }
}
