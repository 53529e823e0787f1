/** Compiling a target's shaders, all at once and off the calling thread. */
import type { Bundle, ShaderEntry, TargetEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { STAGE_COMPUTE } from "./gpu-constants.js";

export interface Pipeline {
  readonly shader: ShaderEntry;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Pipelines by shader id. @throws KraitError R0203 with every error in every shader, R0103. */
export async function createPipelines(
  device: GPUDevice,
  bundle: Bundle,
  target: TargetEntry,
): Promise<ReadonlyMap<string, Pipeline>> {
  const layouts = new Layouts(device);
  const results = await Promise.allSettled(
    target.shaders.map((shader) => createPipeline(device, shader, bundle.files.get(shader.file), layouts)),
  );
  const failures = results
    .filter((result) => result.status === "rejected")
    .map(({ reason }) => reason as unknown);
  const [first] = failures;
  if (failures.length === 1) throw first;
  if (failures.length > 1) {
    const messages = failures.map((failure) =>
      failure instanceof Error ? failure.message : String(failure),
    );
    throw new KraitError("R0203", messages.join("\n"), { cause: first });
  }
  return new Map(
    results.flatMap((result) =>
      result.status === "fulfilled" ? [[result.value.shader.id, result.value]] : [],
    ),
  );
}

async function createPipeline(
  device: GPUDevice,
  shader: ShaderEntry,
  code: string | undefined,
  layouts: Layouts,
): Promise<Pipeline> {
  if (code === undefined) throw new KraitError("R0103", `The bundle lacks the shader ${shader.file}.`);
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: shader.label, code });
  const scope = device.popErrorScope();
  const { layout, pipelineLayout } = layouts.of(shader);
  const compiled = device.createComputePipelineAsync({
    label: shader.id,
    layout: pipelineLayout,
    compute: { module, entryPoint: "main" },
  });
  try {
    const [pipeline] = await Promise.all([compiled, scope]);
    return { shader, pipeline, layout };
  } catch (cause) {
    // What the module itself was refused for; the pipeline only says that its module is not valid.
    const said = (await scope)?.message ?? (cause instanceof Error ? cause.message : String(cause));
    throw new KraitError("R0203", await shaderFailure(shader, code, module, said), { cause });
  }
}

/** The compiler's messages with the lines they speak of; where it has none, what else was `said`. */
async function shaderFailure(
  shader: ShaderEntry,
  code: string,
  module: GPUShaderModule,
  said: string,
): Promise<string> {
  const title = `The shader ${shader.file} ("${shader.label}") did not compile:`;
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === "error");
  if (errors.length === 0) return `${title}\n  ${said}`;
  const lines = code.split("\n");
  const texts = errors.map(({ lineNum, linePos, message }) => {
    const line = lines[lineNum - 1]?.trim() ?? "";
    return `  ${shader.file}:${String(lineNum)}:${String(linePos)}: ${message}\n    ${line}`;
  });
  return [title, ...texts].join("\n");
}

/** Explicit layouts, one for each list of bindings: derived ones would leave out what a shader does not use. */
class Layouts {
  readonly #device: GPUDevice;
  readonly #made = new Map<string, { layout: GPUBindGroupLayout; pipelineLayout: GPUPipelineLayout }>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  of(shader: ShaderEntry): { layout: GPUBindGroupLayout; pipelineLayout: GPUPipelineLayout } {
    const key = shader.bindings.map(({ access }) => access).join();
    let made = this.#made.get(key);
    if (made === undefined) {
      const layout = this.#device.createBindGroupLayout({
        entries: [
          { binding: 0, visibility: STAGE_COMPUTE, buffer: { type: "uniform" } },
          ...shader.bindings.map(({ access }, i): GPUBindGroupLayoutEntry => {
            const type = access === "read" ? "read-only-storage" : "storage";
            return { binding: i + 1, visibility: STAGE_COMPUTE, buffer: { type } };
          }),
        ],
      });
      const pipelineLayout = this.#device.createPipelineLayout({ bindGroupLayouts: [layout] });
      made = { layout, pipelineLayout };
      this.#made.set(key, made);
    }
    return made;
  }
}
