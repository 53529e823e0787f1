import assert from "node:assert/strict";
import type { ErrorCode } from "../../runtime/errors.js";
import { open, type Model } from "../../runtime/model.js";
import type { Outputs } from "../../runtime/outputs.js";
import type { Session } from "../../runtime/session.js";
import type { OutputChunk } from "../../runtime/windows.js";
import { baselineDevice } from "../support/adapter.js";
import { assertRejects } from "./errors.js";
import { CHANNELS, cut, tinyBundle, tinyInputs, tinyModel } from "./tiny-bundle.js";
import { as, assertNear, rowsAt, weights } from "./tiny-runs.js";

describe("a session", () => {
  let model: Model;
  const batch = 3;
  const steps = 11;
  const inputs = tinyInputs(batch, steps);
  const expected = tinyModel(inputs, batch);

  before(async () => {
    model = await open(await tinyBundle(), { device: await baselineDevice(), weights });
  });
  after(() => {
    model.destroy();
  });

  async function run<T>(
    options: { batch?: number; maxChunk?: number },
    use: (s: Session) => Promise<T>,
  ): Promise<T> {
    const session = await model.session(options);
    try {
      return await use(session);
    } finally {
      session.destroy();
    }
  }

  for (const maxChunk of [undefined, 1, 2, 4, 11]) {
    const options = maxChunk === undefined ? { batch } : { batch, maxChunk };
    describe(`with maxChunk ${String(maxChunk)}`, () => {
      it("gives the last position by default", () =>
        run(options, async (session) => {
          const { y, where } = await session.prefill(as(inputs));
          assert.deepEqual(y?.shape, [batch, 1, CHANNELS]);
          assertNear(y.data, rowsAt(expected.y, batch, steps - 1, steps));
          assert.deepEqual(where?.shape, [1]);
          assert.deepEqual([...where.data], [steps - 1]);
        }));

      it("gives all positions", () =>
        run(options, async (session) => {
          const { y, where } = await session.prefill(as(inputs), { outputs: "all" });
          assert.deepEqual(y?.shape, [batch, steps, CHANNELS]);
          assertNear(y.data, expected.y);
          assert.deepEqual([...(where?.data ?? [])], [...Array(steps).keys()]);
        }));

      it("gives chunks in order, and nothing else", () =>
        run(options, async (session) => {
          let seen = 0;
          const onChunk = async ({ begin, count, outputs }: OutputChunk): Promise<void> => {
            assert.equal(begin, seen);
            await Promise.resolve();
            assertNear(outputs["y"]?.data, rowsAt(expected.y, batch, begin, begin + count));
            seen += count;
          };
          assert.deepEqual(await session.prefill(as(inputs), { outputs: onChunk }), {});
          assert.equal(seen, steps);
        }));

      it("gives nothing, and keeps the states", () =>
        run(options, async (session) => {
          assert.deepEqual(await session.prefill(as(inputs), { outputs: "none" }), {});
          assert.equal(session.pos, steps);
          const { data, shape } = await session.readState("scan.h");
          assert.deepEqual(shape, [batch, CHANNELS]);
          assertNear(data, expected.h);
        }));
    });
  }

  it("steps as it prefills, and any mixture of the two", () =>
    run({ batch, maxChunk: 4 }, async (session) => {
      let t = 0;
      for (const count of [1, 1, 5, 1, 3]) {
        const part = as(cut(inputs, batch, t, t + count));
        const { y } =
          count === 1 ? await session.step(part) : await session.prefill(part, { outputs: "all" });
        assertNear(y?.data, rowsAt(expected.y, batch, t, t + count));
        t += count;
      }
      assert.equal(session.pos, steps);
    }));

  it("lets an input without time be left out once it was given", () =>
    run({ batch }, async (session) => {
      await session.prefill(as(cut(inputs, batch, 0, 5)), { outputs: "none" });
      const { x, token } = cut(inputs, batch, 5, steps);
      const { y } = await session.prefill({ x, token });
      assertNear(y?.data, rowsAt(expected.y, batch, steps - 1, steps));
    }));

  it("takes calls that overlap, in their order", () =>
    run({ batch, maxChunk: 2 }, async (session) => {
      const first = session.prefill(as(cut(inputs, batch, 0, 5)));
      const pending: Promise<Outputs>[] = [];
      for (let t = 5; t < steps; t++) pending.push(session.step(as(cut(inputs, batch, t, t + 1))));
      const all = await Promise.all([first, ...pending]);
      for (const [i, { y }] of all.entries()) assertNear(y?.data, rowsAt(expected.y, batch, i + 4, i + 5));
    }));

  it("continues from a snapshot, in another session too", () =>
    run({ batch }, async (session) => {
      await session.prefill(as(cut(inputs, batch, 0, 6)));
      const snapshot = await session.save();
      assert.equal(snapshot.pos, 6);
      assert.deepEqual(Object.keys(snapshot.states), ["scan.h"]);
      await session.prefill(as(cut(inputs, batch, 0, 4)));
      await session.restore(snapshot);
      const rest = as(cut(inputs, batch, 6, steps));
      const { y } = await session.prefill(rest, { outputs: "all" });
      assertNear(y?.data, rowsAt(expected.y, batch, 6, steps));
      await run({ batch, maxChunk: 2 }, async (other) => {
        await other.restore(snapshot);
        assert.equal(other.pos, 6);
        const again = await other.prefill(rest, { outputs: "all" });
        assert.deepEqual(again["y"]?.data, y?.data);
        assert.deepEqual([...(again["where"]?.data ?? [])], [6, 7, 8, 9, 10]);
      });
    }));

  it("starts again after reset", () =>
    run({ batch }, async (session) => {
      const before = await session.prefill(as(inputs), { outputs: "all" });
      await session.reset();
      assert.equal(session.pos, 0);
      assert.deepEqual(await session.prefill(as(inputs), { outputs: "all" }), before);
    }));

  it("gives a batch's members what they get alone", () =>
    run({}, async (session) => {
      for (let b = 0; b < batch; b++) {
        const { x, shift, token } = inputs;
        const width = steps * CHANNELS;
        const alone = {
          x: x.slice(b * width, (b + 1) * width),
          shift,
          token: token.slice(b * steps, (b + 1) * steps),
        };
        await session.reset();
        const { y } = await session.prefill(alone, { outputs: "all" });
        assertNear(y?.data, expected.y.slice(b * width, (b + 1) * width));
      }
    }));

  it("reads back only the outputs that are named", () =>
    run({ batch }, async (session) => {
      assert.deepEqual(Object.keys(await session.prefill(as(inputs), { names: ["where"] })), ["where"]);
      assert.deepEqual(await session.step(as(cut(inputs, batch, 0, 1)), { outputs: "none" }), {});
      await assertRejects(session.prefill(as(inputs), { names: ["z"] }), "R0401", /no output "z"/);
    }));

  it("goes on after a function that takes chunks has thrown", () =>
    run({ batch, maxChunk: 2 }, async (session) => {
      const boom = (): never => {
        throw new RangeError("not mine");
      };
      await assert.rejects(session.prefill(as(inputs), { outputs: boom }), RangeError);
      await session.reset();
      const { y } = await session.prefill(as(inputs), { outputs: "all" });
      assertNear(y?.data, expected.y);
    }));

  describe("refuses", () => {
    const tries: [string, ErrorCode, RegExp, (session: Session) => Promise<unknown>][] = [
      ["an empty prefill", "R0404", /no time/, (s) => s.prefill(as(cut(inputs, batch, 0, 0)))],
      ["a missing input", "R0401", /"token"/, (s) => s.prefill({ x: inputs.x, shift: inputs.shift })],
      [
        "an unknown input",
        "R0401",
        /"tokens".*\n.*token\[b, t\]/,
        (s) => s.prefill({ ...inputs, tokens: inputs.token }),
      ],
      ["a wrong type", "R0402", /Uint32Array/, (s) => s.prefill({ ...inputs, token: inputs.x })],
      ["a wrong length", "R0402", /multiple of 9/, (s) => s.prefill({ ...inputs, x: inputs.x.slice(1) })],
      [
        "inputs that disagree",
        "R0402",
        /"x" covers 11 steps, "token" 2/,
        (s) => s.prefill({ ...inputs, token: cut(inputs, batch, 0, 2).token }),
      ],
      [
        "an index out of range",
        "R0403",
        /has 10 at 1; its values are 0 … 9/,
        (s) => s.prefill({ ...inputs, token: inputs.token.map((v, i) => (i === 1 ? 10 : v)) }),
      ],
      [
        "a negative index",
        "R0403",
        /-1/,
        (s) => s.prefill({ ...inputs, token: Int32Array.from(inputs.token).fill(-1) }),
      ],
      ["a step of several positions", "R0402", /one position/, (s) => s.step(as(inputs))],
      ["an unknown state", "R0406", /scan\.h/, (s) => s.readState("h")],
      [
        "a snapshot of another batch",
        "R0406",
        /\[1, 3\], the session has \[3, 3\]/,
        (s) => s.restore({ pos: 0, states: { "scan.h": { data: new Float32Array(3), shape: [1, 3] } } }),
      ],
      ["a snapshot that lacks a state", "R0406", /missing/, (s) => s.restore({ pos: 0, states: {} })],
    ];
    for (const [what, code, text, attempt] of tries) {
      it(what, () =>
        run({ batch }, async (session) => {
          await assertRejects(attempt(session), code, text);
          assert.equal(session.pos, 0);
          const { y } = await session.prefill(as(inputs), { outputs: "all" });
          assertNear(y?.data, expected.y);
        }),
      );
    }

    it("options that make no sense", async () => {
      await assertRejects(model.session({ batch: 0 }), "R0405", /batch is 0/);
      await assertRejects(model.session({ maxChunk: 1.5 }), "R0405", /maxChunk is 1.5/);
    });

    it("a session too large for the device, saying what for", async () => {
      await assertRejects(model.session({ batch: 4096, maxChunk: 8192 }), "R0204", /384\.0 MiB/);
    });

    it("use after destroy", async () => {
      const session = await model.session();
      session.destroy();
      await assertRejects(session.prefill(as(tinyInputs(1, 2))), "R0407", /destroyed/);
    });
  });

  it("runs a model that looks ahead whole, or not at all", async () => {
    const bundle = await tinyBundle((manifest) => ({
      ...manifest,
      targets: manifest.targets.map(({ step: _, ...target }) => target),
    }));
    const ahead = await open(bundle, { device: await baselineDevice(), weights });
    const session = await ahead.session({ batch });
    const { y } = await session.prefill(as(inputs), { outputs: "all" });
    assertNear(y?.data, expected.y);
    await assertRejects(session.step(as(inputs)), "R0407", /looks ahead/);
    const short = await ahead.session({ batch, maxChunk: 4 });
    await assertRejects(short.prefill(as(inputs)), "R0405", /cannot be cut/);
    ahead.destroy();
  });
});
