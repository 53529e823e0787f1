/**
 * Laws that need no device: what the compiler does with a source on its way to kernels keeps what it means, and the
 * oracle itself knows neither pieces nor batches.
 */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import { validate } from "../../compiler/3-graph/validate.js";
import { prefillVariants } from "../../compiler/4-passes/decay/index.js";
import { PASSES } from "../../compiler/4-passes/index.js";
import { TAIL_BEGIN, TAIL_COUNT } from "../../compiler/4-passes/programs.js";
import type { Compilation } from "../../compiler/compile.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { format } from "../../compiler/format/index.js";
import {
  interpret,
  type Interpretation,
  type InterpretOptions,
  type Values,
} from "../../compiler/interpret/index.js";
import type { Bundle } from "../../runtime/index.js";
import { expectClose, type Tolerance } from "../support/expect-close.js";
import { seeded, type Random } from "../support/random.js";
import { read } from "../support/syntax.js";
import { built } from "./built.js";
import { drawNumbers, drawPieces, type Case } from "./cases.js";
import { isWellConditioned } from "./conditioning.js";
import type { Report } from "./report.js";
import { cutInputs, dimensionOf, join, part } from "../support/tensors.js";

/** A tree without its spans. */
const withoutSpans = (value: unknown): string =>
  JSON.stringify(value, (key, item: unknown) => (/^(opSpan|span)$/.test(key) ? undefined : item));

function formatKeepsTheTree(text: string): void {
  const formatted = format({ path: "drawn.krait", text }).text;
  assert.equal(withoutSpans(read(formatted).tree), withoutSpans(read(text).tree), formatted);
  assert.equal(format({ path: "drawn.krait", text: formatted }).text, formatted);
}

/** A case, its graph and what the oracle makes of it. */
class Meaning {
  readonly options: InterpretOptions;
  readonly expected: Interpretation;
  readonly random: Random;

  constructor(
    readonly drawn: Case,
    readonly graph: Graph,
    readonly report: Report,
  ) {
    const { batch, steps, seed } = drawn;
    this.options = { ...drawNumbers(graph, drawn), sizes: { b: batch, t: steps } };
    this.expected = interpret(graph, this.options);
    this.random = seeded(seed + 1);
  }

  /** Outputs, and those states that both have: a pass may add and drop what it carries. */
  same(got: Interpretation, what: string, expected = this.expected): void {
    assert.deepEqual(Object.keys(got.outputs), Object.keys(expected.outputs));
    for (const kind of ["outputs", "states"] as const)
      for (const [name, tensor] of Object.entries(expected[kind])) {
        const own = got[kind][name];
        if (own !== undefined) this.close(own, tensor, `${what}: ${name}`);
      }
  }

  close(got: Values, want: Values, what: string, tolerance: Tolerance = "f64"): void {
    this.report.checks++;
    expectClose(got, want, { tolerance, what });
  }

  passes(): void {
    let current = this.graph;
    const sink = createSink();
    for (const pass of PASSES) {
      const next = pass.run(current, { sink });
      if (next === current) continue;
      validate(next);
      current = next;
      this.same(interpret(current, this.options), `after ${pass.name}`);
    }
  }

  programs({ passes: { programs } }: Compilation): void {
    const { steps } = this.drawn;
    const { options } = this;
    const derived = programs.load === undefined ? {} : interpret(programs.load, options).outputs;
    const params = { ...options.params, ...derived };
    this.same(interpret(programs.model, { ...options, params }), "after load");
    const run = (begin: number, count: number, program = programs.prefill): Interpretation =>
      interpret(program, {
        ...options,
        params,
        sizes: { ...options.sizes, [TAIL_BEGIN]: begin, [TAIL_COUNT]: count },
      });
    this.same(run(0, steps), "prefill");
    for (const { graph } of prefillVariants(programs.prefill, { matrixChunk: 4 })) {
      if (graph === programs.prefill) continue;
      validate(graph);
      this.same(run(0, steps, graph), "products of matrices");
    }
    const begin = this.random.integer(0, steps);
    const count = this.random.integer(1, steps - begin + 1);
    this.window(run(begin, count), begin, count);
    if (programs.step === undefined) return;
    this.inPieces(
      Array.from({ length: steps }, () => 1),
      "step",
      (piece) => interpret(programs.step ?? this.graph, { ...piece, params }),
    );
  }

  private window(got: Interpretation, begin: number, count: number): void {
    for (const output of this.graph.outputs) {
      const along = dimensionOf(output, "t");
      const [own, want] = [got.outputs[output.name], this.expected.outputs[output.name]];
      assert.ok(own !== undefined && want !== undefined);
      this.close(own, part(want, along, begin, begin + count), `prefill, outputs from ${String(begin)}`);
    }
  }

  /** Pieces one after the other, each with what the one before carried out. */
  inPieces(lengths: readonly number[], what: string, run: (piece: InterpretOptions) => Interpretation): void {
    let carried: InterpretOptions = {};
    let begin = 0;
    const results: Interpretation[] = [];
    for (const length of lengths) {
      const inputs = cutInputs(this.graph, this.options.inputs ?? {}, "t", begin, begin + length);
      const result = run({ ...this.options, ...carried, inputs, sizes: { b: this.drawn.batch, t: length } });
      carried = { states: result.states, positions: result.positions };
      results.push(result);
      begin += length;
    }
    for (const output of this.graph.outputs) {
      const parts = results.map(({ outputs }) => outputs[output.name] ?? assert.fail(output.name));
      const want = this.expected.outputs[output.name] ?? assert.fail(output.name);
      this.close(join(parts, dimensionOf(output, "t")), want, `${what}: ${output.name}`);
    }
    for (const [name, want] of Object.entries(this.expected.states)) {
      const got = results.at(-1)?.states[name];
      if (got !== undefined) this.close(got, want, `${what}: state ${name}`);
    }
  }

  member(): void {
    const { batch, steps } = this.drawn;
    const k = this.random.integer(0, batch);
    const inputs = cutInputs(this.graph, this.options.inputs ?? {}, "b", k, k + 1);
    const alone = interpret(this.graph, { ...this.options, inputs, sizes: { b: 1, t: steps } });
    for (const output of this.graph.outputs) {
      const [got, want] = [alone.outputs[output.name], this.expected.outputs[output.name]];
      assert.ok(got !== undefined && want !== undefined);
      this.close(
        got,
        part(want, dimensionOf(output, "b"), k, k + 1),
        `sequence ${String(k)} alone: ${output.name}`,
      );
    }
  }
}

/** Every shader compiles in Dawn; those for `baseline` make pipelines within WebGPU's default limits, which `device` has. */
async function shadersCompile({ manifest, files }: Bundle, device: GPUDevice, report: Report): Promise<void> {
  for (const { name, shaders } of manifest.targets)
    for (const { file, label, workgroupBytes } of shaders) {
      const module = device.createShaderModule({ code: files.get(file) ?? "" });
      const { messages } = await module.getCompilationInfo();
      assert.deepEqual(
        messages.map(({ message }) => message),
        [],
        label,
      );
      report.checks++;
      if (name !== "baseline") continue;
      assert.ok(workgroupBytes <= device.limits.maxComputeWorkgroupStorageSize, label);
      await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    }
}

/** `device`: one that compiles shaders; it need not run them. */
export async function holdsForOracle(drawn: Case, report: Report, device?: GPUDevice): Promise<void> {
  formatKeepsTheTree(drawn.text);
  const { bundle, stages } = built(drawn);
  const again = built(drawn).bundle;
  assert.deepEqual(again.manifest, bundle.manifest);
  assert.deepEqual([...again.files], [...bundle.files]);
  report.checks += 2;
  if (device !== undefined) await shadersCompile(bundle, device, report);
  const meaning = new Meaning(drawn, stages.graph, report);
  const discrete = stages.passes.stages.find(({ name }) => name === "discretize")?.graph ?? stages.graph;
  if (!isWellConditioned(discrete, meaning.options, meaning.expected, drawn.seed)) {
    report.unfit++;
    return;
  }
  meaning.passes();
  meaning.programs(stages);
  if (drawn.batch > 1) meaning.member();
  if (!drawn.looksAhead && drawn.steps > 1) {
    const lengths = drawPieces(meaning.random, drawn.steps);
    meaning.inPieces(lengths, `pieces of ${lengths.join(", ")}`, (piece) => interpret(stages.graph, piece));
  }
  report.models++;
}
