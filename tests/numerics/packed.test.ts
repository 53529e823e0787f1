/** Packed = one by one: documents of different lengths in one run on the GPU, against the oracle's runs of each alone. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { Values } from "../../compiler/interpret/index.js";
import type { Inputs, Model, Outputs } from "../../runtime/index.js";
import { CARRYING, LOOKING_AHEAD } from "../support/document-models.js";
import { drawParams, oneByOne, packedInputs, type Given, type OneByOne } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded, type Random } from "../support/random.js";
import { RECURRENCES } from "../support/recurrences.js";

/** Calls, each of so many steps of each document. */
const CALLS = [
  [3, 1, 0, 21, 2],
  [1, 4, 2, 0, 35],
  [0, 1, 0, 0, 0],
];

const FAMILIES = new URL("../families/sources/", import.meta.url);
const family = (name: string): { readonly name: string; readonly text: string } => ({
  name,
  text: readFileSync(new URL(name, FAMILIES), "utf8"),
});
/** Families that look ahead: the others' files are all. */
const AHEAD = [
  "attention.krait",
  "bidirectional.krait",
  "hybrid.krait",
  "reverse-complement.krait",
  "u-net.krait",
];

function host(graph: Graph, given: Given): Inputs {
  return Object.fromEntries(
    graph.inputs.map(({ name, scalar }) => [
      name,
      scalar === "index" ? u32(given[name]?.data ?? []) : f32(given[name]?.data ?? []),
    ]),
  );
}

const draw = (graph: Graph, lengths: readonly number[], random: Random): Given =>
  packedInputs(graph, lengths, random, (input, r) =>
    input.bound === undefined ? r.uniform(0.1, 1) : r.integer(0, input.bound),
  );

interface Setting {
  readonly how: string;
  readonly chunks: { readonly chunkBelow: number; readonly chunkFrom?: number };
  readonly maxChunk?: number;
}

const WHOLE: Setting = { how: "whole", chunks: { chunkBelow: 0 } };
const CUT: Setting = {
  how: "in chunks of time, in pieces",
  chunks: { chunkBelow: 1e9, chunkFrom: 1 },
  maxChunk: 16,
};
const SETTINGS: readonly Setting[] = [WHOLE, CUT];

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

async function runs(
  { name, text }: { readonly name: string; readonly text: string },
  { how, chunks, maxChunk }: Setting,
  calls: readonly (readonly number[])[],
): Promise<void> {
  const graph = graphOf(text);
  const random = seeded(name.length);
  const params = drawParams(graph, random);
  const bundle = bundleOf(text, { packed: true, schedule: chunks });
  for (const { requires } of bundle.manifest.targets)
    assert.equal(requires.limits["maxStorageBuffersPerShaderStage"], 8, "baseline bindings");
  const model: Model = await modelOf(
    bundle,
    Object.fromEntries(
      Object.entries(params).map(([key, { shape, data }]: [string, Values]) => [
        key,
        { shape, data: f32(data) },
      ]),
    ),
  );
  const batch = calls[0]?.length ?? 0;
  const session = await model.session({ batch, ...(maxChunk && { maxChunk }) });
  const again = await model.session({ batch, ...(maxChunk && { maxChunk }) });
  let before: OneByOne["carried"] = [];
  for (const [k, lengths] of calls.entries()) {
    const what = `${name}, ${how}, call ${String(k)}`;
    const inputs = draw(graph, lengths, random);
    const expected = oneByOne(graph, inputs, lengths, { params }, before);
    checkAll(graph, await session.prefill(host(graph, inputs), { lengths, outputs: "all" }), expected, what);
    checkLast(await again.prefill(host(graph, inputs), { lengths }), expected, what);
    for (const { states } of [await session.save(), await again.save()])
      for (const [state, got] of Object.entries(states)) {
        const data = expected.states.get(state)?.map(finite) ?? assert.fail(`no state ${state}`);
        expectClose(got, { shape: got.shape, data }, { tolerance: "f32", what: `${what}: state ${state}` });
      }
    before = expected.carried;
  }
  session.destroy();
  again.destroy();
  model.destroy();
}

describe("packed documents on the GPU", function () {
  this.timeout(300_000); // software Vulkan takes its time to compile the shaders of whole families
  for (const source of [...RECURRENCES, ...CARRYING])
    for (const setting of SETTINGS) it(`${source.name}, ${setting.how}`, () => runs(source, setting, CALLS));
  for (const file of readdirSync(FAMILIES).filter((file) => !AHEAD.includes(file)))
    it(`${file}, ${CUT.how}`, () => runs(family(file), CUT, CALLS));
  for (const source of [...LOOKING_AHEAD, ...AHEAD.map(family)])
    it(source.name, () => runs(source, WHOLE, CALLS.slice(0, 1)));
});
