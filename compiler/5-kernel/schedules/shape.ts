/** The sizes that a kernel's best schedule depends on, and that are known only when it runs. */
import type { Dim } from "../../../runtime/bundle-format.js";
import type { Expr, Kernel } from "../types.js";

/** Sizes of run-time extents, over the program's numbers, by what they are of a kernel: `rows`, `leads`, `steps`, … */
export type Extents = Readonly<Record<string, Dim>>;

/** What is not fixed; a kernel all of whose sizes are fixed has none. */
export function extentsOf(kernel: Kernel): Extents {
  const all = Object.entries(sizesOf(kernel));
  return Object.fromEntries(all.filter(([, size]) => typeof size !== "number"));
}

function sizesOf(kernel: Kernel): Readonly<Record<string, Dim>> {
  switch (kernel.skeleton) {
    case "map":
      return { elements: productOf(kernel.domain.map(({ extent }) => extent)) };
    case "reduce":
      return { elements: productOf(kernel.domain.map(({ extent }) => extent)), depth: kernel.over.extent };
    case "contract":
      return { batch: kernel.batch, rows: kernel.rows, cols: kernel.cols, depth: kernel.depth };
    case "scan": {
      // Where documents have ranges of their own, the leads alone.
      const [begin, end] = [atFirstLead(kernel.begin), atFirstLead(kernel.end)];
      const steps = begin === 0 ? end : undefined;
      return { leads: kernel.leads, ...(steps !== undefined && { steps }) };
    }
    case "sequential":
      return { leads: kernel.leads, steps: kernel.steps };
  }
}

/** An index for the first lead, as a size; undefined where it is read from a table. */
function atFirstLead(expr: Expr): Dim | undefined {
  switch (expr.kind) {
    case "literal":
      return expr.value;
    case "number":
      return expr.name;
    case "var":
      return 0;
    case "load":
    case "loop":
      return undefined;
    case "op":
      return operation(expr);
  }
}

const OPERATIONS = { add: "+", sub: "-", mul: "*", div: "/", mod: "%", min: "min", max: "max" } as const;

function operation({ op, args }: Expr & { readonly kind: "op" }): Dim | undefined {
  const [lhs, rhs] = args.map(atFirstLead);
  if (!isKnown(op) || lhs === undefined || rhs === undefined || args.length !== 2) return undefined;
  if (op !== "min" && op !== "max" && lhs === 0) return op === "add" ? rhs : op === "sub" ? undefined : 0;
  if (rhs === 0) return op === "add" || op === "sub" ? lhs : op === "mul" ? 0 : undefined;
  return [OPERATIONS[op], lhs, rhs];
}

const isKnown = (op: string): op is keyof typeof OPERATIONS => Object.hasOwn(OPERATIONS, op);

function productOf(sizes: readonly Dim[]): Dim {
  const fixed = sizes.reduce<number>(
    (product, size) => (typeof size === "number" ? product * size : product),
    1,
  );
  const others = sizes.filter((size) => typeof size !== "number");
  return others.reduce<Dim>((product, size) => (product === 1 ? size : ["*", product, size]), fixed);
}
