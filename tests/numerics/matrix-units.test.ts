/** Models on the target `matrix`: on the GPU's own matrix units, or emulated where there are none. */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { interpret } from "../../compiler/interpret/index.js";
import { chooseTarget, open, tensorCheckpoint, type Bundle, type DeviceLike } from "../../runtime/index.js";
import { testDevice } from "../support/adapter.js";
import { graphOf } from "../support/elaborated.js";
import { MATRIX_INFO, usesMatrices, withMatrices } from "../support/emulate-matrices.js";
import { expectClose } from "../support/expect-close.js";
import { opFixture, tensorOf } from "../support/fixtures.js";
import { bundleOf, f32, hostTensor } from "../support/model.js";
import { seeded } from "../support/random.js";
import { SSD, SSD_SIZES } from "../support/ssd.js";

/** Small enough for software. */
const TILES = {
  kind: "matrix",
  tileRows: 32,
  tileCols: 32,
  tileDepth: 16,
  partRows: 16,
  partCols: 32,
  stages: 1,
} as const;
const MATRIX: CompileOptions = { targets: ["matrix"], schedule: { matrixTiles: TILES } };

/** A norm, a product of it, and a product of what comes out, with a residual: rows are run-time. */
const layers = (m: number, f: number): string => `
axis b: batch, t: time, m = ${String(m)}, f = ${String(f)}
model layers {
  input x: f32[b, t, m]
  param up[f, m], down[m, f], bias[f]
  h = silu(dot(up, rms_norm(x, over m, 1e-5), over m) + bias)
  output y[b, t, m] = x + dot(down, h, over f)
}
`;
const LAYERS = layers(37, 51);

const LIMITS = {
  maxStorageBuffersPerShaderStage: 16,
  maxComputeWorkgroupStorageSize: 49152,
  maxComputeInvocationsPerWorkgroup: 1024,
} as const;

const opened = async (bundle: Bundle, params: Parameters<typeof tensorCheckpoint>[0] = {}) =>
  open(bundle, { device: withMatrices(await testDevice()), weights: tensorCheckpoint(params) });

describe("on the target matrix", () => {
  it("Mamba-2's recurrence agrees with PyTorch, in chunks of 16 and of 64", async () => {
    const { tensors } = opFixture("ssd");
    const expected = tensorOf(tensors, "y");
    for (const matrixChunk of [16, 64]) {
      const bundle = bundleOf(SSD, {
        ...MATRIX,
        set: SSD_SIZES,
        schedule: { ...MATRIX.schedule, matrixChunk },
      });
      const model = await opened(bundle);
      assert.equal(model.target, "matrix");
      const session = await model.session({ batch: expected.shape[0] ?? 1 });
      await session.restore({ pos: 0, states: { h: hostTensor(tensorOf(tensors, "h0")) } });
      const inputs = model.inputs.map(({ name }) => [name, f32(tensorOf(tensors, name).data)] as const);
      const { y } = await session.prefill(Object.fromEntries(inputs), { outputs: "all" });
      assert.ok(y);
      expectClose(y, expected, { tolerance: "f16-products", what: "y" });
      expectClose(await session.readState("h"), tensorOf(tensors, "h_last"), {
        tolerance: "f16-products",
        what: "the last state",
      });
      model.destroy();
    }
  });

  // Odd sizes; and whole words, but for the last tile's rows.
  for (const [m, f] of [
    [37, 51],
    [40, 56],
  ] as const)
    it(`layers of ${String(m)} and ${String(f)} agree with the oracle, weights stored in any type`, async () => {
      const text = layers(m, f);
      const [batch, steps] = [2, 23];
      const graph = graphOf(text);
      const random = seeded(9);
      const x = random.tensor([batch, steps, m]);
      // Values that every storage type holds.
      const params = Object.fromEntries(
        Object.entries({ up: [f, m], down: [m, f], bias: [f] }).map(([name, shape]) => {
          const { data } = random.tensor(shape, (r) => Math.round(r.normal() * 8) / 64);
          return [name, { shape, data: f32(data) }];
        }),
      );
      const inputs = { x: { shape: x.shape, data: Float64Array.from(f32(x.data)) } };
      const expected = interpret(graph, { inputs, params }).outputs["y"] ?? assert.fail("no y");
      for (const weights of ["f32", "f16", "bf16"] as const) {
        const model = await opened(bundleOf(text, { ...MATRIX, weights }), params);
        const session = await model.session({ batch });
        const { y } = await session.prefill({ x: f32(x.data) }, { outputs: "all" });
        assert.ok(y);
        expectClose(y, expected, { tolerance: "f16-products", what: `y, weights in ${weights}` });
        model.destroy();
      }
    });

  it("what is read below a diagonal alone is 0 elsewhere, also where it comes by words", async () => {
    const text = `axis b: batch, t: time
axis k = 16, v = 16
model delta {
  input x: f32[b, t, k]
  input u: f32[b, t, v]
  key = l2_norm(x, over k, 0.01)
  state h[k, v]
  h = prev(h) + 0.5*key*(u - dot(key, prev(h), over k))
  output y[b, t, v] = dot(key, h, over k)
}`;
    const [steps, random] = [75, seeded(4)];
    const inputs = Object.fromEntries(
      ["x", "u"].map((name) => [name, f32(random.tensor([1, steps, 16]).data)] as const),
    );
    const given = Object.entries(inputs).map(
      ([name, data]) => [name, { shape: [1, steps, 16], data }] as const,
    );
    const expected = interpret(graphOf(text), { inputs: Object.fromEntries(given) }).outputs["y"];
    const model = await opened(
      bundleOf(text, { ...MATRIX, schedule: { ...MATRIX.schedule, matrixChunk: 32 } }),
    );
    const { y } = await (await model.session()).prefill(inputs, { outputs: "all" });
    assert.ok(y && expected);
    expectClose(y, expected, { tolerance: "f16-products", what: "y" });
    model.destroy();
  });

  it("what these products alone read lies in f16, and by a step in f32", () => {
    const written = (text: string, options: CompileOptions): readonly string[] => {
      const { files } = bundleOf(text, options);
      return [...files.values()].flatMap((code) =>
        [...code.matchAll(/read_write> (\w+): array<(?:f16|vec4<f16>)>/g)].map(([, name = ""]) => name),
      );
    };
    const chunked = { ...MATRIX, set: SSD_SIZES, schedule: { ...MATRIX.schedule, matrixChunk: 16 } };
    const inF16 = new Set(written(SSD, chunked));
    for (const name of ["C_dot_B", "h"])
      assert.ok(inF16.has(name), `${name} is not in f16: ${[...inF16].join(", ")}`);
    // A scan reads it too.
    assert.ok(!inF16.has("decay"), "cumulated logarithms are rounded");
    assert.deepEqual(written(SSD, { ...chunked, targets: ["large"] }), []);
  });

  it("a bundle runs by the next profile where there are no matrix units, or says what it lacks", () => {
    const device = (info: unknown): DeviceLike => ({
      features: { has: () => true } as unknown as ReadonlySet<string>,
      limits: LIMITS as GPUSupportedLimits,
      info: info as GPUAdapterInfo,
    });
    const bundle = bundleOf(LAYERS, { targets: ["matrix", "baseline"] });
    assert.equal(chooseTarget(bundle, device(MATRIX_INFO)).name, "matrix");
    assert.equal(chooseTarget(bundle, device({})).name, "baseline");
    const [config] = (MATRIX_INFO as unknown as { subgroupMatrixConfigs: readonly object[] })
      .subgroupMatrixConfigs;
    const others = {
      subgroupMatrixConfigs: [
        { ...config, K: 8 },
        { ...config, componentType: "f32" },
      ],
    };
    assert.throws(
      () => chooseTarget(bundle, device(others), "matrix"),
      /matrix needs matrix units for f16 in 16×16×16/,
    );
    const sized = (subgroupMinSize: number, subgroupMaxSize: number): DeviceLike =>
      device(Object.assign({}, MATRIX_INFO, { subgroupMinSize, subgroupMaxSize }));
    assert.equal(chooseTarget(bundle, sized(8, 32)).name, "matrix");
    for (const other of [sized(64, 64), sized(4, 16)])
      assert.throws(() => chooseTarget(bundle, other, "matrix"), /in subgroups of 32/);
  });

  it("and on no other are 16-bit products made, however weights are stored", () => {
    const bundle = bundleOf(LAYERS, { targets: ["baseline", "large"], weights: "f16" });
    for (const code of bundle.files.values()) assert.ok(!usesMatrices(code));
  });
});
