/**
 * Times whole models with random weights through the runtime: `node dist/bench-models.js [robust] [long]`.
 * Wall time to the end of the GPU's work, medians; `long` also runs a two-layer model over up to 1,048,576 tokens.
 */
import { readFileSync } from "node:fs";
import { compile } from "../compiler/compile.js";
import { open, tensorCheckpoint, type Bundle, type HostTensor, type Model } from "../runtime/index.js";
import { requestDevice } from "../src/node/index.js";

const robust = process.argv.includes("robust");

function bundleOf(set: Readonly<Record<string, number>>): Bundle {
  const text = readFileSync("templates/models/mamba.krait", "utf8");
  const { bundle, diagnostics } = compile({ path: "mamba.krait", text }, { set });
  if (bundle === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return bundle;
}

/** Uniform numbers from a linear congruential generator, small enough that signals keep their size. */
function weightsOf(bundle: Bundle): Readonly<Record<string, HostTensor>> {
  let seed = 1;
  const next = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  return Object.fromEntries(
    bundle.manifest.params.map(({ sources: [name = ""], shape }): [string, HostTensor] => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const scale = shape.length > 1 ? 2 / Math.sqrt(shape.at(-1) ?? 1) : 1;
      return [name, { shape, data: Float32Array.from({ length: size }, () => scale * next()) }];
    }),
  );
}

function median(times: readonly number[]): number {
  return [...times].sort((p, q) => p - q)[times.length >> 1] ?? NaN;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const tokens = (count: number, vocab: number): Uint32Array<ArrayBuffer> =>
  Uint32Array.from({ length: count }, (_, i) => (i * 7919) % vocab);

async function opened(
  set: Readonly<Record<string, number>>,
): Promise<{ model: Model; device: GPUDevice; close: () => void }> {
  const bundle = bundleOf(set);
  const device = await requestDevice({ bundle, robustness: robust });
  let model: Model | undefined;
  const ms = await timed(async () => {
    model = await open(bundle, { device, weights: tensorCheckpoint(weightsOf(bundle)) });
  });
  if (model === undefined) throw new Error("not opened");
  const kept = model;
  console.log(`${JSON.stringify(set)}: opened in ${ms.toFixed(0)} ms`);
  return { model: kept, device, close: () => (kept.destroy(), device.destroy()) };
}

async function base(): Promise<void> {
  const vocab = 50280;
  const { model, device, close } = await opened({ vocab, width: 768, layers: 24 });
  for (const [batch, steps] of [
    [1, 512],
    [1, 2048],
    [8, 2048],
  ] as const) {
    const session = await model.session({ batch });
    const times: number[] = [];
    for (let i = 0; i < 6; i++) {
      await session.reset();
      times.push(await timed(() => session.prefill({ token: tokens(batch * steps, vocab) })));
    }
    const ms = median(times.slice(1));
    console.log(
      `prefill ${batch} × ${steps}: ${ms.toFixed(2)} ms, ${((batch * steps) / ms).toFixed(1)} tokens/ms`,
    );
    session.destroy();
  }
  for (const batch of [1, 8]) {
    const session = await model.session({ batch });
    await session.prefill({ token: tokens(batch * 16, vocab) });
    const times: number[] = [];
    for (let i = 0; i < 200; i++)
      times.push(await timed(() => session.step({ token: tokens(batch, vocab) })));
    const quiet: number[] = [];
    for (let i = 0; i < 5; i++)
      quiet.push(
        await timed(async () => {
          for (let k = 0; k < 40; k++)
            await session.step({ token: tokens(batch, vocab) }, { outputs: "none" });
          await device.queue.onSubmittedWorkDone();
        }),
      );
    console.log(
      `step ${batch}: ${median(times.slice(20)).toFixed(3)} ms with logits read back, ${(median(quiet) / 40).toFixed(3)} ms without`,
    );
    session.destroy();
  }
  close();
}

async function long(): Promise<void> {
  const vocab = 1000;
  const { model, close } = await opened({ vocab, width: 768, layers: 2 });
  for (const steps of [8192, 131072, 1048576]) {
    const session = await model.session({ batch: 1 });
    const input = tokens(steps, vocab);
    if (steps === 8192) await session.prefill({ token: input });
    const ms = await timed(() => session.prefill({ token: input }));
    console.log(
      `two layers, prefill 1 × ${steps}: ${ms.toFixed(1)} ms, ${((1e6 * ms) / steps).toFixed(0)} ns a token, piece of ${session.maxChunk}`,
    );
    session.destroy();
  }
  close();
}

await base();
if (process.argv.includes("long")) await long();
process.exit(0);
