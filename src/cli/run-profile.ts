/** `krait run --profile` and `--trace`: what the GPU's time was spent on. */
import { writeFile } from "node:fs/promises";
import type { Compilation } from "../../compiler/compile.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import { chromeTrace } from "../profile/chrome-trace.js";
import { profileOf, Works, type Profile, type Profiled } from "../profile/profile.js";
import { Tracer } from "../profile/tracer.js";
import { measureBounds, type DeviceBounds } from "../measure/bounds.js";
import type { FoundAdapter } from "../node/index.js";
import { sourceOfBundle } from "./bundle-source.js";
import { compileModel, type CompiledSource } from "./compile-model.js";
import { type Io, uninterrupted } from "./io.js";
import type { GivenBounds } from "./profile-options.js";
import { profileText } from "./profile-text.js";

/** Runs of each measurement of the device, and how long it works before. */
const RUNS = 8;
const WARM_UP_MS = 150;

/** One run of a model whose device is traced. */
export class Profiling {
  readonly #tracer: Tracer;
  #bounds: DeviceBounds = { copy: NaN, lanes: NaN, product: NaN };

  constructor(
    private readonly real: GPUDevice,
    private readonly found: FoundAdapter,
    private readonly options: {
      readonly profile?: boolean;
      readonly trace?: string;
      readonly bounds?: GivenBounds;
      readonly json?: boolean;
    },
  ) {
    this.#tracer = new Tracer(real);
  }

  /** What the runtime is to be given. */
  get device(): GPUDevice {
    return this.#tracer.device;
  }

  /** Measures the device, as far as bounds were not given. Just before the run, so that the clock of an idle card is up by then. */
  async measureBounds(target: string): Promise<void> {
    const { bounds = {} } = this.options;
    const { copy, lanes, product = lanes } = bounds;
    if (copy !== undefined && lanes !== undefined && product !== undefined) {
      this.#bounds = { copy, lanes, product };
      return;
    }
    // A device in software has no clock that falls.
    const timing = { runs: RUNS, warmUpMs: this.found.name === "gpu" ? WARM_UP_MS : 0 };
    this.#bounds = { ...(await measureBounds(this.real, target, timing)), ...bounds };
  }

  /** `compiled`: the model, where it was not read from a bundle. */
  async finish(
    bundle: Bundle,
    target: string,
    compiled: CompiledSource | undefined,
    io: Io,
  ): Promise<Profile> {
    const trace = await this.#tracer.finish();
    const model = await profiledModel(bundle, target, compiled, io);
    const works = model && new Works(model);
    const profile = profileOf(trace, works, target, this.#bounds);
    if (this.options.profile === true && this.options.json !== true)
      io.err(profileText(profile, this.found.description));
    const { trace: path } = this.options;
    if (path !== undefined)
      await uninterrupted(() => writeFile(path, `${JSON.stringify(chromeTrace(trace, works))}\n`));
    return profile;
  }
}

/** The compiler's knowledge of the kernels that ran; of a bundle from its sources, if this compiler makes the same of them. */
async function profiledModel(
  bundle: Bundle,
  target: string,
  compiled: CompiledSource | undefined,
  io: Io,
): Promise<Profiled | undefined> {
  const made = compiled ?? (await compiledAgain(bundle, io));
  const compilation = made.stages as Compilation;
  if (shadersOf(made.bundle, target) !== shadersOf(bundle, target)) {
    io.err(
      "The bundle's kernels were edited, or made by another compiler: their bytes and operations are not known.\n",
    );
    return undefined;
  }
  return { bundle, compilation, target, sources: [made.source, ...compilation.module.uses] };
}

async function compiledAgain(bundle: Bundle, io: Io): Promise<CompiledSource> {
  const { source, compileOptions } = sourceOfBundle(bundle);
  return { source, ...(await compileModel(source, compileOptions, io)) };
}

function shadersOf({ manifest }: Bundle, target: string): string {
  const entry = manifest.targets.find(({ name }) => name === target);
  return JSON.stringify(entry?.shaders.map(({ id, sha256 }) => [id, sha256]));
}
