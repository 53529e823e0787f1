/** Run-time numbers: sizes of axes, and those beside them. */
import { RUN_NUMBERS } from "../../runtime/bundle-format.js";

/** What the runtime supplies beside the batch and the steps, and which variant of a program runs. */
export const NUMBERS = { ...RUN_NUMBERS, variant: "variant" } as const;

const OTHERS: ReadonlySet<string> = new Set(Object.values(NUMBERS));

/** The number that is the size of a run-time axis: its name, but where another number is called so. */
export const sizeNumber = (axis: string): string => (OTHERS.has(axis) ? `axis.${axis}` : axis);
