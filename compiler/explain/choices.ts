/** How recurrences are computed that could be in more than one way: what was chosen, what came next, and both costs. */
import type { Graph } from "../3-graph/types.js";
import { choiceOf, decayForms, type Candidate } from "../4-passes/decay/index.js";
import type { MatrixFormOptions } from "../4-passes/decay/matrix-form.js";
import { attachAll } from "../4-passes/attach.js";
import type { EvaluateDim } from "./evaluate.js";
import { shortName, type SourceText } from "./source.js";

export interface ChoiceText {
  readonly states: readonly string[];
  /** `file:line` of the equation. */
  readonly at: string;
  readonly class: string;
  readonly chosen: Candidate;
  readonly next: Candidate;
}

/**
 * @param written the program before its recurrences were rewritten
 * @param run the variant of it that runs
 * @param options how the target has matrix forms written
 */
export function choicesOf(
  written: Graph,
  run: Graph,
  dim: EvaluateDim,
  source: SourceText,
  options: MatrixFormOptions = {},
): readonly ChoiceText[] {
  const sizeOf = (role: "batch" | "time"): number => {
    const axis = [...written.axes.values()].find(
      (each) => each.role === role && typeof each.size === "object",
    );
    return typeof axis?.size === "object" ? dim(axis.size.runtime) : 1;
  };
  const at = { batch: sizeOf("batch"), steps: sizeOf("time") };
  const classes = new Map(
    attachAll(written).flatMap(({ recurrence, class: found }) =>
      recurrence.states.map((state) => [state, found] as const),
    ),
  );
  const alike = new Map<string, ChoiceText>();
  for (const form of decayForms(written)) {
    const { state } = form;
    const { candidates } = choiceOf(written, form, at, options);
    const length = chunkIn(run, state.name);
    const chosen = candidates.find(({ chunk }) => chunk === length);
    const next = candidates.find((each) => (each.chunk === undefined) !== (length === undefined));
    const node = written.nodes[state.equation.value];
    const span = node && source.span(node);
    if (chosen === undefined || next === undefined) continue;
    const place = span === undefined ? "" : source.place(span);
    const key = `${place} ${chosen.cost}`;
    const states = [...(alike.get(key)?.states ?? []), shortName(state.name)];
    alike.set(key, {
      states: [...new Set(states)],
      at: place,
      class: classes.get(state.id) ?? "",
      chosen,
      next,
    });
  }
  return [...alike.values()];
}

/** Steps a chunk of a state that steps from chunk to chunk. */
function chunkIn(run: Graph, name: string): number | undefined {
  const state = run.states.find((each) => each.name === name);
  const cut = state && run.axes.get(state.along)?.cut;
  const size = cut?.part === "chunks" ? run.axes.get(cut.steps)?.size : undefined;
  return typeof size === "number" ? size : undefined;
}
