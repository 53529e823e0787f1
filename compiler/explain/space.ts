/**
 * The coordinates over which a skeleton evaluates each of its holes, and how it deals them out to workgroups: what
 * SPEC.md § Kernel says of the skeletons, as data. Guards at the edges of tiles repeat addresses and add none.
 */
import { isWrittenByWords } from "../../templates/accessors.js";
import type { Dim } from "../../runtime/bundle-format.js";
import type { Expr, Extent, Kernel, ScanKernel, SequentialStatement, Store } from "../5-kernel/types.js";
import { ceilDiv, exprsOf } from "../5-kernel/fill/printed.js";
import { freeVars } from "../5-kernel/traverse.js";

/** begin ≤ var < end. The ends of a chunk's steps depend on the lead. */
export interface Loop {
  readonly name: string;
  readonly begin: Dim | Expr;
  readonly end: Dim | Expr;
}

/** Workgroups differ in floor(place / block), where `place` is the row-major place of the vars. */
export interface Deal {
  readonly vars: readonly Extent[];
  readonly block: number;
}

/** Expressions that are evaluated together, once for every combination of the coordinates. */
export interface Hole {
  readonly loops: readonly Loop[];
  readonly exprs: readonly Expr[];
  readonly stores: readonly Store[];
  /** How many invocations evaluate it at each combination. */
  readonly copies: Dim;
}

export interface Space {
  readonly holes: readonly Hole[];
  /** The same in all holes of a kernel. */
  readonly deals: readonly Deal[];
}

export function spaceOf(kernel: Kernel): Space {
  switch (kernel.skeleton) {
    case "map": {
      const { domain, stores, schedule } = kernel;
      const each = kernel.bindings.some(isWrittenByWords) ? 4 : 1;
      return { holes: [hole(domain, [], stores)], deals: dealFlat(domain, each * schedule.workgroup) };
    }
    case "reduce": {
      const { domain, over, reductions, stores } = kernel;
      const bodies = reductions.map(({ body }) => body);
      const perElement = (store: Store): boolean =>
        exprsOf([store]).some((expr) => freeVars(expr).has(over.var));
      return {
        holes: [
          hole([...domain, over], bodies),
          hole([...domain, over], [], stores.filter(perElement)),
          hole(
            domain,
            [],
            stores.filter((store) => !perElement(store)),
          ),
        ],
        deals: domain.map((each) => deal(each, 1)),
      };
    }
    case "contract":
      return contractSpace(kernel);
    case "scan":
      return scanSpace(kernel);
    case "sequential": {
      const lead = { var: "lead", extent: kernel.leads };
      const statement =
        (outer: readonly Extent[]) =>
        (each: SequentialStatement): Hole =>
          hole([...outer, ...each.domain], [], each.stores);
      return {
        holes: [
          ...kernel.before.map(statement([lead])),
          ...kernel.each.map(statement([lead, { var: "t", extent: kernel.steps }])),
        ],
        deals: [deal(lead, 1)],
      };
    }
  }
}

function hole(
  domain: readonly Extent[],
  exprs: readonly Expr[],
  stores: readonly Store[] = [],
  copies: Dim = 1,
): Hole {
  return { loops: domain.map(loop), exprs, stores, copies };
}

const loop = (extent: Extent): Loop => ({ name: extent.var, begin: 0, end: extent.extent });

const deal = (extent: Extent, block: number): Deal => ({ vars: [extent], block });

/**
 * Consecutive places of a domain. Where whole workgroups fit into the last axes, those before tell workgroups apart by
 * themselves.
 */
function dealFlat(domain: readonly Extent[], workgroup: number): readonly Deal[] {
  let size = 1;
  for (let i = domain.length - 1; i >= 0; i--) {
    const extent = domain[i]?.extent;
    if (typeof extent !== "number") break;
    size *= extent;
    if (size % workgroup === 0)
      return [
        ...domain.slice(0, i).map((each) => deal(each, 1)),
        { vars: domain.slice(i), block: workgroup },
      ];
  }
  return [{ vars: domain, block: workgroup }];
}

function contractSpace(kernel: Extract<Kernel, { skeleton: "contract" }>): Space {
  const { schedule } = kernel;
  const [batch, row, col, k] = (["batch", "rows", "cols", "depth"] as const).map((name): Extent => ({
    var: name === "rows" ? "row" : name === "cols" ? "col" : name === "depth" ? "k" : "batch",
    extent: kernel[name],
  })) as [Extent, Extent, Extent, Extent];
  const tiled = schedule.kind !== "rows";
  const [rows, cols] = tiled ? [schedule.tileRows, schedule.tileCols] : [schedule.rows ?? 1, schedule.cols];
  // The lanes of `rows` read the row for as many columns as they have; tiles are shared.
  const rowCopies = ceilDiv(kernel.cols, tiled ? cols : (schedule.each ?? 1));
  const colCopies = ceilDiv(kernel.rows, rows);
  return {
    holes: [
      hole([batch, row, k], [kernel.a, ...kernel.along.map(({ body }) => body)], [], rowCopies),
      hole([batch, col, k], [kernel.b], [], colCopies),
      hole([batch, row, { var: "col", extent: 1 }, k], [], (kernel.storesAlong ?? []).map(ofFirst)),
      hole([batch, row, col], [], kernel.stores),
    ],
    deals: [deal(batch, 1), deal(row, rows), deal(col, cols)],
  };
}

/** A store that one of the workgroups of a row makes: which of them does not matter. */
const ofFirst = (store: Store): Store => {
  const isFirst: Expr = {
    kind: "op",
    type: "bool",
    op: "lt",
    args: [
      { kind: "var", type: "u32", name: "col" },
      { kind: "literal", type: "u32", value: 1 },
    ],
  };
  const when: Expr =
    store.when === undefined ? isFirst : { kind: "op", type: "bool", op: "and", args: [store.when, isFirst] };
  return { ...store, when };
};

function scanSpace(kernel: ScanKernel): Space {
  const { schedule } = kernel;
  const lead = loop({ var: "lead", extent: kernel.leads });
  const channel = loop({ var: "channel", extent: kernel.channels });
  const n = loop({ var: "n", extent: kernel.inner });
  const t: Loop = { name: "t", begin: kernel.begin, end: kernel.end };
  const tiles = Math.ceil(kernel.channels / schedule.channels);
  const at = (
    loops: readonly Loop[],
    exprs: readonly Expr[],
    stores: readonly Store[] = [],
    copies = 1,
  ): Hole => ({
    loops,
    exprs,
    stores,
    copies,
  });
  const values = (of: readonly { readonly value: Expr }[]): readonly Expr[] => of.map(({ value }) => value);
  const finals = kernel.states.flatMap(({ final }) => (final === undefined ? [] : [final]));
  const ofChannel = kernel.invariants.filter(({ per }) => per === "channel");
  const ofElement = kernel.invariants.filter(({ per }) => per === "element");
  return {
    holes: [
      at([lead, channel], values(ofChannel), [], schedule.lanes),
      at([lead, channel, n], [...values(ofElement), ...kernel.states.map(({ initial }) => initial)]),
      at([lead, t, channel], values(kernel.staged.filter(({ per }) => per === "channel"))),
      at([lead, t, n], values(kernel.staged.filter(({ per }) => per === "inner")), [], tiles),
      at([lead, t, channel], values(kernel.steps.filter(({ inner }) => !inner)), [], schedule.lanes),
      at(
        [lead, t, channel, n],
        [
          ...values(kernel.contractions ?? []),
          ...values(kernel.steps.filter(({ inner }) => inner)),
          ...values(kernel.reductions),
        ],
      ),
      at([lead, t, channel], [], kernel.stores),
      at([lead, channel, n], [], finals),
    ].filter(({ exprs, stores }) => exprs.length + stores.length > 0),
    deals: [
      deal({ var: "lead", extent: kernel.leads }, 1),
      deal({ var: "channel", extent: kernel.channels }, schedule.channels),
    ],
  };
}
