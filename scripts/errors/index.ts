import { axes, constants } from "./constants-and-axes.js";
import type { ErrorExample } from "./example.js";
import { names } from "./names.js";
import { syntax } from "./syntax.js";
import { params, programs, recurrences, shapes } from "./values.js";

/** In the order of SPEC.md § Diagnostics. */
export const areas: readonly { readonly title: string; readonly examples: readonly ErrorExample[] }[] = [
  { title: "Words and grammar", examples: syntax },
  { title: "Names and calls", examples: names },
  { title: "Constants", examples: constants },
  { title: "Axes", examples: axes },
  { title: "Axes and types of values", examples: shapes },
  { title: "Recurrences", examples: recurrences },
  { title: "Parameters", examples: params },
  { title: "Programs", examples: programs },
];

export const examples: readonly ErrorExample[] = areas.flatMap((area) => area.examples);
