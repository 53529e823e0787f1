/** What explain says of models whose fusion, classes and layers are known. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { compile, type Compilation } from "../../compiler/compile.js";
import { explain, type Explanation, type KernelExplanation } from "../../compiler/explain/index.js";
import type { ConstantValue, Dim } from "../../runtime/bundle-format.js";
import { SSD } from "../support/ssd.js";
import { axisNames, Numbers } from "../../runtime/numbers.js";

interface Asked {
  readonly set?: Readonly<Record<string, ConstantValue>>;
  readonly program?: Explanation["program"];
  readonly batch?: number;
  readonly steps?: number;
}

function explained(
  text: string,
  { set = {}, program = "prefill", batch = 1, steps = 512 }: Asked = {},
): Explanation {
  const source = { path: "folder/test.krait", text };
  const { bundle, diagnostics, stages } = compile(source, { set });
  assert.deepEqual(diagnostics, []);
  const [target] = stages.targets ?? [];
  const entry = target?.entry[program];
  assert.ok(bundle !== undefined && target !== undefined && entry !== undefined);
  const length = program === "step" ? 1 : steps;
  const numbers = new Numbers(axisNames(bundle.manifest), entry.numbers);
  const values = numbers.values({ batch, steps: length, pos: 0, tailBegin: length - 1, tailCount: 1 });
  const dim = (of: Dim): number => numbers.compile(of)(values);
  const found = explain(stages as Compilation, target, { program, dim, sources: [source] });
  assert.ok(found !== undefined);
  return found;
}

const MAMBA = readFileSync(new URL("../../templates/models/mamba.krait", import.meta.url), "utf8");

const kernelNamed = ({ kernels }: Explanation, pattern: RegExp): KernelExplanation => {
  const found = kernels.find(({ ids }) => ids.some((id) => pattern.test(id)));
  assert.ok(
    found !== undefined,
    `no kernel ${String(pattern)} among ${kernels.flatMap(({ ids }) => ids).join()}`,
  );
  return found;
};

/** One recurrence of a vector, by its equation. */
const recurrence = (equation: string, more = ""): string => `axis b: batch, t: time
axis n = 8, m = 8
model test {
  input x: f32[b, t, n]
  param w[m, n]
  state h[n]
  ${more}
  ${equation}
  output y[b, t, n] = h
}`;

describe("explain", () => {
  it("counts the launches of a layer of Mamba", () => {
    const uncut = explained(MAMBA, { set: { layers: 3 }, steps: 128 });
    assert.deepEqual(
      uncut.layers.map(({ path, iterations, launches }) => [path, iterations, launches]),
      [
        ["backbone.layers.{layer}", 2, 7],
        ["backbone.layers.{layer}", 1, 7],
      ],
    );
    // The embeddings are larger than a binding: the scores are computed in two halves.
    assert.equal(uncut.launches, 1 + 3 * 7 + 3);
    const cut = explained(MAMBA, { set: { layers: 3 }, steps: 2048 });
    assert.deepEqual(
      cut.layers.map(({ launches }) => launches),
      [9, 9],
    );
    const step = explained(MAMBA, { set: { layers: 3 }, program: "step" });
    assert.ok(step.layers.every(({ launches }) => launches === 4));
  });

  it("names the lines that the scan computes, and why it is not part of the product after it", () => {
    const scan = kernelNamed(explained(MAMBA, { set: { layers: 1 }, steps: 64 }), /scan/);
    const lines = scan.computes.map(({ text }) => text);
    assert.ok(
      lines.some((line) => line.startsWith("der(h) =")),
      lines.join("\n"),
    );
    assert.ok(
      lines.some((line) => line.startsWith("y = dot(C, h, over n)")),
      lines.join("\n"),
    );
    assert.equal(scan.boundaries.length, 1);
    assert.match(scan.boundaries[0]!.why, /^'o' sums over d/);
    assert.match(scan.boundaries[0]!.at, /^test\.krait:\d+$/);
  });

  it("says what moves, and what a chunked scan moves more than it must", () => {
    const uncut = kernelNamed(explained(MAMBA, { set: { layers: 1 }, steps: 128 }), /scan/);
    assert.equal(uncut.bytes.read + uncut.bytes.written, uncut.bytes.least);
    const cut = kernelNamed(explained(MAMBA, { set: { layers: 1 }, steps: 2048 }), /rescan/);
    assert.equal(cut.dispatches.length, 3);
    const ratio = (cut.bytes.read + cut.bytes.written) / cut.bytes.least;
    assert.ok(ratio > 1.5 && ratio < 2.5, String(ratio));
  });

  it("counts the operations of a product: two for each element of each sum", () => {
    const text = `axis b: batch, t: time
      axis m = 96, d = 64
      model test {
        input x: f32[b, t, m]
        param w[d, m]
        output y[b, t, d] = dot(w, x, over m)
      }`;
    const [kernel] = explained(text, { steps: 100 }).kernels;
    assert.equal(kernel?.dispatches[0]?.arithmetic, 2 * 96 * 64);
    const step = kernelNamed(explained(text, { program: "step" }), /./);
    assert.equal(step.dispatches[0]?.transcendental, 0);
  });

  it("counts the exponentials of a scan", () => {
    const text = `axis b: batch, t: time
      axis d = 24, n = 4
      model test {
        input u: f32[b, t, d]
        input delta: f32[b, t, d]
        input B: f32[b, t, n]
        param A[d, n]
        state h[d, n]
        der(h) = A * h + B * u  by exp_euler(delta)
        output y[b, t, d] = dot(B, h, over n)
      }`;
    const scan = kernelNamed(explained(text, { steps: 50 }), /scan/);
    assert.equal(scan.dispatches[0]?.transcendental, 50 * 24 * 4);
  });

  for (const [kind, equation, at, because] of [
    ["diagonal", "h = x * prev(h) + x", 8, /a·prev\(h\) \+ b/],
    ["time-invariant", "h = 0.5 * prev(h) + x", 8, /does not depend on time/],
    ["tropical", "h = max(prev(h) - 1, x)", 8, /maxima stand for sums/],
    ["elementwise", "h = tanh(prev(h)) + x", 8, /'tanh\(prev\(h\)\)' is not affine/],
    [
      "coupled",
      "h = dot(w, prev(h), over n)[m -> n] + x",
      8,
      /'dot\(w, prev\(h\), over n\)' makes an element/,
    ],
  ] as const)
    it(`tells that a recurrence is ${kind}, and by what in the source`, () => {
      const { kernels } = explained(recurrence(equation));
      const found = kernels.map((kernel) => kernel.recurrence).find((each) => each !== undefined);
      assert.equal(found?.class, kind);
      assert.equal(found.at, `test.krait:${at}`);
      assert.match(found.because, because);
    });

  it("tells which sums are angles, and why others that sines read are not", () => {
    const said = (outputs: string): string => {
      const text = recurrence("h = prev(h) + x").replace("output y[b, t, n] = h", outputs);
      const kernel = explained(text).kernels.find((each) => each.recurrence !== undefined);
      return `${kernel?.recurrence?.class}: ${kernel?.recurrence?.because}`;
    };
    assert.match(said("output y[b, t, n] = cos(h)"), /^angle: h = prev\(h\) \+ d.* fraction of a turn/);
    assert.match(
      said("output y[b, t, n] = cos(h)\n  output z[b, t, n] = h"),
      /^time-invariant: .*whole turns matter/,
    );
    assert.match(said("output y[b, t, n] = cos(h) + tanh(h)"), /to 'tanh\(h\)' whole turns matter/);
    assert.doesNotMatch(said("output y[b, t, n] = tanh(h)"), /turn/);
  });

  it("says how a recurrence is computed, what came next, and what both cost", () => {
    const set = { heads: 24, groups: 1, states: 128, width: 64 };
    const chosen = (batch: number, steps: number): readonly string[] => {
      const { choices } = explained(SSD, { batch, steps, set });
      return choices.flatMap(({ class: kind, chosen: first, next }) => {
        assert.ok(first.cost < next.cost);
        return [kind, first.algorithm, next.algorithm];
      });
    };
    assert.deepEqual(chosen(1, 2048), ["scalar decay", "products of matrices", "scan cut in time"]);
    assert.deepEqual(chosen(8, 2048), ["scalar decay", "scan", "products of matrices"]);
    assert.deepEqual(chosen(1, 64), ["scalar decay", "scan", "products of matrices"]);
  });

  it("says so of one of low rank, which is never cut in time but by its matrix form", () => {
    const text = readFileSync(new URL("../families/sources/deltanet.krait", import.meta.url), "utf8");
    const chosen = (heads: number): readonly string[] => {
      const { choices } = explained(text, { batch: 1, steps: 2048, set: { heads, keys: 64, values: 64 } });
      return choices.flatMap(({ class: kind, chosen: { algorithm }, next }) => [
        kind,
        algorithm,
        next.algorithm,
      ]);
    };
    assert.deepEqual(chosen(4), ["low rank", "products of matrices", "scan"]);
    assert.deepEqual(chosen(32), ["low rank", "scan", "products of matrices"]);
  });

  it("says which barriers and how much memory a workgroup has, as the shader does", () => {
    const source = { path: "test.krait", text: MAMBA };
    const { stages } = compile(source, { set: { layers: 1 } });
    const [target] = stages.targets ?? [];
    const found = explained(MAMBA, { set: { layers: 1 }, program: "step" });
    for (const { id, barriers, onChip, skeleton, bindings } of found.kernels.flatMap(
      ({ dispatches }) => dispatches,
    )) {
      const shader = target?.entry.shaders.find((each) => each.id === id);
      const text = target?.files.get(shader?.file ?? "") ?? "";
      // With one step, a scan runs its one tile once. What loops is the tree of a reduction: one of two is inside.
      const written = [...text.matchAll(/(?:workgroup|storage)Barrier\(\)/g)].length;
      if (skeleton === "scan" || skeleton === "map") assert.equal(barriers, written, id);
      else assert.equal(barriers > 0, written > 0, id);
      assert.equal(onChip, shader?.workgroupBytes, id);
      assert.equal(bindings.length, shader?.bindings.length, id);
    }
  });
});
