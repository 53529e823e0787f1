/** Runs the calls of docs/errors.md that the runtime refuses, on Dawn's null backend, which every machine has. */
import { compile } from "../../compiler/compile.js";
import { KraitError } from "../../runtime/errors.js";
import * as runtime from "../../runtime/index.js";
import * as node from "../../src/node/index.js";
import { RUNTIME_MODEL, type RuntimeExample } from "./runtime.js";

type AsyncCall = (...values: readonly unknown[]) => Promise<unknown>;
const AsyncFunction = (async () => Promise.resolve())["constructor"] as new (
  ...text: readonly string[]
) => AsyncCall;

/** The error that the call ends in. */
export async function runRuntimeExample({ call }: RuntimeExample): Promise<KraitError> {
  const source = { path: "gain.krait", text: RUNTIME_MODEL };
  const { bundle } = compile(source);
  if (bundle === undefined) throw new Error("the example's model does not compile");
  const device = await node.requestDevice({ adapter: "null", bundle });
  const weights = runtime.tensorCheckpoint({ w: { shape: [4], data: Float32Array.of(1, 2, 3, 4) } });
  const model = await runtime.open(bundle, { device, weights });
  const session = await model.session();
  const openFile = (name: string): Promise<never> => Promise.reject(new Error(`${name} was opened`));
  const names = { ...runtime, ...node, compile, source, bundle, device, weights, model, session, openFile };
  try {
    await new AsyncFunction(...Object.keys(names), call)(...Object.values(names));
  } catch (error) {
    if (error instanceof KraitError) return error;
    throw error;
  } finally {
    device.destroy();
  }
  throw new Error(`nothing was wrong with:\n${call}`);
}
