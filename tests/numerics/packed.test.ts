/** Packed = one by one: documents of different lengths in one run on the GPU, against the oracle's runs of each alone. (Families: tests/families.) */
import assert from "node:assert/strict";
import type { ScheduleOptions } from "../../compiler/4-passes/schedule.js";
import { DECAYS } from "../support/decays.js";
import { CARRYING, LOOKING_AHEAD } from "../support/document-models.js";
import { drawParams } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { bundleOf, f32, modelOf, packedAlone } from "../support/model.js";
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
/** Steps a chunk. */
const CHUNK = 4;
/** A chunk of two blocks, which matter where each key decays by its own. Of low rank, software Vulkan compiles it for a minute. */
const TWO_BLOCKS = 32;
const BY_KEY = "GLA: a decay for each key";

interface Setting {
  readonly how: string;
  readonly schedule: ScheduleOptions;
  readonly target?: string;
  /** Most steps of a piece, each run with the same model. Pieces of 13 end where no chunk does. */
  readonly pieces: readonly (number | undefined)[];
  readonly calls: readonly (readonly number[])[];
}

const WHOLE: Setting = {
  how: "whole",
  schedule: { chunkBelow: 0, matrixChunk: 0 },
  pieces: [undefined],
  calls: CALLS,
};
const CUT: Setting = {
  how: "in chunks of time, in pieces",
  schedule: { chunkBelow: 1e9, chunkFrom: 1, matrixChunk: 0 },
  pieces: [16],
  calls: CALLS,
};

interface Source {
  readonly name: string;
  readonly text: string;
}

function holds({ name, text }: Source, { how, schedule, target = "baseline", pieces, calls }: Setting): void {
  it(`${name}, ${how}`, async () => {
    const graph = graphOf(text);
    const random = seeded(name.length);
    const params = drawParams(graph, random);
    const bundle = bundleOf(text, { packed: true, schedule, targets: [target] });
    for (const { requires } of bundle.manifest.targets)
      assert.equal(requires.limits["maxStorageBuffersPerShaderStage"], target === "baseline" ? 8 : 12);
    const weights = Object.entries(params).map(
      ([key, { shape, data }]) => [key, { shape, data: f32(data) }] as const,
    );
    const model = await modelOf(packedAlone(bundle), Object.fromEntries(weights));
    const draw: PackedRuns["draw"] = (input, r) =>
      input.bound === undefined ? r.uniform(0.1, 1) : r.integer(0, input.bound);
    for (const maxChunk of pieces) {
      const what = `${name}, ${how}, ${maxChunk === undefined ? "in one piece" : `in pieces of ${String(maxChunk)}`}`;
      await expectPacked({ what, graph, model, params, random, draw, calls, maxChunk });
    }
    model.destroy();
  });
}

describe("packed documents on the GPU", function () {
  this.timeout(300_000); // software Vulkan takes its time to compile shaders
  for (const source of [...RECURRENCES, ...CARRYING])
    for (const setting of [WHOLE, CUT]) holds(source, setting);
  for (const source of LOOKING_AHEAD) holds(source, { ...WHOLE, calls: CALLS.slice(0, 1) });
  const inMatrixForm = (source: Source, length: number, pieces: Setting["pieces"], target: string): void => {
    const how = `in matrix form, chunks of ${String(length)}, ${target}`;
    holds(source, { how, schedule: { matrixChunk: length }, target, pieces, calls: CHUNKED_CALLS });
  };
  for (const [k, source] of DECAYS.entries()) {
    inMatrixForm(source, CHUNK, [undefined, 13], k % 3 === 2 ? "large" : "baseline");
    if (source.name === BY_KEY) inMatrixForm(source, TWO_BLOCKS, [undefined], "baseline");
  }
});
