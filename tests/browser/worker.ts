/** A worker that loads the built package's modules as they are, compiles a model and runs it. */
import type * as Compiler from "krait";
import type * as Runtime from "krait/runtime";

const MODEL = `axis b: batch, t: time, m = 4
model smooth {
  input x: f32[b, t, m]
  param w[m] from "w"
  state h[m]
  h = prev(h)/2 + w*x
  output y[b, t, m] = h
}
`;

addEventListener("message", ({ data: [compiler, runtime] }: MessageEvent<[string, string]>) => {
  smooth(compiler, runtime).then(postMessage, (error: unknown) => {
    postMessage(String(error));
  });
});

/** Two steps of ones with w = 1, 2, 3, 4, by the addresses of the two modules. */
async function smooth(compiler: string, runtime: string): Promise<number[]> {
  const { compile } = (await import(compiler)) as typeof Compiler;
  const { open, requestDevice, tensorCheckpoint } = (await import(runtime)) as typeof Runtime;
  const { bundle } = compile({ path: "smooth.krait", text: MODEL });
  if (bundle === undefined) throw new Error("the model has mistakes");
  const device = await requestDevice({ bundle });
  const weights = tensorCheckpoint({ w: { shape: [4], data: Float32Array.of(1, 2, 3, 4) } });
  const model = await open(bundle, { device, weights });
  const session = await model.session();
  const { y } = await session.prefill({ x: new Float32Array(8).fill(1) }, { outputs: "all" });
  device.destroy();
  return Array.from(y?.data ?? []);
}
