/**
 * What tests call in a page: Krait as an application has it, bundled from the built package. All that goes in and out
 * is plain data.
 */
import { compile, familySource, renderAll, type Bundle, type CompileOptions } from "krait";
import {
  KraitError,
  open,
  openCheckpoint,
  requestDevice,
  tensorCheckpoint,
  urlFile,
  type HostTensor,
  type Model,
} from "krait/runtime";

export interface Compiled {
  /** Every file of the bundle by path; absent where there are errors. */
  readonly files?: Readonly<Record<string, string>>;
  /** As a person sees them. */
  readonly diagnostics: string;
}

export interface Failure {
  /** Of a KraitError alone. */
  readonly code?: string;
  readonly message: string;
}

let opened: { readonly model: Model; readonly device: GPUDevice } | undefined;

const functions = {
  compile(text: string, options: CompileOptions = {}): Compiled {
    const source = { path: "model.krait", text };
    const { bundle, diagnostics } = compile(source, options);
    return {
      ...(bundle && { files: Object.fromEntries(bundle.files) }),
      diagnostics: renderAll(diagnostics, new Map([[source.path, source]])),
    };
  },

  /** Opens a checkpoint that the server has, as the family that its config names. */
  async open(folder: string): Promise<void> {
    const config = (await (await fetch(`${folder}/config.json`)).json()) as { model_type: string };
    const source = familySource(config.model_type);
    if (source === undefined) throw new Error(`no family ${config.model_type}`);
    const bundle = bundleOf(source.text, { config });
    const device = await requestDevice({ bundle });
    const weights = await openCheckpoint(await urlFile(`${folder}/model.safetensors`));
    opened = { model: await open(bundle, { device, weights }), device };
  },

  /** A new session's logits, piece by piece: pieces of one position by `step`, others by `prefill`. [batch, time] tokens. */
  async logits(batch: number, pieces: readonly (readonly number[])[]): Promise<HostTensor[]> {
    const session = await theModel().session({ batch });
    const results: HostTensor[] = [];
    for (const piece of pieces) {
      const token = Uint32Array.from(piece);
      const { logits } =
        piece.length === batch
          ? await session.step({ token })
          : await session.prefill({ token }, { outputs: "all" });
      if (logits === undefined) throw new Error("the model has no output logits");
      results.push(logits);
    }
    session.destroy();
    return results;
  },

  /** What tests/browser/worker.ts gives. */
  inWorker: (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const worker = new Worker("/tests/browser/worker.js", { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(["/dist/index.js", "/dist/runtime.js"]);
    }),

  /** What reading a file of the server by ranges fails with. */
  readFailure: (url: string): Promise<Failure | undefined> => failureOf(() => urlFile(url)),

  /** What asking for a device fails with, if `gpu` stands in the place of `navigator.gpu`. */
  async deviceFailure(gpu: "missing" | "without adapters" | "small"): Promise<Failure | undefined> {
    const bundle = bundleOf(SCALE);
    if (gpu === "small") {
      const adapter = await navigator.gpu.requestAdapter();
      const features = adapter?.features;
      const small = { features, limits: { maxStorageBuffersPerShaderStage: 1 } };
      return failureOf(() => requestDevice({ bundle, gpu: gpuOf(small as unknown as GPUAdapter) }));
    }
    if (gpu === "without adapters") return failureOf(() => requestDevice({ bundle, gpu: gpuOf(null) }));
    Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
    try {
      return await failureOf(() => requestDevice({ bundle }));
    } finally {
      Reflect.deleteProperty(navigator, "gpu");
    }
  },

  /** What opening SCALE fails with, without its parameter or with one of another shape. */
  async weightsFailure(shape: readonly number[] | undefined): Promise<Failure | undefined> {
    const bundle = bundleOf(SCALE);
    const device = await requestDevice({ bundle });
    const size = shape?.reduce((product, extent) => product * extent, 1) ?? 0;
    const failure = await failureOf(() =>
      open(bundle, {
        device,
        ...(shape && { weights: tensorCheckpoint({ w: { shape, data: new Float32Array(size) } }) }),
      }),
    );
    device.destroy();
    return failure;
  },

  inputFailure: (token: readonly number[]): Promise<Failure | undefined> =>
    failureOf(async () => {
      const session = await theModel().session();
      return session.prefill({ token: Uint32Array.from(token) });
    }),

  /** Steps until one fails. */
  stepsFailure: (): Promise<Failure | undefined> =>
    failureOf(async () => {
      const session = await theModel().session();
      for (;;) await session.step({ token: Uint32Array.of(1) });
    }),

  /** What SCALE's sessions fail with when their device is destroyed so many milliseconds after the first call. */
  async destroyedAfter(delays: readonly number[]): Promise<(Failure | undefined)[]> {
    const bundle = bundleOf(SCALE);
    const weights = tensorCheckpoint({ w: { shape: [4], data: new Float32Array(4) } });
    const failures: (Failure | undefined)[] = [];
    for (const delay of delays) {
      const device = await requestDevice({ bundle });
      const session = await (await open(bundle, { device, weights })).session();
      setTimeout(() => device.destroy(), delay);
      failures.push(
        await failureOf(async () => {
          for (;;) await session.prefill({ x: new Float32Array(4 * 64) }, { outputs: "all" });
        }),
      );
    }
    return failures;
  },
};

export type PageFunctions = typeof functions;

const SCALE = `axis b: batch, t: time, m = 4
model scale {
  input x: f32[b, t, m]
  param w[m] from "w"
  output y[b, t, m] = w * x
}
`;

function bundleOf(text: string, options: CompileOptions = {}): Bundle {
  const source = { path: "model.krait", text };
  const { bundle, diagnostics } = compile(source, options);
  if (bundle === undefined) throw new Error(renderAll(diagnostics, new Map([[source.path, source]])));
  return bundle;
}

function theModel(): Model {
  if (opened === undefined) throw new Error("no model is open");
  return opened.model;
}

const gpuOf = (adapter: GPUAdapter | null): GPU =>
  ({ requestAdapter: () => Promise.resolve(adapter) }) as unknown as GPU;

async function failureOf(work: () => Promise<unknown>): Promise<Failure | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof KraitError ? { code: error.code, message } : { message };
  }
}

Object.assign(globalThis, { krait: functions });
