/** Sequences of different lengths in one run, as callers see them: many at once, then steps, forks, snapshots; and what is refused. */
import assert from "node:assert/strict";
import { DOCUMENTS } from "../../compiler/4-passes/packed.js";
import type { ScheduleOptions } from "../../compiler/4-passes/schedule.js";
import { parseSnapshot, serializeSnapshot, type KraitError, type Session } from "../../runtime/index.js";
import { baselineDevice } from "../support/adapter.js";
import { oneByOne, packedInputs, type OneByOne } from "../support/documents.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture } from "../support/fixtures.js";
import { bundleOf, checkpointBundle, f32, hostTensor, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";

const POSITION = `
axis b: batch, t: time, d = 2
model place {
  input x: f32[b, t, d]
  state h[d]
  h = 0.5 * prev(h) + x
  output y[b, t, d] = h + pos(t)
}
`;

const SMALL = `
axis b: batch, t: time, d = 3, n = 2, k = 4
model small {
  input x: f32[b, t, d]
  input w: f32[d, k]
  state h[d, n]
  z = causal_conv(x, w, along t, over k)
  h = 0.9 * prev(h) + z * pos(n)
  output y[b, t, d] = sum(h, over n) + prev(x)
}
`;

/** Runs as products of matrices where documents are long enough for their chunks. */
const OUTER = `
axis b: batch, t: time, p = 3, n = 2
model outer {
  input x: f32[b, t, p]
  input k: f32[b, t, n]
  state S[n, p]
  S = 0.9 * prev(S) + k * x
  output y[b, t, p] = dot(k, S, over n)
}
`;

const THOUSANDS: readonly (readonly [string, string, ScheduleOptions])[] = [
  ["as scans", SMALL, {}],
  ["as products of matrices", OUTER, { matrixChunk: 8 }],
  // Of about 11 steps each: some pieces' documents are long enough.
  ["either way", OUTER, { matrixChunk: 4, matrixWhen: ["<", ["*", 11, DOCUMENTS], "t"] }],
];

const refused = (code: string) => (error: unknown) => (error as KraitError).code === code;

describe("sequences of different lengths in one run", () => {
  for (const [how, text, schedule] of THOUSANDS)
    it(`a thousand of random lengths, ${how}`, async () => {
      const random = seeded(31);
      const graph = graphOf(text);
      const lengths = Array.from({ length: 1000 }, () => random.pick([0, 1, 2, 3, random.integer(4, 40)]));
      const inputs = packedInputs(graph, lengths, random, (_, r) => r.normal());
      const expected = oneByOne(graph, inputs, lengths);
      const model = await modelOf(bundleOf(text, { packed: true, schedule }));
      const session = await model.session({ batch: lengths.length, maxChunk: 512 });
      const given = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, f32(data)]));
      const { y } = await session.prefill(given, { lengths, outputs: "all" });
      assert.ok(y);
      expectClose(y, { shape: y.shape, data: expected.all.get("y") ?? [] }, { tolerance: "f32", what: "y" });
      for (const [name, state] of Object.entries((await session.save()).states))
        expectClose(
          state,
          { shape: state.shape, data: expected.states.get(name) ?? [] },
          { tolerance: "f32", what: name },
        );
      assert.deepEqual(session.positions, lengths);
      model.destroy();
    });

  it("many short ones after one long one, which has other kernels and fewer chunks", async () => {
    const schedule: ScheduleOptions = { matrixChunk: 4, matrixWhen: ["<", ["*", 11, DOCUMENTS], "t"] };
    const device = await baselineDevice();
    const errors: string[] = [];
    const note = (event: Event): void => void errors.push((event as GPUUncapturedErrorEvent).error.message);
    device.addEventListener("uncapturederror", note);
    const model = await modelOf(bundleOf(OUTER, { packed: true, schedule }));
    const session = await model.session({ batch: 64 });
    const graph = graphOf(OUTER);
    const random = seeded(3);
    let before: OneByOne["carried"] = [];
    for (const longest of [128, 2, 128]) {
      const lengths = Array.from({ length: 64 }, (_, i) => (i === 0 ? longest : longest === 2 ? 2 : 0));
      const inputs = packedInputs(graph, lengths, random, (_, r) => r.normal());
      const expected = oneByOne(graph, inputs, lengths, {}, before);
      const given = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, f32(data)]));
      const { y } = await session.prefill(given, { lengths, outputs: "all" });
      assert.ok(y);
      expectClose(y, { shape: y.shape, data: expected.all.get("y") ?? [] }, { tolerance: "f32", what: "y" });
      before = expected.carried;
    }
    await device.queue.onSubmittedWorkDone();
    device.removeEventListener("uncapturederror", note);
    assert.deepEqual(errors, []);
    model.destroy();
  });

  it("a checkpoint's: the same as each alone, and steps after it", async () => {
    const checkpoint = checkpointFixture("mamba");
    const weights = Object.fromEntries(
      Object.entries(checkpoint.params).map(([name, tensor]) => [name, hostTensor(tensor)]),
    );
    const model = await modelOf(checkpointBundle(checkpoint, { packed: true }), weights);
    const random = seeded(7);
    const vocab = model.inputs[0]?.bound ?? 1;
    const lengths = [5, 1, 17, 0, 9];
    const tokens = lengths.map((length) => Array.from({ length }, () => random.integer(0, vocab)));
    const next = lengths.map(() => random.integer(0, vocab));
    const session = await model.session({ batch: lengths.length, maxChunk: 16 });
    const packed = await session.prefill({ token: u32(tokens.flat()) }, { lengths });
    const stepped = await session.step({ token: u32(next) });
    for (const [i, own] of tokens.entries()) {
      const alone = await model.session();
      const row = (data: ArrayLike<number>): number[] => {
        const each = data.length / lengths.length;
        return Array.from({ length: each }, (_, j) => data[i * each + j] ?? NaN);
      };
      const check = (
        got: ArrayLike<number>,
        want: Float32Array | Uint32Array | Int32Array,
        what: string,
      ): void => {
        expectClose(
          { shape: [want.length], data: row(got) },
          { shape: [want.length], data: want },
          { tolerance: "f32", what },
        );
      };
      const [name = ""] = model.outputs.map((output) => output.name);
      if (own.length > 0) {
        const y = (await alone.prefill({ token: u32(own) }))[name];
        check(packed[name]?.data ?? [], y?.data ?? f32([]), `sequence ${String(i)}`);
      } else assert.ok(row(packed[name]?.data ?? []).every(Number.isNaN));
      const y = (await alone.step({ token: u32([next[i] ?? 0]) }))[name];
      check(stepped[name]?.data ?? [], y?.data ?? f32([]), `a step of sequence ${String(i)}`);
      alone.destroy();
    }
    model.destroy();
  });

  describe("of a model that reads positions", () => {
    const after = async (batch = 3): Promise<Session> => {
      const model = await modelOf(bundleOf(POSITION, { packed: true }));
      const session = await model.session({ batch });
      await session.prefill({ x: f32(new Array(8).fill(0)) }, { lengths: [3, 0, 1] });
      return session;
    };
    const zeros = { x: f32([0, 0, 0, 0, 0, 0]) };

    it("steps each at its own position", async () => {
      const session = await after();
      assert.deepEqual([session.positions, session.pos], [[3, 0, 1], 3]);
      assert.deepEqual([...((await session.step(zeros))["y"]?.data ?? [])], [3, 3, 0, 0, 1, 1]);
      assert.deepEqual([...((await session.step(zeros))["y"]?.data ?? [])], [4, 4, 1, 1, 2, 2]);
    });

    it("steps each at its own position, whatever lies between batch and time", async () => {
      const text = POSITION.replaceAll("[b, t, d]", "[t, d, b]");
      const session = await (await modelOf(bundleOf(text, { packed: true }))).session({ batch: 3 });
      await session.prefill({ x: f32(new Array(8).fill(0)) }, { lengths: [3, 0, 1] });
      const { y } = await session.step({ x: f32([10, 20, 30, 40, 50, 60]) });
      assert.deepEqual(y?.shape, [1, 2, 3]);
      assert.deepEqual([...y.data], [13, 20, 31, 43, 50, 61]);
    });

    it("keeps positions in forks, reordered sequences and snapshots", async () => {
      const session = await after();
      const fork = await session.fork({ members: [2, 0] });
      assert.deepEqual(fork.positions, [1, 3]);
      const saved = await session.save();
      await session.reorder([1, 1, 0]);
      assert.deepEqual(session.positions, [0, 0, 3]);
      for (const snapshot of [saved, await parseSnapshot(await serializeSnapshot(saved))]) {
        await session.restore(snapshot);
        assert.deepEqual(session.positions, [3, 0, 1]);
        assert.deepEqual([...((await session.step(zeros))["y"]?.data ?? [])], [3, 3, 0, 0, 1, 1]);
      }
      await session.reset();
      assert.deepEqual(session.positions, [0, 0, 0]);
    });

    it("refuses a prefill that cannot tell them apart", async () => {
      await assert.rejects((await after()).prefill(zeros), refused("R0407"));
    });
  });

  it("refuses lengths that do not fit, and bundles without the program", async () => {
    const session = await (await modelOf(bundleOf(POSITION, { packed: true }))).session({ batch: 2 });
    const x = f32([0, 0, 0, 0]);
    for (const lengths of [[1], [1, 2], [3, -1], [0.5, 1.5]])
      await assert.rejects(session.prefill({ x }, { lengths }), refused("R0402"), lengths.join());
    assert.deepEqual(session.positions, [0, 0]);
    const plain = await (await modelOf(bundleOf(POSITION))).session({ batch: 2 });
    await assert.rejects(plain.prefill({ x }, { lengths: [1, 1] }), refused("R0407"));
  });
});
