/** A drawn source through the whole compiler, which must find nothing wrong with it. */
import assert from "node:assert/strict";
import { compile, type Compilation } from "../../compiler/compile.js";
import type { Bundle } from "../../runtime/index.js";
import type { Case } from "./cases.js";

export function built({ text, options }: Case): { readonly bundle: Bundle; readonly stages: Compilation } {
  const { bundle, diagnostics, stages } = compile(
    { path: "drawn.krait", text },
    { verify: true, ...options },
  );
  assert.deepEqual(
    diagnostics.map(({ code, message }) => `${code} ${message}`),
    [],
  );
  assert.ok(bundle !== undefined);
  for (const { name, requires, shaders } of bundle.manifest.targets) {
    const { maxStorageBuffersPerShaderStage: most = 8 } = requires.limits;
    assert.ok(most <= (name === "baseline" ? 8 : 12), `${name} requires ${String(most)} storage buffers`);
    const bindings = options.schedule?.bindings ?? most;
    for (const shader of shaders) assert.ok(shader.bindings.length <= bindings, shader.label);
  }
  return { bundle, stages: stages as Compilation };
}
