/**
 * Checkpoints against the logits that PyTorch computed from them: prefill, step by step, and every way between. What
 * agrees here went through the whole compiler and the runtime.
 */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { open, type Model } from "../../runtime/index.js";
import { fileWeights } from "../../src/node/files.js";
import { baselineDevice } from "../support/adapter.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture, fixturePath, tensorOf, type Checkpoint } from "../support/fixtures.js";
import { checkpointBundle, u32 } from "../support/model.js";

interface Run {
  readonly checkpoint: string;
  readonly how?: string;
  readonly options?: CompileOptions;
  /** It has no `step`, and its sequences are not cut. */
  readonly looksAhead?: true;
}

const RUNS: readonly Run[] = [
  ...["mamba", "falcon-mamba", "mamba-bf16-sharded", "mamba2", "mamba2-groups", "mamba2-f16", "rwkv4"].map(
    (checkpoint) => ({ checkpoint }),
  ),
  {
    checkpoint: "mamba2-groups",
    how: " by products of matrices",
    options: { schedule: { matrixChunk: 8 } },
  },
  { checkpoint: "recurrent-gemma", looksAhead: true },
];

for (const { checkpoint: name, how = "", options, looksAhead = false } of RUNS) {
  describe(`the checkpoint ${name}${how}`, () => {
    let checkpoint: Checkpoint;
    let model: Model;
    let ids: Uint32Array;
    let batch = 0;
    let steps = 0;
    let vocab = 0;

    before(async () => {
      checkpoint = checkpointFixture(name);
      const input = tensorOf(checkpoint.expected, "input_ids");
      [batch = 0, steps = 0] = input.shape;
      vocab = tensorOf(checkpoint.expected, "logits").shape[2] ?? 0;
      ids = u32(input.data);
      const weights = await fileWeights(fixturePath(name));
      model = await open(checkpointBundle(checkpoint, options), { device: await baselineDevice(), weights });
      await weights.close();
    });
    after(() => model.destroy());

    const expected = (begin: number, end: number): { shape: number[]; data: number[] } => {
      const { data } = tensorOf(checkpoint.expected, "logits");
      const rows = Array.from({ length: batch }, (_, b) =>
        Array.from(data.slice((b * steps + begin) * vocab, (b * steps + end) * vocab)),
      );
      return { shape: [batch, end - begin, vocab], data: rows.flat() };
    };
    const tokens = (begin: number, end: number): { token: Uint32Array<ArrayBuffer> } => ({
      token: u32(
        Array.from({ length: batch }, (_, b) => [...ids.slice(b * steps + begin, b * steps + end)]).flat(),
      ),
    });

    it("prefill gives the logits of all positions", async () => {
      const session = await model.session({ batch });
      const { logits } = await session.prefill(tokens(0, steps), { outputs: "all" });
      assert.ok(logits);
      expectClose(logits, expected(0, steps), { tolerance: "f32", what: "logits" });
      session.destroy();
    });

    it("prefill gives the last position alone by default", async () => {
      const session = await model.session({ batch });
      const { logits } = await session.prefill(tokens(0, steps));
      assert.ok(logits);
      expectClose(logits, expected(steps - 1, steps), { tolerance: "f32", what: "logits" });
      session.destroy();
    });

    it("chooses the same tokens greedily", async () => {
      const greedy = [...tensorOf(checkpoint.expected, "greedy_ids").data];
      const session = await model.session({ batch: 1 });
      const chosen = greedy.slice(0, 8);
      let outputs = await session.prefill({ token: u32(chosen) });
      while (chosen.length < greedy.length) {
        const logits = outputs["logits"];
        assert.ok(logits);
        chosen.push(logits.data.indexOf(Math.max(...logits.data)));
        if (looksAhead) await session.reset();
        outputs = looksAhead
          ? await session.prefill({ token: u32(chosen) })
          : await session.step({ token: u32(chosen.slice(-1)) });
      }
      assert.deepEqual(chosen, greedy);
      session.destroy();
    });

    if (looksAhead) return;

    it("step by step gives the same", async () => {
      const session = await model.session({ batch });
      const got = new Float32Array(batch * steps * vocab);
      for (let t = 0; t < steps; t++) {
        const { logits } = await session.step(tokens(t, t + 1));
        assert.ok(logits);
        for (let b = 0; b < batch; b++)
          got.set(logits.data.subarray(b * vocab, (b + 1) * vocab), (b * steps + t) * vocab);
      }
      expectClose({ shape: [batch, steps, vocab], data: got }, expected(0, steps), {
        tolerance: "f32",
        what: "logits",
      });
      session.destroy();
    });

    it("prefill in pieces, then steps, gives the same", async () => {
      for (const [maxChunk, cuts] of [
        [64, [1, 3, 20, 36]],
        [5, [17]],
        [1, [2, 4]],
      ] as const) {
        const session = await model.session({ batch, maxChunk });
        let begin = 0;
        for (const end of cuts) {
          const { logits } = await session.prefill(tokens(begin, end), { outputs: "all" });
          assert.ok(logits);
          expectClose(logits, expected(begin, end), { tolerance: "f32", what: `logits ${begin} to ${end}` });
          begin = end;
        }
        const { logits } = await session.step(tokens(begin, begin + 1));
        assert.ok(logits);
        const { data } = expected(begin, begin + 1);
        expectClose(
          { shape: [data.length], data: logits.data },
          { shape: [data.length], data },
          { tolerance: "f32", what: `step ${begin}` },
        );
        session.destroy();
      }
    });
  });
}
