/** Which recurrences of a program are written in chunked matrix form, and in chunks of how many steps. */
import type { Graph } from "../../3-graph/types.js";
import { attachAll } from "../attach.js";
import type { ScheduleOptions } from "../schedule.js";
import { decayForm, type DecayForm } from "./form.js";
import { inMatrixForm } from "./matrix-form.js";

/** The program with every recurrence in the form that is chosen for it. */
export function decaysByMatrices(graph: Graph, { matrixChunk = 0 }: ScheduleOptions = {}): Graph {
  if (matrixChunk === 0) return graph;
  const forms = attachAll(graph).flatMap((attached): readonly DecayForm[] => {
    const form = decayForm(graph, attached);
    return "state" in form && form.isScalar ? [form] : [];
  });
  return inMatrixForm(graph, forms, matrixChunk);
}
