/**
 * Values that only matrix units read, as they are or as factors of an operand, lie in memory in the f16 that operands are rounded
 * to: half of what is read of them goes, which is what bounds products whose operands are shared by many. As they are, the
 * products are the same to the bit; a factor is rounded once more.
 */
import { deepened } from "../4-passes/schedule.js";
import { bufferKey, type Tensor } from "./lower/buffers.js";
import type { LoweredGroup } from "./lower/index.js";
import { exprsOf } from "./fill/printed.js";
import { isAlone, isRead, loadsOf, restored, tensorsOf, type Remade, type Restore } from "./storage.js";
import { loadedBindings } from "./traverse.js";
import type { Expr, Kernel } from "./types.js";

/** The values' neighbours in memory come in whole words of matrix units' operands. */
const WORD = 8;

/** The kernels of a program for matrix units, with such values in f16. */
export function inHalves(groups: readonly LoweredGroup[]): readonly LoweredGroup[] {
  const halves = new Set<string>();
  const others = new Set<string>();
  const note = (tensor: Tensor, fits: boolean): void => {
    if (fits) halves.add(bufferKey(tensor));
    else others.add(bufferKey(tensor));
  };
  for (const { kernels } of groups) {
    const onUnits = kernels.some(({ kernel }) => isOnUnits(kernel));
    for (const { kernel, buffers } of kernels)
      for (const [i, buffer] of buffers.entries()) {
        const binding = kernel.bindings[i];
        if (binding === undefined || buffer.kind === "pack") {
          for (const tensor of tensorsOf(buffer)) note(tensor, false);
          continue;
        }
        const { tensor } = buffer;
        const written = binding.access === "read_write" && !isRead(kernel, binding.name);
        if (written) note(tensor, isScratch(tensor));
        else note(tensor, isScratch(tensor) && onUnits && isOperand(kernel, binding.name));
      }
  }
  for (const other of others) halves.delete(other);
  if (halves.size === 0) return groups;
  const known: Remade = new Map();
  const inF16: Restore = (tensor, binding) =>
    halves.has(bufferKey(tensor))
      ? [
          { ...tensor, element: "f16" },
          { ...binding, element: "f16" },
        ]
      : [tensor, binding];
  return groups.map((group) => ({
    ...group,
    kernels: restored(group.kernels, inF16, known, scheduled),
  }));
}

const isOnUnits = (kernel: Kernel): boolean =>
  kernel.skeleton === "contract" && kernel.schedule.kind === "matrix";

/** A value of the program's own, in one buffer, whose rows are whole words. */
function isScratch(tensor: Tensor): boolean {
  const fastest = tensor.layout.at(-1)?.size;
  return (
    (tensor.ref.kind === "value" || tensor.ref.kind === "own") &&
    isAlone(tensor) &&
    typeof fastest === "number" &&
    fastest % WORD === 0
  );
}

/** Whether a kernel loads a binding as a side of its product and nothing else: the loads themselves, their products, or a choice among such. */
function isOperand(kernel: Kernel, binding: string): boolean {
  if (kernel.skeleton !== "contract") return false;
  const direct = new Set<Expr>();
  const choose = (expr: Expr): void => {
    if (expr.kind === "load") direct.add(expr);
    else if (expr.kind === "op" && expr.op === "select") expr.args.slice(1).forEach(choose);
    else if (expr.kind === "op" && expr.op === "mul") expr.args.forEach(choose);
  };
  [kernel.a, kernel.b].forEach(choose);
  const inSides = loadsOf([kernel.a, kernel.b], binding);
  const along = [...kernel.along.map(({ body }) => body), ...exprsOf(kernel.storesAlong ?? [])];
  return (
    inSides.length > 0 &&
    inSides.every((load) => direct.has(load)) &&
    loadsOf([...along, ...exprsOf(kernel.stores)], binding).length === 0
  );
}

/** Tiles as they are best where both operands are f16 as they lie in memory. */
function scheduled(kernel: Kernel): Kernel {
  if (kernel.skeleton !== "contract" || kernel.schedule.kind !== "matrix") return kernel;
  const loaded = loadedBindings([kernel.a, kernel.b]);
  const isInF16 = kernel.bindings.every(({ name, element }) => !loaded.has(name) || element === "f16");
  return isInF16 ? { ...kernel, schedule: deepened(kernel.schedule, kernel.depth) } : kernel;
}
