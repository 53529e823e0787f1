import assert from "node:assert/strict";
import { KraitError } from "../../runtime/errors.js";
import { open } from "../../runtime/model.js";
import type { Session } from "../../runtime/session.js";
import { baselineDevice } from "../support/adapter.js";
import { counted } from "../support/wrapped-device.js";
import { assertRejects } from "./errors.js";
import { cut, tinyBundle, tinyInputs, tinyModel } from "./tiny-bundle.js";
import { as, assertNear, rowsAt, weights } from "./tiny-runs.js";

describe("models and sessions, from start to end,", () => {
  const batch = 2;
  const steps = 16;
  const inputs = tinyInputs(batch, steps);
  const expected = tinyModel(inputs, batch);

  const opened = async () => {
    const { device, live } = counted(await baselineDevice());
    return { model: await open(await tinyBundle(), { device, weights }), live };
  };

  /** What the caller's device says that nobody asked about: a freed buffer in use, for one. */
  async function assertQuiet(work: () => Promise<void>): Promise<void> {
    const device = await baselineDevice();
    const heard: string[] = [];
    const hear = (event: Event): void => void heard.push((event as GPUUncapturedErrorEvent).error.message);
    device.addEventListener("uncapturederror", hear);
    await work();
    await device.queue.onSubmittedWorkDone();
    device.removeEventListener("uncapturederror", hear);
    assert.deepEqual(heard, []);
  }

  it("free all that they made", async () => {
    const { model, live } = await opened();
    const session = await model.session({ batch });
    await session.prefill(as(inputs), { outputs: "all" });
    await session.save();
    model.destroy();
    assert.equal(live.size, 0);
    model.destroy();
    session.destroy();
    await assertRejects(model.session(), "R0407", /model was destroyed/);
    await assertRejects(session.prefill(as(inputs)), "R0407", /session was destroyed/);
  });

  it("free a session that is being made when the model is destroyed", async () => {
    const { model, live } = await opened();
    const pending = model.session({ batch });
    model.destroy();
    await assertRejects(pending, "R0407", /model was destroyed/);
    assert.equal(live.size, 0);
  });

  const works: readonly [string, (session: Session) => Promise<unknown>][] = [
    ["prefill", (s) => s.prefill(as(inputs), { outputs: "all" })],
    ["prefill without outputs", (s) => s.prefill(as(inputs), { outputs: "none" })],
    ["prefill for a function", (s) => s.prefill(as(inputs), { outputs: () => Promise.resolve() })],
    ["step", (s) => s.step(as(cut(inputs, batch, 0, 1)))],
    ["save", (s) => s.save()],
    ["readState", (s) => s.readState("scan.h")],
    ["fork", async (s) => (await s.fork()).destroy()],
    ["reorder", (s) => s.reorder([1, 0])],
    ["reset", (s) => s.reset()],
  ];
  for (const [what, work] of works) {
    it(`may be destroyed at any moment of ${what}`, () =>
      assertQuiet(async () => {
        const { model, live } = await opened();
        const base = live.size;
        for (let moment = 0; moment < 24; moment++) {
          const session = await model.session({ batch, maxChunk: 2 });
          const pending = work(session).then(
            () => undefined,
            (error: unknown) => error,
          );
          for (let turn = 0; turn < moment; turn++) await Promise.resolve();
          if (moment % 4 === 3) await new Promise((resolve) => setImmediate(resolve));
          session.destroy();
          const error = await pending;
          if (error !== undefined) {
            assert.ok(error instanceof KraitError, "not the session's error");
            assert.equal(error.code, "R0407", error.message);
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        const session = await model.session({ batch });
        const { y } = await session.prefill(as(inputs), { outputs: "all" });
        assertNear(y?.data, expected.y);
        session.destroy();
        for (let wait = 0; live.size > base && wait < 50; wait++) {
          await new Promise((resolve) => setTimeout(resolve, 2)); // what was being read back goes when it is there
        }
        assert.equal(live.size, base);
        model.destroy();
      }));
  }

  it("restore while a step is pending, in the order of calls", async () => {
    const { model } = await opened();
    const session = await model.session({ batch });
    await session.prefill(as(cut(inputs, batch, 0, 4)));
    const snapshot = await session.save();
    const step = session.step(as(cut(inputs, batch, 4, 5)));
    const restored = session.restore(snapshot);
    const again = session.step(as(cut(inputs, batch, 4, 5)));
    assert.deepEqual((await again)["y"]?.data, (await step)["y"]?.data);
    await restored;
    assert.equal(session.pos, 5);
    model.destroy();
  });

  it("run two sessions of one model at once, each with numbers of its own", async () => {
    const { model } = await opened();
    const sessions = await Promise.all([1, 3].map((maxChunk) => model.session({ batch, maxChunk })));
    const results = await Promise.all(
      sessions.map((session) => session.prefill(as(inputs), { outputs: "all" })),
    );
    for (const { y } of results) assertNear(y?.data, expected.y);
    const pending = [...Array(8).keys()].flatMap((t) => {
      const part = as(cut(inputs, batch, t, t + 1));
      return sessions.map(async (session) => ({ t, y: (await session.step(part))["y"] }));
    });
    await Promise.all(sessions.map((session) => session.reset()));
    const whole = tinyModel(
      {
        ...inputs,
        x: Float32Array.from(
          [0, 1].flatMap((b) => [...row(b, inputs.x, 3), ...row(b, inputs.x, 3).slice(0, 24)]),
        ),
        token: Uint32Array.from(
          [0, 1].flatMap((b) => [...row(b, inputs.token, 1), ...row(b, inputs.token, 1).slice(0, 8)]),
        ),
      },
      batch,
    );
    for (const { t, y } of await Promise.all(pending)) {
      assertNear(y?.data, rowsAt(whole.y, batch, steps + t, steps + t + 1));
    }
    model.destroy();
  });

  function row(b: number, data: Float32Array | Uint32Array, width: number): number[] {
    return [...data.subarray(b * steps * width, (b + 1) * steps * width)];
  }

  it("change nothing when a call is refused, held inputs neither", async () => {
    const { model } = await opened();
    const session = await model.session({ batch });
    await session.prefill(as(cut(inputs, batch, 0, 4)));
    const other = { ...cut(inputs, batch, 4, 6), shift: Float32Array.of(9, 9, 9) };
    await assertRejects(session.step(as(other)), "R0402", /one position/);
    await assertRejects(session.prefill(as(other), { names: ["z"] }), "R0401", /"z"/);
    const { x, token } = cut(inputs, batch, 4, steps);
    const { y } = await session.prefill({ x, token }, { outputs: "all" });
    assertNear(y?.data, rowsAt(expected.y, batch, 4, steps));
    model.destroy();
  });

  it("keep copies of held inputs", async () => {
    const { model } = await opened();
    const session = await model.session({ batch });
    const given = { ...cut(inputs, batch, 0, 4), shift: inputs.shift.slice() };
    await session.prefill(as(given));
    given.shift.fill(100);
    const { x, token } = cut(inputs, batch, 4, steps);
    const { y } = await (await session.fork()).prefill({ x, token }, { outputs: "all" });
    assertNear(y?.data, rowsAt(expected.y, batch, 4, steps));
    model.destroy();
  });
});
