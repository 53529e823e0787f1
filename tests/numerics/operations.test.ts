/**
 * The selective scan, a Krait source of a few lines, against PyTorch: on the GPU, whole and cut into chunks of time,
 * step by step, from a given state and to the last.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { CompileOptions } from "../../compiler/compile.js";
import type { Inputs, Model, Session } from "../../runtime/index.js";
import { expectClose } from "../support/expect-close.js";
import { fixturePath, opFixture, tensorOf } from "../support/fixtures.js";
import { bundleOf, f32, hostTensor, modelOf } from "../support/model.js";
import type { SafetensorsFile } from "../support/safetensors.js";
import { SCAN, scanSettings } from "../support/scan.js";

const FIXTURES = readdirSync(fixturePath("ops"))
  .filter((file) => file.startsWith("scan-") && file !== "scan-complex.safetensors")
  .map((file) => file.replace(".safetensors", ""));

const SCHEDULES: Readonly<Record<string, CompileOptions>> = {
  "in one piece": { schedule: { chunkBelow: 0 } },
  "for large devices": { targets: ["large"] },
  "cut into chunks": { schedule: { chunkBelow: 1e9, chunkFrom: 1 } },
};

/** The inputs of a fixture, those with time cut to begin ≤ t < end. */
function inputsOf(model: Model, { tensors }: SafetensorsFile, begin: number, end: number): Inputs {
  return Object.fromEntries(
    model.inputs.map(({ name, time }) => {
      const { shape, data } = tensorOf(tensors, name);
      if (time === undefined) return [name, f32(data)];
      const [batch = 0, steps = 0, ...rest] = shape;
      const each = rest.reduce((product, size) => product * size, 1);
      const rows = Array.from({ length: batch }, (_, b) => [
        ...data.slice((b * steps + begin) * each, (b * steps + end) * each),
      ]);
      return [name, f32(rows.flat())];
    }),
  );
}

describe("the selective scan on the GPU agrees with PyTorch", () => {
  for (const name of FIXTURES) {
    const fixture = opFixture(name);
    const expected = tensorOf(fixture.tensors, "y");
    const [batch = 1, steps = 0, channels = 0] = expected.shape;
    const tolerance = name === "scan-long" ? "f32-long" : "f32";
    const begin = async (model: Model): Promise<Session> => {
      const session = await model.session({ batch });
      const h0 = fixture.tensors["h0"];
      if (h0 !== undefined) await session.restore({ pos: 0, states: { h: hostTensor(h0) } });
      return session;
    };
    const checkLast = async (session: Session): Promise<void> => {
      const last = await session.readState("h");
      expectClose(last, tensorOf(fixture.tensors, "h_last"), { tolerance, what: `${name}: the last state` });
      session.destroy();
    };

    for (const [title, options] of Object.entries(SCHEDULES)) {
      it(`${name}, ${title}`, async () => {
        const model = await modelOf(bundleOf(SCAN, { set: scanSettings(fixture), ...options }));
        const session = await begin(model);
        const { y } = await session.prefill(inputsOf(model, fixture, 0, steps), { outputs: "all" });
        assert.ok(y);
        expectClose(y, expected, { tolerance, what: `${name}: y` });
        await checkLast(session);
        model.destroy();
      });
    }

    if (steps > 300) continue;
    it(`${name}, step by step`, async () => {
      const model = await modelOf(bundleOf(SCAN, { set: scanSettings(fixture) }));
      const session = await begin(model);
      const got = new Float32Array(batch * steps * channels);
      for (let t = 0; t < steps; t++) {
        const { y } = await session.step(inputsOf(model, fixture, t, t + 1));
        assert.ok(y);
        for (let b = 0; b < batch; b++)
          got.set(y.data.subarray(b * channels, (b + 1) * channels), (b * steps + t) * channels);
      }
      expectClose({ shape: [batch, steps, channels], data: got }, expected, {
        tolerance,
        what: `${name}: y`,
      });
      await checkLast(session);
      model.destroy();
    });
  }
});
