/** Packed = one by one: documents of different lengths in one run on the GPU, against the oracle's runs of each alone. (Families: tests/families.) */
import assert from "node:assert/strict";
import type { ScheduleOptions } from "../../compiler/4-passes/schedule.js";
import type { Values } from "../../compiler/interpret/index.js";
import { DECAYS } from "../support/decays.js";
import { CARRYING, LOOKING_AHEAD } from "../support/document-models.js";
import { drawParams } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { bundleOf, f32, modelOf } from "../support/model.js";
import { expectPacked, type PackedRuns } from "../support/packed-runs.js";
import { seeded } from "../support/random.js";
import { RECURRENCES } from "../support/recurrences.js";

/** Calls, each of so many steps of each document. */
const CALLS = [
  [3, 1, 0, 21, 2],
  [1, 4, 2, 0, 35],
  [0, 1, 0, 0, 0],
];

/** Documents that end with a chunk of 4 or within one, and after several. */
const CHUNKED_CALLS = [
  [3, 8, 0, 21, 1, 1],
  [1, 4, 2, 0, 35, 16],
];
/** Steps a chunk, and a piece, which may end where no chunk does. */
const LENGTHS: readonly Chunks[] = [[4], [4, 13]];
/** A chunk of two blocks, which matter where each key decays by its own. Of low rank, software Vulkan compiles it for a minute. */
const TWO_BLOCKS: Chunks = [32];
const BY_KEY = "GLA: a decay for each key";
type Chunks = readonly [length: number, pieces?: number];

interface Setting {
  readonly how: string;
  readonly schedule: ScheduleOptions;
  readonly maxChunk?: number;
  readonly target?: string;
}

const WHOLE: Setting = { how: "whole", schedule: { chunkBelow: 0, matrixChunk: 0 } };
const CUT: Setting = {
  how: "in chunks of time, in pieces",
  schedule: { chunkBelow: 1e9, chunkFrom: 1, matrixChunk: 0 },
  maxChunk: 16,
};
const SETTINGS: readonly Setting[] = [WHOLE, CUT];

async function runs(
  { name, text }: { readonly name: string; readonly text: string },
  { how, schedule, maxChunk, target = "baseline" }: Setting,
  calls: readonly (readonly number[])[],
): Promise<void> {
  const graph = graphOf(text);
  const random = seeded(name.length);
  const params = drawParams(graph, random);
  const bundle = bundleOf(text, { packed: true, schedule, targets: [target] });
  for (const { requires } of bundle.manifest.targets)
    assert.equal(requires.limits["maxStorageBuffersPerShaderStage"], target === "baseline" ? 8 : 12);
  const model = await modelOf(
    bundle,
    Object.fromEntries(
      Object.entries(params).map(([key, { shape, data }]: [string, Values]) => [
        key,
        { shape, data: f32(data) },
      ]),
    ),
  );
  const what = `${name}, ${how}`;
  const draw: PackedRuns["draw"] = (input, r) =>
    input.bound === undefined ? r.uniform(0.1, 1) : r.integer(0, input.bound);
  await expectPacked({ what, graph, model, params, random, draw, calls, maxChunk });
  model.destroy();
}

describe("packed documents on the GPU", function () {
  this.timeout(300_000); // software Vulkan takes its time to compile shaders
  for (const source of [...RECURRENCES, ...CARRYING])
    for (const setting of SETTINGS) it(`${source.name}, ${setting.how}`, () => runs(source, setting, CALLS));
  for (const source of LOOKING_AHEAD) it(source.name, () => runs(source, WHOLE, CALLS.slice(0, 1)));
  for (const [k, source] of DECAYS.entries())
    for (const [length, pieces] of source.name === BY_KEY ? [...LENGTHS, TWO_BLOCKS] : LENGTHS) {
      const target = (k + length) % 3 === 0 ? "large" : "baseline";
      const how = `in matrix form, chunks of ${String(length)}${pieces === undefined ? "" : ", in pieces"}, ${target}`;
      const setting = { how, schedule: { matrixChunk: length }, target, ...(pieces && { maxChunk: pieces }) };
      it(`${source.name}, ${how}`, () => runs(source, setting, CHUNKED_CALLS));
    }
});
