/** What an application does with Krait in a page: compile a model, open it with weights from a server, generate. */
import { compile, renderAll, type Bundle } from "krait";
import {
  open,
  openCheckpoint,
  requestDevice,
  urlFile,
  type HostTensor,
  type Model,
  type Outputs,
} from "krait/runtime";

/** Compiles a source with the sizes in a checkpoint's config.json. Throws its author's mistakes as one text. */
export function compileModel(text: string, config: unknown): Bundle {
  const source = { path: "model.krait", text };
  const { bundle, diagnostics } = compile(source, { config });
  if (bundle === undefined) throw new Error(renderAll(diagnostics, new Map([[source.path, source]])));
  return bundle;
}

/** The bundle on this machine's GPU. `folder` is a checkpoint's, on a server that answers range requests. */
export async function openModel(
  bundle: Bundle,
  folder: string,
): Promise<{ model: Model; device: GPUDevice }> {
  const device = await requestDevice({ bundle });
  try {
    const weights = await openCheckpoint(await urlFile(`${folder}/model.safetensors`));
    return { model: await open(bundle, { device, weights }), device };
  } catch (error) {
    device.destroy();
    throw error;
  }
}

export interface Step {
  /** The token that the model finds likeliest to come next. */
  readonly token: number;
  /** Scores of all tokens, [1, 1, vocabulary]. */
  readonly logits: HostTensor;
  /** Of this step: of the whole prompt for the first one. */
  readonly milliseconds: number;
}

/** Reads the prompt, then gives one token after the other, always the likeliest. */
export async function* generate(
  model: Model,
  prompt: readonly number[],
  count: number,
): AsyncGenerator<Step> {
  const session = await model.session();
  try {
    let started = performance.now();
    let outputs = await session.prefill({ token: Uint32Array.from(prompt) });
    for (let made = 1; ; made++) {
      const logits = logitsOf(outputs);
      const token = argmax(logits.data);
      yield { token, logits, milliseconds: performance.now() - started };
      if (made === count) return;
      started = performance.now();
      outputs = await session.step({ token: Uint32Array.of(token) });
    }
  } finally {
    session.destroy();
  }
}

function logitsOf({ logits }: Outputs): HostTensor {
  if (logits === undefined) throw new Error("the model has no output called logits");
  return logits;
}

const argmax = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
