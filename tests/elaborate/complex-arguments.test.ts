/**
 * Every function of the language on complex numbers: it means something there, and then checks, interprets, builds and runs,
 * or it is a diagnostic at the argument.
 */
import assert from "node:assert/strict";
import { analyze } from "../../compiler/2-analyze/index.js";
import { parse } from "../../compiler/1-parse/index.js";
import { BUILTIN_NAMES } from "../../compiler/3-graph/elaborate/builtins.js";
import { check } from "../../compiler/check.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";

/** A call with what it gives, or with the code that refuses what «» marks. */
type Example = readonly [string, "real" | "complex" | `K${string}`];

/** By function. z and w are complex, x is real, all [b, t, m]; k[b, t] counts along m. */
const CALLS: Readonly<Record<string, readonly Example[]>> = {
  // Elementwise.
  abs: [["abs(z)", "real"]],
  sign: [["sign(«z»)", "K0406"]],
  floor: [["floor(«z»)", "K0406"]],
  ceil: [["ceil(«z + x»)", "K0406"]],
  round: [["round(«-z»)", "K0406"]],
  erf: [["erf(«z»)", "K0406"]],
  sqrt: [["sqrt(z)", "complex"]],
  rsqrt: [["rsqrt(z)", "complex"]],
  exp: [["exp(z)", "complex"]],
  expm1: [["expm1(z)", "complex"]],
  log: [["log(z)", "complex"]],
  log1p: [["log1p(z)", "complex"]],
  sin: [["sin(z)", "complex"]],
  cos: [["cos(z)", "complex"]],
  tanh: [["tanh(z)", "complex"]],
  phi: [["phi(z)", "complex"]],
  re: [["re(z)", "real"]],
  im: [["im(z)", "real"]],
  conj: [["conj(z)", "complex"]],
  complex: [
    ["complex(«z», x)", "K0406"],
    ["complex(x, «z»)", "K0406"],
  ],
  select: [
    ["select(x > 0, z, w)", "complex"],
    ["select(x > 0, z, 1)", "complex"],
    ["select(x > 0, x, z)", "complex"],
    ["select(«z», x, x)", "K0406"],
  ],
  max: [
    ["max(«z», w)", "K0406"],
    ["max(x, «z»)", "K0406"],
    ["max(x, x, «z»)", "K0406"],
    ["max(«z», over m)", "K0406"],
    ["max(x, over m, where «z»)", "K0406"],
  ],
  min: [
    ["min(«z», 0)", "K0406"],
    ["min(«z», over m, where x > 0)", "K0406"],
  ],
  // Operators.
  operators: [
    ["z + w", "complex"],
    ["z - x", "complex"],
    ["2 * z", "complex"],
    ["z / w", "complex"],
    ["x / z", "complex"],
    ["z^3", "complex"],
    ["z^-2", "complex"],
    ["z^0.5", "complex"],
    ["z^w", "complex"],
    ["2^z", "complex"],
    ["z^x", "complex"],
    ["-z", "complex"],
    ["select(z == w, 1, 0) + select(z != x, 1, 0)", "real"],
    ["select(«z» < x, 1, 0)", "K0406"],
    ["select(x <= «z», 1, 0)", "K0406"],
    ["select(«z» > 0, 1, 0)", "K0406"],
    ["select(1 >= «z», 1, 0)", "K0406"],
    ["«z» % 2", "K0406"],
    ["x % «z»", "K0406"],
    ["select(not «z», 1, 0)", "K0406"],
    ["select(«z» and x > 0, 1, 0)", "K0406"],
    ["select(x > 0 or «z», 1, 0)", "K0406"],
    ["«z in [1]»", "K0302"],
    ["z[m: k]", "complex"],
    ["z[m: 1]", "complex"],
    ["x[m: «z»]", "K0405"],
    ["z[m -> m']", "complex"],
  ],
  // Over axes.
  sum: [
    ["sum(z, over m)", "complex"],
    ["sum(z, over m, where x > 0)", "complex"],
    ["sum(z, over t)", "complex"],
    ["sum(z, over m, where «z»)", "K0406"],
  ],
  dot: [
    ["dot(z, w, over m)", "complex"],
    ["dot(z, x, over m)", "complex"],
    ["dot(x, z, over m)", "complex"],
  ],
  concat: [
    ["concat(z, w[m -> r], as both)", "complex"],
    ["concat(x, z[m -> r], as both)", "complex"],
    ["concat(z, x[m -> r], as both)", "complex"],
  ],
  stack: [
    ["stack(z, w, as pair)", "complex"],
    ["stack(z, x, as pair)", "complex"],
    ["stack(x, z, as pair)", "complex"],
  ],
  flip: [
    ["flip(z, along m)", "complex"],
    ["flip(z, along t)", "complex"],
  ],
  causal_conv: [
    ["causal_conv(z, taps, along t, over tap)", "complex"],
    ["causal_conv(x, taps * complex(0, 1), along t, over tap)", "complex"],
    ["causal_conv(z, taps * complex(1, 2), along t, over tap)", "complex"],
  ],
  prev: [
    ["prev(z)", "complex"],
    ["prev(z, init 2)", "complex"],
    ["prev(x, init «z»)", "K0406"],
  ],
  find: [["find(«z», 1)", "K0301"]],
  len: [["len(«z»)", "K0301"]],
  pos: [["«pos(z + w)»", "K0212"]],
  size: [["«size(z)»", "K0212"]],
  // The prelude: where one of its functions asks for a real number, the call is marked.
  sigmoid: [["«sigmoid(z)»", "K0406"]],
  silu: [["«silu(z)»", "K0406"]],
  softplus: [["«softplus(z)»", "K0406"]],
  log_sigmoid: [["«log_sigmoid(z)»", "K0406"]],
  relu: [["«relu(z)»", "K0406"]],
  gelu: [["«gelu(z)»", "K0406"]],
  gelu_tanh: [["gelu_tanh(z)", "complex"]],
  clamp: [
    ["«clamp(z, 0, 1)»", "K0406"],
    ["«clamp(x, z, 1)»", "K0406"],
    ["«clamp(x, 0, z)»", "K0406"],
  ],
  lerp: [["lerp(z, x, w)", "complex"]],
  cis: [["«cis(z)»", "K0406"]],
  mean: [["mean(z, over m)", "complex"]],
  rms_norm: [["rms_norm(z, over m, 0.1)", "complex"]],
  layer_norm: [["layer_norm(z, over m, 0.1)", "complex"]],
  l2_norm: [["l2_norm(z, over m, 0.1)", "complex"]],
  softmax: [["«softmax(z, over m)»", "K0406"]],
  log_sum_exp: [["«log_sum_exp(z, over m)»", "K0406"]],
  top_k: [["«top_k(z, over m, as pair)»", "K0406"]],
  argmax: [["«argmax(z, over m)»", "K0406"]],
};

const AXES = "axis b: batch, t: time, m = 3, r = 3, both = m | r, pair = 2, tap = 2\n";

const modelFor = (outputs: string): string => `${AXES}
model calls {
  input x: f32[b, t, m]
  input y: f32[b, t, m]
  input taps: f32[tap]
  input k: index(m)[b, t]
  z = complex(x, y)
  w = complex(y, 1 - x)
${outputs}
}
`;

const all = Object.values(CALLS).flat();
const refused = all.filter(([, answer]) => answer.startsWith("K"));
const sound = all.filter(([, answer]) => !answer.startsWith("K"));

/** Summed, with weights, over what the call has besides batch and time: an output for each part. */
function outputsOf([call, gives]: Example, n: number): string {
  const value = `v${String(n)} = ${call}\n`;
  const over = ["both", "pair", "m'", "m"].filter((axis) => axesOf(call).includes(axis));
  const summed = (part: string): string =>
    over.reduce(
      (inner, axis) => `sum(${inner} * (1 + pos(${axis})), over ${axis})`,
      `${part}(v${String(n)})`,
    );
  const parts = gives === "complex" ? ["re", "im"] : ["re"];
  return `  ${value}${parts.map((part) => `  output ${part}_${String(n)}[b, t] = ${summed(part)}\n`).join("")}`;
}

function axesOf(call: string): readonly string[] {
  if (call.startsWith("concat")) return ["both"];
  if (call.startsWith("stack")) return ["m", "pair"];
  if (/^(sum|dot|mean)\(.*over m/.test(call)) return [];
  if (call.startsWith("z[m: ")) return [];
  return call.includes("m'") ? ["m'"] : ["m"];
}

describe("functions of complex arguments", () => {
  it("are all here", () => {
    const sink = createSink();
    const { prelude } = analyze(parse({ path: "m.krait", text: "" }, sink), {}, sink);
    const functions = [...(prelude?.callables.values() ?? [])].flatMap(({ declaration }) =>
      declaration.kind === "fn" ? [declaration.name.name] : [],
    );
    assert.ok(functions.length > 10);
    const known = [...BUILTIN_NAMES, ...functions, "operators"].sort();
    assert.deepEqual(Object.keys(CALLS).sort(), known);
  });

  for (const [call, code] of refused)
    it(`${call} is refused`, () => {
      const marked = modelFor(`  v = ${call}\n  output o[b, t, m] = x`);
      const [before = "", inside = ""] = marked.split(/[«»]/);
      const { checked, diagnostics } = check({ path: "m.krait", text: marked.replace(/[«»]/g, "") });
      assert.equal(checked, undefined);
      assert.deepEqual(
        diagnostics.map((found) => [found.code, found.span.start, found.span.end]),
        [[code, before.length, before.length + inside.length]],
      );
    });

  it("compute what the interpreter says, where they mean something", async () => {
    const [steps, random] = [5, seeded(3)];
    const normal = (length: number): number[] => [...f32(Array.from({ length }, () => random.normal()))];
    const [x, y, taps] = [normal(2 * steps * 3), normal(2 * steps * 3), normal(2)];
    const k = Array.from({ length: 2 * steps }, () => random.integer(0, 3));
    // Some at a time: a shader binds few buffers.
    for (let from = 0; from < sound.length; from += 20) {
      const source = modelFor(
        sound
          .slice(from, from + 20)
          .map(outputsOf)
          .join(""),
      );
      const inputs = {
        x: { shape: [2, steps, 3], data: Float64Array.from(x) },
        y: { shape: [2, steps, 3], data: Float64Array.from(y) },
        taps: { shape: [2], data: Float64Array.from(taps) },
        k: { shape: [2, steps], data: Float64Array.from(k) },
      };
      const { outputs: expected } = interpret(graphOf(source), { inputs });
      const model = await modelOf(bundleOf(source));
      const session = await model.session({ batch: 2 });
      const given = { x: f32(x), y: f32(y), taps: f32(taps), k: u32(k) };
      const got = await session.prefill(given, { outputs: "all" });
      model.destroy();
      for (const [name, own] of Object.entries(got)) {
        const oracle = expected[name] ?? assert.fail(name);
        const [call] = sound[from + Number(name.slice(3))] ?? [""];
        assert.ok(oracle.data.every(Number.isFinite), `${name} of ${call}`);
        expectClose(own, oracle, { tolerance: "f32", what: `${name} of ${call}` });
      }
    }
  });
});
