/** Which model states are of, whatever it was built for. */
import type { Manifest } from "./bundle-format.js";
import { sha256 } from "./bundle.js";

/**
 * SHA-256 of all that gives states their meaning: the sources, the constants, and the states with the inputs that a
 * session holds. Not what only decides how they are computed (targets, shaders, the storage of parameters, the compiler's
 * version), nor the weights. SPEC.md § Saved sessions.
 */
export function modelIdentity({ model, sources, constants, states, inputs }: Manifest): Promise<string> {
  const meaning = {
    model,
    sources: sources.map((file) => file.sha256),
    constants: Object.entries(constants).sort(([a], [b]) => (a < b ? -1 : 1)),
    states: states.map(({ name, kind, axes, init }) => [name, kind, axes.map(({ size }) => size), init]),
    inputs: inputs.map(({ name, scalar, axes, time }) => [
      name,
      scalar === "index" ? scalar : "f32", // however it lies in memory
      axes.map(({ size }) => size),
      time ?? null,
    ]),
  };
  return sha256(JSON.stringify(meaning));
}
