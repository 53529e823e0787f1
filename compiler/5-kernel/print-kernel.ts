/** A kernel as readable text: `krait inspect --stage kernels`. One line a hole; what holes share comes first, as %1, %2 … */
import type { Dim } from "../../runtime/bundle-format.js";
import { children } from "./traverse.js";
import type { Expr, ExprOp, Extent, Kernel, ScanKernel, SequentialStatement, Store } from "./types.js";

export function printKernel(kernel: Kernel): string {
  const text = new KernelText(kernel);
  const holes = text.holes();
  const head = [
    `${kernel.skeleton} ${kernel.name}  ${scheduleText(kernel)}`,
    ...kernel.notes.map((note) => `  // ${note.text.trim()}`),
    ...kernel.bindings.map(
      ({ name, access, element }) => `  ${access === "read" ? "reads" : "writes"} ${name}: ${element}`,
    ),
  ];
  return [...head, ...text.shared, ...holes.map((line) => `  ${line}`)].join("\n") + "\n";
}

/** A size as an expression: `ceil(t / 16)`. */
export function dimText(dim: Dim): string {
  if (typeof dim !== "object") return String(dim);
  if (dim[0] === "?") return `(${dimText(dim[1])} ? ${dimText(dim[2])} : ${dimText(dim[3])})`;
  const [op, a, b] = dim;
  if (op === "^/") return `ceil(${dimText(a)} / ${dimText(b)})`;
  if (op === "min" || op === "max") return `${op}(${dimText(a)}, ${dimText(b)})`;
  return `(${dimText(a)} ${op} ${dimText(b)})`;
}

const scheduleText = ({ schedule }: Kernel): string =>
  `[${Object.entries(schedule)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ")}]`;

const INFIX: Partial<Record<ExprOp, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "&&",
  or: "||",
};

class KernelText {
  readonly shared: string[] = [];
  private readonly uses = new Map<Expr, number>();
  private readonly names = new Map<Expr, string>();

  constructor(private readonly kernel: Kernel) {
    // A first printing counts; what it says is thrown away.
    this.lines((expr) => {
      this.count(expr);
      return "";
    });
  }

  holes(): readonly string[] {
    return this.lines((expr) => this.text(expr));
  }

  private count(expr: Expr): void {
    const uses = this.uses.get(expr) ?? 0;
    this.uses.set(expr, uses + 1);
    if (uses === 0) for (const child of children(expr)) this.count(child);
  }

  private lines(of: (expr: Expr) => string): string[] {
    const { kernel } = this;
    const store = ({ binding, index, value, when }: Store): string =>
      `${binding}[${of(index)}] = ${of(value)}${when === undefined ? "" : ` when ${of(when)}`}`;
    switch (kernel.skeleton) {
      case "map":
        return [`for ${domainText(kernel.domain)}`, ...kernel.stores.map(store)];
      case "reduce":
        return [
          `for ${domainText(kernel.domain)}, over ${domainText([kernel.over])}`,
          ...kernel.reductions.map(({ name, fn, body }) => `${name} = ${fn} ${of(body)}`),
          ...kernel.stores.map(store),
        ];
      case "contract":
        return [
          `for batch < ${dimText(kernel.batch)}, row < ${dimText(kernel.rows)}, col < ${dimText(kernel.cols)}, over k < ${dimText(kernel.depth)}`,
          `a = ${of(kernel.a)}`,
          `b = ${of(kernel.b)}`,
          ...kernel.along.map(({ name, body }) => `${name} = sum ${of(body)}`),
          ...(kernel.storesAlong ?? []).map((each) => `along k: ${store(each)}`),
          ...kernel.stores.map(store),
        ];
      case "scan":
        return scanLines(kernel, of, store);
      case "sequential": {
        const statement = ({ domain, stores }: SequentialStatement): string[] => [
          `for ${domainText(domain)}`,
          ...stores.map((each) => `  ${store(each)}`),
        ];
        return [
          `for lead < ${dimText(kernel.leads)}`,
          ...kernel.before.flatMap(statement),
          `for t < ${dimText(kernel.steps)}`,
          ...kernel.each.flatMap(statement).map((line) => `  ${line}`),
        ];
      }
    }
  }

  private text(expr: Expr): string {
    const name = this.names.get(expr);
    if (name !== undefined) return name;
    const text = this.spell(expr);
    const worth = (expr.kind === "op" || expr.kind === "loop") && (this.uses.get(expr) ?? 0) > 1;
    if (!worth) return text;
    const given = `%${this.names.size + 1}`;
    this.names.set(expr, given);
    this.shared.push(`  ${given} = ${text}`);
    return given;
  }

  private spell(expr: Expr): string {
    switch (expr.kind) {
      case "literal":
        return expr.type === "bool" ? String(expr.value !== 0) : String(expr.value);
      case "var":
        return expr.name;
      case "number":
        return `#${expr.name}`;
      case "load":
        return `${expr.binding}[${this.text(expr.index)}]`;
      case "loop":
        return `${expr.fn}(${expr.index} < ${this.text(expr.extent)}: ${this.text(expr.body)})`;
      case "op": {
        const args = expr.args.map((arg) => this.text(arg));
        const infix = INFIX[expr.op];
        return infix === undefined ? `${expr.op}(${args.join(", ")})` : `(${args.join(` ${infix} `)})`;
      }
    }
  }
}

function scanLines(
  kernel: ScanKernel,
  of: (expr: Expr) => string,
  store: (store: Store) => string,
): string[] {
  return [
    `for lead < ${dimText(kernel.leads)}, channel < ${kernel.channels}, n < ${kernel.inner}, ${of(kernel.begin)} <= t < ${of(kernel.end)}`,
    ...kernel.invariants.map(({ name, per, value }) => `invariant of each ${per}: ${name} = ${of(value)}`),
    ...kernel.staged.map(({ name, per, value }) => `staged by ${per}: ${name} = ${of(value)}`),
    ...kernel.states.map(
      ({ name, inner, initial, next }) => `state ${name}${inner ? "[n]" : ""} = ${of(initial)}, then ${next}`,
    ),
    ...(kernel.contractions ?? []).map(({ name, value }) => `${name} = sum over n of ${of(value)}`),
    ...kernel.steps.map(({ name, inner, value }) => `${name}${inner ? "[n]" : ""} = ${of(value)}`),
    ...kernel.reductions.map(({ name, fn, value }) => `${name} = ${fn} over n of ${of(value)}`),
    ...kernel.stores.map(store),
    ...kernel.states.flatMap((state) =>
      state.final === undefined ? [] : [`last of ${state.name}: ${store(state.final)}`],
    ),
  ];
}

const domainText = (domain: readonly Extent[]): string =>
  domain.map((each) => `${each.var} < ${dimText(each.extent)}`).join(", ") || "one";
