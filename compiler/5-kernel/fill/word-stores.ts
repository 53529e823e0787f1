/**
 * Elements of 16 bits share words of memory, and whoever writes one must have all of it: an invocation stores four neighbours along
 * the axis that goes fastest (a scan two), with all that it computes for them. Which kernels can, and how they do.
 */
import { isWrittenByWords, storeElement, storeWord } from "../../../templates/accessors.js";
import { code, component, join, type Code, type Wgsl } from "../../../templates/wgsl.js";
import { ExprBuilder } from "../expr.js";
import type { ModuleContext } from "../module-context.js";
import type { BlockPrinter } from "../print-block.js";
import { sharedSums } from "../shared-sums.js";
import { freeVars } from "../traverse.js";
import type { ContractKernel, Extent, Kernel, RowsSchedule, ScanKernel, Store } from "../types.js";
import { isWhole } from "./contract-parts.js";
import { exprsOf, isTrue, printStores } from "./printed.js";

export const writesWords = ({ bindings }: Kernel): boolean => bindings.some(isWrittenByWords);

/** Whether the kernel, by the schedule that it has, can write what it binds as `binding` in whole words. */
export function canWriteWords(kernel: Kernel, binding: string): boolean {
  const isOf = (store: Store): boolean => store.binding === binding;
  switch (kernel.skeleton) {
    case "map": {
      const last = kernel.domain.at(-1);
      return last !== undefined && kernel.stores.filter(isOf).every(alongFours(kernel.domain, last));
    }
    case "reduce": {
      const { domain, over, stores } = kernel;
      return stores.filter(isOf).every(alongFours([...domain, over], over));
    }
    case "contract":
      return contractCan(kernel, binding);
    case "scan":
      return scanCan(kernel, binding);
    case "sequential":
      return false;
  }
}

/** Invocations of four columns, within every device's workgroups. */
const MOST_LANES_OF_FOURS = 64;

/** The kernel by lanes for four columns of a product in a row, where fewer stood in the way of words; else as it is. */
export function withFourColumns(kernel: Kernel): Kernel {
  if (kernel.skeleton !== "contract" || kernel.schedule.kind !== "rows" || hasFours(kernel.schedule))
    return kernel;
  const { lanes, rows } = kernel.schedule;
  const fours = { lanes: Math.min(lanes, MOST_LANES_OF_FOURS), cols: 4, ...(rows !== undefined && { rows }) };
  return { ...kernel, schedule: { kind: "rows", ...fours } };
}

/** Whether four columns in a row are one lane's, or those of four lanes in a workgroup. */
const hasFours = ({ each = 1, cols }: RowsSchedule): boolean =>
  each % 4 === 0 || (each === 1 && cols % 4 === 0);

function contractCan(kernel: ContractKernel, binding: string): boolean {
  const { batch, rows, cols, schedule, stores, storesAlong = [] } = kernel;
  if (storesAlong.some((store) => store.binding === binding)) return false;
  if (schedule.kind === "rows" && !hasFours(schedule)) return false;
  const col = { var: "col", extent: cols };
  const domain = [{ var: "batch", extent: batch }, { var: "row", extent: rows }, col];
  return stores.every(alongFours(domain, col));
}

function scanCan(kernel: ScanKernel, binding: string): boolean {
  const { channels, schedule, leads, states, stores } = kernel;
  if (states.some(({ final }) => final?.binding === binding)) return false;
  if (!isScanOfPairs(kernel, schedule)) return false;
  const domain = [
    { var: "lead", extent: leads },
    { var: "channel", extent: channels },
  ];
  const builder = builderOf(domain);
  return stores
    .filter((store) => store.binding === binding)
    .every(
      ({ index, value, when }) =>
        value.type === "f32" &&
        (when === undefined || isTrue(when)) &&
        builder.isStrideOne(builder.substitute(index, new Map()), "channel", 2),
    );
}

/** Whether invocations may have two neighbouring channels each; sums that the lanes of one channel share belong to that one. */
export const isScanOfPairs = (kernel: ScanKernel, { channels, lanes }: ScanKernel["schedule"]): boolean =>
  kernel.channels % 2 === 0 && channels % 2 === 0 && sharedSums(kernel, lanes).length === 0;

function builderOf(domain: readonly Extent[]): ExprBuilder {
  const builder = new ExprBuilder();
  for (const each of domain) builder.variable(each.var, "u32", each.extent);
  return builder;
}

/** Whether a store's four at a multiple of four along an axis are a word, and stored or not as one. */
function alongFours(domain: readonly Extent[], along: Extent): (store: Store) => boolean {
  const builder = builderOf(domain);
  return ({ index, value, when }) =>
    isWhole(along.extent, 4) &&
    value.type === "f32" &&
    builder.isStrideOne(builder.substitute(index, new Map()), along.var, 4) &&
    (when === undefined || !freeVars(when).has(along.var));
}

/** Evaluates and stores at four values in a row of the var `along`: by words, and one by one what is not of 16 bits. */
export function printFours(
  context: ModuleContext,
  printer: BlockPrinter,
  stores: readonly Store[],
  along: string,
): Code {
  const writes = stores.map((store) => {
    const { when } = store;
    if (when === undefined || isTrue(when)) return writeFour(context, printer, store);
    if (freeVars(when).has(along)) return oneByOne(context, printer, store);
    const condition = printer.bool(when);
    const inside = printer.branch();
    const write = writeFour(context, inside, store);
    return code`
      if (${condition}) {
        ${inside.flush()}
        ${write}
      }
    `;
  });
  return join([printer.flush(), ...writes]);
}

function writeFour(
  context: ModuleContext,
  printer: BlockPrinter,
  { binding: of, index, value }: Store,
): Code {
  const binding = context.binding(of);
  const stored = printer.bindVector(value, "stored");
  if (binding.wide === true) return storeWord(binding, printer.first(index), stored as Wgsl<"vec4f">);
  const at = printer.bindVector(index, "at");
  return join(
    ([0, 1, 2, 3] as const).map((i) =>
      storeElement(binding, component<"u32">(at, i), component<"f32">(stored, i)),
    ),
  );
}

/** What a condition guards at one of the four must not be read where it does not hold. */
const oneByOne = (context: ModuleContext, printer: BlockPrinter, store: Store): Code =>
  join(
    ([0, 1, 2, 3] as const).map(
      (i) => code`
        {
          ${printStores(context, printer.component(exprsOf([store]), i), [store])}
        }
      `,
    ),
  );
