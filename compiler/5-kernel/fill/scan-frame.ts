/** What the parts of a scan's filling share: the kernel in the module's own expressions, and what its things are called. */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { ScanShape, Staged } from "../../../templates/kernels/scan.js";
import { name, variable, type AnyWgsl, type Name, type Wgsl } from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter, widen } from "../print-block.js";
import { scalarValue, type Environment, type Value } from "../print-scope.js";
import type { Expr, ScanKernel } from "../types.js";
import { exprsOf, mapStore } from "./printed.js";
import { ChannelPair, PAIR, secondOf, stagesPairs, storesPairs } from "./channel-pair.js";

export class ScanFrame {
  readonly kernel: ScanKernel;
  readonly shape: ScanShape;
  /** Prints what does not depend on the step, before the loop over tiles. */
  readonly root: BlockPrinter;
  /** lead, channel and the invariants by channel. */
  readonly names: ReadonlyMap<string, Value>;
  /** Where values of 16 bits lie by channel. */
  readonly pair: ChannelPair | undefined;
  private readonly tiles = new Map<string, Name>();
  private readonly reductionNames = new Map<string, Wgsl<"vec4f">>();

  constructor(
    kernel: ScanKernel,
    readonly context: ModuleContext,
  ) {
    this.kernel = rebuild(kernel, context);
    this.shape = { ...kernel.schedule, inner: kernel.inner };
    const inPairs = stagesPairs(this.kernel, context) || storesPairs(this.kernel, context);
    this.pair = inPairs ? new ChannelPair(this.kernel, context) : undefined;
    const names = new Map(["lead", "channel"].map((each) => [each, scalarValue(variable(each))]));
    for (const each of this.kernel.invariants) {
      if (each.per === "channel") names.set(each.name, scalarValue(variable(context.names.take(each.name))));
    }
    names.set(PAIR, scalarValue(variable("channel_pair")));
    this.names = names;
    for (const each of this.kernel.reductions)
      this.reductionNames.set(each.name, variable(context.names.take(each.name)));
    if (storesPairs(this.kernel, context))
      for (const { name: of } of this.kernel.reductions)
        this.reductionNames.set(secondOf(of), variable(context.names.take(`${of}_second`)));
    for (const each of this.kernel.staged)
      this.tiles.set(each.name, name(context.names.take(`${each.name}_tile`)));
    this.root = BlockPrinter.root(context, names, exprsOfScan(this.kernel));
  }

  tile(of: string): Name {
    const tile = this.tiles.get(of);
    if (tile === undefined) throw new InternalError("print-wgsl", `${of} is not staged`);
    return tile;
  }

  /** Names for those of the staged values by channel that are read; for both channels of a pair, where they come so. */
  stagedFor(read: ReadonlySet<string>, inPairs = false): readonly (Staged & { readonly of: string })[] {
    return this.kernel.staged
      .filter((each) => each.per === "channel" && read.has(each.name))
      .map((each) => ({
        of: each.name,
        tile: this.tile(each.name),
        name: variable<"f32">(this.context.names.take(each.name)),
        four: variable<"vec4f">(this.context.names.take(`${each.name}_four`)),
        ...(inPairs && { second: variable<"vec4f">(this.context.names.take(`${each.name}_second`)) }),
      }));
  }

  reductionName(of: string): Wgsl<"vec4f"> {
    const name = this.reductionNames.get(of);
    if (name === undefined) throw new InternalError("print-wgsl", `${of} is no reduction`);
    return name;
  }

  wgslOf(environment: Environment, of: string): AnyWgsl {
    const value = environment.get(of);
    if (value === undefined)
      throw new InternalError("print-wgsl", `${this.kernel.name} has nothing called ${of} here`);
    return value.wgsl;
  }
}

export const valueOf = (printer: BlockPrinter, expr: Expr, width: 1 | 4): AnyWgsl =>
  widen(printer.value(expr), expr.type, width);

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
    ...(kernel.contractions && { contractions: kernel.contractions.map(valued) }),
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

export const stepExprs = (kernel: ScanKernel): readonly Expr[] =>
  [...(kernel.contractions ?? []), ...kernel.steps, ...kernel.reductions].map((each) => each.value);

export const exprsOfScan = (kernel: ScanKernel): readonly Expr[] => [
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
