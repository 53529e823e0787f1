/**
 * Checkpoints against the logits that PyTorch computed from them: prefill, step by step, and every way between. What
 * agrees here went through the whole compiler and the runtime.
 */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { open, type Model } from "../../runtime/index.js";
import { fileWeights } from "../../src/node/files.js";
import { baselineDevice } from "../support/adapter.js";
import { expectClose, relativeError, type Numbers } from "../support/expect-close.js";
import { expectRow } from "../support/families-page.js";
import { checkpointFixture, fixturePath, tensorOf, type Checkpoint } from "../support/fixtures.js";
import { checkpointBundle, u32 } from "../support/model.js";

interface Run {
  readonly checkpoint: string;
  readonly how?: string;
  readonly options?: CompileOptions;
  /** It has no `step`, and its sequences are not cut. */
  readonly looksAhead?: true;
  /** Sizes of a model that was published, for the family's row of docs/families.md. */
  readonly published?: Readonly<Record<string, number>>;
}

const RUNS: readonly Run[] = [
  { checkpoint: "mamba", published: { layers: 2, width: 768, state_size: 16 } },
  { checkpoint: "falcon-mamba", published: { layers: 2, width: 4096, state_size: 16 } },
  { checkpoint: "mamba-bf16-sharded" },
  { checkpoint: "mamba2", published: { layers: 2, width: 768, heads: 24, state_size: 128 } },
  { checkpoint: "mamba2-groups" },
  {
    checkpoint: "mamba2-groups",
    how: " by products of matrices",
    options: { schedule: { matrixChunk: 8 } },
  },
  { checkpoint: "mamba2-f16" },
  { checkpoint: "rwkv4", published: { layers: 2, width: 768 } },
  { checkpoint: "recurrent-gemma", looksAhead: true, published: { layers: 3, width: 2560, heads: 10 } },
];

for (const { checkpoint: name, how = "", options, looksAhead = false, published } of RUNS) {
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

    let error = 0;
    const close = (got: Numbers, want: Numbers, what: string): void => {
      error = Math.max(error, relativeError(got.data, want.data));
      expectClose(got, want, { tolerance: "f32", what });
    };

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
      close(logits, expected(0, steps), "logits");
      session.destroy();
    });

    it("prefill gives the last position alone by default", async () => {
      const session = await model.session({ batch });
      const { logits } = await session.prefill(tokens(0, steps));
      assert.ok(logits);
      close(logits, expected(steps - 1, steps), "logits");
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

    if (published !== undefined)
      describe("docs/families.md", () => {
        // A suite of its own, so that it runs after the tests beside it.
        it("says what it is", () => {
          const family = String(checkpoint.config["model_type"]);
          expectRow({ family, file: `templates/models/${family}.krait`, sizes: published, error });
        });
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
      close({ shape: [batch, steps, vocab], data: got }, expected(0, steps), "logits");
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
          close(logits, expected(begin, end), `logits ${begin} to ${end}`);
          begin = end;
        }
        const { logits } = await session.step(tokens(begin, begin + 1));
        assert.ok(logits);
        const { data } = expected(begin, begin + 1);
        close({ shape: [data.length], data: logits.data }, { shape: [data.length], data }, `step ${begin}`);
        session.destroy();
      }
    });
  });
}
