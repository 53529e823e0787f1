import assert from "node:assert/strict";
import { KraitError } from "../../runtime/errors.js";
import { open } from "../../runtime/model.js";
import { baselineDevice } from "../support/adapter.js";
import { exhausted, limited } from "../support/wrapped-device.js";
import { assertRejects } from "./errors.js";
import { tinyBundle, tinyInputs, tinyModel } from "./tiny-bundle.js";
import { as, assertNear, weights } from "./tiny-runs.js";

describe("memory that a device does not have", () => {
  const batch = 2;
  const inputs = tinyInputs(batch, 8);
  const expected = tinyModel(inputs, batch);

  /** The hint's first choice of this kind: `a maxChunk of 512 takes …`. */
  function proposed(error: unknown, what: string): number {
    assert.ok(error instanceof KraitError, "no KraitError");
    assert.equal(error.code, "R0204", error.message);
    const found = new RegExp(`a ${what} of (\\d+) takes [\\d.]+ \\w+`).exec(error.hint ?? "");
    assert.ok(found !== null, error.message);
    return Number(found[1]);
  }

  async function refusal(work: Promise<unknown>): Promise<unknown> {
    return work.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  for (const limit of ["maxStorageBufferBindingSize", "maxBufferSize"]) {
    it(`is refused by ${limit}, with exactly what would fit`, async () => {
      // x and h take 12 bytes a step and sequence.
      const device = limited(await baselineDevice(), { [limit]: 12 * 1000 });
      const model = await open(await tinyBundle(), { device, weights });
      const error = await refusal(model.session({ batch, maxChunk: 600 }));
      assert.match(String(error), /600 steps of a batch of 2/);
      assert.match(String(error), new RegExp(`11\\.7 KiB \\(${limit}\\)`));
      assert.match(String(error), /14\.1 KiB/);
      const chunk = proposed(error, "maxChunk");
      assert.equal(chunk, 500);
      assert.equal(proposed(error, "batch"), 1);
      (await model.session({ batch, maxChunk: chunk })).destroy();
      (await model.session({ batch: 1, maxChunk: 600 })).destroy();
      await assertRejects(model.session({ batch, maxChunk: chunk + 1 }), "R0204", /501 steps/);
      model.destroy();
    });
  }

  it("is refused for states, with the largest batch", async () => {
    const device = limited(await baselineDevice(), { maxBufferSize: 256 + 12 * 40 });
    const model = await open(await tinyBundle(), { device, weights });
    const error = await refusal(model.session({ batch: 100, maxChunk: 1 }));
    assert.match(String(error), /states of a batch of 100/);
    const most = proposed(error, "batch");
    assert.equal(most, 40);
    (await model.session({ batch: most, maxChunk: 1 })).destroy();
    const session = await model.session({ maxChunk: 1 });
    await assertRejects(session.fork({ batch: 41 }), "R0204", /states of a batch of 41/);
    (await session.fork({ batch: 40 })).destroy();
    model.destroy();
  });

  it("says so where not even one step of one sequence fits", async () => {
    const device = limited(await baselineDevice(), { maxStorageBufferBindingSize: 8 });
    const bundle = await tinyBundle((manifest) => ({
      ...manifest,
      targets: manifest.targets.map((target) => ({ ...target, load: { ...target.load, body: [] } })),
    }));
    const model = await open(bundle, { device, weights });
    await assertRejects(model.session(), "R0204", /Not even a step of one sequence/);
    model.destroy();
  });

  it("is let go whole when it runs out at any buffer, and all else goes on", async () => {
    let refused = 0;
    for (let capacity = 0; ; capacity += 256) {
      const { device, live } = exhausted(await baselineDevice(), capacity);
      const model = await refusalOr(open(await tinyBundle(), { device, weights }));
      if (model === undefined) {
        assert.equal(live.size, 0);
        continue;
      }
      const before = live.size;
      const session = await refusalOr(model.session({ batch, maxChunk: 8 }));
      if (session === undefined) {
        refused++;
        assert.equal(live.size, before);
        model.destroy();
        continue;
      }
      const all = await refusalOr(session.prefill(as(inputs), { outputs: "all" }));
      if (all === undefined) {
        refused++;
        assert.equal(session.pos, 0);
        assert.deepEqual(await session.prefill(as(inputs), { outputs: "none" }), {});
        assertNear((await session.readState("scan.h")).data, expected.h);
        model.destroy();
        continue;
      }
      assertNear(all["y"]?.data, expected.y);
      model.destroy();
      assert.equal(live.size, 0);
      break;
    }
    assert.ok(refused > 3, String(refused));
  });

  /** What `work` gives; undefined where there was no memory for it. */
  async function refusalOr<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      assert.ok(error instanceof KraitError, "no KraitError");
      assert.equal(error.code, "R0204", error.message);
      assert.match(
        error.message,
        /no room for [\d.]+ \w+ in \d+ buffers:\n {2}[\d.]+ \w+ for .*: no memory left/,
      );
      return undefined;
    }
  }

  it("proposes at most half of what was refused when it has run out", async () => {
    const { device } = exhausted(await baselineDevice(), 200_000);
    const model = await open(await tinyBundle(), { device, weights });
    const error = await refusal(model.session({ batch: 8, maxChunk: 2048 }));
    const chunk = proposed(error, "maxChunk");
    assert.ok(chunk > 512 && chunk < 1024, String(chunk));
    const fewer = proposed(error, "batch");
    assert.ok(fewer > 1 && fewer <= 4, String(fewer));
    model.destroy();
  });

  it("is told for weights, with what 4 bits would take", async () => {
    const { device, live } = exhausted(await baselineDevice(), 0);
    await assertRejects(
      open(await tinyBundle(), { device, weights }),
      "R0204",
      /parameters a: no memory left[^]*int4, the weights take 1\.5 bytes/,
    );
    assert.equal(live.size, 0);
  });
});
