/** Krait in a page: the compiler and the runtime that applications get, in a headless Chromium. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { open, type Model } from "../../runtime/index.js";
import { compile, familyNames, familySource, renderAll, type CompileOptions } from "../../src/index.js";
import { fileWeights } from "../../src/node/index.js";
import { baselineDevice } from "../support/adapter.js";
import { expectClose } from "../support/expect-close.js";
import { checkpointFixture, fixturePath, tensorOf } from "../support/fixtures.js";
import { checkpointBundle } from "../support/model.js";
import { endGpuProcess, inPage, openPage, type OpenedPage } from "../support/web-page.js";
import type { Failure, PageFunctions } from "./page.js";

describe("in a page", () => {
  let opened: OpenedPage;
  before(async () => {
    opened = await openPage();
    await call("open", "/tests/fixtures/mamba");
  });
  after(async () => {
    await opened.page.close();
    assert.deepEqual(opened.complaints, []);
  });
  const call = <K extends keyof PageFunctions>(
    name: K,
    ...args: Parameters<PageFunctions[K]>
  ): Promise<Awaited<ReturnType<PageFunctions[K]>>> => inPage(opened.page, name, ...args);

  describe("the compiler", () => {
    /** As the page should give it. */
    function compiledHere(
      text: string,
      options: CompileOptions,
    ): Awaited<ReturnType<PageFunctions["compile"]>> {
      const source = { path: "model.krait", text };
      const { bundle, diagnostics } = compile(source, options);
      return {
        ...(bundle && { files: Object.fromEntries(bundle.files) }),
        diagnostics: renderAll(diagnostics, new Map([[source.path, source]])),
      };
    }

    for (const family of familyNames()) {
      it(`gives the same bytes for ${family} as in Node.js`, async () => {
        const text = familySource(family)?.text ?? "";
        const options: CompileOptions = {
          set: { layers: 2 },
          targets: ["large", "baseline"],
          weights: "bf16",
        };
        const here = compiledHere(text, options);
        assert.ok(Object.keys(here.files ?? {}).length > 20, here.diagnostics);
        assert.deepEqual(await call("compile", text, options), here);
      });
    }

    it("gives the same bytes for complex numbers and functions of the library", async () => {
      const text = readFileSync("tests/families/sources/mamba3.krait", "utf8");
      const here = compiledHere(text, {});
      assert.ok(here.files !== undefined, here.diagnostics);
      assert.deepEqual(await call("compile", text), here);
    });

    it("reports mistakes as in Node.js, all at once, with their lines", async () => {
      const text = readFileSync("templates/models/mamba.krait", "utf8")
        .replace("by exp_euler", "by exp_oiler")
        .replace("y = rms_norm(", "y = rms_nrom(");
      const here = compiledHere(text, {});
      assert.match(here.diagnostics, /exp_oiler[^]*exp_euler[^]*2 errors|rms_nrom[^]*rms_norm[^]*2 errors/);
      assert.deepEqual(await call("compile", text), here);
    });
  });

  describe("a checkpoint", () => {
    const { expected } = checkpointFixture("mamba");
    const ids = Array.from(tensorOf(expected, "input_ids").data);
    const [batch = 0, steps = 0, vocab = 0] = tensorOf(expected, "logits").shape;
    const reference = tensorOf(expected, "logits").data;
    let here: Model;

    before(async () => {
      const weights = await fileWeights(fixturePath("mamba"));
      here = await open(checkpointBundle(checkpointFixture("mamba")), {
        device: await baselineDevice(),
        weights,
      });
      await weights.close();
    });
    after(() => here.destroy());

    /** Positions of both sequences, [batch, time]. */
    const piece = (begin: number, end: number): number[] =>
      Array.from({ length: batch }, (_, b) => ids.slice(b * steps + begin, b * steps + end)).flat();
    const pytorch = (begin: number, end: number): { shape: number[]; data: number[] } => ({
      shape: [batch, end - begin, vocab],
      data: Array.from({ length: batch }, (_, b) =>
        Array.from(reference.slice((b * steps + begin) * vocab, (b * steps + end) * vocab)),
      ).flat(),
    });

    /** Cuts the sequences at `cuts` and compares what the page computes with PyTorch, piece by piece. */
    async function agrees(cuts: readonly number[]): Promise<void> {
      const ends = [...cuts, steps];
      const ranges = ends.map((end, i) => [ends[i - 1] ?? 0, end] as const);
      const got = await call(
        "logits",
        batch,
        ranges.map(([begin, end]) => piece(begin, end)),
      );
      assert.equal(got.length, ranges.length);
      ranges.forEach(([begin, end], i) => {
        expectClose(got[i]!, pytorch(begin, end), { tolerance: "f32", what: `logits ${begin} to ${end}` });
      });
    }

    it("gives PyTorch's logits in one prefill", () => agrees([]));
    it("gives them step by step", () => agrees(Array.from({ length: steps - 1 }, (_, t) => t + 1)));
    it("gives them in splits of both", () => agrees([1, 3, 20, 21, 36]));

    it("gives what Node.js gives", async () => {
      const [there] = await call("logits", batch, [piece(0, steps)]);
      const session = await here.session({ batch });
      const { logits } = await session.prefill(
        { token: Uint32Array.from(piece(0, steps)) },
        { outputs: "all" },
      );
      assert.ok(there && logits);
      expectClose(there, logits, { tolerance: "f32", what: "logits" });
    });
  });

  it("works in a worker, the package's modules as they were built", async () => {
    assert.deepEqual(await call("inWorker"), [1, 2, 3, 4, 1.5, 3, 4.5, 6]);
  });

  describe("errors", () => {
    const is = (failure: Failure | undefined, code: string, message: RegExp): void => {
      assert.ok(failure !== undefined, "it did not fail");
      assert.equal(failure.code, code, failure.message);
      assert.match(failure.message, message);
    };

    it("say that there is no WebGPU, and where there is", async () => {
      is(
        await call("deviceFailure", "missing"),
        "R0201",
        /navigator\.gpu is missing[^]*https or from localhost/,
      );
      is(await call("deviceFailure", "without adapters"), "R0201", /no adapter[^]*chrome:\/\/gpu/);
    });

    it("say what an adapter lacks", async () => {
      is(await call("deviceFailure", "small"), "R0202", /maxStorageBuffersPerShaderStage ≥ \d+ \(here 1\)/);
    });

    it("say what a checkpoint lacks", async () => {
      is(await call("weightsFailure", undefined), "R0303", /1 parameters and was given no weights/);
      is(await call("weightsFailure", [5]), "R0303", /w[^]*\[5\]/);
    });

    it("say that a server gives no ranges, or nothing", async () => {
      await opened.page.route("**/whole.safetensors", (route) => route.fulfill({ body: "whole" }));
      is(await call("readFailure", "/whole.safetensors"), "R0305", /does not answer range requests/);
      await opened.page.route("**/away.safetensors", (route) => route.abort());
      is(await call("readFailure", "/away.safetensors"), "R0305", /away\.safetensors cannot be read/);
      opened.complaints.splice(0); // Chromium's own line about the request that was broken off
    });

    it("name an input's value that is out of range", async () => {
      is(await call("inputFailure", [1, 97]), "R0403", /97/);
    });

    it("say that the device was destroyed, whatever it was doing", async () => {
      for (const failure of await call("destroyedAfter", [0, 0, 1, 1, 2, 3, 5, 8, 13, 21]))
        is(failure, "R0205", /device was lost: it was destroyed[^]*new device/);
    });

    it("say that the GPU's process died; a new device works", async () => {
      await call("open", "/tests/fixtures/mamba");
      const failing = call("stepsFailure");
      await endGpuProcess(opened.page);
      is(await failing, "R0205", /device was lost[^]*new device/);
      assert.deepEqual(await call("inWorker"), [1, 2, 3, 4, 1.5, 3, 4.5, 6]);
    });
  });
});
