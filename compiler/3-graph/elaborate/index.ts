/**
 * Elaboration: Module → Graph. The model is run once at compile time: blocks and functions are written out where they
 * are called, `repeat` and `if` are unrolled, and every expression becomes nodes, whose types the graph's builder infers
 * (docs/decisions/0001-elaborate-into-the-graph.md). Mistakes of the author are reported before a node is added.
 */
import { MOST_COORDINATES } from "../../2-analyze/axes.js";
import type { Module } from "../../2-analyze/types.js";
import { noModel } from "../../diagnostics/codes/names.js";
import { noOutput } from "../../diagnostics/codes/programs.js";
import { stateWithoutEquation } from "../../diagnostics/codes/recurrences.js";
import { tensorSize } from "../../diagnostics/codes/shapes.js";
import type { DiagnosticSink } from "../../diagnostics/types.js";
import { GraphBuilder } from "../build.js";
import type { AxisId, Graph } from "../types.js";
import { AxisTable } from "./axis-table.js";
import { MOST_EXPRESSIONS, report, Scope, type Elaboration, type Env } from "./env.js";
import { expressionValues } from "./expressions.js";
import { body } from "./statements.js";
import { checkNames } from "./unreached/index.js";

/** The graph of the module's model; `undefined` if the sink has errors then, reported here or before. */
export function elaborate(module: Module, sink: DiagnosticSink): Graph | undefined {
  const { model } = module;
  if (model === undefined) {
    sink.report(noModel({ file: module.file, start: 0, end: 0 }));
    return undefined;
  }
  const builder = new GraphBuilder(model.name.name);
  const elaboration: Elaboration = {
    builder,
    axes: new AxisTable(builder),
    sink,
    delays: new Map(),
    taken: new Map(),
    tensors: new Map(),
    inputs: new Map(),
    outputs: new Map(),
    collisions: new Set(),
    budget: { left: MOST_EXPRESSIONS },
    walk: { expression: expressionValues, body },
  };
  const env = modelEnv(module, model.name.name, elaboration);
  body(env, model.body);
  for (const state of env.frame.states)
    if (state.solved === undefined) report(env, stateWithoutEquation(state.span, state.name));
  checkNames(module, elaboration);
  if (elaboration.outputs.size === 0) sink.report(noOutput(model.name.span, model.name.name));
  if (sink.hasErrors) return undefined;
  const graph = builder.finish();
  return sizesFit(graph, sink) ? graph : undefined;
}

/** Reports values of more elements than 32 bits count, each line of the source once. */
function sizesFit({ nodes, axes }: Graph, sink: DiagnosticSink): boolean {
  const reported = new Set<string>();
  const sizeOf = (axis: AxisId): number => {
    const size = axes.get(axis)?.size;
    return typeof size === "number" ? size : 1;
  };
  /** By lists of axes, which many nodes share. */
  const counts = new Map<readonly AxisId[], number>();
  for (const { type, spans } of nodes) {
    const count = counts.get(type.axes) ?? type.axes.reduce((product, axis) => product * sizeOf(axis), 1);
    counts.set(type.axes, count);
    const [span] = spans;
    if (count <= MOST_COORDINATES || span === undefined) continue;
    const place = JSON.stringify(spans.at(-1));
    if (!reported.has(place))
      sink.report(tensorSize(span, `[${type.axes.join(", ")}]`, count, MOST_COORDINATES));
    reported.add(place);
  }
  return reported.size === 0;
}

/** The model's own frame: mapped over the file's batch axes, stepping along its axis of time. */
function modelEnv(module: Module, name: string, elaboration: Elaboration): Env {
  const ambient: AxisId[] = [];
  let time: AxisId | undefined;
  let timeProduct: string | undefined;
  for (const symbol of module.axes.values()) {
    if (symbol === undefined) continue;
    // Entered first and in order, so that canonical order is the order of declaration.
    const primes = elaboration.axes.primes(symbol);
    if (symbol.kind === "product" && primes.some((axis) => elaboration.builder.axisOf(axis).role === "time"))
      timeProduct ??= symbol.name;
    if (symbol.kind !== "runtime") continue;
    if (symbol.role === "batch") ambient.push(...primes);
    else time ??= primes[0];
  }
  return {
    elaboration,
    scope: new Scope(module, undefined, true),
    frame: {
      kind: "model",
      name,
      paramPath: "",
      path: "",
      ambient,
      time,
      timeProduct,
      calls: [],
      states: [],
    },
  };
}
