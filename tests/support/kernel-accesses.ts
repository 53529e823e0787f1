/**
 * A small interpreter of kernels: runs each hole at each of its coordinates, as SPEC.md § Kernel says, on plain arrays, and
 * records every address that is read or written, by workgroup. For small sizes; it shares no code with the compiler.
 */
import type { Expr, ExprOp, Extent, Kernel, ScanKernel, Store } from "../../compiler/5-kernel/types.js";
import { evaluateDim } from "../../runtime/dim.js";

export interface Accesses {
  /** Loads or stores made, one for each time that a hole asks for one. */
  readonly total: number;
  readonly distinct: number;
  /** Each address once for every workgroup that touches it. */
  readonly byWorkgroups: number;
  readonly addresses: ReadonlySet<number>;
}

export interface Recorded {
  readonly reads: ReadonlyMap<string, Accesses>;
  readonly writes: ReadonlyMap<string, Accesses>;
  readonly workgroups: number;
}

type Env = Map<string, number>;
type Numbers = Readonly<Record<string, number>>;

export function recordAccesses(
  kernel: Kernel,
  numbers: Numbers,
  buffers: Map<string, Float64Array>,
): Recorded {
  const run = new Run(kernel, numbers, buffers);
  run.kernel();
  return { reads: run.reads.finish(), writes: run.writes.finish(), workgroups: run.workgroups.size };
}

class Log {
  private readonly byBinding = new Map<string, { total: number; groups: Map<string, Set<number>> }>();

  add(binding: string, group: string, address: number): void {
    const entry = this.byBinding.get(binding) ?? { total: 0, groups: new Map<string, Set<number>>() };
    this.byBinding.set(binding, entry);
    entry.total++;
    const own = entry.groups.get(group) ?? new Set();
    entry.groups.set(group, own.add(address));
  }

  finish(): ReadonlyMap<string, Accesses> {
    return new Map(
      [...this.byBinding].map(([binding, { total, groups }]) => {
        const addresses = new Set<number>();
        let byWorkgroups = 0;
        for (const own of groups.values()) {
          byWorkgroups += own.size;
          for (const address of own) addresses.add(address);
        }
        return [binding, { total, distinct: addresses.size, byWorkgroups, addresses }];
      }),
    );
  }
}

class Run {
  readonly reads = new Log();
  readonly writes = new Log();
  readonly workgroups = new Set<string>();
  private group = "";

  constructor(
    private readonly of: Kernel,
    private readonly numbers: Numbers,
    private readonly buffers: Map<string, Float64Array>,
  ) {}

  kernel(): void {
    const kernel = this.of;
    switch (kernel.skeleton) {
      case "map": {
        let element = 0;
        this.each(kernel.domain, new Map(), (env) => {
          this.enter(Math.floor(element++ / kernel.schedule.workgroup));
          this.store(kernel.stores, env);
        });
        return;
      }
      case "reduce":
        return this.each(kernel.domain, new Map(), (env) => {
          this.enter(...env.values());
          for (const { name, fn, body } of kernel.reductions) {
            const parts: number[] = [];
            this.each([kernel.over], env, (inside) => parts.push(this.value(body, inside)));
            env.set(name, fold(fn, parts));
          }
          this.each([kernel.over], env, (inside) => this.store(kernel.stores, inside));
        });
      case "contract":
        return this.contract(kernel);
      case "scan":
        return this.scan(kernel);
      case "sequential":
        for (let lead = 0; lead < this.dim(kernel.leads); lead++) {
          this.enter(lead);
          const statement = (env: Env) => (each: (typeof kernel.before)[number]) =>
            this.each(each.domain, env, (inside) => this.store(each.stores, inside));
          kernel.before.forEach(statement(new Map([["lead", lead]])));
          for (let t = 0; t < this.dim(kernel.steps); t++)
            kernel.each.forEach(statement(new Map(Object.entries({ lead, t }))));
        }
    }
  }

  private contract(kernel: Extract<Kernel, { skeleton: "contract" }>): void {
    const { schedule } = kernel;
    const [tileRows, tileCols] =
      schedule.kind !== "rows" ? [schedule.tileRows, schedule.tileCols] : [schedule.rows ?? 1, schedule.cols];
    const [batch, row, col, k] = [
      ["batch", kernel.batch],
      ["row", kernel.rows],
      ["col", kernel.cols],
      ["k", kernel.depth],
    ].map(([name, extent]) => ({ var: name, extent }) as Extent) as [Extent, Extent, Extent, Extent];
    this.each([batch, row, col], new Map(), (env) => {
      this.enter(
        env.get("batch")!,
        Math.floor(env.get("row")! / tileRows),
        Math.floor(env.get("col")! / tileCols),
      );
      let acc = 0;
      const along = kernel.along.map(() => 0);
      this.each([k], env, (inside) => {
        acc += this.value(kernel.a, inside) * this.value(kernel.b, inside);
        kernel.along.forEach(({ body }, i) => (along[i]! += this.value(body, inside)));
      });
      const isFirst = env.get("col") === 0;
      if (isFirst) this.each([k], env, (inside) => this.store(kernel.storesAlong ?? [], inside));
      env.set("acc", acc);
      kernel.along.forEach(({ name }, i) => env.set(name, along[i]!));
      this.store(kernel.stores, env);
    });
  }

  private scan(kernel: ScanKernel): void {
    const leads: Extent = { var: "lead", extent: kernel.leads };
    const channels: Extent = { var: "channel", extent: kernel.channels };
    this.each([leads, channels], new Map(), (env) => {
      this.enter(env.get("lead")!, Math.floor(env.get("channel")! / kernel.schedule.channels));
      for (const each of kernel.invariants)
        if (each.per === "channel") env.set(each.name, this.value(each.value, env));
      const rows = Array.from({ length: kernel.inner }, (_, n): Env => {
        const row = new Map(env).set("n", n);
        for (const each of kernel.invariants)
          if (each.per === "element") row.set(each.name, this.value(each.value, row));
        for (const { name, initial } of kernel.states) row.set(`prev_${name}`, this.value(initial, row));
        return row;
      });
      const end = this.value(kernel.end, env);
      for (let t = this.value(kernel.begin, env); t < end; t++) this.step(kernel, env, rows, t);
      for (const row of rows)
        for (const { name, final } of kernel.states)
          if (final !== undefined) this.store([final], new Map(row).set("last", row.get(`prev_${name}`)!));
    });
  }

  private step(kernel: ScanKernel, env: Env, rows: readonly Env[], t: number): void {
    const here = new Map(env).set("t", t);
    for (const each of kernel.staged)
      if (each.per === "channel") here.set(each.name, this.value(each.value, here));
    const parts = kernel.reductions.map((): number[] => []);
    for (const row of rows) {
      const inside = new Map([...row, ...here]);
      for (const each of kernel.staged)
        if (each.per === "inner") inside.set(each.name, this.value(each.value, inside));
      for (const { name, value } of kernel.steps) inside.set(name, this.value(value, inside));
      kernel.reductions.forEach(({ value }, i) => parts[i]!.push(this.value(value, inside)));
      for (const { name, next } of kernel.states) row.set(`prev_${name}`, inside.get(next)!);
    }
    kernel.reductions.forEach(({ name, fn }, i) => here.set(name, fold(fn, parts[i]!)));
    this.store(kernel.stores, here);
  }

  private enter(...group: number[]): void {
    this.group = group.join();
    this.workgroups.add(this.group);
  }

  private dim(dim: Extent["extent"]): number {
    return evaluateDim(dim, this.numbers);
  }

  /** Calls `body` for every point of a domain, row-major, with a scope of its own. */
  private each(domain: readonly Extent[], env: Env, body: (env: Env) => void): void {
    const [first, ...rest] = domain;
    if (first === undefined) return body(new Map(env));
    const size = this.dim(first.extent);
    for (let i = 0; i < size; i++) this.each(rest, new Map(env).set(first.var, i), body);
  }

  private store(stores: readonly Store[], env: Env): void {
    const due = stores.filter(({ when }) => when === undefined || this.value(when, env) !== 0);
    const writes = due.map(({ binding, index, value }) => ({
      binding,
      at: this.value(index, env),
      value: this.value(value, env),
    }));
    for (const { binding, at, value } of writes) {
      this.writes.add(binding, this.group, at);
      this.place(binding, at)[at] = value;
    }
  }

  private place(binding: string, at: number): Float64Array {
    const buffer = this.buffers.get(binding);
    if (buffer === undefined || !(at >= 0 && at < buffer.length))
      throw new Error(`${this.of.name}: ${binding}[${at}] of ${buffer?.length ?? "nothing"}`);
    return buffer;
  }

  private value(expr: Expr, env: Env): number {
    switch (expr.kind) {
      case "literal":
        return expr.value;
      case "number":
        return this.dim(expr.name);
      case "var": {
        const value = env.get(expr.name);
        if (value === undefined) throw new Error(`${this.of.name}: no ${expr.name} here`);
        return value;
      }
      case "load": {
        const at = this.value(expr.index, env);
        this.reads.add(expr.binding, this.group, at);
        return this.place(expr.binding, at)[at]!;
      }
      case "loop": {
        const parts: number[] = [];
        const extent = this.value(expr.extent, env);
        for (let i = 0; i < extent; i++) parts.push(this.value(expr.body, new Map(env).set(expr.index, i)));
        return fold(expr.fn, parts);
      }
      case "op": {
        if (expr.op === "select") {
          const [condition, then, otherwise] = expr.args;
          return this.value(this.value(condition!, env) !== 0 ? then! : otherwise!, env);
        }
        const args = expr.args.map((arg) => this.value(arg, env));
        const whole = expr.type === "u32" || expr.type === "i32";
        return whole ? Math.trunc(apply(expr.op, args)) : apply(expr.op, args);
      }
    }
  }
}

function fold(fn: "sum" | "max" | "min", parts: readonly number[]): number {
  return fn === "sum"
    ? parts.reduce((p, q) => p + q, 0)
    : fn === "max"
      ? Math.max(...parts)
      : Math.min(...parts);
}

/** Values need only be near enough for guards and places, which are whole numbers. */
function apply(op: ExprOp, [a = 0, b = 0, c = 0]: readonly number[]): number {
  const known = OPERATIONS[op];
  if (known === undefined) throw new Error(`no ${op} here`);
  return Number(known(a, b, c));
}

const OPERATIONS: Partial<Record<ExprOp, (a: number, b: number, c: number) => number | boolean>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => a % b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  neg: (a) => -a,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  recip: (a) => 1 / a,
  pow: Math.pow,
  exp: Math.exp,
  exp2: (a) => 2 ** a,
  polar_re: (size, angle) => size * Math.cos(Math.PI * angle),
  polar_im: (size, angle) => size * Math.sin(Math.PI * angle),
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  log1p_unit: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  fma: (a, b, c) => a * b + c,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  and: (a, b) => a !== 0 && b !== 0,
  or: (a, b) => a !== 0 || b !== 0,
  not: (a) => a === 0,
  f32: (a) => a,
  u32: Math.trunc,
  i32: Math.trunc,
};
