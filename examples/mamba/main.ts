/**
 * A Mamba checkpoint, from disk to the next token: what `npm start` shows.
 *
 *     node --import tsx examples/mamba/main.ts
 *
 * The checkpoint is a small one in Hugging Face's layout (random weights; 3 layers of width 64), and beside it lies what
 * PyTorch computes with it: the logits of two sequences of 37 tokens, and 16 tokens chosen greedily after a prompt of 8.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compile, renderAll } from "krait";
import { fileWeights, readTensor, requestAdapter, deviceOf } from "krait/node";
import { open } from "krait/runtime";

const checkpoint = fileURLToPath(new URL("../../tests/fixtures/mamba/", import.meta.url));
const template = fileURLToPath(new URL("../../templates/models/mamba.krait", import.meta.url));

// 1. Compile Mamba's equations with the sizes that the checkpoint's config.json states.
const source = { path: "mamba.krait", text: readFileSync(template, "utf8") };
const config: unknown = JSON.parse(readFileSync(`${checkpoint}config.json`, "utf8"));
const compiled = performance.now();
const { bundle, diagnostics } = compile(source, { config });
if (bundle === undefined) throw new Error(renderAll(diagnostics, new Map([[source.path, source]])));
const { manifest } = bundle;
const target = manifest.targets.at(-1);
if (target === undefined) throw new Error("the bundle has no target");
say("Model", `templates/models/mamba.krait with the constants of tests/fixtures/mamba/config.json`);
say("", `${manifest.params.length} weight tensors, ${manifest.states.length} states`);
say(
  "Compiled",
  `in ${Math.round(performance.now() - compiled)} ms to ${target.shaders.length} WGSL kernels:`,
);
say("", wrap(target.shaders.map((shader) => shader.id)));

// 2. Open it on an adapter: a GPU where there is one, else Vulkan in software. Weights are read from disk by pieces.
const { adapter, name, description } = await requestAdapter();
say("Adapter", `${name}: ${description}`);
const device = await deviceOf(adapter, { bundle });
const weights = await fileWeights(checkpoint);
const model = await open(bundle, { device, weights });
await weights.close();

// 3. Prefill: all tokens of two sequences in one call. Logits of every position come back, [batch, time, vocabulary].
const expected = `${checkpoint}expected.safetensors`;
const ids = await readTensor(expected, "input_ids");
const wanted = await readTensor(expected, "logits");
const [batch = 0, steps = 0, vocabulary = 0] = wanted.shape;
const both = await model.session({ batch });
const { logits } = await both.prefill({ token: Uint32Array.from(ids.data) }, { outputs: "all" });
if (logits === undefined) throw new Error("the model has no output logits");
const error = relativeError(logits.data, wanted.data);
say("Prefill", `${batch} sequences of ${steps} tokens → logits [${logits.shape.join(", ")}]`);
say("", `‖Krait − PyTorch‖ / ‖PyTorch‖ = ${error.toExponential(1)} (must be at most 1e-5)`);

// 4. Decode: prefill a prompt, then one step a token. The session carries the state from call to call.
const greedy = Array.from((await readTensor(expected, "greedy_ids")).data, Number);
const prompt = greedy.slice(0, 8);
const session = await model.session({ batch: 1 });
const generated: number[] = [];
let next = await session.prefill({ token: Uint32Array.from(prompt) });
while (prompt.length + generated.length < greedy.length) {
  const token = argmax(next["logits"]?.data ?? new Float32Array(vocabulary));
  generated.push(token);
  next = await session.step({ token: Uint32Array.of(token) });
}
device.destroy();
const same = generated.every((token, i) => token === greedy[prompt.length + i]);
say("Decode", `prompt  ${prompt.join(" ")}`);
say("", `Krait   ${generated.join(" ")}`);
say("", `PyTorch ${greedy.slice(prompt.length).join(" ")}`);

if (!(error <= 1e-5 && same)) throw new Error("Krait does not agree with PyTorch");
say("Result", "Krait agrees with PyTorch.");

function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}

function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < want.length; i++) {
    difference += ((got[i] ?? NaN) - (want[i] ?? NaN)) ** 2;
    norm += (want[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference / norm);
}

function say(label: string, text: string): void {
  console.log(`${label.padEnd(10)}${text}`);
}

/** Words in lines of 90 columns, the later ones under the first. */
function wrap(words: readonly string[]): string {
  const lines: string[] = [""];
  for (const word of words) {
    const line = lines.at(-1) ?? "";
    if (line.length + word.length > 88) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line}  ${word}`;
  }
  return lines.join(`\n${" ".repeat(10)}`);
}
