/**
 * Recurrences of a few lines against PyTorch: the selective scan, real and complex, and Mamba-2's. On the GPU, for both
 * targets: whole, cut into chunks of time, by products of matrices, step by step, from a given state and to the last.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { CompileOptions } from "../../compiler/compile.js";
import type { Values } from "../../compiler/interpret/index.js";
import type { Inputs, Model, Session } from "../../runtime/index.js";
import { expectClose, type Tolerance } from "../support/expect-close.js";
import { fixturePath, opFixture, tensorOf } from "../support/fixtures.js";
import { bundleOf, f32, hostTensor, modelOf } from "../support/model.js";
import { COMPLEX_SCAN, complexScanInputs, SCAN, scanSettings } from "../support/scan.js";
import { SSD, SSD_SIZES } from "../support/ssd.js";
import { part } from "../support/tensors.js";

/** A fixture of tests/fixtures/ops and the source that computes it: `y` from `inputs`, and the state `h`. */
interface Operation {
  readonly fixture: string;
  readonly text: string;
  readonly set: NonNullable<CompileOptions["set"]>;
  readonly inputs: Readonly<Record<string, Values>>;
  readonly schedules: Schedules;
}

type Schedules = Readonly<Record<string, NonNullable<CompileOptions["schedule"]>>>;

const CUT = { chunkBelow: 1e9, chunkFrom: 1 };
const SCANS: Schedules = {
  "in one piece": { chunkBelow: 0 },
  "in one piece, crowded": { chunkBelow: 0, crowdedFrom: 0 },
  "cut into chunks": CUT,
};
const MATRICES: Schedules = {
  "as a scan": { matrixChunk: 0, chunkBelow: 0 },
  "as a scan cut into chunks": { matrixChunk: 0, ...CUT },
  "by matrices, in chunks of 16": { matrixChunk: 16 },
  "by matrices, in chunks of 64": { matrixChunk: 64 },
};

const scan = (name: string): Operation => {
  const fixture = opFixture(name);
  return { fixture: name, text: SCAN, set: scanSettings(fixture), inputs: fixture.tensors, schedules: SCANS };
};
const complexScan = (name: string): Operation => {
  const fixture = opFixture(name);
  const [channels = 0, states = 0] = tensorOf(fixture.tensors, "A").shape;
  const inputs = complexScanInputs(fixture);
  return { fixture: name, text: COMPLEX_SCAN, set: { channels, states }, inputs, schedules: SCANS };
};
const ssd = (name: string): Operation => ({
  fixture: name,
  text: SSD,
  set: SSD_SIZES,
  inputs: opFixture(name).tensors,
  schedules: MATRICES,
});

const OPERATIONS: readonly Operation[] = readdirSync(fixturePath("ops")).map((file) => {
  const name = file.replace(".safetensors", "");
  return name === "ssd" ? ssd(name) : name === "scan-complex" ? complexScan(name) : scan(name);
});
const TARGETS = ["baseline", "large"];

/** Step by step only as long as that takes no minutes. */
const MOST_STEPS = 300;

/** Those with time cut to begin ≤ t < end. */
function cut(model: Model, inputs: Operation["inputs"], begin: number, end: number): Inputs {
  return Object.fromEntries(
    model.inputs.map(({ name, time }) => {
      const values = inputs[name] ?? assert.fail(`the fixture has no ${name}`);
      return [name, f32(time === undefined ? values.data : part(values, 1, begin, end).data)];
    }),
  );
}

describe("operations on the GPU agree with PyTorch", () => {
  for (const { fixture: name, text, set, inputs, schedules } of OPERATIONS) {
    const { tensors } = opFixture(name);
    const expected = tensorOf(tensors, "y");
    const [batch = 1, steps = 0, ...rest] = expected.shape;
    const tolerance: Tolerance = name === "scan-long" ? "f32-long" : "f32";
    const begin = async (model: Model): Promise<Session> => {
      const session = await model.session({ batch });
      const h0 = tensors["h0"];
      if (h0 !== undefined) await session.restore({ pos: 0, states: { h: hostTensor(h0) } });
      return session;
    };
    const checkLast = async (session: Session): Promise<void> => {
      const last = await session.readState("h");
      expectClose(last, tensorOf(tensors, "h_last"), { tolerance, what: `${name}: the last state` });
      session.destroy();
    };

    const prefills = async (model: Model): Promise<void> => {
      const session = await begin(model);
      const { y } = await session.prefill(cut(model, inputs, 0, steps), { outputs: "all" });
      assert.ok(y);
      expectClose(y, expected, { tolerance, what: `${name}: y` });
      await checkLast(session);
    };
    const goesStepByStep = async (model: Model): Promise<void> => {
      const session = await begin(model);
      const each = rest.reduce((product, size) => product * size, 1);
      const got = new Float32Array(batch * steps * each);
      for (let t = 0; t < steps; t++) {
        const { y } = await session.step(cut(model, inputs, t, t + 1));
        assert.ok(y);
        for (let b = 0; b < batch; b++)
          got.set(y.data.subarray(b * each, (b + 1) * each), (b * steps + t) * each);
      }
      expectClose({ shape: expected.shape, data: got }, expected, { tolerance, what: `${name}: y, by step` });
      await checkLast(session);
    };

    for (const target of TARGETS)
      for (const [k, [title, schedule]] of Object.entries(schedules).entries()) {
        // Schedules cut time, and a step has one: it runs with the first.
        const isStepped = k === 0 && steps <= MOST_STEPS;
        it(`${name}, ${title}${isStepped ? " and step by step" : ""}, ${target}`, async () => {
          const model = await modelOf(bundleOf(text, { set, schedule, targets: [target] }));
          await prefills(model);
          if (isStepped) await goesStepByStep(model);
          model.destroy();
        });
      }
  }
});
