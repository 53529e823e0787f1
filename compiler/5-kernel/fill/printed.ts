/** What filling a skeleton gives, and what the fillers share. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { storeElement, storeWord } from "../../../templates/accessors.js";
import { MOST_GROUPS } from "../../../templates/kernels/entry.js";
import { code, component, join, type Code, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import type { BlockPrinter } from "../print-block.js";
import type { Expr, Extent, Store } from "../types.js";

export interface Filled {
  readonly body: Code;
  readonly workgroup: number;
  readonly workgroupBytes: number;
  readonly dispatch: readonly [Dim, Dim, Dim];
}

export const productOf = (dims: readonly Dim[]): Dim =>
  dims.reduce(
    (a, b) =>
      a === 1 ? b : b === 1 ? a : typeof a === "number" && typeof b === "number" ? a * b : ["*", a, b],
    1,
  );

export const ceilDiv = (a: Dim, b: number): Dim =>
  typeof a === "number" ? Math.ceil(a / b) : b === 1 ? a : ["^/", a, b];

/** So many workgroups along one axis of a dispatch, which go on along the next where there may be too many. */
export function foldGroups(groups: Dim): {
  readonly dispatch: readonly [Dim, Dim];
  readonly folded: boolean;
  readonly exact: boolean;
} {
  if (typeof groups === "number" && groups <= MOST_GROUPS)
    return { dispatch: [groups, 1], folded: false, exact: true };
  const first: Dim = typeof groups === "number" ? MOST_GROUPS : ["min", groups, MOST_GROUPS];
  return { dispatch: [first, ceilDiv(groups, MOST_GROUPS)], folded: true, exact: false };
}

/** The same along x and y, for skeletons that have but one axis of workgroups. */
export function dispatchOf(groups: Dim): {
  readonly dispatch: readonly [Dim, Dim, Dim];
  readonly folded: boolean;
  readonly exact: boolean;
} {
  const { dispatch, ...rest } = foldGroups(groups);
  return { dispatch: [...dispatch, 1], ...rest };
}

/** The coordinates of a flat index, to put in the place of the domain's vars; and their names, for those that are not trivial. */
export function coordinatesOf(
  context: ModuleContext,
  flat: Expr,
  domain: readonly Extent[],
): { readonly replacements: Map<string, Expr>; readonly hints: Map<Expr, string> } {
  const replacements = new Map<string, Expr>();
  const hints = new Map<Expr, string>();
  const values = context.builder.unflatten(
    flat,
    domain.map((each) => each.extent),
  );
  for (const [i, each] of domain.entries()) {
    const value = values[i];
    if (value === undefined) continue;
    replacements.set(each.var, value);
    if (value.kind === "op") hints.set(value, each.var);
  }
  return { replacements, hints };
}

export const mapStore = (store: Store, map: (expr: Expr) => Expr): Store => ({
  binding: store.binding,
  index: map(store.index),
  value: map(store.value),
  ...(store.when === undefined ? {} : { when: map(store.when) }),
});

export const exprsOf = (stores: readonly Store[]): readonly Expr[] =>
  stores.flatMap((store) => [store.index, store.value, ...(store.when === undefined ? [] : [store.when])]);

/** Evaluates everything, then stores: no store may change what another one reads. */
export function printStores(context: ModuleContext, printer: BlockPrinter, stores: readonly Store[]): Code {
  const writes = stores.map((store) => {
    const condition = store.when === undefined || isTrue(store.when) ? undefined : printer.bool(store.when);
    const inside = condition === undefined ? printer : printer.branch();
    const value = (stores.length > 1 ? inside.bind(store.value, "stored") : inside.value(store.value))
      .wgsl as Wgsl<"f32">;
    const write = storeElement(context.binding(store.binding), inside.u32(store.index), value);
    if (condition === undefined) return write;
    return code`
      if (${condition}) {
        ${inside.flush()}
        ${write}
      }
    `;
  });
  return join([printer.flush(), ...writes]);
}

export const isTrue = (expr: Expr): boolean => expr.kind === "literal" && expr.value !== 0;

/** Stores at four values of a var, those of them that exist. */
export function printFourStores(
  context: ModuleContext,
  printer: BlockPrinter,
  stores: readonly Store[],
  exists: (i: number) => Wgsl<"bool">,
): Code {
  const writes = stores.map((store) => {
    if (store.when !== undefined && !isTrue(store.when)) {
      // One by one: what the condition guards must not be read where it does not hold.
      return join(
        ([0, 1, 2, 3] as const).map((i) =>
          guardedBlock(exists(i), printStores(context, printer.component(exprsOf([store]), i), [store])),
        ),
      );
    }
    const value = printer.bindVector(store.value, "stored");
    const index = printer.bindVector(store.index, "at");
    const binding = context.binding(store.binding);
    // Four that lie in one word exist together.
    if (binding.wide === true) {
      const write = storeWord(binding, component<"u32">(index, 0), value as Wgsl<"vec4f">);
      return join([printer.flush(), code`if (${exists(0)}) { ${write} }`]);
    }
    const write = (i: 0 | 1 | 2 | 3): Code =>
      storeElement(binding, component<"u32">(index, i), component<"f32">(value, i));
    return join([
      printer.flush(),
      ...([0, 1, 2, 3] as const).map((i) => code`if (${exists(i)}) { ${write(i)} }`),
    ]);
  });
  return join([printer.flush(), ...writes]);
}

const guardedBlock = (condition: Wgsl<"bool">, body: Code): Code => code`
  if (${condition}) {
    ${body}
  }
`;
