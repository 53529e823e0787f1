import assert from "node:assert/strict";
import { open, type Model } from "../../runtime/model.js";
import type { Session } from "../../runtime/session.js";
import { baselineDevice } from "../support/adapter.js";
import { counted } from "../support/wrapped-device.js";
import { assertRejects } from "./errors.js";
import { CHANNELS, cut, tinyBundle, tinyInputs, tinyModel, type TinyInputs } from "./tiny-bundle.js";
import { as, assertNear, rowsAt, weights } from "./tiny-runs.js";

/** The inputs of some sequences of a batch, in another order or number. */
function select({ x, shift, token }: TinyInputs, batch: number, members: readonly number[]): TinyInputs {
  const steps = token.length / batch;
  const rows = (width: number, data: Float32Array | Uint32Array): number[] =>
    members.flatMap((m) => [...data.subarray(m * steps * width, (m + 1) * steps * width)]);
  return { x: Float32Array.from(rows(CHANNELS, x)), shift, token: Uint32Array.from(rows(1, token)) };
}

describe("a session's forks", () => {
  const batch = 3;
  const steps = 11;
  const half = 6;
  const inputs = tinyInputs(batch, steps);
  let model: Model;
  let live: ReadonlyMap<GPUBuffer, number>;

  before(async () => {
    const watched = counted(await baselineDevice());
    live = watched.live;
    model = await open(await tinyBundle(), { device: watched.device, weights });
  });
  after(() => {
    model.destroy();
    assert.equal(live.size, 0);
  });

  /** A session that has seen the first steps of all sequences. */
  async function started(maxChunk = 4): Promise<Session> {
    const session = await model.session({ batch, maxChunk });
    await session.prefill(as(cut(inputs, batch, 0, half)), { outputs: "none" });
    return session;
  }

  /** That the rest of `of` gives what the whole of it gives in plain loops; `shift`, which is held, is not given. */
  async function assertContinues(session: Session, of: TinyInputs): Promise<void> {
    const { x, token } = cut(of, session.batch, half, steps);
    const { y, where } = await session.prefill({ x, token }, { outputs: "all" });
    const expected = tinyModel(of, session.batch);
    assertNear(y?.data, rowsAt(expected.y, session.batch, half, steps));
    assert.deepEqual([...(where?.data ?? [])], [6, 7, 8, 9, 10]);
    assertNear((await session.readState("scan.h")).data, expected.h);
  }

  it("go on from where it was, and leave it alone", async () => {
    const session = await started();
    const fork = await session.fork();
    assert.equal(fork.pos, half);
    await assertContinues(fork, inputs);
    assert.equal(session.pos, half);
    await assertContinues(session, inputs);
    session.destroy();
    fork.destroy();
  });

  it("outlive it", async () => {
    const session = await started();
    const fork = await session.fork();
    session.destroy();
    await assertContinues(fork, inputs);
    fork.destroy();
  });

  it("step as it does", async () => {
    const session = await started();
    const fork = await session.fork();
    const expected = tinyModel(inputs, batch);
    for (let t = half; t < steps; t++) {
      const { x, token } = cut(inputs, batch, t, t + 1);
      for (const each of [fork, session]) {
        const { y } = await each.step({ x, token });
        assertNear(y?.data, rowsAt(expected.y, batch, t, t + 1));
      }
    }
    session.destroy();
    fork.destroy();
  });

  for (const members of [[1], [2, 0], [0, 1, 1, 2, 0, 0, 1], [1, 2]]) {
    it(`have the members ${members.join(", ")}`, async () => {
      const session = await started();
      const fork = await session.fork({ members });
      assert.equal(fork.batch, members.length);
      await assertContinues(fork, select(inputs, batch, members));
      session.destroy();
      fork.destroy();
    });
  }

  it("have one sequence many times", async () => {
    const one = select(inputs, batch, [1]);
    const session = await model.session();
    await session.prefill(as(cut(one, 1, 0, half)), { outputs: "none" });
    const fork = await session.fork({ batch: 5 });
    await assertContinues(fork, select(one, 1, [0, 0, 0, 0, 0]));
    session.destroy();
    fork.destroy();
  });

  it("are made in the order of calls, without waiting for them", async () => {
    const session = await model.session({ batch, maxChunk: 2 });
    void session.prefill(as(cut(inputs, batch, 0, half)), { outputs: "none" });
    const fork = session.fork();
    void session.prefill(as(cut(inputs, batch, 0, 3)), { outputs: "none" });
    await assertContinues(await fork, inputs);
    assert.equal(session.pos, half + 3);
    (await fork).destroy();
    session.destroy();
  });

  it("leave nothing behind, a thousand of them", async () => {
    const session = await started();
    const before = live.size;
    for (let i = 0; i < 1000; i++) {
      const fork = await session.fork(i % 2 === 0 ? {} : { members: [i % batch] });
      if (i % 100 === 0) {
        const { x, token } = cut(inputs, batch, half, half + 1);
        if (fork.batch === batch) await fork.step({ x, token });
      }
      fork.destroy();
    }
    assert.equal(live.size, before);
    await assertContinues(session, inputs);
    session.destroy();
  });

  it("take memory for their states alone until they run", async () => {
    const session = await started(2048);
    const total = (): number => [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
    const before = total();
    const fork = await session.fork();
    assert.ok(total() - before < 4096, String(total() - before));
    fork.destroy();
    session.destroy();
  });

  describe("reorder", () => {
    for (const members of [
      [2, 0, 1],
      [1, 1, 1],
      [0, 1, 2],
    ]) {
      it(`to ${members.join(", ")}`, async () => {
        const session = await started();
        await session.reorder(members);
        await assertContinues(session, select(inputs, batch, members));
        session.destroy();
      });
    }
  });

  describe("refuse", () => {
    it("members that are not there, or none", async () => {
      const session = await started();
      await assertRejects(session.fork({ members: [0, 3] }), "R0405", /no sequence 3: .* 0 … 2/);
      await assertRejects(session.fork({ members: [0.5] }), "R0405", /no sequence 0\.5/);
      await assertRejects(session.fork({ members: [] }), "R0405", /batch is 0/);
      await assertRejects(session.fork({ batch: 2 }), "R0405", /has 3 sequences.*\n.*members/);
      await assertRejects(session.reorder([0, 1]), "R0405", /3 sequences, and 2 members/);
      await assertRejects(session.reorder([0, 1, -1]), "R0405", /no sequence -1/);
      await assertContinues(session, inputs);
      session.destroy();
    });

    it("a session that was destroyed", async () => {
      const session = await started();
      const pending = session.fork();
      session.destroy();
      await assertRejects(pending, "R0407", /destroyed/);
      await assertRejects(session.fork(), "R0407", /destroyed/);
      await assertRejects(session.reorder([0, 1, 2]), "R0407", /destroyed/);
    });
  });
});
