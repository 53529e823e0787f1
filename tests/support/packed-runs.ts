/** Packed runs of a model on the GPU, held to the oracle's runs of each document alone. */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { Inputs, Model, Outputs } from "../../runtime/index.js";
import { oneByOne, packedInputs, type Given, type OneByOne } from "./documents.js";
import { expectClose } from "./expect-close.js";
import { f32, u32 } from "./model.js";
import type { Random } from "./random.js";
import { withWholeTurns } from "./whole-turns.js";

export interface PackedRuns {
  /** For messages. */
  readonly what: string;
  readonly graph: Graph;
  /** Of a bundle built with `packed`. */
  readonly model: Model;
  readonly params: Given;
  readonly random: Random;
  /** An element of an input. */
  readonly draw: (input: Graph["inputs"][number], random: Random) => number;
  /** Calls one after the other, each of so many steps of each document. */
  readonly calls: readonly (readonly number[])[];
  readonly maxChunk?: number | undefined;
}

/** Outputs at all positions and at each document's last, and states after each call. */
export async function expectPacked(runs: PackedRuns): Promise<void> {
  const { graph, model, params, random, calls, maxChunk } = runs;
  const batch = calls[0]?.length ?? 0;
  const session = await model.session({ batch, ...(maxChunk && { maxChunk }) });
  const again = await model.session({ batch, ...(maxChunk && { maxChunk }) });
  let before: OneByOne["carried"] = [];
  for (const [k, lengths] of calls.entries()) {
    const what = `${runs.what}, call ${String(k)}`;
    const inputs = packedInputs(graph, lengths, random, runs.draw);
    const expected = oneByOne(graph, inputs, lengths, { params }, before);
    checkAll(graph, await session.prefill(host(graph, inputs), { lengths, outputs: "all" }), expected, what);
    checkLast(await again.prefill(host(graph, inputs), { lengths }), expected, what);
    for (const { states } of [await session.save(), await again.save()])
      for (const [state, got] of Object.entries(withWholeTurns(states, (of) => expected.states.get(of)))) {
        const data = expected.states.get(state)?.map(finite) ?? assert.fail(`no state ${state}`);
        expectClose(got, { shape: got.shape, data }, { tolerance: "f32", what: `${what}: state ${state}` });
      }
    before = expected.carried;
  }
  session.destroy();
  again.destroy();
}

function host(graph: Graph, given: Given): Inputs {
  return Object.fromEntries(
    graph.inputs.map(({ name, scalar }) => [
      name,
      scalar === "index" ? u32(given[name]?.data ?? []) : f32(given[name]?.data ?? []),
    ]),
  );
}

/** Infinities are the largest of shaders (SPEC.md § Kernel). */
const finite = (x: number): number => (Math.abs(x) === Infinity ? Math.fround(Math.sign(x) * 3.0e38) : x);

function checkAll(graph: Graph, outputs: Outputs, expected: OneByOne, what: string): void {
  for (const { name } of graph.outputs) {
    const got = outputs[name];
    assert.ok(got);
    const want = (expected.all.get(name) ?? []).map(finite);
    expectClose(got, { shape: got.shape, data: want }, { tolerance: "f32", what: `${what}: ${name}` });
  }
}

/** Of a document without steps there is no last position. */
function checkLast(outputs: Outputs, expected: OneByOne, what: string): void {
  for (const [name, { shape, data }] of Object.entries(outputs)) {
    const rows = expected.last.get(name) ?? [];
    const each = data.length / rows.length;
    // Batch outermost or behind time alone: a document's numbers lie together.
    const want = rows.flatMap((row) =>
      row.length === 0 ? new Array<number>(each).fill(0) : row.map(finite),
    );
    const got = data.map((x, i) => (rows[Math.floor(i / each)]?.length === 0 && Number.isNaN(x) ? 0 : x));
    expectClose(
      { shape, data: got },
      { shape, data: want },
      { tolerance: "f32", what: `${what}: last ${name}` },
    );
  }
}
