/** Steps that feed themselves on the GPU, against calls of `step` that the host feeds. */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { open, tensorCheckpoint, type HostTensor, type Model, type Outputs } from "../../runtime/index.js";
import type { Session } from "../../runtime/session.js";
import { fileWeights } from "../../src/node/files.js";
import { baselineDevice } from "../support/adapter.js";
import { checkpointFixture, fixturePath, tensorOf } from "../support/fixtures.js";
import { bundleOf, checkpointBundle, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";
import { counted, wrapped } from "../support/wrapped-device.js";
import { assertRejects } from "./errors.js";

const VOCAB = 50;
const SIZE = 8;

/** A model that reads its own numbers and choices; and one that reads its position too. */
const PLAIN = `
axis b: batch, t: time, v = ${String(VOCAB)}, m = ${String(SIZE)}
model echo {
  input token: index(v)[b, t]
  input shift: f32[b, t, m]
  input scale: f32[b, m]
  param embedding[v, m]
  state h[m]
  x = embedding[v: token] + shift
  h = 0.7*prev(h) + x*scale
  scores = dot(h, embedding, over m)
  output scores[b, t, v] = scores
  output next: index(v)[b, t] = argmax(scores, over v)
  output moved[b, t, m] = tanh(h)
  output narrow: index(m)[b, t] = argmax(h, over m)
}
`;
const POSITIONAL = PLAIN.replace("+ shift", "+ shift + 0.1*sin(pos(t))");
const FEED = { token: "next", shift: "moved" };

const random = seeded(5);
const embedding = { shape: [VOCAB, SIZE], data: f32(random.tensor([VOCAB, SIZE]).data) };

type Start = ReturnType<typeof startOf>;

function startOf(batch: number) {
  const tokens = Array.from({ length: batch }, () => random.integer(0, VOCAB));
  const normal = (): Float32Array<ArrayBuffer> => f32(random.tensor([batch, SIZE]).data);
  return { token: u32(tokens), shift: normal(), scale: normal() };
}

const copyOf = (outputs: Outputs): Record<string, number[]> =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, [...data]]));

/** What ordinary steps give that the host feeds. */
async function byHand(session: Session, start: Start, steps: number): Promise<Record<string, number[]>[]> {
  const all: Record<string, number[]>[] = [];
  let [token, shift] = [start.token, start.shift];
  for (let i = 0; i < steps; i++) {
    const outputs = await session.step({ token, shift, scale: start.scale });
    all.push(copyOf(outputs));
    token = u32(outputs["next"]?.data ?? []);
    shift = f32(outputs["moved"]?.data ?? []);
  }
  return all;
}

async function stateOf(session: Session): Promise<{ pos: number; states: Record<string, HostTensor> }> {
  const { pos, states } = await session.save();
  return { pos, states };
}

describe("generation", () => {
  let plain: Model;
  let positional: Model;
  before(async () => {
    plain = await modelOf(bundleOf(PLAIN), { embedding });
    positional = await modelOf(bundleOf(POSITIONAL), { embedding });
  });
  after(() => {
    plain.destroy();
    positional.destroy();
  });

  /** Sessions at the same place, some steps from the start: one to generate with, one to be stepped by hand. */
  async function pair(
    batch: number,
    model = positional,
  ): Promise<{ own: Session; other: Session; start: Start }> {
    const own = await model.session({ batch });
    const start = startOf(batch);
    await own.step(start);
    return { own, other: await own.fork(), start: { ...startOf(batch), scale: start.scale } };
  }

  for (const [batch, what] of [
    [1, "plain"],
    [3, "plain"],
    [1, "positional"],
    [3, "positional"],
  ] as const) {
    const model = (): Model => (what === "plain" ? plain : positional);
    const STEPS = 45; // several batches of steps, the last one short
    const names = ["next", "moved", "scores"];

    it(`gives what steps give, and leaves what they leave, ${what}, batch ${String(batch)}`, async () => {
      const { own, other, start } = await pair(batch, model());
      const expected = await byHand(other, start, STEPS);
      const got: Record<string, number[]>[] = [];
      const deliver = (outputs: Outputs): void => {
        assert.deepEqual(outputs["next"]?.shape, [batch, 1]);
        got.push(copyOf(outputs));
      };
      assert.equal(await own.generate(start, { steps: STEPS, feed: FEED, names, deliver }), STEPS);
      assert.deepEqual(
        got,
        expected.map(({ next, moved, scores }) => ({ next, moved, scores })),
      );
      assert.deepEqual(await stateOf(own), await stateOf(other));
      const more = startOf(batch);
      assert.deepEqual(copyOf(await own.step(more)), copyOf(await other.step(more)));
    });

    for (const end of [1, 2, 7, 23, 44])
      it(`goes back to where it was ended, after ${String(end)} steps, ${what}, batch ${String(batch)}`, async () => {
        const { own, other, start } = await pair(batch, model());
        const expected = await byHand(other, start, end);
        const got: number[][] = [];
        const deliver = async ({ next }: Outputs): Promise<boolean> => {
          got.push([...(next?.data ?? [])]);
          await Promise.resolve();
          return got.length < end;
        };
        assert.equal(
          await own.generate(start, { steps: Infinity, feed: FEED, names: ["next"], deliver }),
          end,
        );
        assert.deepEqual(
          got,
          expected.map(({ next }) => next),
        );
        assert.deepEqual(await stateOf(own), await stateOf(other));
        const more = startOf(batch);
        assert.deepEqual(copyOf(await own.step(more)), copyOf(await other.step(more)));
      });
  }

  it("is ended by a signal, and by whoever takes the outputs", async () => {
    for (const how of ["signal", "error"] as const) {
      const { own, other, start } = await pair(2);
      await byHand(other, start, 9);
      const [controller, mine] = [new AbortController(), new Error("enough")];
      let count = 0;
      const deliver = (): void => {
        if (++count < 9) return;
        if (how === "error") throw mine;
        controller.abort(mine);
      };
      const work = own.generate(start, { steps: 100, feed: FEED, deliver, signal: controller.signal });
      await assert.rejects(work, mine);
      assert.equal(count, 9);
      assert.deepEqual(await stateOf(own), await stateOf(other));
    }
  });

  it("keeps its place among the session's calls", async () => {
    const { own, other, start } = await pair(1);
    await byHand(other, start, 20);
    const more = startOf(1);
    const done = own.generate(start, { steps: 20, feed: FEED, deliver: () => true });
    const after = own.step(more);
    assert.deepEqual(copyOf(await after), copyOf(await other.step(more)));
    assert.equal(await done, 20);
  });

  it("takes no step where none is wanted", async () => {
    const { own, other, start } = await pair(1);
    assert.equal(
      await own.generate(start, { steps: 0, feed: FEED, deliver: () => assert.fail("a step") }),
      0,
    );
    assert.deepEqual(await stateOf(own), await stateOf(other));
  });

  it("says what cannot be fed", async () => {
    const { own, start } = await pair(1);
    const generate = (feed: Record<string, string>): Promise<number> =>
      own.generate(start, { steps: 2, feed, deliver: () => true });
    await assertRejects(generate({ token: "next" }), "R0401", /No output is fed to the input "shift"/);
    await assertRejects(generate({ ...FEED, token: "gone" }), "R0401", /no output "gone"/);
    await assertRejects(
      generate({ ...FEED, gone: "next" }),
      "R0402",
      /"next" cannot be fed to the input "gone"/,
    );
    await assertRejects(generate({ ...FEED, token: "moved" }), "R0402", /"moved" cannot be fed/);
    await assertRejects(generate({ ...FEED, shift: "scores" }), "R0402", /"scores" cannot be fed/);
    await assertRejects(generate({ ...FEED, shift: "next" }), "R0402", /"next" cannot be fed/);
    await assertRejects(generate({ ...FEED, scale: "moved" }), "R0402", /the input "scale"/);
    const { token, scale } = start;
    const work = own.generate({ token, scale }, { steps: 2, feed: FEED, deliver: () => true });
    await assertRejects(work, "R0401", /Missing: the input "shift"/);
    // A narrower range fits a wider one.
    assert.equal(await generate({ ...FEED, token: "narrow" }), 2);
    // Nothing was lost by those that were refused.
    assert.equal(own.pos, 1 + 2);
  });

  it("makes no buffer and no bind group once it is going", async () => {
    const { device } = counted(await baselineDevice());
    const made = { buffers: 0, groups: 0 };
    const counting = wrapped(device, {
      createBuffer: (descriptor) => (made.buffers++, device.createBuffer(descriptor)),
      createBindGroup: (descriptor) => (made.groups++, device.createBindGroup(descriptor)),
    });
    const weights = tensorCheckpoint({ embedding });
    const own = await open(bundleOf(PLAIN), { device: counting, weights });
    const session = await own.session({ batch: 3 });
    const start = startOf(3);
    await session.generate(start, { steps: 4, feed: FEED, deliver: () => true });
    const before = { ...made };
    assert.ok(before.groups > 0);
    await session.generate(start, { steps: 60, feed: FEED, deliver: () => true });
    assert.deepEqual(made, before);
    own.destroy();
  });

  it("frees what it took, and ends when its session does", async () => {
    const { device, live } = counted(await baselineDevice());
    const own = await open(bundleOf(PLAIN), { device, weights: tensorCheckpoint({ embedding }) });
    const session = await own.session();
    const work = session.generate(startOf(1), {
      steps: Infinity,
      feed: FEED,
      deliver: () => {
        if (session.pos > 10) session.destroy();
      },
    });
    await assertRejects(work, "R0407", /destroyed/);
    own.destroy();
    await device.queue.onSubmittedWorkDone();
    assert.deepEqual([...live.values()], []);
  });

  for (const name of ["mamba", "mamba2"])
    it(`chooses PyTorch's tokens, ${name}`, async () => {
      const checkpoint = checkpointFixture(name);
      const greedy = [...tensorOf(checkpoint.expected, "greedy_ids").data];
      const weights = await fileWeights(fixturePath(name));
      const options: CompileOptions = { set: { greedy: true } };
      const own = await open(checkpointBundle(checkpoint, options), {
        device: await baselineDevice(),
        weights,
      });
      await weights.close();
      const session = await own.session();
      const chosen = greedy.slice(0, 8);
      const { next } = await session.prefill({ token: u32(chosen) }, { names: ["next"] });
      chosen.push(...(next?.data ?? []));
      await session.generate(
        { token: u32(chosen.slice(-1)) },
        {
          steps: greedy.length - chosen.length,
          feed: { token: "next" },
          deliver: ({ next }) => void chosen.push(...(next?.data ?? [])),
        },
      );
      assert.deepEqual(chosen, greedy);
      own.destroy();
    });
});
