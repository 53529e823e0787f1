/**
 * Krait's compiler as a library: `compile` turns Krait source into a bundle of WGSL kernels, which `krait/runtime`
 * opens on a WebGPU device. `krait/node` has what Node.js adds: adapters, and bundles and weights on disk.
 *
 * @example
 * const { bundle, diagnostics } = compile({ path: "model.krait", text });
 * if (bundle === undefined) console.error(renderAll(diagnostics, sources));
 * @module krait
 */
export { check } from "../compiler/check.js";
export {
  compile,
  type Checked,
  type CheckResult,
  type Compilation,
  type CompileOptions,
  type CompileResult,
} from "../compiler/compile.js";
export { inspectStage, STAGES } from "../compiler/inspect.js";
export type { Diagnostic, RelatedSpan, Severity, SourceFile, Span } from "../compiler/diagnostics/types.js";
export { InternalError } from "../compiler/diagnostics/internal-error.js";
export { type JsonDiagnostic, type JsonLocation, toJson } from "../compiler/diagnostics/json.js";
export type { Position } from "../compiler/diagnostics/positions.js";
export { render, renderAll, type RenderOptions } from "../compiler/diagnostics/render.js";
export { familyNames, familySource } from "./families.js";
export type {
  AdapterTuning,
  Bundle,
  ConstantValue,
  Manifest,
  Storage,
  TuningEntry,
} from "../runtime/bundle-format.js";
