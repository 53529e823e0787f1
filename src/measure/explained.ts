/** What the compiler knows of a run: its kernels with the bytes and operations of each, at the run's sizes. */
import type { Compilation } from "../../compiler/compile.js";
import { explain, type Explanation } from "../../compiler/explain/index.js";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Manifest } from "../../runtime/bundle-format.js";
import { axisNames, Numbers, type RunNumbers } from "../../runtime/numbers.js";

/** `target`: the name of the one that the model runs by. */
export function explainRun(
  compilation: Compilation,
  manifest: Manifest,
  target: string,
  program: Explanation["program"],
  run: RunNumbers,
  sources: readonly SourceFile[] = [],
): Explanation {
  const emitted = compilation.targets.find(({ entry }) => entry.name === target);
  const entry = emitted?.entry[program];
  if (emitted === undefined || entry === undefined) throw new Error(`${target} has no program ${program}`);
  const numbers = new Numbers(axisNames(manifest), entry.numbers);
  const values = numbers.values(run);
  const explanation = explain(compilation, emitted, {
    program,
    dim: (dim) => numbers.compile(dim)(values),
    sources,
  });
  if (explanation === undefined) throw new Error(`${program} does not run at these sizes`);
  return explanation;
}
