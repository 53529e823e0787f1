/**
 * How much of a multiprocessor a schedule keeps at work. It is a guess by what an H100 was measured to do, and only says what is
 * tried first: of workgroups of 16 KiB its Vulkan driver runs three side by side, of 24 KiB two, of 28 KiB or more one.
 */
import type { workgroupNeeds } from "../../compiler/5-kernel/schedules/space.js";

/** Bytes that all workgroups of a multiprocessor have together, and what each takes besides its own. */
const MEMORY = 51 * 1024;
const BESIDES = 1024;
const MOST_INVOCATIONS = 2048;
const MOST_WORKGROUPS = 32;

/** Invocations that run side by side on a multiprocessor. */
export function sideBySide({ invocations, bytes }: ReturnType<typeof workgroupNeeds>): number {
  const byMemory = bytes === 0 ? MOST_WORKGROUPS : Math.floor(MEMORY / (bytes + BESIDES));
  const workgroups = Math.min(byMemory, MOST_WORKGROUPS, Math.floor(MOST_INVOCATIONS / invocations));
  return invocations * Math.max(1, workgroups);
}
