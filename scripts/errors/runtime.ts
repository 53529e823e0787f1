/** What the runtime reports, provoked: what the codes mean stands in runtime/errors.ts. */
import type { ErrorCode } from "../../runtime/errors.js";

export interface RuntimeExample {
  /** What to do about it. */
  readonly remedy: string;
  /** A call that fails so: JavaScript, run as it stands here with the names of `run-runtime-example.ts`. */
  readonly call: string;
}

/** The model that the calls are about. */
export const RUNTIME_MODEL = `axis b: batch, t: time, m = 4

model gain {
  input x: f32[b, t, m]
  input k: index(m)[b, t]
  param w[m]
  state h[m]
  h = 0.5*prev(h) + w*x
  output y[b, t, m] = h + w[m: k]
}
`;

export const runtimeExamples: Readonly<Record<ErrorCode, RuntimeExample>> = {
  R0101: {
    remedy: "Build the bundle again; nothing in `model.json` is meant to be edited.",
    call: `await loadBundle(() => Promise.resolve('{ "format": "onnx" }'));`,
  },
  R0102: {
    remedy:
      "Build the bundle with the compiler of the runtime's version, or use the runtime that the bundle was built for.",
    call: `const manifest = { ...bundle.manifest, formatVersion: 99 };
await loadBundle(() => Promise.resolve(JSON.stringify(manifest)));`,
  },
  R0103: {
    remedy: "Copy the whole folder, or build it again. On a server, see that it gives out `.wgsl` files.",
    call: `const files = new Map(bundle.files);
files.delete("sources/gain.krait");
await open({ ...bundle, files }, { device, weights });`,
  },
  R0104: {
    remedy:
      "A file's SHA-256 is not the manifest's: it was edited or damaged. Build the bundle again; to run edited shaders on purpose, allow them when it is opened.",
    call: `const files = new Map(bundle.files);
files.set("sources/gain.krait", "model other {}");
await open({ ...bundle, files }, { device, weights });`,
  },
  R0105: {
    remedy: "The manifest says two things that can't both be true. Build the bundle again.",
    call: `const states = bundle.manifest.states.map((state) => ({ ...state, axes: [{ name: "c", size: "c" }] }));
await open({ ...bundle, manifest: { ...bundle.manifest, states } }, { device, weights });`,
  },
  R0201: {
    remedy:
      "WebGPU found no adapter of this kind: `krait adapters` lists those of this machine, the software adapter among them.",
    call: `await requestDevice({ adapter: "cuda" });`,
  },
  R0202: {
    remedy:
      "Every target of the bundle asks for a feature or a limit that the device lacks; the message says which. Build with `--target baseline`.",
    call: `await open(bundle, { device, weights, target: "large" });`,
  },
  R0203: {
    remedy:
      "A driver refused a shader that the compiler takes for right. Please report it, with the message and `krait adapters`.",
    call: `const files = new Map(bundle.files).set("kernels/baseline/y_map.wgsl", "fn main() { oops; }");
await open({ ...bundle, files }, { device, weights, allowEdited: true });`,
  },
  R0204: {
    remedy:
      "The device's memory, or its largest buffer, is too small for what the message names: fewer sequences, a smaller `maxChunk`, or smaller weights.",
    call: `await model.session({ batch: 2, maxChunk: 100_000_000 });`,
  },
  R0205: {
    remedy:
      "Request a new device, open the bundle on it, and restore the last snapshot. Drivers give a device up when it hangs, sleeps or is removed.",
    call: `device.destroy();
await session.prefill({ x: new Float32Array(8), k: Uint32Array.of(0, 1) });`,
  },
  R0206: {
    remedy: "WebGPU found a mistake in what the runtime asked for. Please report it, with the message.",
    call: `const far = (dispatch) => ({ ...dispatch, workgroups: [70_000, 1, 1] });
const [target] = bundle.manifest.targets;
const prefill = { ...target.prefill, body: target.prefill.body.map(far) };
const manifest = { ...bundle.manifest, targets: [{ ...target, prefill }] };
const other = await open({ ...bundle, manifest }, { device, weights });
await (await other.session()).prefill({ x: new Float32Array(8), k: Uint32Array.of(0, 1) });`,
  },
  R0301: {
    remedy:
      "The file is cut off or was changed: compare its size and hash with those of its source, and download it again.",
    call: `await openCheckpoint(bytesFile("model.safetensors", new TextEncoder().encode("version https://git-lfs")));`,
  },
  R0302: {
    remedy: "`model.safetensors.index.json` and its shards do not agree: download the checkpoint as a whole.",
    call: `const index = '{ "weight_map": { "w": "../model.safetensors" } }';
await openShardedCheckpoint(index, openFile);`,
  },
  R0303: {
    remedy:
      "Tensors are missing or of another shape. The constants of the model are those of another checkpoint: compile it with this one's config.json (`krait import`), or with `--set`.",
    call: `const other = tensorCheckpoint({ w: { shape: [3], data: Float32Array.of(1, 2, 3) } });
await open(bundle, { device, weights: other });`,
  },
  R0304: {
    remedy:
      "Weights are floats of 16 or 32 bits: convert the checkpoint to F32, F16 or BF16. Inputs may be whole numbers of up to 32 bits, too.",
    call: `const tensors = new Map([["w", { ...weights.tensors.get("w"), dtype: "F64" }]]);
await open(bundle, { device, weights: { tensors } });`,
  },
  R0305: {
    remedy: "The path is right and may be read? A server has to answer requests for ranges of bytes.",
    call: `await fileWeights("no/such/checkpoint");`,
  },
  R0306: {
    remedy:
      "f16 ends at 65504; int8 and int4 have neither infinities nor what is no number. Where the checkpoint is meant to have such values, keep its type: build with another `--weights-dtype`, f32 or bf16.",
    call: `const text = "axis b: batch, t: time, i = 128, o = 128\\nmodel m {\\n  input x: f32[b, t, i]\\n  param w[o, i]\\n  output y[b, t, o] = dot(w, x, over i)\\n}";
const small = compile({ path: "m.krait", text }, { weights: "int4" }).bundle;
const data = new Float32Array(128 * 128).fill(NaN);
await open(small, { device, weights: tensorCheckpoint({ w: { shape: [128, 128], data } }) });`,
  },
  R0401: {
    remedy: "Give exactly the inputs that the message (or `krait inspect`) lists.",
    call: `await session.prefill({ x: new Float32Array(8) });`,
  },
  R0402: {
    remedy:
      "An input is a Float32Array, or a Uint32Array for `index(v)`, with the product of its axes' sizes as its length, major axis first.",
    call: `await session.prefill({ x: new Float32Array(7), k: Uint32Array.of(0, 1) });`,
  },
  R0403: {
    remedy: "Values of an `index(v)` are whole numbers from 0 to the size of `v` less one.",
    call: `await session.prefill({ x: new Float32Array(8), k: Uint32Array.of(0, 4) });`,
  },
  R0404: {
    remedy: "A prefill takes at least one step, and a window of outputs at least one position.",
    call: `await session.prefill({ x: new Float32Array(0), k: new Uint32Array(0) });`,
  },
  R0405: {
    remedy: "The message says which option is out of its range, and what the range is.",
    call: `await model.session({ batch: 0 });`,
  },
  R0406: {
    remedy:
      "A snapshot is restored into a session of the same model (its source and constants; not its target or weights' storage) and the same number of sequences.",
    call: `await session.restore({ pos: 0, states: {} });`,
  },
  R0407: {
    remedy: "It was destroyed, or has no such program: a model that looks ahead has no `step`.",
    call: `session.destroy();
await session.prefill({ x: new Float32Array(8), k: Uint32Array.of(0, 1) });`,
  },
  R0408: {
    remedy:
      "The bytes were cut off or changed, or never were a session: save it again. A file of single tensors is read by name, as `--state-in h=FILE:TENSOR`.",
    call: `await parseSnapshot(new TextEncoder().encode("h = 1"));`,
  },
  R0501: {
    remedy:
      "The message says which file, and why: permissions, a full disk, or a folder that holds something else.",
    call: `await readBundle("no/such/bundle");`,
  },
};
