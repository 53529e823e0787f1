/**
 * Inputs, outputs and values between kernels in 16 bits. What one kernel computes is the oracle's result of the rounded inputs,
 * rounded once; what several compute is off by as much as the roundings between them make of it.
 */
import assert from "node:assert/strict";
import { compile, type CompileOptions } from "../../compiler/compile.js";
import { interpret } from "../../compiler/interpret/index.js";
import {
  evaluateDim,
  open,
  tensorCheckpoint,
  type Bundle,
  type InputData,
  type Model,
} from "../../runtime/index.js";
import { fileWeights } from "../../src/node/files.js";
import { assertRejects } from "../runtime/errors.js";
import { baselineDevice, testDevice } from "../support/adapter.js";
import { graphOf } from "../support/elaborated.js";
import { withMatrices } from "../support/emulate-matrices.js";
import { relativeError } from "../support/expect-close.js";
import { checkpointFixture, fixturePath, tensorOf } from "../support/fixtures.js";
import { bundleOf, checkpointBundle, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";
import {
  bitsOf,
  expectRounded,
  HALF_STEP,
  halfStepAt,
  OF_F32,
  rounded,
  type Half,
} from "../support/sixteen-bits.js";

const TYPES: readonly Half[] = ["f16", "bf16"];
const AXES = "axis b: batch, t: time\n";

const scan = (channels: number, states: number): string => `${AXES}axis d = ${channels}, n = ${states}
model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input z: f32[b, t, d]
  input B: f32[b, t, n]
  input C: f32[b, t, n]
  param A_log[d, n], D[d], bias[d]
  state h[d, n]
  der(h) = -exp(A_log)*h + B*u  by exp_euler(softplus(delta + bias))
  output y[b, t, d] = (dot(C, h, over n) + D*u) * silu(z)
}`;

/** Models of one kernel, or of several that hand on nothing that is rounded. */
const MODELS: Readonly<Record<string, string>> = {
  "a scan": scan(48, 16),
  "a scan of an odd number of channels": scan(7, 4),
  "a scan of two channels": scan(2, 5),
  "a scan whose lanes have five states each": `${AXES}axis d = 6, n = 20
model fives {
  input u: f32[b, t, d]
  input rate: f32[b, d, n]
  input C: f32[b, d, n]
  state h[d, n]
  h = sigmoid(rate)*prev(h) + u
  output y[b, t, d] = dot(C, h, over n)
}`,
  "a scan without an inner axis": `${AXES}axis d = 20
model gated {
  input x: f32[b, t, d]
  input gate: f32[b, t, d]
  state h[d]
  a = sigmoid(gate)
  h = a*prev(h) + sqrt(1 - a^2)*x
  output y[b, t, d] = h
}`,
  "a scan of heads": `${AXES}axis head = 3, p = 6, n = 8
model heads {
  input u: f32[b, t, head, p]
  input delta: f32[b, t, head]
  input B: f32[b, t, n]
  input C: f32[b, t, n]
  param A[head]
  state h[head, p, n]
  h = exp(-softplus(A + delta))*prev(h) + B*u
  output y[b, t, head, p] = dot(C, h, over n)
}`,
  "a scan whose states another kernel reads": `${AXES}axis d = 8
model handed {
  input x: f32[b, t, d]
  param w[d, d']
  state m[d]
  m = max(prev(m) - 0.1, x)
  state h[d]
  h = tanh(dot(w, prev(h)[d -> d'], over d')/8 + m)
  output peak[b, t, d] = m * 2
  output y[b, t, d] = h
}`,
  "a recurrence step after step": `${AXES}axis d = 8
model coupled {
  input u: f32[b, t, d]
  param w[d, d']
  state h[d]
  h = tanh(dot(w, prev(h)[d -> d'], over d')/8 + u)
  output y[b, t, d] = h
}`,
  "elementwise values of several shapes": `${AXES}axis d = 12, e = 5
model wide {
  input u: f32[b, t, d]
  input v: f32[b, t, e]
  input fixed: f32[b, e]
  output even[b, t, d] = tanh(u)*2
  output odd[b, t, e] = v*v + fixed
  output turned[b, d, t] = u + 1
  output whole[b, t] = sum(v, over e)
  output unit[b, t, 1] = sum(u, over d)
}`,
  "a convolution": `${AXES}axis d = 12, k = 4
model convolution {
  input x: f32[b, t, d]
  param w[d, 1, k], bias[d]
  output y[b, t, d] = silu(causal_conv(x, w, along t, over k) + bias)
}`,
  "a norm": `${AXES}axis m = 76
model norm {
  input x: f32[b, t, m]
  param w[m]
  output y[b, t, m] = rms_norm(x, over m, 1e-5) * w
}`,
  "a product": `${AXES}axis m = 36, v = 44
model product {
  input x: f32[b, t, m]
  input other: f32[b, t, v]
  param w[v, m], bias[v]
  output y[b, t, v] = dot(w, x, over m) + bias + other
}`,
  "a product of an odd number of columns": `${AXES}axis m = 10, v = 7
model product {
  input x: f32[b, t, m]
  param w[v, m]
  output y[b, t, v] = dot(w, x, over m)
}`,
  "whole numbers beside real ones": `${AXES}axis m = 6
model others {
  input x: f32[b, t, m]
  output turned[b, t, m] = re(cis(x))
  output best: index(m)[b, t] = argmax(x, over m)
}`,
};

const CASES = Object.entries(MODELS).flatMap(([name, text]) => TYPES.map((type) => ({ name, text, type })));

interface Filled {
  readonly inputs: Record<string, Float32Array<ArrayBuffer>>;
  readonly shapes: Record<string, readonly number[]>;
  readonly params: Record<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>;
}

function filled({ manifest }: Bundle, batch: number, steps: number): Filled {
  const random = seeded(7);
  const normal = (shape: readonly number[]): Float32Array<ArrayBuffer> => f32(random.tensor(shape).data);
  const shapes = Object.fromEntries(
    manifest.inputs.map(({ name, axes }) => [
      name,
      axes.map(({ size }) => evaluateDim(size, { b: batch, t: steps })),
    ]),
  );
  return {
    shapes,
    inputs: Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normal(shape)])),
    params: Object.fromEntries(
      manifest.params.map(({ name, shape }) => [name, { shape, data: normal(shape) }]),
    ),
  };
}

const [BATCH, STEPS] = [2, 21];

describe("activations of 16 bits", () => {
  for (const { name, text, type } of CASES) {
    it(`${name} in ${type}: the oracle's results, rounded once`, async () => {
      const bundle = bundleOf(text, { activations: type });
      const { inputs, shapes, params } = filled(bundle, BATCH, STEPS);
      const exact = interpret(graphOf(text), {
        inputs: Object.fromEntries(
          Object.entries(inputs).map(([input, data]) => [
            input,
            { shape: shapes[input] ?? [], data: rounded(type, data) },
          ]),
        ),
        params,
        sizes: { b: BATCH, t: STEPS },
      }).outputs;
      const model = await modelOf(bundle, params);
      const check = (outputs: Readonly<Record<string, { data: Float32Array }>>, how: string): void => {
        for (const { name: output, scalar } of bundle.manifest.outputs) {
          const [got, want] = [outputs[output]?.data ?? [], exact[output]?.data ?? []];
          if (scalar === type) expectRounded(type, got, want, `${output}, ${how}`);
          else assert.ok(relativeError(got, want) < OF_F32, `${output}, ${how}`);
        }
      };
      for (const maxChunk of [64, 5]) {
        const session = await model.session({ batch: BATCH, maxChunk });
        check(await session.prefill(inputs, { outputs: "all" }), `pieces of ${String(maxChunk)}`);
        session.destroy();
      }
      const session = await model.session({ batch: BATCH });
      const raw = Object.fromEntries(
        Object.entries(inputs).map(([input, data]): [string, InputData] => [input, bitsOf(type, data)]),
      );
      check(await session.prefill(raw, { outputs: "all" }), "from bits");
      session.destroy();
      await checkSteps(model, bundle, inputs, exact, type);
      model.destroy();
    });
  }

  it("products on matrix units: what they multiply is exact, and their sums are rounded once", async () => {
    const layer = (m: number, v: number): string => `${AXES}axis m = ${String(m)}, v = ${String(v)}
model product {
  input x: f32[b, t, m]
  input other: f32[b, t, v]
  param w[v, m], bias[v]
  output y[b, t, v] = dot(w, x, over m) + bias + other
  output twice[b, t, v] = dot(w, x, over m) * 2
}`;
    for (const type of TYPES)
      for (const [m, v] of [
        [36, 44],
        [64, 128],
      ] as const) {
        const text = layer(m, v);
        const bundle = bundleOf(text, { activations: type, targets: ["matrix"] });
        const drawn = filled(bundle, BATCH, STEPS);
        const { inputs, shapes } = drawn;
        const params = Object.fromEntries(
          Object.entries(drawn.params).map(([name, { shape, data }]) => [
            name,
            { shape, data: rounded(type, rounded("f16", data)) },
          ]),
        );
        const held = Object.entries(inputs).map(([name, data]) => [name, rounded(type, data)] as const);
        const exact = interpret(graphOf(text), {
          inputs: Object.fromEntries(held.map(([name, data]) => [name, { shape: shapes[name] ?? [], data }])),
          params,
          sizes: { b: BATCH, t: STEPS },
        }).outputs;
        const model = await open(bundle, {
          device: withMatrices(await testDevice()),
          weights: tensorCheckpoint(params),
        });
        assert.equal(model.target, "matrix");
        const outputs = await (await model.session({ batch: BATCH })).prefill(inputs, { outputs: "all" });
        for (const name of ["y", "twice"])
          expectRounded(type, outputs[name]?.data ?? [], exact[name]?.data ?? [], `${name} of ${String(v)}`);
        model.destroy();
      }
  });

  for (const name of ["a scan", "a convolution", "a product"])
    it(`${name}: documents of different lengths are each what they are alone`, async () => {
      const type = "bf16";
      const bundle = bundleOf(MODELS[name] ?? "", { activations: type, packed: true });
      const { inputs, params } = filled(bundle, 1, STEPS);
      const model = await modelOf(bundle, params);
      const lengths = [9, STEPS - 9];
      const all = (await (await model.session({ batch: 2 })).prefill(inputs, { lengths, outputs: "all" }))[
        "y"
      ];
      const whole = all?.data ?? f32([]);
      for (const [begin, end] of [[0, 9] as const, [9, STEPS] as const]) {
        const own = Object.fromEntries(
          Object.entries(inputs).map(([input, data]) => {
            const each = data.length / STEPS;
            return [input, data.slice(begin * each, end * each)];
          }),
        );
        const { y } = await (await model.session()).prefill(own, { outputs: "all" });
        const width = whole.length / STEPS;
        const wanted = y?.data ?? f32([]);
        // Both are rounded, to neighbours where f32 left them on two sides of the middle.
        for (const [i, value] of whole.subarray(begin * width, end * width).entries()) {
          const gap = Math.abs(value - (wanted[i] ?? NaN));
          assert.ok(
            gap <= 2 * halfStepAt(type, value),
            `${String(value)} at ${String(i)} of ${String(begin)}`,
          );
        }
        assert.ok(relativeError(whole.subarray(begin * width, end * width), wanted) < HALF_STEP[type] / 8);
      }
      model.destroy();
    });

  it("are all products' that have whole fours, also where weights of 16 bits are read by pieces", async () => {
    const text = `${AXES}axis d = 256, e = 64
model layers {
  input x: f32[b, t, d]
  param up[e, d], down[d, e]
  y = x + dot(down, tanh(dot(up, x, over d)/8), over e)/10
  output out[b, t, d] = y + dot(down, tanh(dot(up, y, over d)/8), over e)/10
}`;
    for (const weights of ["f32", "f16"] as const) {
      const { bundle, stages } = compile({ path: "m.krait", text }, { activations: "f16", weights });
      assert.ok(bundle !== undefined);
      const [target] = stages.targets ?? [];
      const written = (target?.programs ?? [])
        .filter(({ name }) => name === "prefill")
        .flatMap(({ groups }) => groups.flatMap(({ kernels }) => kernels))
        .flatMap(({ kernel }) => kernel.bindings.filter(({ access }) => access === "read_write"));
      assert.ok(written.length >= 8);
      for (const { name, element } of written) assert.equal(element, "f16", `${name}, weights in ${weights}`);
      const { inputs, shapes, params } = filled(bundle, 1, 3);
      const held = Object.fromEntries(
        Object.entries(params).map(([name, { shape, data }]) => [
          name,
          { shape, data: rounded("f16", data) },
        ]),
      );
      const [data = f32([])] = Object.values(inputs);
      const exact = interpret(graphOf(text), {
        inputs: { x: { shape: shapes["x"] ?? [], data: rounded("f16", data) } },
        params: held,
        sizes: { b: 1, t: 3 },
      }).outputs["out"];
      const model = await modelOf(bundle, held);
      const { out } = await (await model.session()).prefill(inputs, { outputs: "all" });
      assert.ok(relativeError(out?.data ?? [], exact?.data ?? []) < 4 * HALF_STEP.f16);
      model.destroy();
    }
  });

  it("say what they are in the manifest, and where f32 is enough nothing changes", () => {
    const text = MODELS["elementwise values of several shapes"] ?? "";
    const [plain, same, half] = [{}, { activations: "f32" as const }, { activations: "bf16" as const }].map(
      (options) => bundleOf(text, options).manifest,
    );
    assert.deepEqual(same, plain);
    assert.deepEqual(new Set(half?.inputs.map(({ scalar }) => scalar)), new Set(["bf16"]));
    assert.deepEqual(new Set(half?.outputs.map(({ scalar }) => scalar)), new Set(["bf16"]));
    assert.equal(half?.options.activations, "bf16");
  });

  it("keep infinities and what is no number, and make infinities of what is too large", async () => {
    const text = `${AXES}axis d = 4\nmodel m {\n  input x: f32[b, t, d]\n  output y[b, t, d] = x * 4\n}`;
    for (const type of TYPES) {
      const model = await modelOf(bundleOf(text, { activations: type }));
      const session = await model.session();
      const largest = type === "f16" ? 65504 : 3.3895313892515355e38;
      const { y } = await session.prefill({ x: f32([largest, -largest, 0.25, -0]) });
      assert.deepEqual([...(y?.data ?? [])], [Infinity, -Infinity, 1, -0]);
      const { y: odd } = await session.prefill({ x: f32([NaN, 1, 2, 3]) });
      assert.deepEqual([...(odd?.data ?? [])], [NaN, 4, 8, 12]);
      if (type === "f16")
        await assertRejects(session.prefill({ x: f32([1, 1e5, 1, 1]) }), "R0403", /"x" .*f16/);
      await assertRejects(session.prefill({ x: u32([1, 2, 3, 4]) }), "R0402", /a Uint16Array of b?f16/);
      model.destroy();
    }
  });

  it("go on from a saved session, a fork and what was generated as if nothing had been", async () => {
    const text = `${AXES}axis d = 3\nmodel m {
      input x: f32[b, t, d]
      input scale: f32[b, d]
      state h[d]
      h = 0.5*prev(h) + x*scale
      output y[b, t, d] = tanh(h)
    }`;
    for (const type of TYPES) {
      const model = await modelOf(bundleOf(text, { activations: type }));
      const session = await model.session({ batch: 2 });
      const start = { x: f32([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), scale: f32([1.1, 0.9, 0.7, 1.3, 1.2, 0.8]) };
      const all: number[][] = [];
      const deliver = ({ y }: Readonly<Record<string, { data: Float32Array }>>): void =>
        void all.push([...(y?.data ?? [])]);
      const before = await session.save();
      await session.generate(start, { steps: 5, feed: { x: "y" }, deliver });
      await session.restore(before);
      let { x } = start;
      for (const want of all) {
        const { y } = await session.step({ x, scale: start.scale });
        assert.deepEqual([...(y?.data ?? [])], want);
        x = f32(want);
      }
      const saved = await session.save();
      assert.deepEqual(saved.inputs?.["scale"]?.data, rounded(type, start.scale));
      const [fork, other] = [await session.fork({ members: [1, 0] }), await model.session({ batch: 2 })];
      await other.restore(saved);
      const next = { x: f32([1, 2, 3, 1, 2, 3]) };
      const [a, b] = [await session.step(next), await other.step(next)];
      assert.deepEqual(a["y"]?.data, b["y"]?.data);
      const swapped = (await fork.step(next))["y"]?.data ?? f32([]);
      assert.deepEqual([...swapped.slice(3), ...swapped.slice(0, 3)], [...(a["y"]?.data ?? [])]);
      model.destroy();
    }
  });

  it("belong to the same model, whose saved sessions they take", async () => {
    const text = MODELS["a norm"] ?? "";
    const params = filled(bundleOf(text), 1, 1).params;
    const [exact, half] = await Promise.all(
      [{}, { activations: "f16" as const }].map((options) => modelOf(bundleOf(text, options), params)),
    );
    assert.ok(exact && half);
    const snapshot = await (await exact.session()).save();
    await (await half.session()).restore(snapshot);
  });
});

/** Steps hand on nothing that is rounded. */
async function checkSteps(
  model: Model,
  { manifest }: Bundle,
  inputs: Filled["inputs"],
  exact: Readonly<Record<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>>,
  type: Half,
): Promise<void> {
  const session = await model.session({ batch: BATCH });
  for (let t = 0; t < 3; t++) {
    const step = Object.fromEntries(
      manifest.inputs.map(({ name, time, axes }) => {
        const data = inputs[name] ?? f32([]);
        return [
          name,
          time === undefined
            ? data
            : at(
                data,
                axes.findIndex((axis) => axis.name === time),
                axes,
                t,
              ),
        ];
      }),
    );
    const outputs = await session.step(step);
    for (const { name, axes, time, scalar } of manifest.outputs) {
      const whole = exact[name];
      const want = at(
        f32(whole?.data ?? []),
        axes.findIndex((axis) => axis.name === time),
        axes,
        t,
      );
      const got = outputs[name]?.data ?? [];
      if (scalar === type) expectRounded(type, got, want, `${name}, step ${String(t)}`);
      else assert.ok(relativeError(got, want) < OF_F32, `${name}, step ${String(t)}`);
    }
  }
  session.destroy();
}

/** Position t of a tensor whose axis of that place is time. */
function at(
  data: Float32Array<ArrayBuffer>,
  axis: number,
  axes: Bundle["manifest"]["inputs"][number]["axes"],
  t: number,
): Float32Array<ArrayBuffer> {
  const shape = axes.map(({ size }) => evaluateDim(size, { b: BATCH, t: STEPS, tail_count: STEPS, pos: 0 }));
  const inner = shape.slice(axis + 1).reduce((p, q) => p * q, 1);
  const outer = data.length / inner / STEPS;
  return f32(
    Array.from({ length: outer }, (_, o) => [
      ...data.subarray((o * STEPS + t) * inner, (o * STEPS + t + 1) * inner),
    ]).flat(),
  );
}

/**
 * Of logits: how many roundings, each of up to half a step, make the error of a whole model. The fixture of mamba is ill conditioned: it enlarges
 * what is done to its weights some 16 times too (tests/numerics/quantized.test.ts).
 */
const ROUNDINGS: readonly (readonly [string, number, CompileOptions])[] = [
  ["mamba", 20, {}],
  ["mamba2", 8, {}],
  ["mamba2-groups", 8, { schedule: { matrixChunk: 8 } }],
  ["rwkv4", 4, {}],
  ["recurrent-gemma", 5, {}],
];

describe("checkpoints with activations of 16 bits", () => {
  for (const [name, most, options] of ROUNDINGS)
    for (const type of TYPES)
      it(`${name} in ${type}, with ${JSON.stringify(options)}`, async () => {
        const checkpoint = checkpointFixture(name);
        const bundle = checkpointBundle(checkpoint, { activations: type, ...options });
        const weights = await fileWeights(fixturePath(name));
        const model = await open(bundle, { device: await baselineDevice(), weights });
        await weights.close();
        const token = tensorOf(checkpoint.expected, "input_ids");
        const [batch = 0] = token.shape;
        const session = await model.session({ batch });
        const { logits } = await session.prefill({ token: u32(token.data) }, { outputs: "all" });
        const error = relativeError(logits?.data ?? [], tensorOf(checkpoint.expected, "logits").data);
        assert.ok(error > HALF_STEP[type] / 4, "nothing was rounded");
        assert.ok(error < most * HALF_STEP[type], String(error));
        model.destroy();
      });
});
