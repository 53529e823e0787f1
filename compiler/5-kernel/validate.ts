/**
 * What a kernel must be for printing not to fail: every var bound by the skeleton where it is used, every binding and number
 * declared, types as the holes want them, schedules that the skeleton can take. A mistake here is the compiler's.
 */
import type { Dim } from "../../runtime/bundle-format.js";
import { UNIT } from "../../templates/subgroup-matrix.js";
import { InternalError } from "../diagnostics/internal-error.js";
import { canWriteWords } from "./fill/word-stores.js";
import { freeVars, walk } from "./traverse.js";
import type {
  Expr,
  ExprType,
  Extent,
  Kernel,
  MatrixSchedule,
  ScanKernel,
  SequentialStatement,
  Store,
} from "./types.js";

/** @param numbers names of the program's run-time numbers; left out, any name will do. */
export function validateKernel(kernel: Kernel, numbers?: readonly string[]): void {
  new Validation(kernel, numbers === undefined ? undefined : new Set(numbers)).run();
}

class Validation {
  private readonly stored = new Set<string>();
  private readonly bindings: ReadonlyMap<string, Kernel["bindings"][number]>;

  constructor(
    private readonly kernel: Kernel,
    private readonly numbers: ReadonlySet<string> | undefined,
  ) {
    this.bindings = new Map(kernel.bindings.map((binding) => [binding.name, binding]));
    if (this.bindings.size < kernel.bindings.length) this.fail("two bindings of one name");
  }

  run(): void {
    const { kernel } = this;
    switch (kernel.skeleton) {
      case "map":
        this.domain(kernel.domain);
        this.positive("workgroup", kernel.schedule.workgroup);
        this.stores(
          kernel.stores,
          kernel.domain.map((each) => each.var),
        );
        break;
      case "reduce":
        this.reduce(kernel);
        break;
      case "contract":
        this.contract(kernel);
        break;
      case "scan":
        this.scan(kernel);
        break;
      case "sequential":
        this.dim(kernel.leads);
        this.dim(kernel.steps);
        for (const each of kernel.before) this.statement(each, ["lead"]);
        for (const each of kernel.each) this.statement(each, ["lead", "t"]);
        break;
    }
    for (const { name, access } of kernel.bindings) {
      if (access === "read_write" && !this.stored.has(name))
        this.fail(`${name} is never written; it should be read-only`);
    }
  }

  private reduce(kernel: Extract<Kernel, { skeleton: "reduce" }>): void {
    this.domain([...kernel.domain, kernel.over]);
    this.powerOfTwo("workgroup", kernel.schedule.workgroup);
    const vars = kernel.domain.map((each) => each.var);
    const results: string[] = [];
    for (const each of kernel.reductions) {
      const type = each.body.type === "u32" ? "u32" : "f32";
      this.value(`reduction ${each.name}`, each.body, type, [...vars, kernel.over.var, ...results]);
      results.push(each.name);
    }
    this.stores(kernel.stores, [...vars, kernel.over.var, ...results]);
  }

  private contract(kernel: Extract<Kernel, { skeleton: "contract" }>): void {
    const { schedule, storesAlong = [] } = kernel;
    for (const dim of [kernel.batch, kernel.rows, kernel.cols, kernel.depth]) this.dim(dim);
    this.value("a", kernel.a, "f32", ["batch", "row", "k"]);
    this.value("b", kernel.b, "f32", ["batch", "col", "k"]);
    for (const each of kernel.along) this.value(each.name, each.body, "f32", ["batch", "row", "k"]);
    this.stores(storesAlong, ["batch", "row", "k"]);
    this.stores(kernel.stores, ["batch", "row", "col", "acc", ...kernel.along.map((each) => each.name)]);
    if (schedule.kind === "rows") {
      this.powerOfTwo("lanes", schedule.lanes);
      this.positive("cols", schedule.cols);
      this.positive("rows", schedule.rows ?? 1);
      this.powerOfTwo("each", schedule.each ?? 1);
      if (schedule.cols % (schedule.each ?? 1) !== 0)
        this.fail(`${schedule.cols} columns in parts of ${schedule.each ?? 1}: parts fill a workgroup`);
      if ((schedule.rows ?? 1) > 1 && (schedule.each ?? 1) > 1)
        this.fail("a lane has several rows or several columns");
      return;
    }
    if (kernel.along.length + storesAlong.length > 0)
      this.fail("sums and stores alongside need a schedule by rows");
    if (schedule.kind === "matrix") {
      this.matrix(schedule);
      return;
    }
    const { tileRows, tileCols, threadRows, threadCols } = schedule;
    for (const [tile, thread] of [
      [tileRows, threadRows],
      [tileCols, threadCols],
    ] as const) {
      if (thread % 4 !== 0 || tile % thread !== 0)
        this.fail(`tiles of ${tile} in parts of ${thread}: parts are multiples of 4 that divide the tile`);
    }
  }

  private matrix(schedule: MatrixSchedule): void {
    const { tileRows, tileCols, tileDepth, partRows, partCols } = schedule;
    for (const [whole, part] of [
      [tileRows, partRows],
      [tileCols, partCols],
      [partRows, UNIT],
      [partCols, UNIT],
      [tileDepth, UNIT],
    ] as const) {
      this.positive("tile", part);
      if (whole % part !== 0)
        this.fail(
          `${whole} in parts of ${part}: matrix units take multiples of ${UNIT}, and parts fill tiles`,
        );
    }
  }

  private scan(kernel: ScanKernel): void {
    const { channels, lanes, steps } = kernel.schedule;
    this.dim(kernel.leads);
    for (const [what, size] of Object.entries({ channels, lanes, steps, inner: kernel.inner }))
      this.positive(what, size);
    if (steps % 4 !== 0) this.fail(`steps is ${steps}, not a multiple of 4`);
    this.value("begin", kernel.begin, "u32", ["lead"]);
    this.value("end", kernel.end, "u32", ["lead"]);
    const invariants: Record<"channel" | "element", string[]> = { channel: [], element: [] };
    for (const each of kernel.invariants) {
      const own =
        each.per === "channel" ? ["lead", "channel"] : ["lead", "channel", "n", ...invariants.element];
      this.value(each.name, each.value, undefined, [...own, ...invariants.channel]);
      invariants[each.per].push(each.name);
    }
    const byChannel = ["lead", "channel", ...invariants.channel];
    const byElement = [...byChannel, "n", ...invariants.element];
    for (const each of kernel.staged) {
      this.value(
        each.name,
        each.value,
        "f32",
        each.per === "channel" ? [...byChannel, "t"] : ["lead", "n", "t"],
      );
    }
    const staged = (per: "channel" | "inner"): string[] =>
      kernel.staged.filter((each) => each.per === per).map((each) => each.name);
    const scalar = [...byChannel, "t", ...staged("channel")];
    const inner = [...byElement, "t", ...staged("channel"), ...staged("inner")];
    for (const state of kernel.states) {
      this.value(`initial ${state.name}`, state.initial, "f32", state.inner ? byElement : byChannel);
      if (state.final !== undefined)
        this.stores([state.final], [...(state.inner ? byElement : byChannel), "last"]);
      const next = kernel.steps.find((each) => each.name === state.next);
      if (next === undefined)
        this.fail(`the next value of ${state.name} is ${state.next}, which is no step value`);
      else if (next.inner !== state.inner)
        this.fail(`${state.name} and its next value differ in having the inner axis`);
      inner.push(`prev_${state.name}`);
      if (!state.inner) scalar.push(`prev_${state.name}`);
    }
    const contractions = kernel.contractions ?? [];
    for (const each of contractions) this.value(each.name, each.value, "f32", inner);
    for (const { name } of contractions) [inner, scalar].forEach((names) => names.push(name));
    for (const each of kernel.steps) {
      this.value(each.name, each.value, undefined, each.inner ? inner : scalar);
      inner.push(each.name);
      if (!each.inner) scalar.push(each.name);
    }
    for (const each of kernel.reductions) this.value(each.name, each.value, "f32", inner);
    this.stores(kernel.stores, [
      ...byChannel,
      "t",
      ...staged("channel"),
      ...kernel.reductions.map((each) => each.name),
    ]);
  }

  private statement(statement: SequentialStatement, vars: readonly string[]): void {
    this.domain(statement.domain);
    this.stores(statement.stores, [...vars, ...statement.domain.map((each) => each.var)]);
  }

  private domain(domain: readonly Extent[]): void {
    if (new Set(domain.map((each) => each.var)).size < domain.length)
      this.fail("two axes of the domain have one var");
    for (const each of domain) this.dim(each.extent);
  }

  private stores(stores: readonly Store[], vars: readonly string[]): void {
    for (const store of stores) {
      const binding = this.bindings.get(store.binding);
      if (binding === undefined) return this.fail(`a store to ${store.binding}, which is not bound`);
      if (binding.access !== "read_write") this.fail(`a store to ${store.binding}, which is read-only`);
      if (binding.element !== "f32" && binding.element !== "u32" && binding.words !== true)
        this.fail(`a store to ${store.binding}: packed ${binding.element} is not written element by element`);
      if (binding.words === true && !canWriteWords(this.kernel, binding.name))
        this.fail(`a store to ${store.binding}, whose words it does not write whole`);
      this.stored.add(store.binding);
      this.value(`index of ${store.binding}`, store.index, "u32", vars);
      this.value(`value of ${store.binding}`, store.value, binding.element === "u32" ? "u32" : "f32", vars);
      if (store.when !== undefined) this.value(`condition of ${store.binding}`, store.when, "bool", vars);
    }
  }

  private value(what: string, expr: Expr, type: ExprType | undefined, vars: readonly string[]): void {
    if (type !== undefined && expr.type !== type) this.fail(`${what} has type ${expr.type}, not ${type}`);
    for (const name of freeVars(expr))
      if (!vars.includes(name)) this.fail(`${what} uses the var ${name}; bound here: ${vars.join(", ")}`);
    walk([expr], (part) => {
      if (part.kind === "number") this.dim(part.name);
      if (part.kind !== "load") return;
      const binding = this.bindings.get(part.binding);
      if (binding === undefined) return this.fail(`${what} reads ${part.binding}, which is not bound`);
      if ((binding.element === "u32") !== (part.type === "u32"))
        this.fail(`${what} reads ${part.binding} as ${part.type}, which holds ${binding.element}`);
    });
  }

  private dim(dim: Dim): void {
    if (typeof dim === "string") {
      if (this.numbers !== undefined && !this.numbers.has(dim))
        this.fail(`${dim} is not a number of the program`);
    } else if (typeof dim !== "number") {
      for (const part of dim.slice(1)) this.dim(part);
    }
  }

  private positive(what: string, size: number): void {
    if (!Number.isInteger(size) || size < 1) this.fail(`${what} is ${size}`);
  }

  private powerOfTwo(what: string, size: number): void {
    this.positive(what, size);
    if ((size & (size - 1)) !== 0) this.fail(`${what} is ${size}, not a power of two`);
  }

  private fail(detail: string): void {
    throw new InternalError("validate-kernel", `${this.kernel.name} (${this.kernel.skeleton}): ${detail}`);
  }
}
