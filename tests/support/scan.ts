/** The selective scan of tests/fixtures/ops in Krait, for each of its variants. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { Values } from "../../compiler/interpret/index.js";
import { graphOf } from "./elaborated.js";
import { tensorOf } from "./fixtures.js";
import type { SafetensorsFile } from "./safetensors.js";

/** y = C·h, plus D·u where there is a D, gated by silu(z) where there is a z. Channels share B and C by groups. */
export const SCAN = `
const channels = 1, groups = 1, states = 1
const has_softplus = true, has_bias = true, has_skip = true, has_gate = true

axis b: batch, t: time
axis g = groups, rep = channels / groups, d = [g, rep], n = states

model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input A: f32[d, n]
  input B: f32[b, t, g, n]
  input C: f32[b, t, g, n]

  s = delta
  if has_bias {
    input delta_bias: f32[d]
    s += delta_bias
  }
  if has_softplus { s := softplus(s) }

  state h[d, n]
  der(h) = A * h + B * u  by exp_euler(s)
  out = dot(C, h, over n)

  if has_skip {
    input D: f32[d]
    out += D * u
  }
  if has_gate {
    input z: f32[b, t, d]
    out := out * silu(z)
  }
  output y[b, t, d] = out
}
`;

/** The same with complex A, B, C and h: y = 2·Re(C·h) + D·u, gated. */
export const COMPLEX_SCAN = `
const channels = 1, states = 1

axis b: batch, t: time
axis d = channels, n = states

model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input delta_bias: f32[d]
  input A_re: f32[d, n]
  input A_im: f32[d, n]
  input B_re: f32[b, t, n]
  input B_im: f32[b, t, n]
  input C_re: f32[b, t, n]
  input C_im: f32[b, t, n]
  input D: f32[d]
  input z: f32[b, t, d]

  state h[d, n]: complex
  der(h) = complex(A_re, A_im) * h + complex(B_re, B_im) * u  by exp_euler(softplus(delta + delta_bias))
  output y[b, t, d] = (2 * re(dot(complex(C_re, C_im), h, over n)) + D * u) * silu(z)
}
`;

/** The constants of SCAN for a fixture. */
export function scanSettings({
  metadata,
  tensors,
}: SafetensorsFile): Readonly<Record<string, ConstantValue>> {
  const [channels = 0, states = 0] = tensorOf(tensors, "A").shape;
  return {
    channels,
    states,
    groups: tensorOf(tensors, "B").shape[2] ?? 1,
    has_softplus: metadata["softplus"] === "True",
    has_bias: tensors["delta_bias"] !== undefined,
    has_skip: tensors["D"] !== undefined,
    has_gate: tensors["z"] !== undefined,
  };
}

export function scanGraph(fixture: SafetensorsFile): Graph {
  return graphOf(SCAN, { set: scanSettings(fixture) });
}

/** The fixture's tensors that are the graph's inputs. */
export function scanInputs(graph: Graph, { tensors }: SafetensorsFile): Readonly<Record<string, Values>> {
  return Object.fromEntries(graph.inputs.map(({ name }) => [name, tensorOf(tensors, name)]));
}

/** The inputs of COMPLEX_SCAN from ops/scan-complex, whose complex tensors end in (re, im) and whose B and C have one group. */
export function complexScanInputs({ tensors }: SafetensorsFile): Readonly<Record<string, Values>> {
  const part = (name: string, of: 0 | 1): Values => {
    const { shape, data } = tensorOf(tensors, name);
    const axes = shape.slice(0, -1).filter((_, k) => name === "A" || k !== 2);
    return { shape: axes, data: data.filter((_, k) => k % 2 === of) };
  };
  return Object.fromEntries([
    ...["A", "B", "C"].flatMap((name) => [
      [`${name}_re`, part(name, 0)] as const,
      [`${name}_im`, part(name, 1)] as const,
    ]),
    ...["u", "delta", "delta_bias", "D", "z"].map((name) => [name, tensorOf(tensors, name)] as const),
  ]);
}
