/** By which schedule a product of few rows is made unless somebody measured. */
import type { Storage } from "../../../runtime/bundle-format.js";
import { isQuantized, PIECE_ELEMENTS } from "../../../templates/quantized.js";
import type { Schedules } from "../../4-passes/schedule.js";
import type { ContractKernel, RowsSchedule } from "../types.js";

/** Elements of 16 bytes, which a lane takes at once; undefined of f32, which it takes by fours. */
export const pieceOf = (element: Storage | "u32"): number | undefined =>
  isQuantized(element) ? PIECE_ELEMENTS[element] : element === "f16" || element === "bf16" ? 8 : undefined;

/** @param isDear an element of a is computed, and should be so once for all columns of a workgroup */
export function usualRows(
  { cols, depth, b, bindings }: Pick<ContractKernel, "cols" | "depth" | "b" | "bindings">,
  schedules: Schedules,
  isDear = false,
): RowsSchedule {
  const element = b.kind === "load" ? bindings.find(({ name }) => name === b.binding)?.element : undefined;
  const piece = element && pieceOf(element);
  return schedules.rows({ cols, depth, isDear, ...(piece !== undefined && { piece }) });
}
