/** How a program's recurrences are computed: as scans, or, where that is worth it, as products of matrices. */
import type { Dim } from "../../../runtime/bundle-format.js";
import type { Graph, StateId } from "../../3-graph/types.js";
import { attachAll } from "../attach.js";
import { DOCUMENTS, isPacked } from "../packed.js";
import type { ScheduleOptions } from "../schedule.js";
import { matrixCost, scanCosts, type Workload } from "./costs.js";
import { decayForm, type DecayForm } from "./form.js";
import { inMatrixForm, type MatrixFormOptions } from "./matrix-form.js";

/** A program's graph, and when it is the one to run; the last has no condition. */
export interface Variant {
  readonly graph: Graph;
  readonly when?: Dim;
  /** Where this is 0 it needs no memory: over the batch alone, 0 where no length makes it the one; of documents, the condition itself. */
  readonly ever?: Dim;
}

/** A way to compute a recurrence, and what it is thought to cost, in microseconds. */
export interface Candidate {
  readonly algorithm: "scan" | "scan cut in time" | "products of matrices";
  /** Steps a chunk. */
  readonly chunk?: number;
  readonly cost: number;
}

/** What there was to choose from for one recurrence, cheapest first, at a size where it matters. */
export interface Choice {
  readonly state: StateId;
  readonly at: Workload;
  readonly candidates: readonly Candidate[];
}

const CHUNKS = [64, 128, 256] as const;
/** One long prompt: where a choice is shown. */
const ONE: Workload = { batch: 1, steps: 2048 };
const BATCHES = [2, 4, 8, 16, 32, 64] as const;
const LENGTHS = [1024, 512, 256, 128, 64] as const;

/** The graphs to run a program by: with its recurrences in the forms that are best at some size. */
export function prefillVariants(
  graph: Graph,
  { matrixChunk, matrixWhen }: ScheduleOptions = {},
  options: MatrixFormOptions = {},
): readonly Variant[] {
  const forms = matrixChunk === 0 ? [] : decayForms(graph);
  if (forms.length === 0) return [{ graph }];
  if (matrixChunk !== undefined)
    return variants(graph, inMatrixForm(graph, forms, matrixChunk, options), { when: matrixWhen });
  const worth = forms.filter(
    (form) => choiceOf(graph, form, ONE, options).candidates[0]?.chunk !== undefined,
  );
  if (worth.length === 0) return [{ graph }];
  const total = (cost: (form: DecayForm) => number): number =>
    worth.reduce((sum, form) => sum + cost(form), 0);
  const byMatrices = (chunk: number, at: Workload): number =>
    total((form) => matrixCost(graph, form, at, chunk, options.halves));
  const chunk = CHUNKS.reduce((p, q) => (byMatrices(q, ONE) < byMatrices(p, ONE) ? q : p));
  const isBetter = (at: Workload): boolean =>
    byMatrices(chunk, at) < total((form) => leastScan(graph, form, at));
  const rewritten = inMatrixForm(graph, worth, chunk, options);
  return variants(graph, rewritten, conditionOf(graph, worth, isBetter));
}

interface Condition {
  readonly when?: Dim | undefined;
  readonly ever?: Dim | undefined;
}

const variants = (graph: Graph, rewritten: Graph, { when, ever }: Condition): readonly Variant[] =>
  when === undefined
    ? [{ graph: rewritten }]
    : [{ graph: rewritten, when, ...(ever !== undefined && { ever }) }, { graph }];

/** Every recurrence of the program that has a matrix form. */
export function decayForms(graph: Graph): readonly DecayForm[] {
  return attachAll(graph).flatMap((attached): readonly DecayForm[] => {
    const form = decayForm(graph, attached);
    return "state" in form ? [form] : [];
  });
}

/** What there is to choose from for a recurrence at some size. */
export function choiceOf(
  graph: Graph,
  form: DecayForm,
  at: Workload = ONE,
  { halves }: MatrixFormOptions = {},
): Choice {
  const { whole, cut } = scanCosts(graph, form, at);
  const candidates: readonly Candidate[] = [
    { algorithm: "scan", cost: whole },
    ...(cut === undefined ? [] : [{ algorithm: "scan cut in time", cost: cut } as const]),
    ...CHUNKS.map((chunk): Candidate => ({
      algorithm: "products of matrices",
      chunk,
      cost: matrixCost(graph, form, at, chunk, halves),
    })).filter(({ cost }) => cost < Infinity),
  ];
  return { state: form.state.id, at, candidates: candidates.toSorted((p, q) => p.cost - q.cost) };
}

const leastScan = (graph: Graph, form: DecayForm, at: Workload): number => {
  const { whole, cut } = scanCosts(graph, form, at);
  return Math.min(whole, cut ?? whole);
};

/** The batches and lengths at which the matrix form is better; nothing: all that matter. */
function conditionOf(
  graph: Graph,
  forms: readonly DecayForm[],
  isBetter: (at: Workload) => boolean,
): Condition {
  const runtimeName = (role: "batch" | "time"): string | undefined => {
    const along = forms[0]?.state.along;
    const axis = [...graph.axes.values()].find(
      (each) => each.role === role && (role === "batch" || each.id === along),
    );
    return typeof axis?.size === "object" ? axis.size.runtime : undefined;
  };
  const [batch, time] = [runtimeName("batch"), runtimeName("time")];
  const most = BATCHES.find((each) => !isBetter({ ...ONE, batch: each }));
  const tooShort = LENGTHS.find((steps) => !isBetter({ ...ONE, steps }));
  // Of documents those count that have steps in a piece, and what each has of it.
  const packed = isPacked(graph);
  const sequences = packed ? DOCUMENTS : batch;
  const few: Dim | undefined =
    sequences === undefined || most === undefined ? undefined : ["<", sequences, most];
  const shortest: Dim | undefined = packed && tooShort !== undefined ? ["*", tooShort, DOCUMENTS] : tooShort;
  const long: Dim | undefined =
    time === undefined || shortest === undefined ? undefined : ["<", shortest, time];
  const when: Dim | undefined = few && long ? ["&", few, long] : (few ?? long);
  return { when, ever: packed ? when : few };
}
