/** Products: Σ_k a(row, k) · b(col, k), with whatever is fused before and after. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Group } from "../../4-passes/fuse.js";
import { operands } from "../../3-graph/rewrite.js";
import type { AxisId, Graph, Node, NodeId } from "../../3-graph/types.js";
import type { ContractKernel, Expr } from "../types.js";
import { axisSize, product } from "./buffers.js";
import {
  describe,
  resultStores,
  scalarizeContext,
  type LowerContext,
  type LoweredKernel,
} from "./context.js";
import { byBanks, coordinateOf, type Part } from "./by-banks.js";
import { scalarize } from "./scalarize.js";
import type { KernelScope, Value } from "./scope.js";
import { takeTurn } from "./turns.js";

interface Roles {
  readonly a: NodeId;
  readonly b: NodeId;
  readonly batch: readonly AxisId[];
  readonly rows: readonly AxisId[];
  readonly cols: readonly AxisId[];
  readonly depth: readonly AxisId[];
}

/** A product as the kernels that run-time sizes choose between: few rows, or tiles. */
export function lowerContract(context: LowerContext, group: Group): readonly LoweredKernel[] {
  const root = context.graph.nodes[group.root];
  if (root?.kind !== "dot") throw new InternalError("lower", `%${group.root} is no product`);
  const roles = rolesOf(context.graph, root, group.domain);
  const size = (axes: readonly AxisId[]): Dim => product(axes.map((axis) => axisSize(context.graph, axis)));
  const rows = size(roles.rows);
  const { fewRows } = context.schedules;
  const build = (kind: "rows" | "tiles", when?: Dim): readonly LoweredKernel[] =>
    byBanks(context, (scope, part) => contractKernel(context, group, roles, kind, scope, part)).map(
      (lowered) => ({ ...lowered, ...(when !== undefined && { when }) }),
    );
  if (group.alongside.length > 0 || (typeof rows === "number" && rows <= fewRows)) return build("rows");
  if (typeof rows === "number") return build("tiles");
  return [...build("rows", ["<=", rows, fewRows]), ...build("tiles", ["<", fewRows, rows])];
}

/** Which operand gives rows and which columns: a parameter is columns, so that lanes run along its stored rows. */
function rolesOf(graph: Graph, dot: Node & { kind: "dot" }, domain: readonly AxisId[]): Roles {
  const [a, b] =
    isParameter(graph, dot.lhs) && !isParameter(graph, dot.rhs) ? [dot.rhs, dot.lhs] : [dot.lhs, dot.rhs];
  const inA = new Set(graph.nodes[a]?.type.axes);
  const inB = new Set(graph.nodes[b]?.type.axes);
  return {
    a,
    b,
    depth: dot.over,
    batch: domain.filter((axis) => inA.has(axis) && inB.has(axis)),
    rows: domain.filter((axis) => inA.has(axis) && !inB.has(axis)),
    cols: domain.filter((axis) => !inA.has(axis) && inB.has(axis)),
  };
}

function isParameter(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id];
  if (node === undefined) return false;
  if (node.kind === "param") return true;
  if (node.kind === "gather") return isParameter(graph, node.table);
  return (
    (node.kind === "slice" || node.kind === "rename") &&
    operands(node).every((arg) => isParameter(graph, arg))
  );
}

function contractKernel(
  context: LowerContext,
  group: Group,
  roles: Roles,
  kind: "rows" | "tiles",
  scope: KernelScope,
  part: Part,
): ContractKernel {
  const e = scope.expr;
  const sizes = (axes: readonly AxisId[]): readonly Dim[] =>
    axes.map((axis) => axisSize(context.graph, axis));
  const at = new Map<AxisId, Expr>();
  const spread = (name: string, axes: readonly AxisId[]): Dim => {
    const extent = part.ranges.get(name)?.size ?? product(sizes(axes));
    const flat = coordinateOf(e, { var: name, extent }, part);
    e.unflatten(flat, sizes(axes)).forEach((coordinate, k) => {
      const axis = axes[k];
      if (axis !== undefined) at.set(axis, coordinate);
    });
    return extent;
  };
  const batch = spread("batch", roles.batch);
  const rows = spread("row", roles.rows);
  const cols = spread("col", roles.cols);
  const result = new Map(at);
  const depth = spread("k", roles.depth);
  const plain = scalarizeContext(context, group, scope);
  const real = (value: Value): Expr => {
    if (value.im !== undefined)
      throw new InternalError("lower", "a product of complex tensors has no kernel yet");
    return value.re;
  };
  const along = group.alongside.map((id, k) => {
    const node = context.graph.nodes[id];
    if (node?.kind !== "reduce") throw new InternalError("lower", `%${id} is no reduction`);
    return { id, name: `along_${k}`, body: real(scalarize(node.arg, at, plain)) };
  });
  const sums = [
    { id: group.root, value: e.variable("acc", "f32") },
    ...along.map(({ id, name }) => ({ id, value: e.variable(name, "f32") })),
  ];
  const turn =
    part.turn &&
    takeTurn(
      context,
      scope,
      part.turn,
      sums.map(({ value }) => ({ fn: "sum", value })),
      [
        { var: "batch", extent: batch },
        { var: "row", extent: rows },
        { var: "col", extent: cols },
      ],
    );
  const inner = scalarizeContext(context, group, scope, (id) => {
    const k = sums.findIndex((sum) => sum.id === id);
    const re = turn?.values[k] ?? sums[k]?.value;
    return re && { re };
  });
  const a = real(scalarize(roles.a, at, plain));
  const b = real(scalarize(roles.b, at, plain));
  const stores =
    part.turn?.isLast === false ? (turn?.stores ?? []) : resultStores(context, group, result, inner);
  const { name, notes } = describe(context, group);
  const schedule =
    kind === "rows"
      ? context.schedules.rows({ cols, depth })
      : context.schedules.tiles({ rows, cols, depth });
  return {
    name: `${name}_${schedule.kind}`.replace("_contract_", "_"),
    notes,
    skeleton: "contract",
    bindings: scope.finish().bindings,
    batch,
    rows,
    cols,
    depth,
    a,
    b,
    along: along.map(({ name: along_, body }) => ({ name: along_, body })),
    stores,
    schedule,
  };
}
