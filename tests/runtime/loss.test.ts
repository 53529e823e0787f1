import assert from "node:assert/strict";
import { KraitError } from "../../runtime/errors.js";
import { open, parseSnapshot, serializeSnapshot, type Session } from "../../runtime/index.js";
import { testAdapter } from "../support/adapter.js";
import { requestAdapter } from "../../src/node/adapters.js";
import { wrapped } from "../support/wrapped-device.js";
import { assertRejects } from "./errors.js";
import { cut, tinyBundle, tinyInputs, tinyModel } from "./tiny-bundle.js";
import { as, assertNear, rowsAt, weights } from "./tiny-runs.js";

describe("a lost device", () => {
  const batch = 2;
  const [half, steps] = [10, 40];
  const inputs = tinyInputs(batch, steps);
  const expected = tinyModel(inputs, batch);
  const loose: unknown[] = [];
  const hear = (reason: unknown): void => void loose.push(reason);

  before(() => process.on("unhandledRejection", hear));
  after(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off("unhandledRejection", hear);
    assert.deepEqual(loose, []);
  });

  /** A device of its own, which may be lost. */
  async function ownDevice(): Promise<GPUDevice> {
    const { name } = await testAdapter();
    const { adapter } = await requestAdapter({ adapter: name });
    return adapter.requestDevice();
  }

  async function started(device: GPUDevice): Promise<Session> {
    const model = await open(await tinyBundle(), { device, weights });
    return model.session({ batch, maxChunk: 2 });
  }

  const works: readonly [string, (session: Session) => Promise<unknown>][] = [
    ["a prefill", (s) => s.prefill(as(inputs))],
    ["a prefill of all outputs", (s) => s.prefill(as(inputs), { outputs: "all" })],
    ["a prefill without outputs", (s) => s.prefill(as(inputs), { outputs: "none" })],
    ["steps", (s) => Promise.all([0, 1, 2].map((t) => s.step(as(cut(inputs, batch, t, t + 1)))))],
    ["save", (s) => s.save()],
    ["fork", (s) => s.fork({ members: [1, 1, 0] })],
    ["a larger session", async (s) => (await s.fork()).prefill(as(inputs), { outputs: "all" })],
  ];
  for (const [what, work] of works) {
    it(`ends ${what} at any moment, and all that follows`, async () => {
      for (const moment of [0, 1, 4, 12, 30]) {
        const device = await ownDevice();
        const session = await started(device);
        const pending = work(session).then(
          () => "done",
          (error: unknown) => error,
        );
        for (let turn = 0; turn < moment; turn++) await Promise.resolve();
        if (moment > 4) await new Promise((resolve) => setImmediate(resolve));
        device.destroy();
        // The GPU may have done the work before; then there is an answer. But there is an end.
        const outcome = await pending;
        if (outcome !== "done") {
          assert.ok(outcome instanceof KraitError, "no KraitError");
          assert.equal(outcome.code, "R0205", outcome.message);
        }
        await device.lost;
        await assertRejects(session.prefill(as(inputs)), "R0205", /destroyed.*\n.*restore/);
        await assertRejects(session.step(as(cut(inputs, batch, 0, 1))), "R0205", /lost/);
        await assertRejects(session.save(), "R0205", /lost/);
        await assertRejects(session.fork(), "R0205", /lost/);
        await assertRejects(session.reset(), "R0205", /lost/);
        session.destroy();
      }
    });
  }

  it("ends the opening of a model", async () => {
    for (const moment of [0, 1, 5, 20]) {
      const device = await ownDevice();
      const pending = open(await tinyBundle(), { device, weights }).then(
        () => undefined,
        (error: unknown) => error,
      );
      for (let turn = 0; turn < moment; turn++) await Promise.resolve();
      device.destroy();
      const error = await pending;
      assert.ok(error instanceof KraitError, "no KraitError");
      assert.equal(error.code, "R0205", error.message);
    }
  });

  it("ends waits for a GPU that no longer answers, and says why it was lost", async () => {
    const real = await ownDevice();
    let lose: (info: GPUDeviceLostInfo) => void = () => undefined;
    const lost = new Promise<GPUDeviceLostInfo>((resolve) => (lose = resolve));
    const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
      const buffer = real.createBuffer(descriptor);
      buffer.mapAsync = () => new Promise(() => undefined);
      return buffer;
    };
    const session = await started(wrapped(real, { lost, createBuffer }));
    const pending = [session.prefill(as(inputs)), session.save(), session.readState("scan.h")];
    const ends = pending.map((call) => assertRejects(call, "R0205", /GPU hung/));
    await new Promise((resolve) => setTimeout(resolve, 20));
    lose({ reason: "unknown", message: "the GPU hung" } as GPUDeviceLostInfo);
    await Promise.all(ends);
    await assertRejects(session.prefill(as(inputs)), "R0205", /GPU hung/);
    real.destroy();
  });

  it("is survived by what was saved, which goes on on a new one with the same numbers", async () => {
    const first = await ownDevice();
    const session = await started(first);
    await session.prefill(as(cut(inputs, batch, 0, half)));
    const bytes = await serializeSnapshot(await session.save());
    const { x, token } = cut(inputs, batch, half, steps);
    const lost = session.prefill({ x, token });
    first.destroy();
    await lost.catch(() => undefined);
    const second = await ownDevice();
    const again = await started(second);
    await again.restore(await parseSnapshot(bytes));
    const { y } = await again.prefill({ x, token }, { outputs: "all" });
    assertNear(y?.data, rowsAt(expected.y, batch, half, steps));
    second.destroy();
  });
});
