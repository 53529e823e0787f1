/** The passes in their order: one model's graph to the graphs of its programs. */
import { notPacked } from "../diagnostics/codes/programs.js";
import { validate } from "../3-graph/validate.js";
import type { Graph } from "../3-graph/types.js";
import { angles } from "./angles.js";
import { discretize } from "./discretize.js";
import { fold } from "./fold.js";
import { splitLoad } from "./load.js";
import { packedProgram } from "./packed.js";
import type { Pass, PassContext } from "./pass.js";
import { products } from "./products.js";
import { prefillProgram, stepProgram } from "./programs.js";
import { pullOut } from "./pull-out.js";
import { stackedDots } from "./stacked-dots.js";

/** Rewritings of the whole model, first to last. */
export const PASSES: readonly Pass[] = [discretize, fold, angles, products, stackedDots, pullOut];

export interface Programs {
  /** The model after all passes, reading load-time results as parameters. */
  readonly model: Graph;
  readonly load?: Graph;
  readonly prefill: Graph;
  /** Absent for a model that looks ahead in time. */
  readonly step?: Graph;
  /** Only where it was asked for. */
  readonly packed?: Graph;
}

export interface PassResult {
  readonly programs: Programs;
  /** The graph after each stage, for `krait inspect`. */
  readonly stages: readonly { readonly name: string; readonly graph: Graph }[];
}

/** Which graphs are validated: none, what elaboration gives and what kernels are made from, or all on the way. */
export type Verify = false | "ends" | true;

/** Runs the passes. `packed` asks for the program of that name. */
export function runPasses(
  elaborated: Graph,
  context: PassContext,
  verify: Verify,
  packed = false,
): PassResult {
  const stages: { name: string; graph: Graph }[] = [];
  const between = new Set(PASSES.map(({ name }) => name));
  const note = (name: string, graph: Graph): Graph => {
    const skip = verify === false || (verify === "ends" && between.has(name));
    if (!skip && graph !== stages.at(-1)?.graph) validate(graph);
    stages.push({ name, graph });
    return graph;
  };
  let graph = note("elaborate", elaborated);
  for (const pass of PASSES) graph = note(pass.name, pass.run(graph, context));
  const { load, model } = splitLoad(graph);
  if (load !== undefined) note("load", load);
  const prefill = note("prefill", prefillProgram(model));
  const step = stepProgram(model);
  if (step !== undefined) note("step", step);
  const programs: Programs = {
    model,
    ...(load && { load }),
    prefill,
    ...(step && { step }),
    ...(packed && packing(prefill)),
  };
  return { programs, stages };

  function packing(from: Graph): { readonly packed?: Graph } {
    const made = packedProgram(from);
    if (!("obstacle" in made)) return { packed: note("packed", made) };
    const { what, spans } = made.obstacle;
    const [span = elaborated.outputs[0]?.spans[0]] = spans;
    if (span !== undefined) context.sink.report(notPacked(span, elaborated.name, what));
    return {};
  }
}
