/**
 * One step of one invocation of a scan. A lane's share of the inner axis is cut into blocks of four (one vec4f each) and single
 * ones; every step value that has the inner axis is printed once a block.
 */
import { InternalError } from "../../diagnostics/internal-error.js";
import {
  innerInFours,
  readInner,
  sumAcrossLanes,
  type ScanHoles,
  type Staged,
} from "../../../templates/kernels/scan.js";
import {
  call,
  code,
  component,
  join,
  literal,
  name,
  nothing,
  variable,
  wgsl,
  type AnyWgsl,
  type Code,
  type Name,
  type Wgsl,
} from "../../../templates/wgsl.js";
import { identityValue } from "../expr.js";
import { clampToFinite, combine, widen, type BlockPrinter } from "../print-block.js";
import { scalarValue, type Environment, type Value } from "../print-scope.js";
import { freeVars } from "../traverse.js";
import type { ScanKernel } from "../types.js";
import { stepExprs, valueOf, type ScanFrame } from "./scan-frame.js";
import { secondOf, storesPairs } from "./channel-pair.js";

/** Four inner coordinates of a lane, or one. */
export interface Block {
  readonly width: 1 | 4;
  /** From the lane's first. */
  readonly offset: number;
  readonly n: Wgsl<"u32"> | Wgsl<"vec4u">;
  /** Which of them exist, if some may not. */
  readonly exists: Wgsl<"bool"> | Wgsl<"vec4<bool>"> | undefined;
  /** n, the invariants by element, and the states as prev_NAME. */
  readonly environment: Map<string, Value>;
}

/** @param scalars the states without the inner axis, as prev_NAME. */
export function printStep(
  frame: ScanFrame,
  blocks: readonly Block[],
  scalars: ReadonlyMap<string, Value>,
): {
  readonly code: Code;
  readonly tiles: readonly Staged[];
  readonly reductions: ScanHoles["reductions"];
  readonly sums: ScanHoles["sums"];
} {
  const { kernel, context } = frame;
  const read = new Set(stepExprs(kernel).flatMap((expr) => [...freeVars(expr)]));
  const scalarEnvironment = new Map<string, Value>([["t", scalarValue(variable("t"))], ...scalars]);
  const tiles = frame.stagedFor(read);
  for (const each of tiles) scalarEnvironment.set(each.of, scalarValue(each.name));
  const scalarNames = kernel.steps.filter((each) => !each.inner);
  for (const each of scalarNames)
    scalarEnvironment.set(each.name, scalarValue(variable(context.names.take(each.name))));
  const scalar = frame.root.nested(scalarEnvironment);
  const scalarCode: Code[] = [];
  for (const each of scalarNames) {
    const value = scalar.value(each.value).wgsl;
    scalarCode.push(scalar.flush(), code`let ${frame.wgslOf(scalarEnvironment, each.name)} = ${value};`);
  }
  const scopes = blocks.map((block, i) => openBlock(frame, block, blocks.length === 1 ? "" : `_${i}`, read));
  const contracted = printContractions(frame, scopes, scalar);
  // What the contractions make known is bound after them.
  const after = contracted === undefined ? scalar : scalar.nested(contracted.environment);
  const parts = kernel.reductions.map(() => [] as Value[]);
  const blockCode = scopes.map((scope) => printBlock(frame, scope, after, parts));
  const inPairs = storesPairs(kernel, context);
  const reductions = kernel.reductions.map((each, i) => ({
    name: frame.reductionName(each.name),
    ...(inPairs && { second: frame.reductionName(secondOf(each.name)) }),
    fn: each.fn,
    part: joinParts(each.fn, parts[i] ?? []),
  }));
  const updates = kernel.states
    .filter((state) => !state.inner)
    .map(
      (state) =>
        code`${frame.wgslOf(scalars, `prev_${state.name}`)} = ${frame.wgslOf(scalarEnvironment, state.next)};`,
    );
  const [early, late] =
    contracted === undefined
      ? [[], scopes.map(({ loads }, i) => join([loads, blockCode[i] ?? nothing]))]
      : [[...scopes.map(({ loads }) => loads), contracted.code, after.flush()], blockCode];
  return {
    code: join([...scalarCode, scalar.flush(), ...early, ...late, ...updates]),
    tiles,
    reductions,
    sums: contracted?.memory ?? [],
  };
}

/** A block with its staged values read. */
interface OpenBlock {
  readonly block: Block;
  readonly suffix: string;
  readonly environment: Environment;
  readonly loads: Code;
}

function openBlock(frame: ScanFrame, block: Block, suffix: string, read: ReadonlySet<string>): OpenBlock {
  const environment = new Map(block.environment);
  const loads: Code[] = [];
  for (const each of frame.kernel.staged) {
    if (each.per !== "inner" || !read.has(each.name)) continue;
    const to = variable<"f32">(frame.context.names.take(`${each.name}${suffix}`));
    loads.push(code`let ${to} = ${readTile(frame, each.name, block)};`);
    environment.set(each.name, { wgsl: to, width: block.width });
  }
  return { block, suffix, environment, loads: join(loads) };
}

/** The sums that the step reads of the states before it: block after block, and lane after lane. */
function printContractions(
  frame: ScanFrame,
  scopes: readonly OpenBlock[],
  scalar: BlockPrinter,
): { readonly code: Code; readonly environment: Environment; readonly memory: readonly Name[] } | undefined {
  const { kernel, context, shape } = frame;
  if (kernel.contractions === undefined) return undefined;
  const printers = scopes.map((scope) => scalar.nested(scope.environment));
  const lines: Code[] = [];
  const sums = kernel.contractions.map(({ name: wanted, value }) => {
    const parts = scopes.map(({ block, suffix }, i) => {
      const printer = printers[i] ?? scalar;
      const part = reductionPart({ name: wanted, fn: "sum", value }, block, printer);
      const to = variable<"f32">(context.names.take(`${wanted}_part${suffix}`));
      lines.push(printer.flush(), code`let ${to} = ${part.wgsl};`);
      return { wgsl: to, width: part.width };
    });
    return {
      of: wanted,
      part: joinParts("sum", parts),
      to: variable<"f32">(context.names.take(wanted)),
      memory: name(context.names.take(`${wanted}_sums`)),
    };
  });
  const isOne = shape.lanes === 1;
  return {
    code: join([
      ...lines,
      isOne ? join(sums.map(({ part, to }) => code`let ${to} = ${part};`)) : sumAcrossLanes(shape, sums),
    ]),
    environment: new Map(sums.map(({ of, to }) => [of, scalarValue(to)])),
    memory: isOne ? [] : sums.map(({ memory }) => memory),
  };
}

function printBlock(
  frame: ScanFrame,
  { block, suffix, environment: known }: OpenBlock,
  scalar: BlockPrinter,
  parts: Value[][],
): Code {
  const { kernel, context } = frame;
  const environment = new Map(known);
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
    lines.push(printer.flush(), code`let ${frame.wgslOf(environment, each.name)} = ${value};`);
  }
  for (const [i, each] of kernel.reductions.entries()) {
    const part = reductionPart(each, block, printer);
    lines.push(printer.flush());
    const to = variable<"f32">(context.names.take(`${each.name}_part${suffix}`));
    lines.push(code`let ${to} = ${part.wgsl};`);
    parts[i]?.push({ wgsl: to, width: part.width });
  }
  for (const state of kernel.states.filter((each) => each.inner)) {
    lines.push(
      code`${frame.wgslOf(environment, `prev_${state.name}`)} = ${frame.wgslOf(environment, state.next)};`,
    );
  }
  return join(lines);
}

/** What a block adds to a reduction: a product is summed by `dot`; coordinates that do not exist count for nothing. */
function reductionPart(
  { fn, value }: ScanKernel["reductions"][number],
  block: Block,
  printer: BlockPrinter,
): Value {
  const [a, b] = value.kind === "op" && value.op === "mul" ? value.args : [];
  if (fn === "sum" && block.width === 4 && block.exists === undefined && a !== undefined && b !== undefined) {
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
    acrossFour(fn, kept as unknown as Wgsl<"vec4f">, (text) => printer.name(text, { wgsl: kept, width: 4 })),
  );
}

function readTile(frame: ScanFrame, of: string, block: Block): Wgsl<"f32"> | Wgsl<"vec4f"> {
  if (innerInFours(frame.shape)) return readInner(frame.tile(of), frame.shape, { vector: block.offset / 4 });
  return readInner(
    frame.tile(of),
    frame.shape,
    block.width === 4 ? { four: block.n as Wgsl<"vec4u"> } : (block.n as Wgsl<"u32">),
  );
}

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
