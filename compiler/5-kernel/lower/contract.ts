/** Products: Σ_k a(row, k) · b(col, k), with whatever is fused before and after. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Absorbed, Group } from "../../4-passes/fuse.js";
import { rolesOf, type Roles } from "../../4-passes/product-roles.js";
import type { Schedules } from "../../4-passes/schedule.js";
import type { AxisId } from "../../3-graph/types.js";
import { usualRows } from "../schedules/usual-rows.js";
import type { ContractKernel, Expr } from "../types.js";
import { axisSize, product } from "./buffers.js";
import {
  describe,
  resultStores,
  scalarizeContext,
  withAbsorbed,
  type LowerContext,
  type LoweredKernel,
} from "./context.js";
import { byBanks, coordinateOf, type Part } from "./by-banks.js";
import { carryAlong, lowerMap, lowerReduce } from "./elementwise.js";
import { scalarize } from "./scalarize.js";
import type { KernelScope, Value } from "./scope.js";
import { takeTurn } from "./turns.js";

/**
 * A product as the kernels that run-time sizes choose between: few rows, or tiles; and up to how many rows it computes what
 * it absorbed, whose own kernels run before it else.
 */
export function lowerContract(context: LowerContext, group: Group): readonly LoweredKernel[] {
  const root = context.graph.nodes[group.root];
  if (root?.kind !== "dot") throw new InternalError("lower", `%${group.root} is no product`);
  const roles = rolesOf(context.graph, root, group.domain);
  const rows = product(roles.rows.map((axis) => axisSize(context.graph, axis)));
  const build = (form: Form): readonly LoweredKernel[] => {
    const apart = group.absorbed.filter((each) => !form.absorbed.includes(each));
    const stored = new Set(apart.flatMap((each) => each.group.stores));
    return byBanks(context, (scope, part) =>
      contractKernel({ ...context, stored }, group, roles, form, scope, part),
    );
  };
  const absorbed = fitting(context, group, build);
  const before = group.absorbed.map((each) => ({
    from: absorbed.includes(each) ? mostRows(each) : 0,
    to: Infinity,
    kernels: () => lowerApart(context, each.group),
  }));
  const forms = formsOf(absorbed, context.schedules).map(({ from, to, ...form }) => ({
    from,
    to,
    kernels: () => build(form),
  }));
  return [...before, ...forms].flatMap(({ from, to, kernels }) => {
    if (typeof rows === "number") return from < rows && rows <= to ? kernels() : [];
    const when = between(from, rows, to);
    return kernels().map((lowered) => ({ ...lowered, ...(when !== undefined && { when }) }));
  });
}

/** How a product is computed: by what schedule, and with what of what it absorbed. */
interface Form {
  readonly kind: "rows" | "tiles";
  readonly absorbed: readonly Absorbed[];
}

const mostRows = (absorbed: Absorbed): number => absorbed.mostRows ?? Infinity;

/** The forms for more than `from` and up to `to` rows. */
function formsOf(
  absorbed: readonly Absorbed[],
  { fewRows }: Schedules,
): readonly (Form & { readonly from: number; readonly to: number })[] {
  const ends = [...new Set([...absorbed.map(mostRows), fewRows])].sort((p, q) => p - q);
  return [
    ...ends.map((to, k) => ({
      kind: "rows" as const,
      absorbed: absorbed.filter((each) => mostRows(each) >= to),
      from: ends[k - 1] ?? 0,
      to,
    })),
    { kind: "tiles", absorbed: [], from: fewRows, to: Infinity },
  ];
}

function between(from: number, rows: Dim, to: number): Dim | undefined {
  const [above, below]: readonly Dim[] = [
    ["<", from, rows],
    ["<=", rows, to],
  ];
  if (from === 0) return to === Infinity ? undefined : below;
  return to === Infinity || below === undefined || above === undefined ? above : ["&", above, below];
}

/** What of what a product absorbed it can compute: what it would store for others takes bindings, and one kernel to do it. */
function fitting(
  { schedules }: LowerContext,
  { absorbed }: Group,
  build: (form: Form) => readonly LoweredKernel[],
): readonly Absorbed[] {
  const sums = absorbed.filter(({ group }) => group.kind === "reduce");
  if (sums.length === absorbed.length) return absorbed;
  const [only, ...more] = build({ kind: "rows", absorbed });
  const fits =
    more.length === 0 &&
    only?.before === undefined &&
    only?.after === undefined &&
    (only?.buffers.length ?? 0) <= schedules.maxBindings;
  return fits ? absorbed : sums;
}

/** What was absorbed as a kernel of its own. */
function lowerApart(context: LowerContext, group: Group): readonly LoweredKernel[] {
  return byBanks(context, (scope, part) =>
    group.kind === "reduce"
      ? lowerReduce(context, group, scope, part)
      : lowerMap(context, group, scope, part),
  );
}

function contractKernel(
  context: LowerContext,
  group: Group,
  roles: Roles,
  form: Form,
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
  const maps = form.absorbed.flatMap((each) => (each.group.kind === "map" ? [each] : []));
  const reductions = form.absorbed.flatMap((each) => (each.group.kind === "reduce" ? [each.group.root] : []));
  const along = reductions.map((id, k) => {
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
  const storesAlong = maps.flatMap(({ group: own, shared }) => [
    ...resultStores(context, { ...own, stores: shared }, at, plain),
    ...own.carries.flatMap((state) => carryAlong(context, state, at, plain)),
  ]);
  const stores =
    part.turn?.isLast === false ? (turn?.stores ?? []) : resultStores(context, group, result, inner);
  const { name, notes } = describe(context, withAbsorbed(group, form.absorbed));
  const { bindings } = scope.finish();
  const schedule =
    form.kind === "rows"
      ? usualRows({ cols, depth, b, bindings }, context.schedules, maps.length > 0)
      : context.schedules.tiles({ rows, cols, depth });
  return {
    name: `${name}_${schedule.kind}`.replace("_contract_", "_"),
    notes,
    skeleton: "contract",
    bindings,
    batch,
    rows,
    cols,
    depth,
    a,
    b,
    along: along.map(({ name: along_, body }) => ({ name: along_, body })),
    ...(storesAlong.length > 0 && { storesAlong }),
    stores,
    schedule,
  };
}
