/** A scan's holes: what stands before its loop over tiles and after it, around the stages and the steps of a tile. */
import { InternalError } from "../../diagnostics/internal-error.js";
import { innerInFours, scan, scanBytes, type ScanHoles } from "../../../templates/kernels/scan.js";
import {
  code,
  component,
  join,
  u32,
  variable,
  wgsl,
  type AnyWgsl,
  type Code,
} from "../../../templates/wgsl.js";
import type { ModuleContext } from "../module-context.js";
import { BlockPrinter } from "../print-block.js";
import { foursFrom, scalarValue, type Value } from "../print-scope.js";
import { sharedSums } from "../shared-sums.js";
import type { ScanKernel, Store } from "../types.js";
import { walk } from "../traverse.js";
import { ceilDiv, foldGroups, isTrue, printStores, type Filled } from "./printed.js";
import { ScanFrame, exprsOfScan, valueOf } from "./scan-frame.js";
import { printSharedSums } from "./scan-shared.js";
import { stagePass } from "./scan-stage.js";
import { printStep, type Block } from "./scan-steps.js";
import { tileStores } from "./scan-stores.js";
import { declareWords } from "./whole-words.js";

/** Bytes of workgroup memory that the kernel would take under another schedule. */
export function scanWorkgroupBytes(
  kernel: ScanKernel,
  schedule: ScanKernel["schedule"] = kernel.schedule,
): number {
  const count = (per: "channel" | "inner"): number => kernel.staged.filter((each) => each.per === per).length;
  return scanBytes(
    { ...schedule, inner: kernel.inner },
    {
      byChannel: count("channel"),
      byInner: count("inner"),
      reductions: kernel.reductions.length,
      sums: kernel.contractions?.length ?? 0,
      shared: sharedSums(kernel, schedule.lanes).length,
    },
  );
}

export function fillScan(kernel: ScanKernel, context: ModuleContext): Filled {
  return new ScanFiller(kernel, context).fill();
}

class ScanFiller {
  private readonly frame: ScanFrame;
  private readonly blocks: readonly Block[];
  private readonly prologue: Code[] = [];
  /** The states without the inner axis, as prev_NAME; those with it are in their blocks. */
  private readonly scalars = new Map<string, Value>();

  constructor(
    kernel: ScanKernel,
    private readonly context: ModuleContext,
  ) {
    this.frame = new ScanFrame(kernel, context);
    this.blocks = this.makeBlocks();
  }

  fill(): Filled {
    const { frame, context } = this;
    const { kernel, shape, root } = frame;
    if (innerInFours(shape)) this.declareWords();
    this.declareStoredWords();
    const shared = printSharedSums(frame);
    this.prologue.push(shared.parts);
    // States start from memory or from numbers: their loads are under way while lanes wait for each other.
    this.printInitialStates();
    this.prologue.push(shared.totals);
    this.printInvariants();
    const step = printStep(frame, this.blocks, this.scalars);
    const byChannel = stagePass(frame, "channel");
    const byInner = stagePass(frame, "inner");
    const epilogue = this.printFinals();
    const [begin, end] = [root.u32(kernel.begin), root.u32(kernel.end)];
    const leads = foldGroups(kernel.leads);
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
      sums: step.sums,
      sharedSums: shared.memory,
      reductions: step.reductions,
      ...tileStores(frame),
      epilogue,
    };
    // What does not depend on the step is bound in the prologue as the other holes are printed, so it comes last.
    const body = scan(holes, () => join([...this.prologue, root.flush()]));
    const [y, z] = leads.dispatch;
    return {
      body,
      workgroup: shape.channels * shape.lanes,
      workgroupBytes: scanWorkgroupBytes(kernel),
      dispatch: [ceilDiv(kernel.channels, shape.channels), y, z],
    };
  }

  /** What lanes have four inner coordinates of in a row is read so. */
  private declareWords(): void {
    const { kernel } = this.frame;
    const stored = [...kernel.stores, ...kernel.states.flatMap(({ final }) => (final ? [final] : []))];
    const written = new Set(stored.map(({ binding }) => binding));
    declareWords(exprsOfScan(kernel), written, this.context, { run: "n", others: ["channel"] });
  }

  /** What four steps in a row lie side by side of is written so, where there are always four. */
  private declareStoredWords(): void {
    const { context, frame } = this;
    const { builder } = context;
    const { kernel } = frame;
    if (![kernel.begin, kernel.end].every((bound) => builder.isMultipleOf(bound, 4))) return;
    const others = kernel.states.flatMap(({ final }) => (final ? [final.binding] : []));
    walk(exprsOfScan(kernel), (expr) => {
      if (expr.kind === "load") others.push(expr.binding);
    });
    for (const { binding, index, when } of kernel.stores) {
      const isOnly = kernel.stores.filter((store) => store.binding === binding).length === 1;
      const isWhole = when === undefined || isTrue(when);
      if (!isOnly || !isWhole || others.includes(binding) || context.binding(binding).element !== "f32")
        continue;
      if (builder.isStrideOne(index, "t", 4)) context.declareWide(binding);
    }
  }

  private makeBlocks(): readonly Block[] {
    const { inner, lanes } = this.frame.shape;
    const share = Math.ceil(inner / lanes);
    const ragged = inner % lanes !== 0;
    // Where a lane's share begins between fours, so do its blocks.
    const aligned = !ragged && (lanes === 1 || share % 4 === 0);
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
      const block = {
        width,
        offset,
        n,
        exists,
        environment: new Map<string, Value>([
          ["n", width === 4 && aligned ? foursFrom(n) : { wgsl: n, width }],
        ]),
      };
      offset += width;
      return block;
    });
  }

  private printInvariants(): void {
    for (const each of this.frame.kernel.invariants) {
      if (each.per === "channel") {
        const value = this.frame.root.value(each.value);
        const to = this.frame.names.get(each.name);
        if (to === undefined) throw new InternalError("print-wgsl", `no name for ${each.name}`);
        this.prologue.push(this.frame.root.flush(), code`let ${to.wgsl} = ${value.wgsl};`);
        continue;
      }
      for (const [i, block] of this.blocks.entries()) {
        const printer = this.frame.root.nested(new Map(block.environment));
        const value = valueOf(printer, each.value, block.width);
        const to = variable<"f32">(
          this.context.names.take(this.blocks.length === 1 ? each.name : `${each.name}_${i}`),
        );
        this.prologue.push(this.frame.root.flush(), printer.flush(), code`let ${to} = ${value};`);
        block.environment.set(each.name, { wgsl: to, width: block.width });
      }
    }
  }

  private printInitialStates(): void {
    for (const state of this.frame.kernel.states) {
      const previous = `prev_${state.name}`;
      if (!state.inner) {
        const to = variable<"f32">(this.context.names.take(state.name));
        const value = this.frame.root.value(state.initial).wgsl;
        this.prologue.push(this.frame.root.flush(), code`var ${to} = ${value};`);
        this.scalars.set(previous, scalarValue(to));
        continue;
      }
      for (const [i, block] of this.blocks.entries()) {
        const printer = this.frame.root.nested(new Map(block.environment));
        const value = valueOf(printer, state.initial, block.width);
        const to = variable<"f32">(
          this.context.names.take(this.blocks.length === 1 ? state.name : `${state.name}_${i}`),
        );
        this.prologue.push(this.frame.root.flush(), printer.flush(), code`var ${to} = ${value};`);
        block.environment.set(previous, { wgsl: to, width: block.width });
      }
    }
  }

  private printFinals(): Code {
    const lines: Code[] = [];
    for (const state of this.frame.kernel.states) {
      if (state.final === undefined) continue;
      const { final } = state;
      if (!state.inner) {
        const printer = this.frame.root.nested(
          new Map([["last", scalarValue(this.frame.wgslOf(this.scalars, `prev_${state.name}`))]]),
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
    const last = this.frame.wgslOf(block.environment, `prev_${state}`);
    const parts = block.width === 1 ? [undefined] : ([0, 1, 2, 3] as const);
    return join(
      parts.map((part) => {
        const at = (value: AnyWgsl): AnyWgsl => (part === undefined ? value : component(value, part));
        const environment = new Map<string, Value>([["last", scalarValue(at(last))]]);
        for (const [each, value] of block.environment) environment.set(each, scalarValue(at(value.wgsl)));
        const stores = printStores(this.context, this.frame.root.nested(environment), [final]);
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
}
