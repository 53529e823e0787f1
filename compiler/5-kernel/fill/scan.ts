/**
 * The scan's holes. A lane's share of the inner axis is cut into blocks of four (one vec4f each) and single ones; every step
 * value that has the inner axis is printed once a block.
 */
import { InternalError } from "../../diagnostics/internal-error.js";
import {
  innerInFours,
  readInner,
  scan,
  scanBytes,
  type ScanHoles,
  type ScanShape,
  type StagePass,
  type Staged,
} from "../../../templates/kernels/scan.js";
import { MOST_GROUPS } from "../../../templates/kernels/entry.js";
import type { Dim } from "../../../runtime/bundle-format.js";
import {
  call,
  code,
  component,
  join,
  literal,
  name,
  u32,
  variable,
  wgsl,
  type Code,
  type Name,
  type Wgsl,
  type AnyWgsl,
} from "../../../templates/wgsl.js";
import { identityValue } from "../expr.js";
import type { ModuleContext } from "../module-context.js";
import {
  BlockPrinter,
  clampToFinite,
  combine,
  scalarValue,
  typeName,
  vectorValue,
  widen,
  type Environment,
  type Value,
} from "../print-block.js";
import { children, dependsOn, freeVars } from "../traverse.js";
import type { Expr, ScanKernel, Store } from "../types.js";
import { ceilDiv, exprsOf, mapStore, printFourStores, printStores, type Filled } from "./printed.js";

/** Four inner coordinates of a lane, or one. */
interface Block {
  readonly width: 1 | 4;
  /** From the lane's first. */
  readonly offset: number;
  readonly n: Wgsl<"u32"> | Wgsl<"vec4u">;
  /** Which of them exist, if some may not. */
  readonly exists: Wgsl<"bool"> | Wgsl<"vec4<bool>"> | undefined;
  readonly environment: Map<string, Value>;
}

/** Bytes of workgroup memory that the kernel would take under another schedule. */
export function scanWorkgroupBytes(
  kernel: ScanKernel,
  schedule: ScanKernel["schedule"] = kernel.schedule,
): number {
  const count = (per: "channel" | "inner"): number => kernel.staged.filter((each) => each.per === per).length;
  return scanBytes(
    { ...schedule, inner: kernel.inner },
    count("channel"),
    count("inner"),
    kernel.reductions.length,
  );
}

export function fillScan(kernel: ScanKernel, context: ModuleContext): Filled {
  return new ScanFiller(kernel, context).fill();
}

class ScanFiller {
  private readonly kernel: ScanKernel;
  private readonly shape: ScanShape;
  private readonly root: BlockPrinter;
  private readonly blocks: readonly Block[];
  private readonly prologue: Code[] = [];
  private readonly tiles = new Map<string, Name>();

  constructor(
    kernel: ScanKernel,
    private readonly context: ModuleContext,
  ) {
    this.kernel = rebuild(kernel, context);
    this.shape = { ...kernel.schedule, inner: kernel.inner };
    const environment = new Map<string, Value>([
      ["lead", scalarValue(variable("lead"))],
      ["channel", scalarValue(variable("channel"))],
    ]);
    for (const each of this.kernel.invariants) {
      if (each.per === "channel")
        environment.set(each.name, scalarValue(variable(context.names.take(each.name))));
    }
    for (const each of this.kernel.reductions)
      this.reductionNames.set(each.name, variable(context.names.take(each.name)));
    this.names = environment;
    this.root = BlockPrinter.root(context, environment, rootsOf(this.kernel));
    for (const each of this.kernel.staged)
      this.tiles.set(each.name, name(context.names.take(`${each.name}_tile`)));
    this.blocks = this.makeBlocks();
  }

  private readonly names: ReadonlyMap<string, Value>;
  private readonly reductionNames = new Map<string, Wgsl<"vec4f">>();

  fill(): Filled {
    const { kernel, shape, context } = this;
    const scalarStates = kernel.states.filter((state) => !state.inner);
    this.printInvariants();
    this.printInitialStates();
    const step = this.printStep(scalarStates);
    const byChannel = this.stagePass("channel");
    const byInner = this.stagePass("inner");
    const epilogue = this.printFinals();
    const [begin, end] = [this.root.u32(kernel.begin), this.root.u32(kernel.end)];
    const leads = foldLeads(kernel.leads);
    const constant = BlockPrinter.root(context, new Map(), []);
    const wholeChannels = kernel.channels % shape.channels === 0;
    const holes: ScanHoles = {
      shape,
      leads: leads.exact ? undefined : constant.u32(context.builder.dim(kernel.leads)),
      foldedLeads: leads.folded,
      channels: wholeChannels ? undefined : kernel.channels,
      begin,
      end,
      byChannel,
      byInner,
      stepTiles: step.tiles,
      step: step.code,
      reductions: step.reductions,
      ...this.printTileStores(),
      epilogue,
    };
    // What does not depend on the step is bound in the prologue as the other holes are printed, so it comes last.
    const body = scan(holes, () => join([...this.prologue, this.root.flush()]));
    const [y, z] = leads.dispatch;
    return {
      body,
      workgroup: shape.channels * shape.lanes,
      workgroupBytes: scanWorkgroupBytes(kernel),
      dispatch: [ceilDiv(kernel.channels, shape.channels), y, z],
    };
  }

  private makeBlocks(): readonly Block[] {
    const { inner, lanes } = this.shape;
    const share = Math.ceil(inner / lanes);
    const ragged = inner % lanes !== 0;
    const sizes = [
      ...Array.from({ length: Math.floor(share / 4) }, () => 4 as const),
      ...Array.from({ length: share % 4 }, () => 1 as const),
    ];
    let offset = 0;
    return sizes.map((width, i) => {
      const n = variable<"vec4u">(
        this.context.names.take(sizes.length === 1 && width === 1 ? "n" : `n_${i}`),
      );
      const from =
        lanes === 1
          ? u32(offset)
          : offset === 0
            ? wgsl<"u32">`lane * ${share}u`
            : wgsl<"u32">`lane * ${share}u + ${offset}u`;
      const exact = width === 4 ? wgsl<"vec4u">`${from} + vec4u(0u, 1u, 2u, 3u)` : from;
      const whole = width === 4 ? wgsl<"vec4u">`vec4u(${inner}u)` : wgsl<"u32">`${inner}u`;
      const last = width === 4 ? wgsl<"vec4u">`vec4u(${inner - 1}u)` : wgsl<"u32">`${inner - 1}u`;
      this.prologue.push(code`let ${n} = ${ragged ? wgsl<"u32">`min(${exact}, ${last})` : exact};`);
      let exists: Block["exists"];
      if (ragged) {
        exists = variable<"bool">(this.context.names.take(`exists_${i}`));
        this.prologue.push(code`let ${exists} = ${exact} < ${whole};`);
      }
      const block = { width, offset, n, exists, environment: new Map([["n", { wgsl: n, width } as Value]]) };
      offset += width;
      return block;
    });
  }

  private printInvariants(): void {
    for (const each of this.kernel.invariants) {
      if (each.per === "channel") {
        const value = this.root.value(each.value);
        const to = this.names.get(each.name);
        if (to === undefined) throw new InternalError("print-wgsl", `no name for ${each.name}`);
        this.prologue.push(this.root.flush(), code`let ${to.wgsl} = ${value.wgsl};`);
        continue;
      }
      for (const [i, block] of this.blocks.entries()) {
        const printer = this.root.nested(new Map(block.environment));
        const value = valueOf(printer, each.value, block.width);
        const to = variable<"f32">(
          this.context.names.take(this.blocks.length === 1 ? each.name : `${each.name}_${i}`),
        );
        this.prologue.push(this.root.flush(), printer.flush(), code`let ${to} = ${value};`);
        block.environment.set(each.name, { wgsl: to, width: block.width });
      }
    }
  }

  /** Scalar states are kept in `scalars`, the others in the environment of their block, as prev_NAME. */
  private readonly scalars = new Map<string, Value>();

  private printInitialStates(): void {
    for (const state of this.kernel.states) {
      const previous = `prev_${state.name}`;
      if (!state.inner) {
        const to = variable<"f32">(this.context.names.take(state.name));
        const value = this.root.value(state.initial).wgsl;
        this.prologue.push(this.root.flush(), code`var ${to} = ${value};`);
        this.scalars.set(previous, scalarValue(to));
        continue;
      }
      for (const [i, block] of this.blocks.entries()) {
        const printer = this.root.nested(new Map(block.environment));
        const value = valueOf(printer, state.initial, block.width);
        const to = variable<"f32">(
          this.context.names.take(this.blocks.length === 1 ? state.name : `${state.name}_${i}`),
        );
        this.prologue.push(this.root.flush(), printer.flush(), code`var ${to} = ${value};`);
        block.environment.set(previous, { wgsl: to, width: block.width });
      }
    }
  }

  /**
   * Loads of the steps to come are worth keeping in registers while there are few; a load behind a condition stays there.
   * What a piece covers: four steps of a channel, or up to four inner coordinates of a step.
   */
  private stagePass(per: "channel" | "inner"): StagePass {
    const { context, shape } = this;
    const staged = this.kernel.staged.filter((each) => each.per === per);
    const inFours = innerInFours(shape);
    const four = per === "channel" || inFours;
    const pieces =
      per === "channel"
        ? shape.steps / 4 / shape.lanes
        : (shape.steps * shape.inner) / (inFours ? 4 : 1) / (shape.channels * shape.lanes);
    const loads = loadsAhead(
      staged.map((each) => each.value),
      per === "channel" ? ["t"] : ["t", "n"],
    );
    const prefetch = Math.ceil(pieces) * loads.size * (four ? 4 : 1) <= MOST_PREFETCHED;
    const environment = new Map<string, Value>([
      ["t", { wgsl: variable("t"), width: per === "channel" ? 4 : 1 }],
    ]);
    if (per === "inner") environment.set("n", { wgsl: variable("n"), width: inFours ? 4 : 1 });
    const width = four ? 4 : 1;
    const registers = new Map<string, Value>();
    const register = (load: Extract<Expr, { kind: "load" }>, i: number): Value => {
      const key = `${context.builder.idOf(load)}.${i}`;
      const known = registers.get(key) ?? {
        wgsl: variable(context.names.take(`next_${load.binding}`)),
        width,
      };
      registers.set(key, known);
      return known;
    };
    return {
      tiles: staged.map((each) => this.tile(each.name)),
      prefetch,
      declare: (i) =>
        join(
          [...loads.keys()].map(
            (load) => code`var ${register(load, i).wgsl}: ${name(typeName(load.type, width))};`,
          ),
        ),
      load: (i) => {
        const printer = this.root.nested(environment);
        const values = [...loads.keys()].map(
          (load) => code`${register(load, i).wgsl} = ${valueOf(printer, load, width)};`,
        );
        return join([printer.flush(), ...values]);
      },
      values: (i) => {
        const inner = new Map(environment);
        if (prefetch) for (const [load, ahead] of loads) inner.set(ahead, register(load, i));
        const replaced = new Map<Expr, Expr>();
        if (prefetch)
          for (const [load, ahead] of loads) replaced.set(load, context.builder.variable(ahead, load.type));
        const exprs = staged.map((each) => context.builder.substitute(each.value, new Map(), replaced));
        const printer = this.root.nested(inner, exprs);
        const values = exprs.map((expr) => valueOf(printer, expr, width) as Wgsl<"f32">);
        return { inside: printer.flush(), values };
      },
    };
  }

  private tile(of: string): Name {
    const tile = this.tiles.get(of);
    if (tile === undefined) throw new InternalError("print-wgsl", `${of} is not staged`);
    return tile;
  }

  private printStep(scalarStates: ScanKernel["states"]): {
    readonly code: Code;
    readonly tiles: readonly Staged[];
    readonly reductions: ScanHoles["reductions"];
  } {
    const { kernel, context } = this;
    const read = new Set(stepExprs(kernel).flatMap((expr) => [...freeVars(expr)]));
    const scalarEnvironment = new Map<string, Value>([["t", scalarValue(variable("t"))], ...this.scalars]);
    const tiles = this.stagedFor(read);
    for (const each of tiles) scalarEnvironment.set(each.of, scalarValue(each.name));
    const scalarNames = kernel.steps.filter((each) => !each.inner);
    for (const each of scalarNames)
      scalarEnvironment.set(each.name, scalarValue(variable(context.names.take(each.name))));
    const scalar = this.root.nested(scalarEnvironment);
    const scalarCode: Code[] = [];
    for (const each of scalarNames) {
      const value = scalar.value(each.value).wgsl;
      scalarCode.push(scalar.flush(), code`let ${this.wgslOf(scalarEnvironment, each.name)} = ${value};`);
    }
    const parts = kernel.reductions.map(() => [] as Value[]);
    const blockCode = this.blocks.map((block, i) => this.printBlock(block, i, scalar, read, parts));
    const reductions = kernel.reductions.map((each, i) => ({
      name: this.reductionName(each.name),
      fn: each.fn,
      part: joinParts(each.fn, parts[i] ?? []),
    }));
    const updates = scalarStates.map(
      (state) =>
        code`${this.wgslOf(this.scalars, `prev_${state.name}`)} = ${this.wgslOf(scalarEnvironment, state.next)};`,
    );
    return { code: join([...scalarCode, scalar.flush(), ...blockCode, ...updates]), tiles, reductions };
  }

  /** Names for those of the staged values by channel that are read. */
  private stagedFor(read: ReadonlySet<string>): readonly (Staged & { readonly of: string })[] {
    return this.kernel.staged
      .filter((each) => each.per === "channel" && read.has(each.name))
      .map((each) => ({
        of: each.name,
        tile: this.tile(each.name),
        name: variable<"f32">(this.context.names.take(each.name)),
        four: variable<"vec4f">(this.context.names.take(`${each.name}_four`)),
      }));
  }

  private reductionName(of: string): Wgsl<"vec4f"> {
    const name = this.reductionNames.get(of);
    if (name === undefined) throw new InternalError("print-wgsl", `${of} is no reduction`);
    return name;
  }

  private printBlock(
    block: Block,
    index: number,
    scalar: BlockPrinter,
    read: ReadonlySet<string>,
    parts: Value[][],
  ): Code {
    const { kernel, context } = this;
    const suffix = this.blocks.length === 1 ? "" : `_${index}`;
    const environment = new Map(block.environment);
    const loads: Code[] = [];
    for (const each of kernel.staged) {
      if (each.per !== "inner" || !read.has(each.name)) continue;
      const to = variable<"f32">(context.names.take(`${each.name}${suffix}`));
      loads.push(code`let ${to} = ${this.readTile(each.name, block)};`);
      environment.set(each.name, { wgsl: to, width: block.width });
    }
    const steps = kernel.steps.filter((each) => each.inner);
    for (const each of steps)
      environment.set(each.name, {
        wgsl: variable(context.names.take(`${each.name}${suffix}`)),
        width: block.width,
      });
    const printer = scalar.nested(environment);
    const lines: Code[] = [];
    for (const each of steps) {
      const value = valueOf(printer, each.value, block.width);
      lines.push(printer.flush(), code`let ${this.wgslOf(environment, each.name)} = ${value};`);
    }
    for (const [i, each] of kernel.reductions.entries()) {
      const part = this.reductionPart(each, block, printer);
      lines.push(printer.flush());
      const to = variable<"f32">(context.names.take(`${each.name}_part${suffix}`));
      lines.push(code`let ${to} = ${part.wgsl};`);
      parts[i]?.push({ wgsl: to, width: part.width });
    }
    for (const state of kernel.states.filter((each) => each.inner)) {
      lines.push(
        code`${this.wgslOf(environment, `prev_${state.name}`)} = ${this.wgslOf(environment, state.next)};`,
      );
    }
    return join([...loads, ...lines]);
  }

  /** What a block adds to a reduction: a product is summed by `dot`; coordinates that do not exist count for nothing. */
  private reductionPart(
    { fn, value }: ScanKernel["reductions"][number],
    block: Block,
    printer: BlockPrinter,
  ): Value {
    const [a, b] = value.kind === "op" && value.op === "mul" ? value.args : [];
    if (
      fn === "sum" &&
      block.width === 4 &&
      block.exists === undefined &&
      a !== undefined &&
      b !== undefined
    ) {
      return scalarValue(call("dot", [printer.vec4f(a), printer.vec4f(b)]));
    }
    const whole = valueOf(printer, value, block.width);
    const nothing = literal("f32", clampToFinite(identityValue(fn), "f32"));
    const kept =
      block.exists === undefined
        ? whole
        : call<"f32">("select", [widen(scalarValue(nothing), "f32", block.width), whole, block.exists]);
    if (block.width === 1) return scalarValue(kept);
    if (fn === "sum") return scalarValue(call("dot", [kept, wgsl<"vec4f">`vec4f(1.0)`]));
    return scalarValue(
      acrossFour(fn, kept as unknown as Wgsl<"vec4f">, (text) =>
        printer.name(text, { wgsl: kept, width: 4 }),
      ),
    );
  }

  private readTile(of: string, block: Block): Wgsl<"f32"> | Wgsl<"vec4f"> {
    if (innerInFours(this.shape)) return readInner(this.tile(of), this.shape, { vector: block.offset / 4 });
    return readInner(
      this.tile(of),
      this.shape,
      block.width === 4 ? { four: block.n as Wgsl<"vec4u"> } : (block.n as Wgsl<"u32">),
    );
  }

  private printTileStores(): Pick<ScanHoles, "storedTiles" | "stores"> {
    const { kernel, context } = this;
    const read = new Set(exprsOf(kernel.stores).flatMap((expr) => [...freeVars(expr)]));
    const tiles = this.stagedFor(read);
    const environment = new Map<string, Value>([["t", vectorValue(variable("t"))]]);
    for (const each of tiles) environment.set(each.of, vectorValue(each.four));
    for (const each of kernel.reductions)
      environment.set(each.name, vectorValue(this.reductionName(each.name)));
    return {
      storedTiles: tiles,
      stores: (exists) => printFourStores(context, this.root.nested(environment), kernel.stores, exists),
    };
  }

  private printFinals(): Code {
    const lines: Code[] = [];
    for (const state of this.kernel.states) {
      if (state.final === undefined) continue;
      const { final } = state;
      if (!state.inner) {
        const printer = this.root.nested(
          new Map([["last", scalarValue(this.wgslOf(this.scalars, `prev_${state.name}`))]]),
        );
        lines.push(code`
          if (lane == 0u) {
            ${printStores(this.context, printer, [final])}
          }
        `);
        continue;
      }
      for (const block of this.blocks) lines.push(this.printFinal(state.name, final, block));
    }
    return join(lines);
  }

  private printFinal(state: string, final: Store, block: Block): Code {
    const last = this.wgslOf(block.environment, `prev_${state}`);
    const parts = block.width === 1 ? [undefined] : ([0, 1, 2, 3] as const);
    return join(
      parts.map((part) => {
        const at = (value: AnyWgsl): AnyWgsl => (part === undefined ? value : component(value, part));
        const environment = new Map<string, Value>([["last", scalarValue(at(last))]]);
        for (const [each, value] of block.environment) environment.set(each, scalarValue(at(value.wgsl)));
        const stores = printStores(this.context, this.root.nested(environment), [final]);
        if (block.exists === undefined)
          return code`
          {
            ${stores}
          }
        `;
        return code`
          if (${at(block.exists)}) {
            ${stores}
          }
        `;
      }),
    );
  }

  private wgslOf(environment: Environment, of: string): AnyWgsl {
    const value = environment.get(of);
    if (value === undefined)
      throw new InternalError("print-wgsl", `${this.kernel.name} has nothing called ${of} here`);
    return value.wgsl;
  }
}

const valueOf = (printer: BlockPrinter, expr: Expr, width: 1 | 4): AnyWgsl =>
  widen(printer.value(expr), expr.type, width);

function joinParts(fn: "sum" | "max" | "min", parts: readonly Value[]): Wgsl<"f32"> {
  const [first, ...others] = parts;
  if (first === undefined) throw new InternalError("print-wgsl", "a reduction without parts");
  return others.reduce<Value>((total, part) => scalarValue(combine(fn, total, part)), first)
    .wgsl as Wgsl<"f32">;
}

function acrossFour(fn: "max" | "min", of: Wgsl<"vec4f">, bind: (wanted: string) => AnyWgsl): Wgsl<"f32"> {
  const bound = /^\w+$/.test(of.text) ? of : bind("four");
  const at = (i: 0 | 1 | 2 | 3): AnyWgsl => component(bound, i);
  return call(fn, [call(fn, [at(0), at(1)]), call(fn, [at(2), at(3)])]);
}

/** The kernel's expressions, made in the module's builder with what the skeleton knows of its vars. */
function rebuild(kernel: ScanKernel, { builder }: ModuleContext): ScanKernel {
  builder.variable("lead", "u32", kernel.leads);
  builder.variable("channel", "u32", kernel.channels);
  builder.variable("n", "u32", kernel.inner);
  const made = new Map<Expr, Expr>();
  const expr = (of: Expr): Expr => builder.substitute(of, new Map(), made);
  const valued = <T extends { readonly value: Expr }>(of: T): T => ({ ...of, value: expr(of.value) });
  return {
    ...kernel,
    begin: expr(kernel.begin),
    end: expr(kernel.end),
    invariants: kernel.invariants.map(valued),
    staged: kernel.staged.map(valued),
    steps: kernel.steps.map(valued),
    reductions: kernel.reductions.map(valued),
    stores: kernel.stores.map((store) => mapStore(store, expr)),
    states: kernel.states.map((state) => ({
      ...state,
      initial: expr(state.initial),
      ...(state.final === undefined ? {} : { final: mapStore(state.final, expr) }),
    })),
  };
}

const stepExprs = (kernel: ScanKernel): readonly Expr[] =>
  [...kernel.steps, ...kernel.reductions].map((each) => each.value);

const rootsOf = (kernel: ScanKernel): readonly Expr[] => [
  kernel.begin,
  kernel.end,
  ...kernel.invariants.map((each) => each.value),
  ...kernel.staged.map((each) => each.value),
  ...stepExprs(kernel),
  ...exprsOf(kernel.stores),
  ...kernel.states.flatMap((state) => [
    state.initial,
    ...(state.final === undefined ? [] : exprsOf([state.final])),
  ]),
];

/** Leads go along y, and on along z where there may be too many. */
function foldLeads(leads: Dim): {
  readonly dispatch: readonly [Dim, Dim];
  readonly folded: boolean;
  readonly exact: boolean;
} {
  if (typeof leads === "number" && leads <= MOST_GROUPS)
    return { dispatch: [leads, 1], folded: false, exact: true };
  const y: Dim = typeof leads === "number" ? MOST_GROUPS : ["min", leads, MOST_GROUPS];
  return { dispatch: [y, ceilDiv(leads, MOST_GROUPS)], folded: true, exact: false };
}

/** Registers of one invocation that hold what the next tile needs. Doing without them costs up to three times the time. */
const MOST_PREFETCHED = 64;

/** Loads that depend on the vars and are made whatever the values are, each with a var for its result. */
function loadsAhead(
  values: readonly Expr[],
  vars: readonly string[],
): ReadonlyMap<Extract<Expr, { kind: "load" }>, string> {
  const found = new Map<Extract<Expr, { kind: "load" }>, string>();
  const seen = new Set<Expr>();
  const enter = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.kind === "load") {
      if (dependsOn(expr, new Set(vars))) found.set(expr, `ahead ${found.size}`);
      return;
    }
    if (expr.kind === "loop") return;
    const operands = expr.kind === "op" && expr.op === "select" ? expr.args.slice(0, 1) : children(expr);
    for (const operand of operands) enter(operand);
  };
  for (const value of values) enter(value);
  return found;
}
