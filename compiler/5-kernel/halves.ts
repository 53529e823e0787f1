/**
 * Values that only matrix units read, as they are or as factors of an operand, lie in memory in the f16 that operands are rounded
 * to: half of what is read of them goes, which is what bounds products whose operands are shared by many. As they are, the
 * products are the same to the bit; a factor is rounded once more.
 */
import { deepened } from "../4-passes/schedule.js";
import type { BoundBuffer } from "./lower/scope.js";
import { bufferKey, type Tensor } from "./lower/buffers.js";
import type { LoweredGroup, LoweredKernel } from "./lower/index.js";
import { exprsOf } from "./fill/printed.js";
import { exprsOfScan } from "./fill/scan-frame.js";
import { loadedBindings, walk } from "./traverse.js";
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
  const known = new Map<Kernel, Map<string, Kernel>>();
  return groups.map((group) => ({
    ...group,
    kernels: group.kernels.map((lowered) => rewritten(lowered, halves, known)),
  }));
}

const tensorsOf = (buffer: BoundBuffer): readonly Tensor[] =>
  buffer.kind === "tensor" ? [buffer.tensor] : buffer.tensors.map(({ tensor }) => tensor);

const isOnUnits = (kernel: Kernel): boolean =>
  kernel.skeleton === "contract" && kernel.schedule.kind === "matrix";

/** A value of the program's own, in one buffer, whose rows are whole words. */
function isScratch({ ref, element, complex, joint, banks, bank, layout }: Tensor): boolean {
  const fastest = layout.at(-1)?.size;
  return (
    (ref.kind === "value" || ref.kind === "own") &&
    element === "f32" &&
    !complex &&
    joint === undefined &&
    banks === undefined &&
    bank === undefined &&
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

/** Whether a kernel may load a binding that it stores. */
function isRead(kernel: Kernel, binding: string): boolean {
  switch (kernel.skeleton) {
    case "map":
      return loadsOf(exprsOf(kernel.stores), binding).length > 0;
    case "reduce": {
      const bodies = kernel.reductions.map(({ body }) => body);
      return loadsOf([...bodies, ...exprsOf(kernel.stores)], binding).length > 0;
    }
    case "contract": {
      const along = [...kernel.along.map(({ body }) => body), ...exprsOf(kernel.storesAlong ?? [])];
      return loadsOf([kernel.a, kernel.b, ...along, ...exprsOf(kernel.stores)], binding).length > 0;
    }
    case "scan":
      return loadsOf(exprsOfScan(kernel), binding).length > 0;
    case "sequential":
      return true;
  }
}

function loadsOf(exprs: readonly Expr[], binding: string): readonly Expr[] {
  const found: Expr[] = [];
  walk(exprs, (expr) => {
    if (expr.kind === "load" && expr.binding === binding) found.push(expr);
  });
  return found;
}

function rewritten(
  lowered: LoweredKernel,
  halves: ReadonlySet<string>,
  known: Map<Kernel, Map<string, Kernel>>,
): LoweredKernel {
  const { kernel, buffers } = lowered;
  const isHalf = buffers.map((buffer) => buffer.kind === "tensor" && halves.has(bufferKey(buffer.tensor)));
  if (!isHalf.includes(true)) return lowered;
  const same = known.get(kernel) ?? new Map<string, Kernel>();
  known.set(kernel, same);
  const key = isHalf.join();
  const bindings = kernel.bindings.map((binding, i) =>
    isHalf[i] === true ? { ...binding, element: "f16" as const } : binding,
  );
  const inF16 = same.get(key) ?? scheduled({ ...kernel, bindings });
  same.set(key, inF16);
  return {
    ...lowered,
    kernel: inF16,
    buffers: buffers.map((buffer, i) =>
      isHalf[i] === true && buffer.kind === "tensor"
        ? { ...buffer, tensor: { ...buffer.tensor, element: "f16" as const } }
        : buffer,
    ),
  };
}

/** Tiles as they are best where both operands are f16 as they lie in memory. */
function scheduled(kernel: Kernel): Kernel {
  if (kernel.skeleton !== "contract" || kernel.schedule.kind !== "matrix") return kernel;
  const loaded = loadedBindings([kernel.a, kernel.b]);
  const isInF16 = kernel.bindings.every(({ name, element }) => !loaded.has(name) || element === "f16");
  return isInF16 ? { ...kernel, schedule: deepened(kernel.schedule, kernel.depth) } : kernel;
}
