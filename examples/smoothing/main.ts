/**
 * A recurrence of five lines, compiled and run. The data is made here: three waves, measured with a sensor that goes
 * wild now and then and knows it. What the GPU computes is held against the same equation as a plain loop.
 *
 *     node --import tsx examples/smoothing/main.ts
 */
import { readFileSync } from "node:fs";
import { compile, renderAll } from "krait";
import { requestDevice } from "krait/node";
import { open } from "krait/runtime";

const [batch, steps, channels] = [1, 240, 3];

// Measurements [batch, time, channel], row-major, with a fixed seed.
let seed = 1;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
const x = new Float32Array(batch * steps * channels);
const doubt = new Float32Array(batch * steps * channels);
for (let t = 0; t < steps; t++) {
  for (let c = 0; c < channels; c++) {
    const wild = random() < 0.2;
    x[t * channels + c] = Math.sin((t * (c + 1)) / 40) + (random() - 0.5) * (wild ? 4 : 0.1);
    doubt[t * channels + c] = wild ? 4 : -1;
  }
}

// Compile. A mistake in the source is a diagnostic, not an exception.
const path = new URL("smoothing.krait", import.meta.url);
const source = { path: "smoothing.krait", text: readFileSync(path, "utf8") };
const { bundle, diagnostics } = compile(source);
if (bundle === undefined) throw new Error(renderAll(diagnostics, new Map([[source.path, source]])));

// Run: the bundle on a device, then a session, which holds the state of one batch of sequences.
const device = await requestDevice({ bundle });
const model = await open(bundle, { device });
const session = await model.session({ batch });
const { y } = await session.prefill({ x, doubt }, { outputs: "all" });
device.destroy();
if (y === undefined) throw new Error("the model has no output y");

// The same equation, as a loop.
const expected = new Float64Array(x.length);
for (let i = 0; i < x.length; i++) {
  const keep = 1 / (1 + Math.exp(-(doubt[i] ?? 0)));
  const before = i < channels ? 0 : (expected[i - channels] ?? 0);
  expected[i] = keep * before + (1 - keep) * (x[i] ?? 0);
}
const worst = Math.max(...expected.map((value, i) => Math.abs(value - (y.data[i] ?? NaN))));

console.log(`measured  ${sketch(x)}`);
console.log(`smoothed  ${sketch(y.data)}`);
console.log(`${steps} steps of ${channels} channels; farthest from a plain loop: ${worst.toExponential(1)}`);
if (!(worst < 1e-5)) throw new Error("the GPU does not agree with the loop");

/** The first channel, every fourth step, as bars. */
function sketch(values: Float32Array): string {
  const bars = "▁▂▃▄▅▆▇█";
  const height = (value: number): number => Math.round((Math.max(-1, Math.min(1, value)) + 1) * 3.5);
  const picked = values.filter((_, i) => i % (channels * 4) === 0);
  return Array.from(picked, (value) => bars[height(value)]).join("");
}
