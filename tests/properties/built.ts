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
  return { bundle, stages: stages as Compilation };
}
