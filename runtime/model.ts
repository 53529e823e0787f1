/** A bundle opened on a device: weights uploaded, pipelines made, load-time expressions computed. */
import type { Bundle, InputEntry, Manifest, OutputEntry, StateEntry, TargetEntry } from "./bundle-format.js";
import { verifyBundle } from "./bundle.js";
import type { Checkpoint } from "./checkpoint.js";
import { KraitError } from "./errors.js";
import { BufferUsage } from "./gpu-constants.js";
import { DeviceHealth } from "./health.js";
import { modelIdentity } from "./identity.js";
import { allocate, sizeText } from "./memory.js";
import { axisNames, type RunNumbers } from "./numbers.js";
import { OpenSessions, type ModelParts } from "./model-parts.js";
import { createPipelines } from "./pipelines.js";
import { PreparedProgram } from "./program.js";
import { Runner } from "./runner.js";
import { Session } from "./session.js";
import type { SessionOptions } from "./session-options.js";
import { SessionMemory } from "./session-memory.js";
import { chooseTarget } from "./target.js";
import { elements } from "./tensor.js";
import { matchWeights, uploadWeights, type MatchedWeights } from "./weights.js";

/** What `open` needs beside the bundle. */
export interface OpenOptions {
  readonly device: GPUDevice;
  /** The parameters' values; not needed for a model without parameters. */
  readonly weights?: Checkpoint;
  /** True opens a bundle whose files were changed by hand. */
  readonly allowEdited?: boolean;
  /** A target by name, where not the best one is wanted. */
  readonly target?: string;
}

/**
 * Opens a bundle: checks it, picks the target, uploads the weights and compiles every shader.
 * @throws KraitError R01xx for the bundle, R02xx for the device, R03xx for the weights.
 */
export async function open(bundle: Bundle, options: OpenOptions): Promise<Model> {
  const { device, weights, allowEdited = false } = options;
  const { manifest } = bundle;
  const health = new DeviceHealth(device);
  await verifyBundle(bundle, { allowEdited });
  const target = chooseTarget(bundle, device, options.target);
  if (weights === undefined && manifest.params.length > 0) {
    throw new KraitError(
      "R0303",
      `The model has ${String(manifest.params.length)} parameters and was given no weights.`,
      {
        hint: "Give `open` a checkpoint as `weights`: openCheckpoint, tensorCheckpoint, or fileWeights of krait/node.",
      },
    );
  }
  const matched = matchWeights(manifest.params, weights ?? { tensors: new Map() });
  const constants = await health.translate(makeConstants(device, manifest, target));
  try {
    // Both are awaited to their end, so that nothing is written to buffers that a failure of the other one frees.
    const made = health.translate(createPipelines(device, bundle, target));
    const uploaded = health.translate(uploadWeights(device.queue, manifest.params, matched, constants));
    await Promise.allSettled([made, uploaded]);
    const [pipelines] = await Promise.all([made, uploaded]);
    const names = axisNames(manifest);
    const prepare = (name: "load" | "prefill" | "step" | "packed"): PreparedProgram | undefined => {
      const program = target[name];
      return program && new PreparedProgram(name, program, names, pipelines);
    };
    const prefill = prepare("prefill");
    const load = prepare("load");
    if (load === undefined || prefill === undefined)
      throw new KraitError("R0105", "The manifest lacks a program.");
    const buffers = new Map(constants.map(({ entry, buffer }) => [entry.id, buffer]));
    await health.translate(runLoad(device, health, load, buffers));
    const parts = {
      device,
      health,
      manifest,
      target,
      names,
      identity: await modelIdentity(manifest),
      constants: buffers,
      prefill,
      step: prepare("step"),
      packed: prepare("packed"),
    };
    return new Model({ ...parts, sessions: new OpenSessions() }, matched);
  } catch (error) {
    for (const { buffer } of constants) buffer.destroy();
    throw error;
  }
}

/** A model on a device: weights uploaded, pipelines made. `session` begins sequences; `destroy` frees all of it. */
export class Model {
  readonly name: string;
  /** The target profile that runs. */
  readonly target: string;
  readonly inputs: readonly InputEntry[];
  readonly outputs: readonly OutputEntry[];
  readonly states: readonly StateEntry[];
  /** The main file's constants as they came out. */
  readonly constants: Manifest["constants"];
  /** Tensors of the checkpoint that the model does not use: worth a warning, since they may mean the wrong model. */
  readonly unusedWeights: readonly string[];
  readonly #parts: ModelParts;

  /** Models are made by `open`. */
  constructor(parts: ModelParts, weights: MatchedWeights) {
    const { manifest, target } = parts;
    this.#parts = parts;
    this.name = manifest.model;
    this.target = target.name;
    this.inputs = manifest.inputs;
    this.outputs = manifest.outputs;
    this.states = manifest.states;
    this.constants = manifest.constants;
    this.unusedWeights = weights.unused;
  }

  /**
   * Sequences to run, at the start of their documents. Allocates all that pieces of `maxChunk` steps take.
   * @throws KraitError R0405 for options that cannot be met, R0204 for memory.
   */
  async session(options: SessionOptions = {}): Promise<Session> {
    const { health, sessions } = this.#parts;
    sessions.check();
    health.check();
    return health.translate(Session.create(this.#parts, options));
  }

  /** Frees the weights and all sessions. The device stays the caller's. */
  destroy(): void {
    this.#parts.sessions.close();
    for (const buffer of this.#parts.constants.values()) buffer.destroy();
  }
}

async function makeConstants(
  device: GPUDevice,
  manifest: Manifest,
  target: TargetEntry,
): Promise<{ entry: TargetEntry["constants"][number]; buffer: GPUBuffer }[]> {
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC;
  const requests = target.constants.map(({ id, bytes, params }) => {
    const names = params.map(({ param }) => param).join(", ");
    return { label: names === "" ? `constants "${id}"` : `the parameters ${names}`, bytes, usage };
  });
  const buffers = await allocate(device, requests, () => smallerWeights(manifest));
  return target.constants.map((entry, i) => ({ entry, buffer: buffers[i] as GPUBuffer }));
}

/** What the parameters would take in 4 bits. */
const smallerWeights = ({ params }: Manifest): string =>
  `Built with --weights-dtype int4, the weights take ${sizeText(params.reduce((sum, { shape }) => sum + elements(shape) / 2, 0))}.`;

/** Computes the load-time expressions into their constant buffers. */
async function runLoad(
  device: GPUDevice,
  health: DeviceHealth,
  program: PreparedProgram,
  constants: ReadonlyMap<string, GPUBuffer>,
): Promise<void> {
  if (program.body.dispatches.length === 0) return;
  const advise = (): string => "What is computed when the model is opened needs a device with more memory.";
  const memory = new SessionMemory(device, constants, undefined, advise);
  const run: RunNumbers = { batch: 1, steps: 1, pos: 0, tailBegin: 0, tailCount: 1 };
  const request = {
    label: "numbers of load",
    bytes: program.numbers.uniformBytes,
    usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
  };
  const [uniform] = (await allocate(device, [request], advise)) as [GPUBuffer];
  try {
    await memory.ensure(program, run);
    const runner = new Runner(device, program, uniform, (range, parity) =>
      memory.resolve(program, range, parity),
    );
    await health.watch(() => {
      const encoder = device.createCommandEncoder({ label: "load" });
      runner.encode(encoder, ["body"], run, 0);
      device.queue.submit([encoder.finish()]);
    });
    await device.queue.onSubmittedWorkDone(); // so that scratch may go
  } finally {
    memory.destroy();
    uniform.destroy();
  }
}
